#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/httpd.h"

enum { ANSWER_SIZE = 1 << 16, WAIT_MS = 5000 };

struct rig {
    uv_loop_t loop;
    struct httpd *httpd;
    unsigned calls;
    char method[16], path[64];
    char answer[ANSWER_SIZE];
};

static void on_request(void *self, const char *method, const char *path, struct httpd_answer *a)
{
    struct rig *r = self;

    r->calls++;
    str_copy(r->method, sizeof(r->method), method);
    str_copy(r->path, sizeof(r->path), path);
    a->status = 200;
    if (str_equal(path, "/sick")) {
        a->status = 503;
        buf_str(&a->body, "not today\n");
    } else if (str_equal(path, "/huge")) {
        while (!a->body.full)
            buf_str(&a->body, "a line that is repeated without an end\n");
    } else if (str_equal(path, "/typed")) {
        a->type = "application/json";
        buf_str(&a->body, "{}");
    } else {
        buf_str(&a->body, "hello\n");
    }
}

static int set_up(void **state)
{
    struct rig *r = mem_new(struct rig);

    assert_int_equal(uv_loop_init(&r->loop), 0);
    assert_false(failed(httpd_open(&r->httpd, &r->loop, "127.0.0.1:0", on_request, r)));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    httpd_free(&r->httpd);
    assert_null(r->httpd);
    for (int i = 0; i < 1000 && uv_run(&r->loop, UV_RUN_NOWAIT); i++)
        ;
    assert_int_equal(uv_loop_close(&r->loop), 0);
    mem_free(&r);
    return 0;
}

static void turn(struct rig *r)
{
    for (int i = 0; i < 5; i++)
        uv_run(&r->loop, UV_RUN_NOWAIT);
    usleep(200);
}

static int client(struct rig *r)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons(httpd_port(r->httpd)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* False: the server does not listen any more. */
static bool say(struct rig *r, int fd, const char *text, size_t len)
{
    for (uint64_t end = clk_mono_ms() + WAIT_MS; len > 0 && clk_mono_ms() < end; turn(r)) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return len == 0;
}

/* What comes until `until` stands in it, or the connection ends. */
static const char *hear(struct rig *r, int fd, const char *until)
{
    size_t len = 0;

    for (uint64_t end = clk_mono_ms() + WAIT_MS; clk_mono_ms() < end; turn(r)) {
        ssize_t n = recv(fd, r->answer + len, ANSWER_SIZE - 1 - len, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN) || len == ANSWER_SIZE - 1)
            break;
        len += n > 0 ? (size_t)n : 0;
        r->answer[len] = '\0';
        if (until && strstr(r->answer, until))
            break;
    }
    r->answer[len] = '\0';
    return r->answer;
}

static const char *ask(struct rig *r, const char *request)
{
    int fd = client(r);

    say(r, fd, request, strlen(request));
    hear(r, fd, NULL);
    close(fd);
    return r->answer;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

#define END "Host: x\r\nConnection: close\r\n\r\n"

static void request_reaches_the_handler_and_its_answer_the_client(void **state)
{
    struct rig *r      = *state;
    const char *answer = ask(r, "GET /livez?x=y HTTP/1.1\r\n" END);

    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_has(answer, "Content-Length: 6\r\n");
    assert_has(answer, "Cache-Control: no-store\r\n");
    assert_has(answer, "\r\n\r\nhello\n");
    assert_string_equal(r->method, "GET");
    assert_string_equal(r->path, "/livez");
    assert_has(ask(r, "GET /sick HTTP/1.1\r\n" END), "HTTP/1.1 503 ");
    assert_has(r->answer, "not today\n");
    assert_has(ask(r, "GET /typed HTTP/1.1\r\n" END), "Content-Type: application/json\r\n");
}

static void head_has_the_headers_only(void **state)
{
    struct rig *r      = *state;
    const char *answer = ask(r, "HEAD / HTTP/1.1\r\n" END);

    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Content-Length: 6\r\n");
    assert_null(strstr(answer, "hello"));
}

static void other_methods_are_refused_before_the_handler(void **state)
{
    struct rig *r = *state;

    assert_has(ask(r, "POST / HTTP/1.1\r\nContent-Length: 2\r\n" END "ab"), "HTTP/1.1 405 ");
    assert_has(r->answer, "Allow: GET, HEAD\r\n");
    assert_has(ask(r, "DELETE / HTTP/1.1\r\n" END), "HTTP/1.1 405 ");
    assert_int_equal(r->calls, 0);
}

static void connection_serves_many_requests(void **state)
{
    struct rig *r = *state;
    int fd        = client(r);

    for (int i = 0; i < 20; i++) {
        assert_true(say(r, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27));
        assert_has(hear(r, fd, "hello\n"), "200 OK");
    }
    close(fd);
    assert_int_equal(r->calls, 20);
}

static void answer_without_an_end_becomes_an_error(void **state)
{
    struct rig *r = *state;

    assert_has(ask(r, "GET /huge HTTP/1.1\r\n" END), "HTTP/1.1 500 ");
    assert_has(r->answer, "the answer is too large");
}

static void headers_without_an_end_are_cut_off(void **state)
{
    static const char line[] = "X-Bomb: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    struct rig *r            = *state;
    int fd                   = client(r);
    size_t said              = 0;

    say(r, fd, "GET / HTTP/1.1\r\n", 16);
    while (said < 1 << 20 && say(r, fd, line, sizeof(line) - 1))
        said += sizeof(line) - 1;

    assert_true(said < 1 << 20);
    close(fd);
    assert_int_equal(r->calls, 0);
    assert_has(ask(r, "GET / HTTP/1.1\r\n" END), "200 OK");
}

static void body_that_nobody_asked_for_is_not_kept(void **state)
{
    static char block[4096];
    struct rig *r = *state;
    int fd        = client(r);
    size_t said   = 0;

    memset(block, 'a', sizeof(block));
    say(r, fd, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n", 54);
    while (said < 16 << 20 && say(r, fd, block, sizeof(block)))
        said += sizeof(block);

    assert_true(said < 16 << 20);
    close(fd);
    assert_int_equal(r->calls, 0);
    assert_has(ask(r, "GET / HTTP/1.1\r\nContent-Length: 3\r\n" END "abc"), "200 OK");
}

static void garbage_is_survived(void **state)
{
    struct rig *r = *state;

    ask(r, "\x16\x03\x01\x02\x00\x01\x00 not http at all\r\n\r\n");
    ask(r, "GET\r\n\r\n");
    assert_int_equal(r->calls, 0);
    assert_has(ask(r, "GET / HTTP/1.1\r\n" END), "200 OK");
}

static void silent_clients_keep_nobody_out(void **state)
{
    struct rig *r = *state;
    int silent[32];

    for (int i = 0; i < 32; i++) {
        silent[i] = client(r);
        say(r, silent[i], "GET / HT", 8);
    }
    assert_has(ask(r, "GET / HTTP/1.1\r\n" END), "200 OK");
    for (int i = 0; i < 32; i++)
        close(silent[i]);
}

static void flood_of_connections_is_survived(void **state)
{
    struct rig *r = *state;
    int flood[200];

    for (int i = 0; i < 200; i++) {
        flood[i] = client(r);
        turn(r);
    }
    for (int i = 0; i < 200; i++)
        close(flood[i]);
    for (int i = 0; i < 20; i++)
        turn(r);

    assert_has(ask(r, "GET / HTTP/1.1\r\n" END), "200 OK");
}

static void freed_with_clients_in_it(void **state)
{
    struct rig *r = *state;
    int fd        = client(r);

    say(r, fd, "GET / HTTP/1.1\r\nHo", 18);
    httpd_free(&r->httpd);
    turn(r);

    assert_string_equal(hear(r, fd, NULL), "");
    close(fd);
    assert_false(failed(httpd_open(&r->httpd, &r->loop, "127.0.0.1:0", on_request, r)));
}

static void taken_address_may_be_tried_again(void **state)
{
    struct rig *r       = *state;
    struct httpd *other = NULL;
    char at[32];

    snprintf(at, sizeof(at), "127.0.0.1:%u", httpd_port(r->httpd));
    assert_int_equal(httpd_open(&other, &r->loop, at, on_request, r).kind, ERR_RETRY);
    assert_null(other);
    httpd_free(&r->httpd);
    turn(r);

    assert_false(failed(httpd_open(&r->httpd, &r->loop, at, on_request, r)));
    assert_has(ask(r, "GET / HTTP/1.1\r\n" END), "200 OK");
}

static void addresses_are_read_strictly(void **state)
{
    static const char *const GOOD[] = {"0.0.0.0:9090",  "127.0.0.1:0", "[::1]:80",
                                       "[::]:65535",    ":8080",       "localhost:1",
                                       "a-b.example:80"};
    static const char *const BAD[]  = {
         "",           "9090",   "localhost", "localhost:", "x:65536", "x:-1",
         "x:8a",       "::1:80", "[::1]",     "[::1:80",    "[]:80",   "[x]:80",
         "http://x:1", "a b:80", "x:80/",     "u@x:80"};
    struct rig *r   = *state;
    struct httpd *h = NULL;

    for (size_t i = 0; i < sizeof(GOOD) / sizeof(*GOOD); i++)
        if (!httpd_at_valid(GOOD[i]))
            fail_msg("%s is refused", GOOD[i]);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
        if (httpd_at_valid(BAD[i]))
            fail_msg("%s is taken", BAD[i]);
        assert_int_equal(httpd_open(&h, &r->loop, BAD[i], on_request, r).kind, ERR_REJECT);
    }
    assert_false(httpd_at_valid(NULL));
    assert_int_equal(httpd_open(&h, &r->loop, "no-such-host.invalid:80", on_request, r).kind,
                     ERR_REJECT);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(request_reaches_the_handler_and_its_answer_the_client),
        T(head_has_the_headers_only),
        T(other_methods_are_refused_before_the_handler),
        T(connection_serves_many_requests),
        T(answer_without_an_end_becomes_an_error),
        T(headers_without_an_end_are_cut_off),
        T(body_that_nobody_asked_for_is_not_kept),
        T(garbage_is_survived),
        T(silent_clients_keep_nobody_out),
        T(flood_of_connections_is_survived),
        T(freed_with_clients_in_it),
        T(taken_address_may_be_tried_again),
        T(addresses_are_read_strictly),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
