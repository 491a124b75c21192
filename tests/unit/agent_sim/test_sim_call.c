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

/* How calls are counted and limited, and what the API asks of a request. */

enum { CROWD = 50 };

static const uint64_t SECOND = 1000000000u;

static struct sim_client *sim;
static int port;

static int with_sim(void **state)
{
    (void)state;
    sim = sim_client_start(
        &(struct sim_client_start){.config = "{\"latency\":{\"default\":10}}"});
    if (!sim)
        return -1;
    port = sim_client_port(sim);
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    bool ok = sim_client_reset(sim) &&
              sim_client_configure(sim, "{\"keys\":null,\"limits\":{\"enforce\":false,"
                                        "\"in_flight\":null,\"sessions\":null,\"rate\":null}}");
    return ok ? 0 : -1;
}

static int without(void **state)
{
    (void)state;
    return sim_client_stop(&sim) ? 0 : -1;
}

static int64_t recorded(const char *path)
{
    json_t *record = sim_client_record(sim);
    int64_t number = sim_client_number(record, path);

    json_decref(record);
    return number;
}

static int post(const char *path, const char *json)
{
    return sim_probe_status(port, "POST", path, json);
}

static void fifty_at_once_are_fifty(void **state)
{
    (void)state;
    int fds[CROWD];

    for (int i = 0; i < CROWD; i++) {
        fds[i] = sim_probe_connect(port);
        sim_probe_send(fds[i], "POST", "/v1/web/browse",
                       i % 5 ? "{\"cmd\":\"sim:latency=1500 sim:tenant=acme\"}"
                             : "{\"cmd\":\"sim:latency=1500 sim:tenant=beta\"}");
    }
    assert_true(sim_client_wait_at_least(sim, "in_flight", CROWD, 5000));
    for (int i = 0; i < CROWD; i++) {
        struct sim_probe_reply reply = sim_probe_read(fds[i], 10000, 0);

        assert_int_equal(reply.status, 200);
        sim_probe_deinit(&reply);
        close(fds[i]);
    }

    json_t *record          = sim_client_record(sim);
    struct sim_judge *judge = sim_client_judge(sim);

    assert_int_equal(sim_client_number(record, "in_flight.max"), CROWD);
    assert_int_equal(sim_client_number(record, "in_flight.now"), 0);
    assert_int_equal(sim_client_number(record, "in_flight.tenants.acme.max"), 40);
    assert_int_equal(sim_client_number(record, "in_flight.tenants.beta.max"), 10);
    assert_int_equal(sim_client_number(record, "calls.browse.200"), CROWD);
    assert_int_equal(sim_client_number(record, "sessions.max_open"), CROWD);
    assert_int_equal(sim_judge_in_flight(judge, NULL).count, CROWD);
    assert_int_equal(sim_judge_rate(judge, NULL, SECOND).count,
                     sim_client_number(record, "rate.max_1s"));
    sim_judge_free(&judge);
    json_decref(record);
}

static void worst_second_is_found_exactly(void **state)
{
    (void)state;
    struct timespec pause = {.tv_nsec = 700000000};

    /* 5, a pause, 3, a pause, 4: no second has more than 8; on a slow machine fewer. */
    for (int burst = 0; burst < 3; burst++) {
        for (int i = 0; i < (const int[]){5, 3, 4}[burst]; i++)
            assert_int_equal(sim_probe_status(port, "GET", "/v1/web/sessions", NULL), 200);
        nanosleep(&pause, NULL);
    }

    struct sim_judge *judge = sim_client_judge(sim);
    struct sim_peak peak    = sim_judge_rate(judge, NULL, SECOND);
    uint64_t within         = 0;

    for (size_t i = 0; i < sim_judge_calls(judge); i++) {
        uint64_t at = sim_judge_call(judge, i)->span.begin_ns;

        within += at >= peak.from_ns && at <= peak.to_ns;
    }
    assert_in_range(peak.count, 5, 8);
    assert_int_equal(within, peak.count);
    assert_true(peak.to_ns - peak.from_ns < SECOND);
    assert_int_equal(recorded("rate.max_1s"), peak.count);
    sim_judge_free(&judge);
}

static void call_goes_on_when_its_client_has_left(void **state)
{
    (void)state;
    int fd = sim_probe_connect(port);

    sim_probe_send(fd, "POST", "/v1/web/browse", "{\"cmd\":\"sim:order=K sim:latency=1500\"}");
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 5000));
    close(fd);
    assert_true(sim_client_wait_at_most(sim, "in_flight", 0, 5000));

    json_t *record = sim_client_record(sim);
    json_t *lost   = json_array_get(json_object_get(record, "acted_unanswered"), 0);

    assert_int_equal(sim_client_number(record, "orders.K.count"), 1);
    assert_int_equal(sim_client_number(record, "calls.browse.gone"), 1);
    assert_int_equal(sim_client_number(record, "calls.browse.dropped"), 1);
    assert_string_equal(json_string_value(json_object_get(lost, "why")), "gone");
    assert_string_equal(json_string_value(json_object_get(lost, "order")), "K");
    json_decref(record);
}

static void excess_is_only_recorded_unless_limits_are_enforced(void **state)
{
    (void)state;
    int fd = sim_probe_connect(port);

    sim_client_configure(sim, "{\"limits\":{\"in_flight\":1,\"sessions\":1}}");
    sim_probe_send(fd, "POST", "/v1/web/browse", "{\"cmd\":\"sim:fault=hang_after\"}");
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 5000));

    assert_int_equal(post("/v1/web/browse", "{\"cmd\":\"x\"}"), 200);
    assert_int_equal(recorded("violations.in_flight"), 1);
    assert_int_equal(recorded("violations.sessions"), 1);

    sim_client_configure(sim, "{\"limits\":{\"enforce\":true}}");
    assert_int_equal(post("/v1/web/browse", "{\"cmd\":\"x\"}"), 429);
    assert_int_equal(recorded("violations.in_flight"), 2);
    assert_int_equal(recorded("sessions.opened"), 2);
    close(fd);
}

static void enforced_session_limit_says_what_it_is(void **state)
{
    (void)state;
    sim_client_configure(sim, "{\"limits\":{\"sessions\":1,\"enforce\":true}}");
    assert_int_equal(post("/v1/web/session", "{\"url\":\"https://a.example\"}"), 200);

    struct sim_probe_reply reply =
        sim_probe_ask(port, "POST", "/v1/web/session", "{\"url\":\"https://a.example\"}");

    assert_int_equal(reply.status, 429);
    assert_non_null(strstr(reply.body, "Too many concurrent sessions"));
    assert_int_equal(recorded("sessions.max_open"), 1);
    sim_probe_deinit(&reply);
}

static void enforced_rate_says_when_to_come_again(void **state)
{
    (void)state;
    char value[128];
    int refused = 0;

    sim_client_configure(sim, "{\"limits\":{\"rate\":3,\"enforce\":true,\"retry_after\":2}}");
    for (int i = 0; i < 20; i++) {
        struct sim_probe_reply reply = sim_probe_ask(port, "GET", "/v1/web/sessions", NULL);

        if (reply.status == 429) {
            assert_true(sim_probe_header(&reply, "Retry-After", value));
            assert_string_equal(value, "2");
            refused++;
        }
        sim_probe_deinit(&reply);
    }
    assert_true(refused > 0);
    assert_int_equal(recorded("violations.rate"), refused);
}

static void requests_are_checked_as_the_real_one_does(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status;
    } CASES[] = {
        {"POST", "/v1/web/browse", "{}", 422},
        {"POST", "/v1/web/browse", "{\"cmd\":", 422},
        {"POST", "/v1/web/browse", "[1]", 422},
        {"POST", "/v1/web/browse", "{\"cmd\":\"x\",\"session_id\":7}", 422},
        {"POST", "/v1/web/browse", "{\"cmd\":\"x\",\"session_id\":null}", 200},
        {"POST", "/v1/web/retrieve", "{\"url\":\"https://a.example\"}", 422},
        {"POST", "/v1/web/session", "{}", 422},
        {"POST", "/v1/web/browse", "{\"cmd\":\"x sim:oder=K\"}", 400},
        {"GET", "/v1/web/browse", NULL, 405},
        {"POST", "/v1/web/nothing", "{}", 404},
        {"GET", "/", NULL, 404},
        {"GET", "/v1/web/sessions", NULL, 200},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(sim_probe_status(port, CASES[i].method, CASES[i].path, CASES[i].body),
                         CASES[i].status);
    assert_int_equal(recorded("calls.total"), sizeof CASES / sizeof *CASES);
}

static void only_known_keys_are_let_in(void **state)
{
    (void)state;
    sim_client_configure(sim, "{\"keys\":[\"another\"]}");
    assert_int_equal(sim_probe_status(port, "GET", "/v1/web/sessions", NULL), 401);
    sim_client_configure(sim, "{\"keys\":[\"another\",\"probe\"]}");
    assert_int_equal(sim_probe_status(port, "GET", "/v1/web/sessions", NULL), 200);
}

static size_t rows_of(const char *body, json_t **ret_first)
{
    struct sim_probe_reply reply = sim_probe_ask(port, "POST", "/v1/web/retrieve", body);
    json_t *json                 = sim_probe_json(&reply);
    json_t *data                 = json_object_get(json, "data");
    size_t count                 = json_array_size(data);

    assert_int_equal(reply.status, 200);
    if (ret_first)
        *ret_first = json_incref(json_array_get(data, 0));
    json_decref(json);
    sim_probe_deinit(&reply);
    return count;
}

static void retrieve_gives_the_fields_and_rows_asked_for(void **state)
{
    (void)state;
    json_t *row = NULL;

    assert_int_equal(
        rows_of("{\"cmd\":\"x sim:rows=3\",\"fields\":[\"name\",\"price\",\"url\"]}", &row), 3);
    assert_string_equal(json_string_value(json_object_get(row, "name")), "name 0");
    assert_true(json_is_real(json_object_get(row, "price")));
    assert_string_equal(json_string_value(json_object_get(row, "url")),
                        "https://shop.example/url/0");
    assert_int_equal(json_object_size(row), 3);
    json_decref(row);

    assert_int_equal(rows_of("{\"cmd\":\"x sim:rows=30\",\"max_items\":4}", NULL), 4);
    assert_int_equal(rows_of("{\"cmd\":\"x sim:rows=300\"}", NULL), 100);
    assert_int_equal(rows_of("{\"cmd\":\"x sim:rows=0\"}", NULL), 0);
    sim_client_configure(sim, "{\"rows\":{\"over\":true}}");
    assert_int_equal(rows_of("{\"cmd\":\"x sim:rows=30\",\"max_items\":4}", NULL), 30);
    sim_client_configure(sim, "{\"rows\":{\"over\":false}}");
    assert_int_equal(recorded("sessions.opened"), 0);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(fifty_at_once_are_fifty),
        FRESH(worst_second_is_found_exactly),
        FRESH(call_goes_on_when_its_client_has_left),
        FRESH(excess_is_only_recorded_unless_limits_are_enforced),
        FRESH(enforced_session_limit_says_what_it_is),
        FRESH(enforced_rate_says_when_to_come_again),
        FRESH(requests_are_checked_as_the_real_one_does),
        FRESH(only_known_keys_are_let_in),
        FRESH(retrieve_gives_the_fields_and_rows_asked_for),
    };
    return cmocka_run_group_tests_name("sim_call", tests, with_sim, without);
}
