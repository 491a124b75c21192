#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gate.h"
#include "json/json.h"
#include "lim_body.h"

#define ID "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"
#define MADE "01KAJ4T0Q8ZP9F4T4W6V2N8M1D"

static struct lim_body body;
static struct problem why;

static bool reads(const char *text)
{
    return !failed(lim_body_read(&body, "up", bytes_str(text), MADE, &why));
}

static void the_least_ask_is_for_one_call_now(void **state)
{
    const struct permit_ask *a = &body.request.ask;

    (void)state;
    assert_true(reads("{}"));
    assert_true(body.json && body.request.what == PERMIT_ASK);
    assert_string_equal(a->id, MADE);
    assert_string_equal(a->tenant, "dev");
    assert_int_equal(a->lane, LANE_STANDARD);
    assert_int_equal(a->wait_ms, 0);
    assert_int_equal(a->key_count, 1);
    assert_string_equal(a->keys[0].name, "up");
    assert_true(a->keys[0].rate && a->keys[0].in_flight && !a->keys[0].close);
}

static void an_ask_may_say_everything(void **state)
{
    const struct permit_ask *a = &body.request.ask;

    (void)state;
    assert_true(reads(
        "{\"id\":\"" ID "\",\"tenant\":\"acme\",\"lane\":\"bulk\",\"run\":\"" ID
        "\",\"step\":\"a b\","
        "\"session\":\"s1\",\"wait_ms\":7,\"lifetime_ms\":9,\"keys\":[{\"name\":\"site:x\","
        "\"rate\":true},"
        "{\"name\":\"up\",\"session_open\":true,\"close\":false,\"session_use\":null}]}"));
    assert_string_equal(a->id, ID);
    assert_int_equal(a->lane, LANE_BULK);
    assert_true(a->wait_ms == 7 && a->lifetime_ms == 9 && a->key_count == 2);
    assert_string_equal(a->keys[0].name, "site:x");
    assert_true(a->keys[1].session_open && !a->keys[1].rate);
}

static void a_return_is_understood_by_its_status(void **state)
{
    static const struct {
        unsigned status;
        enum call_class call_class;
    } CASES[] = {{0, CALL_NONE},      {200, CALL_OK},      {302, CALL_OK},
                 {400, CALL_CLIENT},  {402, CALL_PAYMENT}, {408, CALL_TIMEOUT},
                 {429, CALL_RATE},    {500, CALL_SERVER},  {503, CALL_SERVER},
                 {504, CALL_TIMEOUT}, {529, CALL_SERVER}};
    char text[128];

    (void)state;
    for (size_t n = 0; n < sizeof(CASES) / sizeof(*CASES); n++) {
        snprintf(text, sizeof(text), "{\"return\":\"" ID "\",\"status\":%u}", CASES[n].status);
        assert_true(reads(text));
        assert_int_equal(body.request.what, PERMIT_REPORT);
        assert_int_equal(body.request.report.call_class, CASES[n].call_class);
        assert_string_equal(body.request.report.name, "up");
    }
    assert_true(reads("{\"return\":\"" ID "\",\"status\":429,\"class\":\"concurrency\"}"));
    assert_int_equal(body.request.report.call_class, CALL_CONCURRENCY);
    assert_true(reads("{\"session_closed\":true,\"session\":\"s1\"}"));
    assert_true(body.request.what == PERMIT_REPORT && body.request.report.session_closed);
}

static void what_is_wrong_has_a_pointer(void **state)
{
    static const struct {
        const char *text, *pointer;
    } CASES[] = {
        {"{\"wait_ms\":1.5}", "/wait_ms"},
        {"{\"wait_ms\":4294967296}", "/wait_ms"},
        {"{\"lifetime_ms\":true}", "/lifetime_ms"},
        {"{\"id\":5}", "/id"},
        {"{\"run\":\"a.b\"}", "/run"},
        {"{\"step\":\"\"}", "/step"},
        {"{\"session\":\"s1234567890123456789012345678901\"}", "/session"},
        {"{\"keys\":{}}", "/keys"},
        {"{\"keys\":[5]}", "/keys/0"},
        {"{\"keys\":[{\"name\":\"up\"},{\"name\":\"up\"}]}", "/keys"},
        {"{\"keys\":[{\"name\":\"up\",\"rate\":1}]}", "/keys/0/rate"},
        {"{\"nope\":1}", "/nope"},
        {"{\"return\":\"" ID "\",\"class\":\"good\"}", "/class"},
        {"{\"return\":\"" ID "\",\"wait_ms\":1}", "/wait_ms"},
        {"{\"session_closed\":1}", "/session_closed"},
        {"[]", ""},
        {"", ""},
        {"{", ""},
        {"\x0a\x05zzzzz", ""},
    };

    (void)state;
    for (size_t n = 0; n < sizeof(CASES) / sizeof(*CASES); n++) {
        assert_false(reads(CASES[n].text));
        assert_string_equal(why.pointer, CASES[n].pointer);
        assert_int_equal(why.code, PROBLEM_INVALID_REQUEST);
        assert_true(why.detail[0] != '\0');
    }
}

static void a_body_has_a_size(void **state)
{
    static char large[70000];

    (void)state;
    memset(large, ' ', sizeof(large) - 1);
    large[0] = '{', large[sizeof(large) - 2] = '}';
    assert_false(reads(large));
    assert_int_equal(why.code, PROBLEM_TOO_LARGE);
}

static void ten_thousand_brackets_are_a_problem(void **state)
{
    static char deep[10001];

    (void)state;
    memset(deep, '[', sizeof(deep) - 1);
    assert_false(reads(deep));
    assert_non_null(strstr(why.detail, "deep"));
}

static void any_bytes_are_read_or_refused(void **state)
{
    unsigned seed = 5;
    char text[200];

    (void)state;
    for (int n = 0; n < 20000; n++) {
        size_t len = 0;

        for (len = 0; len < sizeof(text); len++) {
            seed      = seed * 1103515245 + 12345;
            text[len] = (char)(seed >> 16);
            if ((seed >> 24) % 40 == 0)
                break;
        }
        if (n % 2)
            text[0] = '{';
        if (failed(lim_body_read(&body, "up", bytes_of(text, len), MADE, &why)))
            assert_true(why.detail[0] != '\0');
    }
}

static const char *shown(struct buf *b)
{
    struct json *doc = NULL;
    char text[JSON_WHY_SIZE];

    if (failed(json_parse(&doc, buf_bytes(b), text, sizeof(text))))
        fail_msg("%s in %s", text, b->at);
    json_free(&doc);
    return b->at;
}

static void answers_are_what_the_surface_says(void **state)
{
    const struct permit_grant yes = {.id = ID, .ok = true, .waited_ms = 3};
    const struct permit_grant no  = {.id = ID, .retry_after_ms = 900, .why = "upstream_rate"};
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    lim_body_grant(&yes, true, &b);
    assert_string_equal(
        shown(&b), "{\"id\":\"" ID
                   "\",\"granted\":true,\"waited_ms\":3,\"retry_after_ms\":0,\"why\":null}");
    buf_clear(&b);
    lim_body_grant(&no, true, &b);
    assert_string_equal(shown(&b),
                        "{\"id\":\"" ID
                        "\",\"granted\":false,\"waited_ms\":0,\"retry_after_ms\":900,"
                        "\"why\":\"upstream_rate\"}");
    buf_clear(&b);
    lim_body_returned(ID, true, &b);
    assert_string_equal(shown(&b), "{\"id\":\"" ID "\",\"returned\":true}");
    buf_deinit(&b);
}

static void an_upstream_is_shown_as_it_stands(void **state)
{
    struct run_upstream all[2] = {gate_upstream("up")};
    struct gate *g             = NULL;
    struct buf b;

    (void)state;
    all[0].rate_per_s = 2.5, all[0].rate_burst = 1, all[0].in_flight = 4;
    g                             = gate_new(all, NULL, 0, 1000000);
    const struct lim_gate_state s = gate_state(g, "up");

    buf_init(&b, 4096);
    lim_body_upstream(&s, &b);
    assert_string_equal(
        shown(&b),
        "{\"upstream\":\"up\",\"mode\":\"open\",\"until\":null,\"since\":null,\"why\":\"\","
        "\"rate\":{\"limit\":2.5,\"used_1s\":0},\"in_flight\":{\"limit\":4,\"used\":0},"
        "\"sessions\":{\"limit\":null,\"used\":0},"
        "\"waiting\":{\"realtime\":0,\"standard\":0,\"bulk\":0},\"paused\":false}");
    buf_clear(&b);
    lim_body_state(g->gate, g->now, &b);
    assert_ptr_equal(
        strstr(shown(&b),
               "{\"upstreams\":{\"up\":{\"mode\":\"open\",\"until_ms\":0,\"since_ms\":0,"
               "\"probe_ms\":60000,\"limit\":4,\"why\":\"\","),
        b.at);
    lim_body_unknown(g->gate, "upp", &why);
    assert_string_equal(why.attempt, "up");
    buf_deinit(&b);
    gate_free(&g);
}

static void an_alert_is_read_as_it_was_written(void **state)
{
    struct lim_body_told told;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    for (enum lim_incident_kind kind = 0; kind < LIM_INCIDENTS; kind++) {
        buf_clear(&b);
        lim_body_alert(kind, "up", 1700000000123, 0, &b);
        assert_non_null(strstr(
            shown(&b),
            "\"state\":\"firing\",\"since\":\"2023-11-14T22:13:20.123Z\",\"until\":null"));
        assert_true(lim_body_alert_read(buf_bytes(&b), &told));
        assert_true(told.since_ms == 1700000000123 && !told.resolved);
        buf_clear(&b);
        lim_body_alert(kind, "up", 1700000000123, 1700000001000, &b);
        (void)shown(&b);
        assert_true(lim_body_alert_read(buf_bytes(&b), &told) && told.resolved);
    }
    assert_false(lim_body_alert_read(bytes_str("{}"), &told));
    assert_false(lim_body_alert_read(bytes_str("x"), &told));
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_ask_is_for_one_call_now),
        cmocka_unit_test(an_ask_may_say_everything),
        cmocka_unit_test(a_return_is_understood_by_its_status),
        cmocka_unit_test(what_is_wrong_has_a_pointer),
        cmocka_unit_test(a_body_has_a_size),
        cmocka_unit_test(ten_thousand_brackets_are_a_problem),
        cmocka_unit_test(any_bytes_are_read_or_refused),
        cmocka_unit_test(answers_are_what_the_surface_says),
        cmocka_unit_test(an_upstream_is_shown_as_it_stands),
        cmocka_unit_test(an_alert_is_read_as_it_was_written),
    };

    return cmocka_run_group_tests_name("lim_body", tests, NULL, NULL);
}
