#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <uv.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw_driver.h"

/* What no chromedriver answers, but a program that says it is one may. */

enum { PATIENCE_MS = 30000, ANSWER_MAX = 32 << 20 };

static uv_loop_t loop;
static uv_tcp_t server, client; /* one request */
static struct buf answer;
static char heard[4096];
static size_t heard_len;

static struct {
    unsigned answers;
    enum call_fate fate;
    char code[40], detail[300];
} told;

/* ---- the remote end ----------------------------------------------------------------------------- */

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    (void)handle, (void)size;
    *ret = uv_buf_init(heard + heard_len, (unsigned)(sizeof heard - 1 - heard_len));
}

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* whoever has read enough goes away */
    mem_free(&write);
}

static void on_request(uv_stream_t *stream, ssize_t len, const uv_buf_t *room)
{
    uv_buf_t all = uv_buf_init(answer.at, (unsigned)answer.len);

    (void)room;
    if (len < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    heard_len += (size_t)len;
    heard[heard_len] = '\0';
    if (strstr(heard, "\r\n\r\n"))
        assert_int_equal(uv_write(mem_new(uv_write_t), stream, &all, 1, on_written), 0);
}

static void on_connection(uv_stream_t *stream, int status)
{
    assert_int_equal(status, 0);
    assert_int_equal(uv_tcp_init(&loop, &client), 0);
    assert_int_equal(uv_accept(stream, (uv_stream_t *)&client), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&client, give_room, on_request), 0);
}

static void serve(char ret_url[512])
{
    struct sockaddr_in at = {0};
    int len               = sizeof at;

    uv_ip4_addr("127.0.0.1", 0, &at);
    assert_int_equal(uv_tcp_init(&loop, &server), 0);
    assert_int_equal(uv_tcp_bind(&server, (const struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server, 8, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&server, (struct sockaddr *)&at, &len), 0);
    str_format(ret_url, 512, "http://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
}

/* ---- the driver ---------------------------------------------------------------------------------- */

static void on_answer(void *self, const struct bw_answer *a)
{
    (void)self;
    told.answers++;
    told.fate = a->fate;
    str_copy(told.code, sizeof told.code, a->code ? a->code : "");
    str_copy(told.detail, sizeof told.detail, a->detail ? a->detail : "");
}

static bool may(void *self)
{
    (void)self;
    return true;
}

static void list_at(const struct bw_upstream *upstream)
{
    struct http *http               = NULL;
    const struct http_config config = {0};
    const struct bw_request request = {.verb       = BW_LIST,
                                       .upstream   = upstream,
                                       .endpoint   = "",
                                       .remote_id  = "",
                                       .effect     = EFFECT_READ,
                                       .timeout_ms = PATIENCE_MS,
                                       .body_max   = ANSWER_MAX,
                                       .page_max   = ANSWER_MAX,
                                       .may        = may};

    assert_false(failed(http_open(&http, &loop, &config)));
    const struct bw_drivers env = {.loop = &loop, .http = http};
    bw_webdriver.start(&env, &request, on_answer, NULL);
    while (!told.answers)
        uv_run(&loop, UV_RUN_ONCE); /* the call has a timeout */
    http_free(&http);
}

/* [{},{},…]: allowed in bytes, and still a hundred times as much in memory. */
static void an_answer_of_too_many_values_is_too_large(void **state)
{
    struct bw_upstream upstream = {.name = "fake", .driver = "webdriver"};
    char head[128];
    size_t len = strlen("{\"value\":[{}") + 3 * JSON_VALUES_MAX + strlen("]}");

    (void)state;
    str_format(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    buf_init(&answer, ANSWER_MAX);
    buf_str(&answer, head);
    buf_str(&answer, "{\"value\":[{}");
    for (size_t i = 0; i < JSON_VALUES_MAX; i++)
        buf_str(&answer, ",{}");
    buf_str(&answer, "]}");
    assert_int_equal(uv_loop_init(&loop), 0);
    serve(upstream.url);
    list_at(&upstream);

    assert_int_equal(told.fate, CALL_REFUSED);
    assert_string_equal(told.code, "response_too_large");
    assert_non_null(strstr(told.detail, "more values than 1000000"));

    uv_close((uv_handle_t *)&server, NULL);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    buf_deinit(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_of_too_many_values_is_too_large),
    };

    return cmocka_run_group_tests_name("webdriver_answer", tests, NULL, NULL);
}
