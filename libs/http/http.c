#include "http/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/config.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/http_guard.h"
#include "http/http_multi.h"

enum {
    HTTP_MAGIC    = 0x48545431,
    CALL_MAGIC    = 0x48434131,
    MODES         = HTTP_GUARD_PRIVATE + 1,
    CONNECT_MS    = 5000,
    REDIRECTS_MAX = 5,
    HEADERS_MAX   = 64 << 10, /* in sum, of one answer */
    WHY_SIZE      = 256,
    URL_MAX       = 16 << 10,
};

struct http {
    uint32_t magic;
    uv_timer_t later; /* delivers what failed inside http_start */
    struct http_multi *multis[MODES];
    struct list calls; /* under way */
    struct list ended; /* not delivered yet */
    bool delivering;
    char *proxy, *user_agent;
};

struct http_call {
    uint32_t magic;
    struct http *http;
    struct list link;
    CURL *easy;
    struct curl_slist *headers;
    bool in_multi;
    bool delivering;

    char *method, *url;
    struct http_header *given; /* copied names and values */
    size_t given_count;
    struct bytes body;
    uint64_t deadline, started; /* monotonic ms */
    uint64_t connect_ms;
    bool follow, proxied;
    enum http_guard_mode guard;
    http_done_fn *done;
    void *self;

    bool sending;   /* of this hop: the request was handed to the connection */
    bool sent;      /* of this or an earlier hop */
    bool forbidden; /* an address was refused, why says which … */
    bool allowed;   /* … but another one was not */
    bool too_large;
    unsigned redirects;
    size_t header_bytes;
    struct buf answer;
    struct err err; /* of a call that never began */
    CURLcode code;
    char why[WHY_SIZE];
    char curl_words[CURL_ERROR_SIZE];
};

/* ---- what libcurl asks us --------------------------------------------------------------------- */

/* Every address is judged here, after resolution: also the second and third of a name. */
static curl_socket_t on_open_socket(void *self, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct http_call *c = SELF(struct http_call, CALL_MAGIC, self);

    (void)purpose;
    if (!c->proxied && !http_guard_address(c->guard, &address->addr, c->why, sizeof(c->why))) {
        c->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    c->allowed = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Just before the request is handed to a connection: until here certainly nothing was sent.  Asked
   a second time, libcurl is about to send it again. */
static int on_before_request(void *self, char *ip, char *local_ip, int port, int local_port)
{
    struct http_call *c = SELF(struct http_call, CALL_MAGIC, self);

    (void)ip, (void)local_ip, (void)port, (void)local_port;
    if (c->sending)
        return CURL_PREREQFUNC_ABORT;
    c->sending = c->sent = true;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *at, size_t size, size_t count, void *self)
{
    struct http_call *c = SELF(struct http_call, CALL_MAGIC, self);
    size_t len          = size * count;

    (void)at;
    c->header_bytes += len;
    if (c->header_bytes <= HEADERS_MAX)
        return len;
    c->too_large = true;
    str_format(c->why, sizeof(c->why), "more than %d bytes of headers", HEADERS_MAX);
    return 0;
}

static size_t on_body(char *at, size_t size, size_t count, void *self)
{
    struct http_call *c = SELF(struct http_call, CALL_MAGIC, self);
    size_t len          = size * count;

    buf_add(&c->answer, at, len);
    if (!c->answer.full)
        return len;
    c->too_large = true;
    return 0;
}

/* ---- a request in libcurl's terms ------------------------------------------------------------- */

static bool is_token(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
            return false;
    return true;
}

/* What frames the message is libcurl's own: a second opinion about it is how requests are smuggled. */
static bool frames(const char *name)
{
    static const char *const NAMES[] = {"Host",       "Content-Length", "Transfer-Encoding",
                                        "Connection", "Expect",         "Upgrade",
                                        "TE",         "Trailer",        "Keep-Alive"};

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++)
        if (strcasecmp(name, NAMES[i]) == 0)
            return true;
    return strncasecmp(name, "Proxy-", 6) == 0;
}

static bool good_value(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

static struct err check(struct http_call *c)
{
    struct err no = err_of(ERR_REJECT, "request");

    if (!is_token(c->method)) {
        str_format(c->why, sizeof(c->why), "the method is no word");
        return no;
    }
    for (size_t i = 0; i < c->given_count; i++)
        if (!is_token(c->given[i].name) || !good_value(c->given[i].value) ||
            frames(c->given[i].name)) {
            str_format(c->why, sizeof(c->why), "header %zu (%.40s) may not be set", i,
                       is_token(c->given[i].name) ? c->given[i].name : "?");
            return no;
        }
    if (strlen(c->url) > URL_MAX) {
        str_format(c->why, sizeof(c->why), "the URL is longer than %d bytes", URL_MAX);
        return no;
    }
    return http_guard_url(c->guard, c->url, c->why, sizeof(c->why));
}

static bool has_header(const struct http_call *c, const char *name)
{
    for (size_t i = 0; i < c->given_count; i++)
        if (strcasecmp(c->given[i].name, name) == 0)
            return true;
    return false;
}

static void add_line(struct http_call *c, const char *line)
{
    struct curl_slist *list = curl_slist_append(c->headers, line);

    must(list);
    c->headers = list;
}

static bool has_body(const struct http_call *c)
{
    return c->body.len > 0 || str_equal(c->method, "POST") || str_equal(c->method, "PUT") ||
           str_equal(c->method, "PATCH");
}

static void add_headers(struct http_call *c)
{
    curl_slist_free_all(take(&c->headers));
    add_line(c, "Expect:"); /* none: a 417 would make libcurl send again */
    if (has_body(c) && !has_header(c, "Content-Type"))
        add_line(c, "Content-Type:"); /* not libcurl's guess of a form */
    for (size_t i = 0; i < c->given_count; i++) {
        const struct http_header *h = &c->given[i];
        char *line                  = h->value[0] ? mem_printf("%s: %s", h->name, h->value)
                                                  : mem_printf("%s;", h->name); /* libcurl's way to say: empty */

        add_line(c, line);
        mem_free(&line);
    }
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void set_method(struct http_call *c)
{
    CURL *e = c->easy;

    if (has_body(c)) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->body.at ? (const char *)c->body.at : "");
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
    } else if (str_equal(c->method, "HEAD")) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
    }
}

/* An operator's own Selenium or service in the cluster is not behind the egress proxy. */
static bool wants_proxy(const struct http_call *c)
{
    char why[WHY_SIZE];

    if (!c->http->proxy)
        return false;
    return c->guard != HTTP_GUARD_OPERATOR ||
           !failed(http_guard_url(HTTP_GUARD_PUBLIC, c->url, why, sizeof(why)));
}

static void set_callbacks(struct http_call *c)
{
    CURL *e = c->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->curl_words);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_before_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
}

static void set_times(struct http_call *c)
{
    uint64_t now   = clk_mono_ms();
    uint64_t left  = c->deadline > now ? c->deadline - now : 1; /* 0 would be "for ever" */
    uint64_t reach = c->connect_ms < left ? c->connect_ms : left;

    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)left);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)reach);
}

static void set_limits(struct http_call *c)
{
    CURL *e = c->easy;

    /* A large Content-Length ends it before the first byte; HEAD may announce what it likes. */
    if (c->answer.max > 0 && !str_equal(c->method, "HEAD"))
        curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->answer.max);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* Else the end of a call waits for getaddrinfo's thread, and the loop with it. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

/* What comes late or twice on a connection that is kept would be the answer to the next request. */
static void set_alone(struct http_call *c)
{
    curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

/* One hop: the first, or where a redirect points. */
static void launch(struct http_call *c)
{
    curl_easy_reset(c->easy);
    c->proxied      = wants_proxy(c);
    c->sending      = false;
    c->header_bytes = 0;
    buf_clear(&c->answer);
    curl_easy_setopt(c->easy, CURLOPT_URL, c->url);
    curl_easy_setopt(c->easy, CURLOPT_USERAGENT, c->http->user_agent);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, c->proxied ? c->http->proxy : "");
    set_callbacks(c);
    set_times(c);
    set_limits(c);
    set_method(c);
    set_alone(c);
    add_headers(c);
    list_push(&c->http->calls, &c->link);
    c->in_multi = true;
    http_multi_add(c->http->multis[c->guard], c->easy);
}

/* ---- redirects -------------------------------------------------------------------------------- */

/* Scheme, host and port: what a header may be meant for. */
static bool same_origin(const char *a, const char *b)
{
    size_t len = strcspn(strstr(a, "://") + 3, "/?#") + (size_t)(strstr(a, "://") + 3 - a);

    return strncasecmp(a, b, len) == 0 && strchr("/?#", b[len]);
}

/* Keys and cookies are for the origin they were given for. */
static void drop_headers(struct http_call *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->given_count; i++) {
        struct http_header *h = &c->given[i];

        if (strncasecmp(h->name, "Accept", 6) == 0 ||
            strcasecmp(h->name, "Content-Type") == 0) {
            c->given[kept++] = *h;
            continue;
        }
        mem_free(&h->name);
        mem_free(&h->value);
    }
    c->given_count = kept;
}

static long status_of(const struct http_call *c)
{
    long status = 0;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* 303, and by old custom a POST's 301 and 302, go on as a GET without body. */
static void become_get(struct http_call *c, long status)
{
    if (str_equal(c->method, "HEAD") || str_equal(c->method, "GET") ||
        (status != 303 && !(str_equal(c->method, "POST") && (status == 301 || status == 302))))
        return;
    mem_free(&c->method);
    c->method = mem_strdup("GET");
    mem_free(&c->body.at);
    c->body.len = 0;
}

/* True if the call goes on elsewhere; else it ends, well or not. */
static bool redirect(struct http_call *c)
{
    char *to    = NULL;
    long status = status_of(c);

    curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &to);
    if (c->code != CURLE_OK || !c->follow || !to || status < 300 || status > 399)
        return false;
    if (c->redirects == REDIRECTS_MAX) {
        str_format(c->why, sizeof(c->why), "more than %d redirects", REDIRECTS_MAX);
        c->err = err_from(ERR_REJECT, "redirect", ERR_FROM_HTTP, (int32_t)status);
        return false;
    }
    c->err = http_guard_url(c->guard, to, c->why, sizeof(c->why));
    if (failed(c->err))
        return false;

    char *next = mem_strdup(to); /* libcurl's goes with its handle's next use */

    if (!same_origin(c->url, next))
        drop_headers(c);
    mem_free(&c->url);
    c->url = next;
    c->redirects++;
    become_get(c, status);
    launch(c);
    return true;
}

/* ---- the end of a call -------------------------------------------------------------------------- */

static void call_free(struct http_call **slot)
{
    struct http_call *c = take(slot);

    if (c->in_multi)
        http_multi_remove(c->http->multis[c->guard], c->easy);
    list_remove(&c->link);
    if (c->easy)
        curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    for (size_t i = 0; i < c->given_count; i++) {
        mem_free(&c->given[i].name);
        mem_free(&c->given[i].value);
    }
    mem_free(&c->given);
    mem_free(&c->method);
    mem_free(&c->url);
    mem_free(&c->body.at);
    buf_deinit(&c->answer);
    mem_free(&c);
}

static struct err err_curl(const struct http_call *c, enum err_kind kind)
{
    return err_from(kind, "http", ERR_FROM_CURL, (int32_t)c->code);
}

/* What the end means to somebody who asks whether it may have acted. */
static struct err judge(const struct http_call *c)
{
    if (failed(c->err))
        return c->err;
    if (c->too_large || c->code == CURLE_FILESIZE_EXCEEDED)
        return err_curl(c, ERR_FULL);
    if (c->code == CURLE_OK)
        return status_of(c) > 0 ? OK : err_curl(c, ERR_UNKNOWN);
    if (c->sending)
        return err_curl(c, ERR_UNKNOWN);
    if ((c->forbidden && !c->allowed) || c->code == CURLE_URL_MALFORMAT ||
        c->code == CURLE_UNSUPPORTED_PROTOCOL)
        return err_curl(c, ERR_REJECT);
    return c->sent ? err_curl(c, ERR_UNKNOWN) : err_curl(c, ERR_RETRY);
}

static const char *words(const struct http_call *c, struct err e)
{
    if (!failed(e))
        return "";
    if (c->code == CURLE_FILESIZE_EXCEEDED || (c->too_large && !c->why[0]))
        return "the answer is too large";
    if (c->why[0])
        return c->why;
    return c->curl_words[0] ? c->curl_words : curl_easy_strerror(c->code);
}

static void deliver(struct http_call *c)
{
    struct err e                  = judge(c);
    struct http_response response = {
        .err    = e,
        .stage  = !failed(e) ? HTTP_ANSWERED
                  : c->sent  ? HTTP_AFTER_SEND
                             : HTTP_BEFORE_SEND,
        .status = c->easy ? (int)status_of(c) : 0,
        .body   = failed(e) ? bytes_of(NULL, 0) : buf_bytes(&c->answer),
        .ms     = clk_mono_ms() - c->started,
        .url    = c->url,
        .text   = words(c, e),
        .call   = c,
    };

    c->delivering = true;
    c->done(c->self, &response);
    call_free(&c);
}

static void deliver_all(struct http *h)
{
    struct list *link;

    if (h->delivering)
        return;
    h->delivering = true;
    while ((link = list_shift(&h->ended)))
        deliver(LIST_OWNER(link, struct http_call, link));
    h->delivering = false;
}

static void on_later(uv_timer_t *timer)
{
    deliver_all(SELF(struct http, HTTP_MAGIC, timer->data));
}

static void end_later(struct http_call *c)
{
    list_push(&c->http->ended, &c->link);
    uv_timer_start(&c->http->later, on_later, 0, 0);
}

static void on_end(void *self, CURL *easy, CURLcode code)
{
    struct http *h = SELF(struct http, HTTP_MAGIC, self);
    void *at       = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &at);

    struct http_call *c = SELF(struct http_call, CALL_MAGIC, at);

    c->in_multi = false;
    c->code     = code;
    list_remove(&c->link);
    if (redirect(c))
        return;
    list_push(&h->ended, &c->link);
    deliver_all(h);
}

/* ---- life ------------------------------------------------------------------------------------- */

struct err http_open(struct http **ret, struct uv_loop_s *loop,
                     const struct http_config *config)
{
    static bool begun; /* libcurl's own state is the process's */

    if (!begun && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_of(ERR_FATAL, "start libcurl");
    begun = true;

    struct http *h = mem_new(struct http);

    h->magic = HTTP_MAGIC;
    h->proxy = config->proxy && config->proxy[0] ? mem_strdup(config->proxy) : NULL;
    h->user_agent =
        mem_strdup(config->user_agent ? config->user_agent : "sluice/" SLUICE_VERSION);
    list_init(&h->calls);
    list_init(&h->ended);
    must(uv_timer_init(loop, &h->later) == 0);
    h->later.data = h;
    for (int i = 0; i < MODES; i++)
        h->multis[i] = http_multi_new(loop, on_end, h);
    *ret = h;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct http *h = SELF(struct http, HTTP_MAGIC, handle->data);

    mem_free(&h);
}

static void free_calls(struct list *list)
{
    while (!list_empty(list)) {
        struct http_call *c = LIST_OWNER(list->next, struct http_call, link);

        call_free(&c);
    }
}

void http_free(struct http **slot)
{
    struct http *h = take(slot);

    if (!h)
        return;
    must(!h->delivering);
    free_calls(&h->calls);
    free_calls(&h->ended);
    for (int i = 0; i < MODES; i++)
        http_multi_free(&h->multis[i]);
    mem_free(&h->proxy);
    mem_free(&h->user_agent);
    uv_close((uv_handle_t *)&h->later, on_closed);
}

static void copy_request(struct http_call *c, const struct http_request *r)
{
    uint64_t connect = r->connect_ms ? r->connect_ms : CONNECT_MS;

    must(r->timeout_ms > 0);
    c->started     = clk_mono_ms();
    c->deadline    = c->started + r->timeout_ms;
    c->connect_ms  = connect;
    c->method      = mem_strdup(r->method);
    c->url         = mem_strdup(r->url);
    c->follow      = r->follow && !r->unsafe;
    c->guard       = r->guard;
    c->given       = mem_array(r->header_count, sizeof(*c->given));
    c->given_count = r->header_count;
    for (size_t i = 0; i < r->header_count; i++)
        c->given[i] = (struct http_header){mem_strdup(r->headers[i].name),
                                           mem_strdup(r->headers[i].value)};
    if (r->body.len > 0)
        c->body = bytes_of(mem_copy(r->body.at, r->body.len), r->body.len);
    buf_init(&c->answer, r->body_max);
}

struct http_call *http_start(struct http *h, const struct http_request *request,
                             http_done_fn *done, void *self)
{
    struct http_call *c = mem_new(struct http_call);

    c->magic = CALL_MAGIC;
    c->http  = h;
    c->done  = done;
    c->self  = self;
    copy_request(c, request);
    c->err = check(c);
    if (failed(c->err)) {
        end_later(c);
        return c;
    }
    c->easy = curl_easy_init();
    must(c->easy);
    launch(c);
    return c;
}

void http_cancel(struct http_call **slot)
{
    struct http_call *c = take(slot);

    if (c && !c->delivering)
        call_free(&c);
}

const char *http_response_header(const struct http_response *response, const char *name,
                                 size_t n)
{
    struct curl_header *header = NULL;
    CURL *easy                 = response->call->easy;

    if (!easy || curl_easy_header(easy, name, n, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}
