#include "agent_sim/sim_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum sim_http_state read_text(struct sim_http *ret, const char *text)
{
    return sim_http_read(ret, text, strlen(text));
}

static const char WHOLE[] = "POST /v1/web/browse?a=1&from=77 HTTP/1.1\r\nHost: x\r\n"
                            "x_multion_api_KEY:  secret \r\nContent-Length: 4\r\n\r\nbody";

static void whole_request_is_read(void **state)
{
    (void)state;
    struct sim_http http;

    assert_int_equal(read_text(&http, WHOLE), SIM_HTTP_READY);
    assert_string_equal(http.method, "POST");
    assert_string_equal(http.path, "/v1/web/browse");
    assert_int_equal(sim_http_query_number(&http, "from", 0), 77);
    assert_int_equal(sim_http_query_number(&http, "limit", 5), 5);
    assert_string_equal(http.key, "secret");
    assert_int_equal(http.body_len, 4);
    assert_memory_equal(http.body, "body", 4);
    assert_int_equal(http.size, strlen(WHOLE));
    assert_true(http.keep_alive);
}

static void each_beginning_of_it_wants_more(void **state)
{
    (void)state;
    struct sim_http http;

    for (size_t len = 0; len < strlen(WHOLE); len++)
        assert_int_equal(sim_http_read(&http, WHOLE, len), SIM_HTTP_MORE);
}

static void next_request_is_left_alone(void **state)
{
    (void)state;
    struct sim_http http;

    assert_int_equal(read_text(&http, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
                     SIM_HTTP_READY);
    assert_string_equal(http.path, "/a");
    assert_int_equal(http.size, strlen("GET /a HTTP/1.1\r\n\r\n"));
}

static void key_with_hyphens_is_no_key(void **state)
{
    (void)state;
    struct sim_http http;

    read_text(&http, "GET /a HTTP/1.1\r\nX-MULTION-API-KEY: secret\r\n\r\n");
    assert_string_equal(http.key, "");
}

static void connection_is_kept_unless_said_otherwise(void **state)
{
    static const struct {
        const char *text;
        bool kept;
    } CASES[] = {
        {"GET / HTTP/1.1\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct sim_http http;

        assert_int_equal(read_text(&http, CASES[i].text), SIM_HTTP_READY);
        assert_int_equal(http.keep_alive, CASES[i].kept);
    }
}

static void expectation_is_known_before_the_body_comes(void **state)
{
    (void)state;
    struct sim_http http;

    assert_int_equal(read_text(&http, "POST / HTTP/1.1\r\nExpect: 100-continue\r\n"
                                      "Content-Length: 2000000\r\n\r\n"),
                     SIM_HTTP_MORE);
    assert_true(http.expects_continue);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } CASES[] = {
        {"HELLO\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / HTTP/3\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
        {"VERYLONGMETHOD / HTTP/1.1\r\n\r\n", 400},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct sim_http http;

        assert_int_equal(read_text(&http, CASES[i].text), SIM_HTTP_BAD);
        assert_int_equal(http.status, CASES[i].status);
    }
}

static void endless_head_is_refused(void **state)
{
    (void)state;
    static char head[SIM_HTTP_HEAD_MAX + 2];
    struct sim_http http;

    memset(head, 'a', sizeof head - 1);
    assert_int_equal(read_text(&http, head), SIM_HTTP_BAD);
    assert_int_equal(http.status, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_request_is_read),
        cmocka_unit_test(each_beginning_of_it_wants_more),
        cmocka_unit_test(next_request_is_left_alone),
        cmocka_unit_test(key_with_hyphens_is_no_key),
        cmocka_unit_test(connection_is_kept_unless_said_otherwise),
        cmocka_unit_test(expectation_is_known_before_the_body_comes),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(endless_head_is_refused),
    };
    return cmocka_run_group_tests_name("sim_http", tests, NULL, NULL);
}
