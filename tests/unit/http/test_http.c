#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/http.h"
#include "http/http_guard.h"

/* ---- a server that behaves as badly as a test wants: one thread, and one for each connection -------- */

enum { CONNECTIONS = 400, REQUEST_SIZE = 8 << 10 };

struct server;
typedef void script_fn(struct server *s, int fd);

struct server {
    int fd;
    unsigned port;
    char base[64]; /* http://127.0.0.1:port */
    script_fn *script;
    pthread_t acceptor;
    pthread_t threads[CONNECTIONS];
    int fds[CONNECTIONS];
    atomic_int connections, requests, ended; /* ended: connections that the client closed */
    atomic_int repeated;                     /* answers that were said twice */
    pthread_mutex_t lock;
    char last[REQUEST_SIZE]; /* request line and headers of the last request */
    size_t last_body;
    char where[200]; /* what a redirect says */
};

struct connection {
    struct server *server;
    int fd;
};

static void *serve(void *at)
{
    struct connection *c = at;

    c->server->script(c->server, c->fd);
    mem_free(&c);
    return NULL;
}

static void *accept_all(void *at)
{
    struct server *s = at;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        struct connection *c = mem_new(struct connection);
        int n                = atomic_load(&s->connections);

        *c        = (struct connection){s, fd};
        s->fds[n] = fd;
        pthread_create(&s->threads[n], NULL, serve, c);
        atomic_fetch_add(&s->connections, 1);
    }
    return NULL;
}

static int listener(unsigned *ret_port, int backlog)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len         = sizeof(at);
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static struct server *server_new(script_fn *script)
{
    struct server *s = mem_new(struct server);

    s->script = script;
    s->fd     = listener(&s->port, 128);
    snprintf(s->base, sizeof(s->base), "http://127.0.0.1:%u", s->port);
    pthread_mutex_init(&s->lock, NULL);
    pthread_create(&s->acceptor, NULL, accept_all, s);
    return s;
}

static void server_free(struct server **slot)
{
    struct server *s = take(slot);

    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    for (int i = 0; i < atomic_load(&s->connections); i++) {
        shutdown(s->fds[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        close(s->fds[i]);
    }
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    mem_free(&s);
}

/* False: the client is gone. */
static bool say(int fd, const void *at, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at = (const char *)at + n;
        len -= (size_t)n;
    }
    return true;
}

static bool say_text(int fd, const char *text)
{
    return say(fd, text, strlen(text));
}

/* Reads one whole request and counts it.  False: the client is gone. */
static bool hear(struct server *s, int fd)
{
    char head[REQUEST_SIZE];
    size_t len  = 0;
    size_t want = 0, have;
    char *end   = NULL, *length;

    while (!end) {
        ssize_t n = recv(fd, head + len, sizeof(head) - 1 - len, 0);

        if (n <= 0) {
            atomic_fetch_add(&s->ended, 1);
            return false;
        }
        len += (size_t)n;
        head[len] = '\0';
        end       = strstr(head, "\r\n\r\n");
    }
    length = strcasestr(head, "\r\nContent-Length:");
    want   = length ? strtoul(length + 17, NULL, 10) : 0;
    have   = len - (size_t)(end + 4 - head);
    while (have < want) {
        char rest[65536];
        ssize_t n = recv(fd, rest, sizeof(rest), 0);

        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    end[2] = '\0';
    pthread_mutex_lock(&s->lock);
    str_copy(s->last, sizeof(s->last), head);
    s->last_body = have;
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->requests, 1);
    return true;
}

/* ---- scripts ---------------------------------------------------------------------------------- */

static void answer_ok(struct server *s, int fd)
{
    while (hear(s, fd))
        say_text(fd,
                 "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-One: 1\r\nx-many: a\r\nX-Many: b"
                 "\r\n\r\nhello");
}

static void close_unread(struct server *s, int fd)
{
    (void)s;
    shutdown(fd, SHUT_RDWR);
}

static void reset(int fd)
{
    struct linger now = {1, 0};
    int empty         = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    dup2(empty, fd); /* closes it, and leaves the number for server_free */
    close(empty);
}

static void reset_unread(struct server *s, int fd)
{
    (void)s;
    reset(fd);
}

static void reset_after_request(struct server *s, int fd)
{
    hear(s, fd);
    reset(fd);
}

static void close_after_request(struct server *s, int fd)
{
    hear(s, fd);
    shutdown(fd, SHUT_RDWR);
}

static void hold(struct server *s, int fd)
{
    while (hear(s, fd))
        ;
}

static void drip(struct server *s, int fd)
{
    hear(s, fd);
    if (!say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nX-Slow: "))
        return;
    while (say_text(fd, "x"))
        usleep(20000);
}

static void drip_body(struct server *s, int fd)
{
    hear(s, fd);
    if (!say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
        return;
    while (say_text(fd, "x"))
        usleep(20000);
}

static void endless_body(struct server *s, int fd)
{
    static const char block[65536];

    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (say(fd, block, sizeof(block)))
        ;
}

static void endless_chunks(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (say_text(fd, "8\r\nabcdefgh\r\n"))
        ;
}

static void two_gigabytes(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n");
    hear(s, fd);
}

static void endless_headers(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\n");
    while (say_text(fd,
                    "X-Bomb: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
        ;
}

static void one_endless_header(struct server *s, int fd)
{
    static char block[65536];

    memset(block, 'a', sizeof(block));
    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\nX-Bomb: ");
    while (say(fd, block, sizeof(block)))
        ;
}

static void endless_continue(struct server *s, int fd)
{
    hear(s, fd);
    while (say_text(fd, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"))
        ;
}

static void garbage(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "SSH-2.0-OpenSSH_9.2p1\r\nnonsense\r\n\r\n");
    shutdown(fd, SHUT_RDWR);
}

static void cut_body(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "HTTP/1.1 201 Made\r\nContent-Length: 100\r\n\r\nonly this");
    shutdown(fd, SHUT_RDWR);
}

static void cut_chunks(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nabc");
    shutdown(fd, SHUT_RDWR);
}

static void bad_chunks(struct server *s, int fd)
{
    hear(s, fd);
    say_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n");
    hear(s, fd);
}

static void gzip_bomb(struct server *s, int fd)
{
    hear(s, fd);
    say_text(
        fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8bzz");
    hear(s, fd);
}

/* Each answer is the path of its request, and comes once more a little later. */
static void answer_twice(struct server *s, int fd)
{
    char path[64], text[160];

    while (hear(s, fd)) {
        str_copy_n(path, sizeof(path), s->last + 4, strcspn(s->last + 4, " "));
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(path), path);
        say_text(fd, text);
        usleep(20000);
        say_text(fd, text);
        atomic_fetch_add(&s->repeated, 1);
    }
}

static void redirect_to(int fd, int status, const char *where)
{
    char text[400];

    snprintf(text, sizeof(text), "HTTP/1.1 %d Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             status, where);
    say_text(fd, text);
}

/* /30x: redirects to s->where; /loop/n: to the next n; else 200 with the method as the body. */
static void redirects(struct server *s, int fd)
{
    while (hear(s, fd)) {
        const char *path = strchr(s->last, ' ') + 1;
        char where[100], text[100];

        if (strncmp(path, "/3", 2) == 0) {
            redirect_to(fd, atoi(path + 1), s->where);
        } else if (strncmp(path, "/loop/", 6) == 0) {
            snprintf(where, sizeof(where), "/loop/%d", atoi(path + 6) + 1);
            usleep(strncmp(path + 6, "1", 1) == 0 ? 0 : 60000);
            redirect_to(fd, 302, where);
        } else {
            snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s",
                     (int)strcspn(s->last, " "), (int)strcspn(s->last, " "), s->last);
            say_text(fd, text);
        }
    }
}

/* ---- a client --------------------------------------------------------------------------------- */

struct seen {
    int count;
    struct err err;
    enum http_stage stage;
    int status;
    uint64_t ms;
    char body[64], text[256], url[256], one[16], many[2][16];
    size_t body_len;
    bool third;
    void (*then)(struct seen *seen);
    struct http_call **victim;
};

struct rig {
    uv_loop_t loop;
    struct http *http;
    struct server *server, *other;
};

static void copy(char *to, size_t size, const char *from)
{
    str_copy(to, size, from ? from : "(none)");
}

static void on_done(void *self, const struct http_response *r)
{
    struct seen *s = self;

    s->count++;
    s->err      = r->err;
    s->stage    = r->stage;
    s->status   = r->status;
    s->ms       = r->ms;
    s->body_len = r->body.len;
    str_copy_n(s->body, sizeof(s->body), (const char *)r->body.at, r->body.len);
    copy(s->text, sizeof(s->text), r->text);
    copy(s->url, sizeof(s->url), r->url);
    copy(s->one, sizeof(s->one), http_response_header(r, "x-one", 0));
    copy(s->many[0], sizeof(s->many[0]), http_response_header(r, "X-Many", 0));
    copy(s->many[1], sizeof(s->many[1]), http_response_header(r, "X-Many", 1));
    s->third = http_response_header(r, "X-Many", 2) != NULL;
    if (s->then)
        s->then(s);
}

static void turn_until(struct rig *r, const struct seen *s, int count, uint64_t ms)
{
    for (uint64_t end = clk_mono_ms() + ms; s->count < count && clk_mono_ms() < end;
         usleep(200))
        uv_run(&r->loop, UV_RUN_NOWAIT);
}

static void turn(struct rig *r, uint64_t ms)
{
    struct seen nobody = {.count = 0};

    turn_until(r, &nobody, 1, ms);
}

static struct http_request to(struct rig *r, const char *path)
{
    static char urls[8][300];
    static unsigned next;
    char *url = urls[next++ % 8];

    snprintf(url, 300, "%s%s", r->server->base, path);
    return (struct http_request){.method     = "GET",
                                 .url        = url,
                                 .timeout_ms = 5000,
                                 .body_max   = 1 << 20,
                                 .guard      = HTTP_GUARD_OPERATOR};
}

static struct seen ask(struct rig *r, struct http_request request)
{
    struct seen s = {.count = 0};

    http_start(r->http, &request, on_done, &s);
    assert_int_equal(s.count, 0); /* never from inside */
    turn_until(r, &s, 1, request.timeout_ms + 3000);
    assert_int_equal(s.count, 1);
    return s;
}

static void assert_end(const struct seen *s, enum err_kind kind, enum http_stage stage)
{
    if (s->err.kind != kind || s->stage != stage)
        fail_msg("%s at stage %d: %s (curl %d, status %d)",
                 err_kind_name((enum err_kind)s->err.kind), s->stage, s->text, s->err.code,
                 s->status);
    if (kind != ERR_NONE)
        assert_string_not_equal(s->text, "");
}

static int set_up(void **state)
{
    struct rig *r                   = mem_new(struct rig);
    const struct http_config config = {.user_agent = "test/1"};

    assert_int_equal(uv_loop_init(&r->loop), 0);
    assert_false(failed(http_open(&r->http, &r->loop, &config)));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    char why[100];

    assert_false(failed(http_guard_deny(NULL, why, sizeof(why))));
    http_free(&r->http);
    for (int i = 0; i < 1000 && uv_run(&r->loop, UV_RUN_NOWAIT); i++)
        ;
    assert_int_equal(uv_loop_close(&r->loop), 0);
    if (r->server)
        server_free(&r->server);
    if (r->other)
        server_free(&r->other);
    mem_free(&r);
    return 0;
}

/* ---- what goes well ------------------------------------------------------------------------------ */

static void an_answer_comes_whole(void **state)
{
    struct rig *r = *state;

    r->server     = server_new(answer_ok);
    struct seen s = ask(r, to(r, "/a?b=c"));

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(s.status, 200);
    assert_string_equal(s.body, "hello");
    assert_string_equal(s.one, "1");
    assert_string_equal(s.many[0], "a");
    assert_string_equal(s.many[1], "b");
    assert_false(s.third);
    assert_string_equal(s.text, "");
    assert_true(str_ends(s.url, "/a?b=c"));
    assert_true(str_starts(r->server->last, "GET /a?b=c HTTP/1.1\r\n"));
    assert_non_null(strstr(r->server->last, "User-Agent: test/1\r\n"));
    assert_null(strcasestr(r->server->last, "Accept-Encoding"));
}

static void method_headers_and_body_arrive_as_given(void **state)
{
    struct rig *r = *state;

    r->server                    = server_new(answer_ok);
    struct http_header headers[] = {
        {"Content-Type", "application/json"}, {"X-Key", "secret"}, {"X-Empty", ""}};
    struct http_request request = to(r, "/");
    size_t len                  = 3 << 20;
    uint8_t *body               = mem_zero(len);

    request.method       = "POST";
    request.headers      = headers;
    request.header_count = 3;
    request.body         = bytes_of(body, len);
    struct seen s        = ask(r, request);

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_true(str_starts(r->server->last, "POST / HTTP/1.1\r\n"));
    assert_non_null(strstr(r->server->last, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(r->server->last, "\r\nX-Key: secret\r\n"));
    assert_non_null(strstr(r->server->last, "\r\nX-Empty:\r\n"));
    assert_null(strcasestr(r->server->last, "Expect"));
    assert_int_equal(r->server->last_body, len);

    static const char *const METHODS[] = {"DELETE", "PUT", "PATCH", "POST", "OPTIONS", "GET"};

    for (size_t i = 0; i < 6; i++) {
        request        = to(r, "/m");
        request.method = METHODS[i];
        s              = ask(r, request);
        assert_end(&s, ERR_NONE, HTTP_ANSWERED);
        assert_true(str_starts(r->server->last, METHODS[i]));
        assert_int_equal(r->server->last_body, 0);
        assert_null(strcasestr(r->server->last, "Content-Type"));
    }
    mem_free(&body);
}

/* Also a HEAD: none is left for another. */
static void no_connection_is_used_again(void **state)
{
    static const char *const METHODS[] = {"GET", "HEAD", "POST", "DELETE", "GET"};
    struct rig *r                      = *state;

    r->server = server_new(answer_ok);
    for (int i = 0; i < 5; i++) {
        struct http_request request = to(r, "/");

        request.method = METHODS[i];
        struct seen s  = ask(r, request);

        assert_end(&s, ERR_NONE, HTTP_ANSWERED);
        assert_int_equal(r->server->connections, i + 1);
    }
    for (int i = 0; i < 500 && r->server->ended < 5; i++)
        turn(r, 10);
    assert_int_equal(r->server->ended, 5);
}

/* On a connection that is kept it would be taken for the answer to whatever is asked next. */
static void a_second_answer_is_nobodys(void **state)
{
    struct rig *r = *state;

    r->server = server_new(answer_twice);
    for (int i = 0; i < 4; i++) {
        char path[8];

        str_format(path, sizeof(path), "/%d", i);
        struct seen s = ask(r, to(r, path));

        assert_end(&s, ERR_NONE, HTTP_ANSWERED);
        assert_string_equal(s.body, path);
        for (int n = 0; n < 500 && r->server->repeated <= i; n++)
            turn(r, 10);
        assert_int_equal(r->server->repeated, i + 1);
    }
}

static void two_hundred_calls_are_under_way_at_once(void **state)
{
    struct rig *r = *state;
    struct http_request request;
    enum { CALLS = 200 };
    static struct seen seen[CALLS];

    r->server = server_new(answer_ok);
    request   = to(r, "/");
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < CALLS; i++)
        http_start(r->http, &request, on_done, &seen[i]);
    for (int i = 0; i < CALLS; i++) {
        turn_until(r, &seen[i], 1, 5000);
        assert_end(&seen[i], ERR_NONE, HTTP_ANSWERED);
        assert_int_equal(seen[i].count, 1);
    }
}

static void head_may_announce_what_it_likes(void **state)
{
    struct rig *r = *state;

    r->server                   = server_new(two_gigabytes);
    struct http_request request = to(r, "/");

    request.method = "HEAD";
    struct seen s  = ask(r, request);

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(s.body_len, 0);
}

static void no_environment_names_a_proxy(void **state)
{
    struct rig *r = *state;

    r->server = server_new(answer_ok);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    struct seen s = ask(r, to(r, "/"));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
}

static void the_proxy_gets_what_goes_outside_and_nothing_else(void **state)
{
    struct rig *r = *state;
    char proxy[64];
    struct http *http = NULL;

    r->server = server_new(answer_ok);
    r->other  = server_new(answer_ok);
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", r->other->port);
    const struct http_config config = {.proxy = proxy};

    assert_false(failed(http_open(&http, &r->loop, &config)));
    http_free(&r->http);
    r->http = http;

    struct http_request request = to(r, "/");
    struct seen s               = ask(r, request); /* an operator's local address */
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(r->other->requests, 0);

    request.url   = "http://shop.example/x";
    request.guard = HTTP_GUARD_PUBLIC;
    s             = ask(r, request);

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_true(str_starts(r->other->last, "GET http://shop.example/x HTTP/1.1\r\n"));
}

/* ---- nothing was sent ---------------------------------------------------------------------------- */

static void refused_connection_is_before_send(void **state)
{
    struct rig *r = *state;

    r->server = server_new(answer_ok);

    struct http_request request = to(r, "/");
    char url[64];
    unsigned port;
    int fd = listener(&port, 1);

    close(fd);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    request.url   = url;
    struct seen s = ask(r, request);

    assert_end(&s, ERR_RETRY, HTTP_BEFORE_SEND);
    assert_int_equal(s.status, 0);
}

static void unknown_name_is_before_send(void **state)
{
    struct rig *r = *state;

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    request.url        = "http://no-such-host.invalid/";
    request.connect_ms = 2000;
    uint64_t began     = clk_mono_ms();
    struct seen s      = ask(r, request);

    assert_end(&s, ERR_RETRY, HTTP_BEFORE_SEND);
    assert_true(clk_mono_ms() - began < 4900);
}

static void host_that_never_accepts_is_before_send(void **state)
{
    struct rig *r = *state;
    int full[8];
    unsigned port;
    int fd = listener(&port, 0);
    char url[64];
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int i = 0; i < 8; i++) { /* what a queue of none can hold, and more */
        full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(full[i], (struct sockaddr *)&at, sizeof(at));
    }
    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    request.url        = url;
    request.connect_ms = 300;
    struct seen s      = ask(r, request);

    assert_end(&s, ERR_RETRY, HTTP_BEFORE_SEND);
    assert_in_range(s.ms, 250, 4900);
    for (int i = 0; i < 8; i++)
        close(full[i]);
    close(fd);
}

static void bad_requests_are_refused_in_a_later_turn(void **state)
{
    static const struct http_header BAD[] = {
        {"X-A\r\nX-B", "1"},
        {"X-A", "1\r\nX-B: 2"},
        {"X-A", "1\nX-B: 2"},
        {"", "1"},
        {"X A", "1"},
        {"X-A:", "1"},
        {"Host", "other"},
        {"content-length", "5"},
        {"Transfer-Encoding", "chunked"},
        {"Connection", "x"},
        {"Proxy-Authorization", "x"},
    };
    static const char *const URLS[] = {"ftp://x.example/", "http://", "", "http://a b/",
                                       "file:///etc/passwd"};
    struct rig *r                   = *state;

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
        request.headers      = &BAD[i];
        request.header_count = 1;
        struct seen s        = ask(r, request);
        assert_end(&s, ERR_REJECT, HTTP_BEFORE_SEND);
    }
    request.header_count = 0;
    request.method       = "GET /x HTTP/1.1\r\nX: ";
    struct seen s        = ask(r, request);
    assert_end(&s, ERR_REJECT, HTTP_BEFORE_SEND);
    request.method = "GET";
    for (size_t i = 0; i < sizeof(URLS) / sizeof(*URLS); i++) {
        request.url = URLS[i];
        s           = ask(r, request);
        assert_end(&s, ERR_REJECT, HTTP_BEFORE_SEND);
    }
    assert_int_equal(r->server->connections, 0);
}

/* ---- it may have acted --------------------------------------------------------------------------- */

static void assert_unknown(struct rig *r, script_fn *script, bool unsafe, int requests)
{
    r->server                   = server_new(script);
    struct http_request request = to(r, "/");

    request.method     = "POST";
    request.body       = bytes_str("order");
    request.unsafe     = unsafe;
    request.timeout_ms = 600;
    struct seen s      = ask(r, request);

    assert_end(&s, ERR_UNKNOWN, HTTP_AFTER_SEND);
    turn(r, 50);
    if (requests >= 0)
        assert_int_equal(r->server->requests, requests);
    server_free(&r->server);
}

static void server_that_dies_leaves_it_unknown_and_hears_it_once(void **state)
{
    for (int unsafe = 0; unsafe <= 1; unsafe++) {
        assert_unknown(*state, close_after_request, unsafe, 1);
        assert_unknown(*state, reset_after_request, unsafe, 1);
        assert_unknown(*state, hold, unsafe, 1);
        assert_unknown(*state, garbage, unsafe, 1);
        assert_unknown(*state, cut_body, unsafe, 1);
        assert_unknown(*state, cut_chunks, unsafe, 1);
        assert_unknown(*state, bad_chunks, unsafe, 1);
        assert_unknown(*state, drip, unsafe, 1);
        assert_unknown(*state, drip_body, unsafe, 1);
        assert_unknown(*state, close_unread, unsafe, 0);
    }
}

/* Whether the reset comes before or after the request was written is not ours to say, but then the
   stage must be true. */
static void reset_before_the_request_is_told_truly(void **state)
{
    struct rig *r = *state;

    r->server = server_new(reset_unread);
    for (int i = 0; i < 20; i++) {
        struct seen s = ask(r, to(r, "/"));

        assert_true(failed(s.err));
        assert_int_equal(s.err.kind, s.stage == HTTP_BEFORE_SEND ? ERR_RETRY : ERR_UNKNOWN);
    }
    assert_int_equal(r->server->requests, 0);
}

static void status_of_a_cut_answer_is_told(void **state)
{
    struct rig *r = *state;

    r->server     = server_new(cut_body);
    struct seen s = ask(r, to(r, "/"));

    assert_end(&s, ERR_UNKNOWN, HTTP_AFTER_SEND);
    assert_int_equal(s.status, 201);
    assert_int_equal(s.body_len, 0);
}

static void the_deadline_holds_whatever_drips(void **state)
{
    struct rig *r = *state;

    r->server                   = server_new(drip);
    struct http_request request = to(r, "/");

    request.timeout_ms = 400;
    struct seen s      = ask(r, request);

    assert_end(&s, ERR_UNKNOWN, HTTP_AFTER_SEND);
    assert_in_range(s.ms, 350, 4900);
}

/* ---- too much ------------------------------------------------------------------------------------- */

static void assert_full(struct rig *r, script_fn *script)
{
    r->server                   = server_new(script);
    struct http_request request = to(r, "/");

    request.body_max = 100000;
    struct seen s    = ask(r, request);

    assert_end(&s, ERR_FULL, HTTP_AFTER_SEND);
    assert_int_equal(s.body_len, 0);
    assert_true(s.ms < 2000);
    server_free(&r->server); /* it returns only when the connection was dropped */
}

static void what_has_no_end_is_cut(void **state)
{
    assert_full(*state, endless_body);
    assert_full(*state, endless_chunks);
    assert_full(*state, two_gigabytes);
    assert_full(*state, endless_headers);
    assert_full(*state, endless_continue);
}

/* libcurl's own limit of a single header is 100 KiB: it ends the call as it likes. */
static void one_endless_header_is_cut_too(void **state)
{
    struct rig *r = *state;

    r->server     = server_new(one_endless_header);
    struct seen s = ask(r, to(r, "/"));

    assert_true(failed(s.err));
    assert_int_equal(s.stage, HTTP_AFTER_SEND);
    assert_true(s.ms < 2000);
}

static void a_body_of_exactly_the_limit_is_taken(void **state)
{
    struct rig *r = *state;

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    request.body_max = 5;
    struct seen s    = ask(r, request);
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    request.body_max = 4;
    s                = ask(r, request);
    assert_end(&s, ERR_FULL, HTTP_AFTER_SEND);
    assert_int_equal(s.status, 200);
}

static void nothing_is_decompressed(void **state)
{
    struct rig *r = *state;

    r->server     = server_new(gzip_bomb);
    struct seen s = ask(r, to(r, "/"));

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(s.body_len, 4);
}

/* ---- where it may go ------------------------------------------------------------------------------ */

static void deny(const char *nets)
{
    char why[100];

    assert_false(failed(http_guard_deny(nets, why, sizeof(why))));
}

static void forbidden_address_is_never_connected_to(void **state)
{
    struct rig *r = *state;

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    request.guard = HTTP_GUARD_PUBLIC;
    struct seen s = ask(r, request);
    assert_end(&s, ERR_REJECT, HTTP_BEFORE_SEND);
    assert_string_equal(s.text, "127.0.0.1 is loopback");
    request.guard = HTTP_GUARD_PRIVATE;
    s             = ask(r, request);
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(r->server->connections, 1);
}

static void name_is_judged_by_what_it_resolves_to(void **state)
{
    struct rig *r = *state;
    char url[64];

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    snprintf(url, sizeof(url), "http://localhost:%u/", r->server->port);
    request.url   = url;
    request.guard = HTTP_GUARD_PRIVATE;
    deny("127.0.0.0/8,::1");
    struct seen s = ask(r, request);

    assert_end(&s, ERR_REJECT, HTTP_BEFORE_SEND);
    assert_non_null(strstr(s.text, "is denied by the operator"));
    assert_int_equal(r->server->connections, 0);
}

static void connection_of_one_who_may_is_not_there_for_one_who_may_not(void **state)
{
    struct rig *r = *state;
    char url[64];

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    snprintf(url, sizeof(url), "http://localhost:%u/", r->server->port);
    request.url   = url;
    struct seen s = ask(r, request); /* an operator's, kept alive */
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    deny("127.0.0.0/8,::1");

    request.guard = HTTP_GUARD_PRIVATE;
    s             = ask(r, request);

    assert_end(&s, ERR_REJECT, HTTP_BEFORE_SEND);
    assert_int_equal(r->server->requests, 1);
}

static void certificate_of_nobody_is_refused(void **state)
{
    struct rig *r = *state;
    char dir[]    = "/tmp/http-tls-XXXXXX", command[400], url[64];
    unsigned port;
    int fd = listener(&port, 1);

    if (system("command -v openssl >/dev/null") != 0)
        skip();
    close(fd);
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/k -out %s/c -days 1 -subj "
             "/CN=localhost 2>/dev/null",
             dir, dir);
    assert_int_equal(system(command), 0);
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(command, sizeof(command),
                 "exec openssl s_server -quiet -accept 127.0.0.1:%u -key %s/k -cert %s/c -www "
                 ">/dev/null 2>&1",
                 port, dir, dir);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");
    struct seen s               = {.count = 0};

    snprintf(url, sizeof(url), "https://localhost:%u/", port);
    request.url = url;
    for (int i = 0; i < 100; i++) {
        s = ask(r, request);
        if (!strstr(s.text, "onnect"))
            break;
        usleep(50000); /* it does not listen yet */
    }
    assert_end(&s, ERR_RETRY, HTTP_BEFORE_SEND);
    assert_non_null(strstr(s.text, "certificate"));

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* ---- redirects ------------------------------------------------------------------------------------ */

static struct seen follow(struct rig *r, const char *path, const char *where,
                          const char *method, enum http_guard_mode guard)
{
    struct http_request request = to(r, path);

    str_copy(r->server->where, sizeof(r->server->where), where);
    request.method = method;
    request.follow = true;
    request.guard  = guard;
    if (str_equal(method, "POST"))
        request.body = bytes_str("body");
    return ask(r, request);
}

static void redirects_are_followed_with_the_right_method(void **state)
{
    struct rig *r = *state;
    char there[100];

    r->server = server_new(redirects);
    snprintf(there, sizeof(there), "%s/there", r->server->base);
    static const struct {
        const char *path, *method, *then;
    } CASES[] = {
        {"/301", "GET", "GET"},    {"/302", "POST", "GET"},      {"/303", "POST", "GET"},
        {"/303", "DELETE", "GET"}, {"/302", "DELETE", "DELETE"}, {"/307", "POST", "POST"},
        {"/308", "POST", "POST"},  {"/307", "DELETE", "DELETE"},
    };

    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct seen s = follow(r, CASES[i].path, i % 2 ? "/there" : there, CASES[i].method,
                               HTTP_GUARD_OPERATOR);
        assert_end(&s, ERR_NONE, HTTP_ANSWERED);
        assert_string_equal(s.body, CASES[i].then);
        assert_string_equal(s.url, there);
        assert_int_equal(r->server->last_body, str_equal(CASES[i].then, "POST") ? 4 : 0);
    }
}

static void redirect_is_an_answer_when_nobody_follows(void **state)
{
    struct rig *r = *state;

    r->server = server_new(redirects);
    str_copy(r->server->where, sizeof(r->server->where), "/there");
    struct seen s = ask(r, to(r, "/302"));
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(s.status, 302);

    struct http_request request = to(r, "/307");
    request.method              = "POST";
    request.follow              = true;
    request.unsafe              = true;
    s                           = ask(r, request);
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_int_equal(s.status, 307);
    assert_int_equal(r->server->requests, 2);
}

static void redirect_to_where_it_may_not_go_is_refused(void **state)
{
    static const char *const PLACES[] = {"http://169.254.169.254/latest/",
                                         "http://0xa9fea9fe/",
                                         "http://127.0.0.2/",
                                         "http://metadata.google.internal/",
                                         "ftp://127.0.0.1/",
                                         "file:///etc/passwd",
                                         "http://u:p@127.0.0.1/",
                                         "gopher://127.0.0.1:70/x"};
    struct rig *r                     = *state;

    r->server = server_new(redirects);
    deny("127.0.0.2/32");
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(*PLACES); i++) {
        struct seen s = follow(r, "/302", PLACES[i], "GET", HTTP_GUARD_PRIVATE);

        assert_end(&s, ERR_REJECT, HTTP_AFTER_SEND);
        assert_int_equal(s.status, 302);
    }
}

static void redirect_to_a_denied_net_connects_nowhere(void **state)
{
    struct rig *r = *state;
    char where[100];

    r->server = server_new(redirects);
    r->other  = server_new(answer_ok);
    deny("::1"); /* the first hop is 127.0.0.1 */
    snprintf(where, sizeof(where), "http://[::1]:%u/", r->other->port);
    struct seen s = follow(r, "/302", where, "GET", HTTP_GUARD_PRIVATE);

    assert_end(&s, ERR_REJECT, HTTP_AFTER_SEND);
    assert_int_equal(r->other->connections, 0);
}

static void there_is_an_end_to_redirects(void **state)
{
    struct rig *r = *state;

    r->server     = server_new(redirects);
    struct seen s = follow(r, "/loop/1", "", "GET", HTTP_GUARD_OPERATOR);

    assert_end(&s, ERR_REJECT, HTTP_AFTER_SEND);
    assert_string_equal(s.text, "more than 5 redirects");
    assert_int_equal(r->server->requests, 6);

    struct http_request request = to(r, "/loop/1");
    request.follow              = true;
    request.timeout_ms          = 150;
    s                           = ask(r, request);
    assert_end(&s, ERR_UNKNOWN, HTTP_AFTER_SEND);
    assert_in_range(s.ms, 130, 4900);
}

static void keys_do_not_follow_to_another_origin(void **state)
{
    struct rig *r                = *state;
    struct http_header headers[] = {
        {"Authorization", "Bearer x"}, {"X_MULTION_API_KEY", "y"}, {"Accept", "text/html"}};
    struct http_request request;

    r->server            = server_new(redirects);
    r->other             = server_new(answer_ok);
    request              = to(r, "/302");
    request.follow       = true;
    request.headers      = headers;
    request.header_count = 3;
    snprintf(r->server->where, sizeof(r->server->where), "%s/", r->other->base);
    struct seen s = ask(r, request);

    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_non_null(strstr(r->server->last, "Bearer x"));
    assert_null(strstr(r->other->last, "Bearer x"));
    assert_null(strstr(r->other->last, "MULTION"));
    assert_non_null(strstr(r->other->last, "Accept: text/html"));

    str_copy(r->server->where, sizeof(r->server->where), "/same");
    s = ask(r, request);
    assert_end(&s, ERR_NONE, HTTP_ANSWERED);
    assert_true(str_starts(r->server->last, "GET /same"));
    assert_non_null(strstr(r->server->last, "Bearer x"));
}

/* ---- cancelled --------------------------------------------------------------------------------- */

static void cancelled_call_says_nothing_and_its_connection_ends(void **state)
{
    struct rig *r = *state;
    struct seen s = {.count = 0};

    r->server                   = server_new(hold);
    struct http_request request = to(r, "/");
    struct http_call *call      = http_start(r->http, &request, on_done, &s);

    for (int i = 0; i < 1000 && r->server->requests == 0; i++)
        turn(r, 2);
    http_cancel(&call);
    assert_null(call);
    turn(r, 100);

    assert_int_equal(s.count, 0);
    assert_int_equal(r->server->ended, 1);

    call = http_start(r->http, &request, on_done, &s); /* before it has begun */
    http_cancel(&call);
    request.url = "nonsense";
    call        = http_start(r->http, &request, on_done, &s); /* refused, not told yet */
    http_cancel(&call);
    http_cancel(&call);
    turn(r, 50);
    assert_int_equal(s.count, 0);
}

static void cancel_victim(struct seen *s)
{
    http_cancel(s->victim);
}

static void a_call_may_be_cancelled_from_anothers_end_and_from_its_own(void **state)
{
    struct rig *r = *state;
    struct http_request good, held;
    struct seen ends = {.then = cancel_victim}, victim = {.count = 0};
    struct http_call *call = NULL, *own = NULL;

    r->server   = server_new(answer_ok);
    good        = to(r, "/");
    held        = good;
    call        = http_start(r->http, &held, on_done, &victim);
    ends.victim = &call;
    good.url    = "refused at once"; /* ends before the other can */
    http_start(r->http, &good, on_done, &ends);
    turn_until(r, &ends, 1, 2000);
    turn(r, 50);
    assert_int_equal(ends.count, 1);
    assert_int_equal(victim.count, 0);

    struct seen self = {.then = cancel_victim, .victim = &own};

    own = http_start(r->http, &held, on_done, &self);
    turn_until(r, &self, 1, 2000);
    assert_int_equal(self.count, 1);
    assert_null(own);
}

/* All end in one turn of libcurl; the first cancels the others, some of which have ended too. */
static struct http_call *crowd[50];
static struct seen crowd_seen[50];

static void cancel_crowd(struct seen *s)
{
    (void)s;
    for (int i = 0; i < 50; i++)
        http_cancel(&crowd[i]);
}

static void a_crowd_may_be_cancelled_by_its_first(void **state)
{
    struct rig *r = *state;
    int heard     = 0;

    r->server                   = server_new(answer_ok);
    struct http_request request = to(r, "/");

    memset(crowd_seen, 0, sizeof(crowd_seen));
    for (int i = 0; i < 50; i++) {
        crowd_seen[i].then = cancel_crowd;
        crowd[i]           = http_start(r->http, &request, on_done, &crowd_seen[i]);
    }
    for (int i = 0; i < 1000 && r->server->requests < 50; i++) {
        if (i < 20)
            uv_run(&r->loop, UV_RUN_NOWAIT);
        usleep(1000);
        if (crowd[0] == NULL)
            break;
    }
    turn(r, 100);
    for (int i = 0; i < 50; i++)
        heard += crowd_seen[i].count;
    assert_int_equal(heard, 1);
}

static void freeing_aborts_what_is_under_way_in_silence(void **state)
{
    struct rig *r                   = *state;
    struct seen s                   = {.count = 0};
    const struct http_config config = {.user_agent = NULL};

    r->server                   = server_new(hold);
    struct http_request request = to(r, "/");

    for (int i = 0; i < 10; i++)
        http_start(r->http, &request, on_done, &s);
    for (int i = 0; i < 1000 && r->server->requests < 10; i++)
        turn(r, 2);
    request.url = "http://no-such-host.invalid/"; /* one that is being resolved */
    http_start(r->http, &request, on_done, &s);
    request.url = "nonsense";
    http_start(r->http, &request, on_done, &s);
    uint64_t began = clk_mono_ms();
    http_free(&r->http);

    assert_true(clk_mono_ms() - began < 4000);
    assert_int_equal(s.count, 0);
    assert_false(failed(http_open(&r->http, &r->loop, &config)));
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_whole),
        T(method_headers_and_body_arrive_as_given),
        T(no_connection_is_used_again),
        T(a_second_answer_is_nobodys),
        T(two_hundred_calls_are_under_way_at_once),
        T(head_may_announce_what_it_likes),
        T(no_environment_names_a_proxy),
        T(the_proxy_gets_what_goes_outside_and_nothing_else),
        T(refused_connection_is_before_send),
        T(unknown_name_is_before_send),
        T(host_that_never_accepts_is_before_send),
        T(bad_requests_are_refused_in_a_later_turn),
        T(server_that_dies_leaves_it_unknown_and_hears_it_once),
        T(reset_before_the_request_is_told_truly),
        T(status_of_a_cut_answer_is_told),
        T(the_deadline_holds_whatever_drips),
        T(what_has_no_end_is_cut),
        T(one_endless_header_is_cut_too),
        T(a_body_of_exactly_the_limit_is_taken),
        T(nothing_is_decompressed),
        T(forbidden_address_is_never_connected_to),
        T(name_is_judged_by_what_it_resolves_to),
        T(connection_of_one_who_may_is_not_there_for_one_who_may_not),
        T(certificate_of_nobody_is_refused),
        T(redirects_are_followed_with_the_right_method),
        T(redirect_is_an_answer_when_nobody_follows),
        T(redirect_to_where_it_may_not_go_is_refused),
        T(redirect_to_a_denied_net_connects_nowhere),
        T(there_is_an_end_to_redirects),
        T(keys_do_not_follow_to_another_origin),
        T(cancelled_call_says_nothing_and_its_connection_ends),
        T(a_call_may_be_cancelled_from_anothers_end_and_from_its_own),
        T(a_crowd_may_be_cancelled_by_its_first),
        T(freeing_aborts_what_is_under_way_in_silence),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
