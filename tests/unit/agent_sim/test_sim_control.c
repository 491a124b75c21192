#include "agent_sim/sim_client.h"
#include "agent_sim/sim_judge.h"
#include "agent_sim/sim_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct sim_client *sim;
static int port;

static int with_sim(void **state)
{
    (void)state;
    sim = sim_client_start(&(struct sim_client_start){
        .config = "{\"latency\":{\"default\":0},\"faults\":{\"fault\":\"503\",\"count\":2}}"});
    if (!sim)
        return -1;
    port = sim_client_port(sim);
    return 0;
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

static int list(void)
{
    return sim_probe_status(port, "GET", "/v1/web/sessions", NULL);
}

static void faults_of_the_command_line_are_played(void **state)
{
    (void)state;

    assert_int_equal(list(), 503);
    assert_int_equal(list(), 503);
    assert_int_equal(list(), 200);
}

static void settings_are_shown_as_they_are(void **state)
{
    (void)state;
    assert_true(sim_client_configure(sim, "{\"message\":\"hello\",\"limits\":{\"rate\":9}}"));

    json_t *config = sim_client_call(sim, "GET", "/_sim/config", NULL);

    assert_string_equal(json_string_value(json_object_get(config, "message")), "hello");
    assert_int_equal(sim_client_number(config, "limits.rate"), 9);
    assert_int_equal(sim_client_number(config, "session_idle_ms"), 600000);
    json_decref(config);
    sim_client_configure(sim, "{\"limits\":{\"rate\":null}}");
}

static void wrong_settings_and_doors_are_refused(void **state)
{
    static const struct {
        const char *path, *body;
        int status;
    } CASES[] = {
        {"/_sim/config", "{\"mesage\":\"x\"}", 400},
        {"/_sim/config", "not json", 400},
        {"/_sim/faults", "{\"fault\":\"explode\"}", 400},
        {"/_sim/faults", "[{\"fault\":\"500\"},{\"fault\":\"500\",\"when\":1}]", 400},
        {"/_sim/expire", "{}", 400},
        {"/_sim/nothing", "{}", 404},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(sim_probe_status(port, "POST", CASES[i].path, CASES[i].body),
                         CASES[i].status);
}

static void faults_are_listed_with_what_they_did(void **state)
{
    (void)state;
    sim_client_fault(sim, "[{\"fault\":\"500\",\"count\":3,\"endpoint\":\"list\"},"
                          "{\"fault\":\"402\",\"endpoint\":\"browse\"}]");
    list();

    json_t *faults = sim_client_call(sim, "GET", "/_sim/faults", NULL);

    assert_int_equal(json_array_size(faults), 2);
    assert_int_equal(sim_client_number(json_array_get(faults, 0), "played"), 1);
    assert_int_equal(sim_client_number(json_array_get(faults, 0), "left"), 2);
    assert_int_equal(sim_client_number(json_array_get(faults, 1), "played"), 0);
    json_decref(faults);

    json_decref(sim_client_call(sim, "DELETE", "/_sim/faults", NULL));
    assert_int_equal(list(), 200);
}

static void events_can_be_read_in_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        list();

    struct sim_probe_reply all = sim_probe_ask(port, "GET", "/_sim/events?from=0", NULL);
    char next[128], path[64];
    size_t pieces_len = 0;

    assert_true(sim_probe_header(&all, "X-Sim-Next", next));
    assert_non_null(strstr(all.body, "\"event\":\"reset\""));

    for (unsigned long from = 0; from < strtoul(next, NULL, 10);) {
        char piece_next[128];

        snprintf(path, sizeof path, "/_sim/events?from=%lu&limit=4", from);

        struct sim_probe_reply piece = sim_probe_ask(port, "GET", path, NULL);

        assert_true(sim_probe_header(&piece, "X-Sim-Next", piece_next));
        assert_memory_equal(piece.body, all.body + pieces_len, piece.body_len);
        pieces_len += piece.body_len;
        from = strtoul(piece_next, NULL, 10);
        sim_probe_deinit(&piece);
    }
    assert_int_equal(pieces_len, all.body_len);
    sim_probe_deinit(&all);
}

static void reset_forgets_sessions_faults_and_record(void **state)
{
    (void)state;
    free(sim_probe_open(port, "https://a.example"));
    sim_client_fault(sim, "{\"fault\":\"500\"}");
    assert_true(sim_client_reset(sim));

    json_t *record = sim_client_record(sim);

    assert_int_equal(sim_client_number(record, "calls.total"), 0);
    assert_int_equal(sim_client_number(record, "sessions.opened"), 0);
    assert_int_equal(list(), 200);
    json_decref(record);
}

static void calls_in_flight_do_not_survive_a_reset(void **state)
{
    (void)state;
    int fd = sim_probe_connect(port);

    sim_probe_send(fd, "POST", "/v1/web/browse", "{\"cmd\":\"sim:fault=hang\"}");
    assert_true(sim_client_wait_at_least(sim, "in_flight", 1, 5000));
    assert_true(sim_client_reset(sim));
    assert_true(sim_client_wait_at_most(sim, "in_flight", 0, 0));

    struct sim_probe_reply reply = sim_probe_read(fd, 5000, 0);

    assert_int_equal(reply.end, SIM_PROBE_RESET);
    sim_probe_deinit(&reply);
    close(fd);
}

static void sessions_can_be_lost_on_demand(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");

    json_decref(sim_client_call(sim, "POST", "/_sim/expire", "{\"session\":\"*\"}"));

    json_t *record = sim_client_record(sim);

    assert_int_equal(sim_client_number(record, "sessions.expired"), 1);
    assert_int_equal(sim_client_number(record, "sessions.open"), 0);
    json_decref(record);
    free(session);
}

static void touching_a_foreign_session_is_noticed(void **state)
{
    (void)state;
    char path[160];
    json_t *foreign = sim_client_call(sim, "POST", "/_sim/foreign", "{\"count\":2}");
    const char *id = json_string_value(json_array_get(json_object_get(foreign, "sessions"), 0));

    sim_probe_path(path, "session", id);
    assert_int_equal(sim_probe_status(port, "DELETE", path, NULL), 200);

    json_t *record = sim_client_record(sim);

    assert_int_equal(sim_client_number(record, "violations.foreign_session"), 1);
    assert_int_equal(sim_client_number(record, "sessions.opened"), 0);
    json_decref(record);
    json_decref(foreign);
}

static void screenshot_is_a_picture_behind_a_plain_url(void **state)
{
    (void)state;
    char *session = sim_probe_open(port, "https://a.example");
    char path[160];

    sim_probe_path(path, "screenshot", session);

    struct sim_probe_reply reply = sim_probe_ask(port, "GET", path, NULL);
    json_t *json                 = sim_probe_json(&reply);
    const char *url              = json_string_value(json_object_get(json, "screenshot"));
    struct sim_probe_reply picture =
        sim_probe_ask(port, "GET", strstr(url, "/_sim/blob/"), NULL);
    json_t *record = sim_client_record(sim);

    assert_memory_equal(picture.body, "\x89PNG", 4);
    /* sim_probe sends the key wherever it goes: the very mistake this is there to catch */
    assert_int_equal(sim_client_number(record, "violations.key_sent_to_blob"), 1);
    json_decref(record);
    json_decref(json);
    sim_probe_deinit(&picture);
    sim_probe_deinit(&reply);
    free(session);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_the_command_line_are_played),
        FRESH(settings_are_shown_as_they_are),
        FRESH(wrong_settings_and_doors_are_refused),
        FRESH(faults_are_listed_with_what_they_did),
        FRESH(events_can_be_read_in_pieces),
        FRESH(reset_forgets_sessions_faults_and_record),
        FRESH(calls_in_flight_do_not_survive_a_reset),
        FRESH(sessions_can_be_lost_on_demand),
        FRESH(touching_a_foreign_session_is_noticed),
        FRESH(screenshot_is_a_picture_behind_a_plain_url),
    };
    return cmocka_run_group_tests_name("sim_control", tests, with_sim, without);
}
