#include "http/http_multi.h"

#include <stdint.h>
#include <uv.h>

#include "base/mem.h"

enum { MULTI_MAGIC = 0x484d5531, SOCKET_MAGIC = 0x48534b31 };

struct http_multi {
    uint32_t magic;
    CURLM *curl;
    uv_loop_t *loop;
    uv_timer_t timer;
    http_multi_fn *on_end;
    void *self;
};

/* One socket of libcurl's, as long as libcurl wants it watched. */
struct watch {
    uint32_t magic;
    uv_poll_t poll;
    curl_socket_t fd;
    struct http_multi *multi;
};

static void collect(struct http_multi *m)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(m->curl, &left))) {
        CURL *easy    = msg->easy_handle;
        CURLcode code = msg->data.result; /* msg does not outlive the removal */

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(m->curl, easy);
        m->on_end(m->self, easy, code);
    }
}

static void act(struct http_multi *m, curl_socket_t fd, int what)
{
    int running;

    must(curl_multi_socket_action(m->curl, fd, what, &running) == CURLM_OK);
    collect(m);
}

static void on_timer(uv_timer_t *timer)
{
    act(SELF(struct http_multi, MULTI_MAGIC, timer->data), CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *curl, long ms, void *self)
{
    struct http_multi *m = SELF(struct http_multi, MULTI_MAGIC, self);

    (void)curl;
    if (ms < 0)
        uv_timer_stop(&m->timer);
    else
        uv_timer_start(&m->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct watch *w = SELF(struct watch, SOCKET_MAGIC, poll->data);
    int what        = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    act(w->multi, w->fd, what);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = SELF(struct watch, SOCKET_MAGIC, handle->data);

    mem_free(&w);
}

static struct watch *watch_new(struct http_multi *m, curl_socket_t fd)
{
    struct watch *w = mem_new(struct watch);

    w->magic = SOCKET_MAGIC;
    w->fd    = fd;
    w->multi = m;
    must(uv_poll_init_socket(m->loop, &w->poll, fd) == 0);
    w->poll.data = w;
    curl_multi_assign(m->curl, fd, w);
    return w;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *slot)
{
    struct http_multi *m = SELF(struct http_multi, MULTI_MAGIC, self);
    struct watch *w      = slot;
    int events           = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            curl_multi_assign(m->curl, fd, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (!w)
        w = watch_new(m, fd);
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    must(uv_poll_start(&w->poll, events, on_event) == 0);
    return 0;
}

struct http_multi *http_multi_new(struct uv_loop_s *loop, http_multi_fn *on_end, void *self)
{
    struct http_multi *m = mem_new(struct http_multi);

    m->magic  = MULTI_MAGIC;
    m->loop   = loop;
    m->on_end = on_end;
    m->self   = self;
    must(uv_timer_init(loop, &m->timer) == 0);
    m->timer.data = m;
    m->curl       = curl_multi_init();
    must(m->curl);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    return m;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_multi *m = SELF(struct http_multi, MULTI_MAGIC, handle->data);

    mem_free(&m);
}

void http_multi_free(struct http_multi **slot)
{
    struct http_multi *m = take(slot);

    if (!m)
        return;
    curl_multi_cleanup(m->curl); /* its connections end here, and with them the watches */
    uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}

void http_multi_add(struct http_multi *m, CURL *easy)
{
    must(curl_multi_add_handle(m->curl, easy) == CURLM_OK);
}

void http_multi_remove(struct http_multi *m, CURL *easy)
{
    curl_multi_remove_handle(m->curl, easy);
}
