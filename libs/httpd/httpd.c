#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    HTTPD_MAGIC = 0x48545031,
    CONNECTIONS = 128,
    FROM_ONE    = 64,       /* address: kubelet and Prometheus need two */
    MEMORY      = 16 << 10, /* of a connection: request line and headers */
    IDLE_S      = 15,
    UPLOAD_MAX  = 64 << 10, /* of a body that nobody asked for */
    BACKLOG     = 128,
    HOST_SIZE   = 256,
    PORT_SIZE   = 6,
    HANDLES     = 2,
};

struct httpd {
    uint32_t magic;
    uv_poll_t poll;   /* of libmicrohttpd's own epoll: readable when one of its sockets is */
    uv_timer_t timer; /* its idea of when to look again */
    unsigned closing; /* handles that are not closed yet */
    struct MHD_Daemon *daemon;
    uint16_t port;
    httpd_fn *fn;
    void *self;
};

/* What a request has sent beside its headers. */
struct request {
    size_t uploaded;
};

/* ---- requests -------------------------------------------------------------------------------- */

static enum MHD_Result queue(struct MHD_Connection *connection, int status, const char *type,
                             struct bytes body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)body.at, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");

    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);

    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(struct httpd *h, struct MHD_Connection *connection,
                              const char *method, const char *path)
{
    struct httpd_answer a = {.status = 500, .type = "text/plain; charset=utf-8"};
    enum MHD_Result result;

    buf_init(&a.body, HTTPD_BODY_MAX);
    h->fn(h->self, method, path, &a);
    if (a.body.full)
        result = queue(connection, 500, "text/plain; charset=utf-8",
                       bytes_str("the answer is too large\n"));
    else
        result = queue(connection, a.status, a.type, buf_bytes(&a.body));
    buf_deinit(&a.body);
    return result;
}

/* Called first with the headers, then with each piece of a body, then once more. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **slot)
{
    struct httpd *h = SELF(struct httpd, HTTPD_MAGIC, self);

    (void)version, (void)upload;
    if (!str_equal(method, "GET") && !str_equal(method, "HEAD"))
        return queue(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8",
                     bytes_str("only GET and HEAD\n"));
    if (!*slot) {
        *slot = mem_new(struct request);
        return MHD_YES;
    }

    struct request *r = *slot;

    if (*upload_size == 0)
        return answer(h, connection, method, path);
    r->uploaded += *upload_size;
    *upload_size = 0;
    return r->uploaded > UPLOAD_MAX ? MHD_NO : MHD_YES;
}

static void on_completed(void *self, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    (void)self, (void)connection, (void)why;
    mem_free(slot);
}

/* ---- the loop --------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void work(struct httpd *h)
{
    MHD_UNSIGNED_LONG_LONG wait = 0;

    MHD_run(h->daemon);
    if (MHD_get_timeout(h->daemon, &wait) == MHD_YES)
        uv_timer_start(&h->timer, on_timer, wait, 0);
    else
        uv_timer_stop(&h->timer);
}

static void on_timer(uv_timer_t *timer)
{
    work(SELF(struct httpd, HTTPD_MAGIC, timer->data));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    work(SELF(struct httpd, HTTPD_MAGIC, poll->data));
}

/* ---- life ------------------------------------------------------------------------------------ */

/* "[::1]:9090" -> "::1", "9090".  False if it is no such text. */
static bool split(const char *at, char host[HOST_SIZE], char port[PORT_SIZE])
{
    const char *colon = at ? strrchr(at, ':') : NULL;
    uint64_t number   = 0;

    if (!colon || !str_copy(port, PORT_SIZE, colon + 1) || failed(str_u64(port, &number)) ||
        number > UINT16_MAX)
        return false;

    size_t len = (size_t)(colon - at);

    if (len >= 2 && at[0] == '[' && at[len - 1] == ']')
        return str_copy_n(host, HOST_SIZE, at + 1, len - 2) && strchr(host, ':');
    return str_copy_n(host, HOST_SIZE, at, len) && !strpbrk(host, ":[]/@ \t\r\n");
}

bool httpd_at_valid(const char *at)
{
    char host[HOST_SIZE], port[PORT_SIZE];

    return split(at, host, port);
}

static struct err listen_on(int fd, const struct addrinfo *at)
{
    int yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return OK;
    return errno == EADDRINUSE ? err_from(ERR_RETRY, "listen", ERR_FROM_ERRNO, errno)
                               : err_errno(errno, "listen");
}

static struct err open_socket(const char *text, int *ret)
{
    char host[HOST_SIZE], port[PORT_SIZE];
    struct addrinfo hints = {.ai_flags    = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *at   = NULL;

    if (!split(text, host, port))
        return err_of(ERR_REJECT, "read host:port");
    if (getaddrinfo(host[0] ? host : NULL, port, &hints, &at) != 0)
        return err_of(ERR_REJECT, "resolve host");

    int fd       = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct err e = fd < 0 ? err_errno(errno, "socket") : listen_on(fd, at);

    freeaddrinfo(at);
    if (!failed(e))
        *ret = fd;
    else if (fd >= 0)
        close(fd);
    return e;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 at = {.sin6_port = 0}; /* IPv4 has its port at the same place */
    socklen_t len          = sizeof(at);

    return getsockname(fd, (struct sockaddr *)&at, &len) == 0 ? ntohs(at.sin6_port) : 0;
}

static struct MHD_Daemon *start(struct httpd *h, int fd)
{
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                            (unsigned)FROM_ONE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
}

static int epoll_of(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return info ? info->epoll_fd : -1;
}

struct err httpd_open(struct httpd **ret, struct uv_loop_s *loop, const char *at, httpd_fn *fn,
                      void *self)
{
    int fd       = -1;
    struct err e = open_socket(at, &fd);

    if (failed(e))
        return e;

    struct httpd *h = mem_new(struct httpd);

    h->magic  = HTTPD_MAGIC;
    h->port   = port_of(fd);
    h->fn     = fn;
    h->self   = self;
    h->daemon = start(h, fd);
    if (!h->daemon) {
        close(fd);
        mem_free(&h);
        return err_of(ERR_FATAL, "start httpd");
    }

    must(uv_poll_init(loop, &h->poll, epoll_of(h->daemon)) == 0);
    must(uv_timer_init(loop, &h->timer) == 0);
    h->poll.data = h->timer.data = h;
    must(uv_poll_start(&h->poll, UV_READABLE, on_poll) == 0);
    *ret = h;
    return OK;
}

uint16_t httpd_port(const struct httpd *h)
{
    return h->port;
}

static void on_closed(uv_handle_t *handle)
{
    struct httpd *h = SELF(struct httpd, HTTPD_MAGIC, handle->data);

    if (--h->closing == 0)
        mem_free(&h);
}

void httpd_free(struct httpd **slot)
{
    struct httpd *h = take(slot);

    if (!h)
        return;
    h->closing = HANDLES;
    uv_close((uv_handle_t *)&h->poll, on_closed);
    uv_close((uv_handle_t *)&h->timer, on_closed);
    MHD_stop_daemon(h->daemon);
}
