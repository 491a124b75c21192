#include "agent_sim/sim_client.h"
#include "agent_sim/sim_judge.h"
#include "agent_sim/sim_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Each fault does on the wire what its name says, and the record knows what was done. */

static struct sim_client *sim;
static const size_t MUCH = (size_t)8 << 20;

static int with_sim(void **state)
{
    (void)state;
    sim = sim_client_start(
        &(struct sim_client_start){.config = "{\"latency\":{\"default\":10}}"});
    return sim ? 0 : -1;
}

static int fresh(void **state)
{
    (void)state;
    return sim_client_reset(sim) ? 0 : -1;
}

static int without(void **state)
{
    (void)state;
    return sim_client_stop(&sim) ? 0 : -1;
}

static struct sim_probe_reply browse(const char *words)
{
    char body[512];

    snprintf(body, sizeof body, "{\"cmd\":\"buy sim:order=K %s\"}", words);
    return sim_probe_ask(sim_client_port(sim), "POST", "/v1/web/browse", body);
}

/* How often the order K was placed, by the record. */
static int64_t placed(void)
{
    json_t *record = sim_client_record(sim);
    int64_t count  = sim_client_number(record, "orders.K.count");

    json_decref(record);
    return count < 0 ? 0 : count;
}

static size_t listed(const char *list)
{
    json_t *record = sim_client_record(sim);
    size_t size    = json_array_size(json_object_get(record, list));

    json_decref(record);
    return size;
}

static void faults_with_a_whole_answer(void **state)
{
    static const struct {
        const char *fault;
        const char *text; /* in the body */
        int status;
        int orders;
    } CASES[] = {
        {"402", "credit of this account is exhausted", 402, 0},
        {"402_credit", "\"statusCode\":402", 402, 0},
        {"402_feature", "feature is not in your plan", 402, 0},
        {"429", "Rate limit", 429, 0},
        {"429_concurrency", "Too many concurrent", 429, 0},
        {"500", "\"statusCode\":500", 500, 0},
        {"500_after", "\"statusCode\":500", 500, 1},
        {"502", "\"detail\"", 502, 0},
        {"502_after", "\"detail\"", 502, 1},
        {"503", "\"detail\"", 503, 0},
        {"503_after", "\"detail\"", 503, 1},
        {"html_502", "<html>", 502, 0},
        {"html_502_after", "<center>nginx", 502, 1},
        {"401", "\"statusCode\":401", 401, 0},
        {"422", "\"loc\":[\"body\"]", 422, 0},
        {"garbage", "", 200, 1},
        {"wrong_type", "\"status\":\"DONE\"", 200, 1},
        {"empty", "", 200, 1},
        {"deep", "[[[[", 200, 1},
        {"answer", "\"status\":\"DONE\"", 200, 1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char words[64];

        snprintf(words, sizeof words, "sim:fault=%s", CASES[i].fault);
        assert_true(sim_client_reset(sim));

        struct sim_probe_reply reply = browse(words);

        if (reply.end != SIM_PROBE_WHOLE || reply.status != CASES[i].status ||
            !strstr(reply.body, CASES[i].text) || placed() != CASES[i].orders)
            fail_msg("%s: end %d, status %d, orders %d: %s", CASES[i].fault, (int)reply.end,
                     reply.status, (int)placed(), reply.body);
        sim_probe_deinit(&reply);
    }
}

static void garbage_empty_and_deep_are_no_usable_json(void **state)
{
    static const char *const FAULTS[] = {"garbage", "empty", "deep"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        char words[64];

        snprintf(words, sizeof words, "sim:fault=%s", FAULTS[i]);

        struct sim_probe_reply reply = browse(words);
        json_t *json                 = sim_probe_json(&reply);

        assert_null(json);
        sim_probe_deinit(&reply);
    }
    assert_int_equal(listed("acted_refused"), 3);
}

static void wrong_type_is_said_in_the_head(void **state)
{
    (void)state;
    char type[128];
    struct sim_probe_reply reply = browse("sim:fault=wrong_type");

    assert_true(sim_probe_header(&reply, "content-type", type));
    assert_string_equal(type, "text/html");
    sim_probe_deinit(&reply);
}

static void retry_after_comes_in_each_form(void **state)
{
    (void)state;
    char value[128], date[128];
    struct tm told = {0}, now = {0};
    struct sim_probe_reply reply = browse("sim:fault=429");

    assert_false(sim_probe_header(&reply, "Retry-After", value));
    sim_probe_deinit(&reply);

    reply = browse("sim:fault=402 sim:retry_after=7");
    assert_int_equal(reply.status, 402);
    assert_true(sim_probe_header(&reply, "Retry-After", value));
    assert_string_equal(value, "7");
    sim_probe_deinit(&reply);

    reply = browse("sim:fault=429 sim:retry_after_date=90");
    assert_true(sim_probe_header(&reply, "Retry-After", value));
    assert_true(sim_probe_header(&reply, "Date", date));
    assert_non_null(strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &told));
    assert_non_null(strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &now));
    assert_in_range(timegm(&told) - timegm(&now), 89, 91);
    sim_probe_deinit(&reply);

    sim_client_fault(sim,
                     "{\"fault\":\"429\",\"retry_after\":\"-1\",\"headers\":{\"RateLimit\":"
                     "\"\\\"d\\\";r=0;t=3\"}}");
    reply = browse("");
    assert_true(sim_probe_header(&reply, "Retry-After", value));
    assert_string_equal(value, "-1");
    assert_true(sim_probe_header(&reply, "RateLimit", value));
    assert_string_equal(value, "\"d\";r=0;t=3");
    sim_probe_deinit(&reply);
}

static void reset_is_a_reset_before_and_after_acting(void **state)
{
    (void)state;
    struct sim_probe_reply before = browse("sim:fault=reset_before");

    assert_int_equal(before.end, SIM_PROBE_RESET);
    assert_int_equal(before.len, 0);
    assert_int_equal(placed(), 0);

    struct sim_probe_reply after = browse("sim:fault=reset_after");

    assert_int_equal(after.end, SIM_PROBE_RESET);
    assert_int_equal(after.len, 0);
    assert_int_equal(placed(), 1);
    assert_int_equal(listed("acted_unanswered"), 1);
    sim_probe_deinit(&before);
    sim_probe_deinit(&after);
}

static void close_ends_without_a_byte(void **state)
{
    (void)state;
    struct sim_probe_reply reply = browse("sim:fault=close_after");

    assert_int_equal(reply.end, SIM_PROBE_CLOSED);
    assert_int_equal(reply.len, 0);
    assert_int_equal(placed(), 1);
    sim_probe_deinit(&reply);
}

static void truncated_body_ends_before_its_length(void **state)
{
    (void)state;
    struct sim_probe_reply reply = browse("sim:fault=truncated");

    assert_int_equal(reply.end, SIM_PROBE_CLOSED);
    assert_int_equal(reply.status, 200);
    assert_true(reply.body_len > 0 && reply.body_len < reply.body_promised);
    assert_int_equal(placed(), 1);
    assert_int_equal(listed("acted_unanswered"), 1);
    sim_probe_deinit(&reply);
}

static void hanging_call_ends_only_when_the_client_leaves(void **state)
{
    (void)state;
    int fd = sim_probe_connect(sim_client_port(sim));

    sim_probe_send(fd, "POST", "/v1/web/browse",
                   "{\"cmd\":\"sim:order=K sim:fault=hang_after\"}");

    struct sim_probe_reply reply = sim_probe_read(fd, 300, 0);

    assert_int_equal(reply.end, SIM_PROBE_TIMEOUT);
    assert_int_equal(reply.len, 0);
    assert_int_equal(placed(), 1);
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 0));
    close(fd);
    assert_true(sim_client_wait_at_most(sim, "in_flight", 0, 5000));
    assert_int_equal(listed("acted_unanswered"), 1);
    sim_probe_deinit(&reply);
}

static void endless_body_flows_until_the_client_leaves(void **state)
{
    (void)state;
    int fd = sim_probe_connect(sim_client_port(sim));

    sim_probe_send(fd, "POST", "/v1/web/browse", "{\"cmd\":\"x sim:fault=endless\"}");

    struct sim_probe_reply reply = sim_probe_read(fd, 20000, MUCH);

    assert_int_equal(reply.status, 200);
    assert_true(reply.len >= MUCH);
    assert_non_null(strstr(reply.text, "\r\n{\"status\":\"DONE\",\"message\":\""));
    close(fd);
    assert_true(sim_client_wait_at_most(sim, "in_flight", 0, 5000));
    sim_probe_deinit(&reply);
}

static void dripping_answer_is_slow_and_right(void **state)
{
    (void)state;
    struct timespec begin, end;

    sim_client_fault(sim, "{\"fault\":\"drip\",\"drip_ms\":2}");
    clock_gettime(CLOCK_MONOTONIC, &begin);

    struct sim_probe_reply reply = browse("");
    json_t *json                 = sim_probe_json(&reply);

    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_string_equal(json_string_value(json_object_get(json, "status")), "DONE");
    assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >=
                (long)reply.body_len * 2);
    json_decref(json);
    sim_probe_deinit(&reply);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(faults_with_a_whole_answer),
        FRESH(garbage_empty_and_deep_are_no_usable_json),
        FRESH(wrong_type_is_said_in_the_head),
        FRESH(retry_after_comes_in_each_form),
        FRESH(reset_is_a_reset_before_and_after_acting),
        FRESH(close_ends_without_a_byte),
        FRESH(truncated_body_ends_before_its_length),
        FRESH(hanging_call_ends_only_when_the_client_leaves),
        FRESH(endless_body_flows_until_the_client_leaves),
        FRESH(dripping_answer_is_slow_and_right),
    };
    return cmocka_run_group_tests_name("sim_deliver", tests, with_sim, without);
}
