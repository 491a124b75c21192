#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/id.h"
#include "wire/wire_permit.h"
#include "world.h"

/* A real limiter, as other programs and operators meet it: JSON, problems, modes, alerts, take-over. */

/* It is alone, and on a machine that does other things, too, no term must end by itself. */
#define STEADY "SLUICE_LEADER_TTL=30s"
#define UP "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\"}"

static struct world w;
static struct nc *nc, *ear;
static char answer[65536];

static int setup(void **state)
{
    (void)state;
    static const char *const SETTINGS[] = {"SLUICE_PROBE=1s", "SLUICE_RAMP=1s", STEADY, NULL};

    world_open(&w);
    world_limiter(&w, 0, SETTINGS);
    nc = nc_open(w.port);
    if (!world_ready(nc, "up", UP))
        return 1;
    ear = nc_open(w.port);
    nc_sub(ear, "judge.alerts", 5);
    return nc_ask(ear, "$JS.API.CONSUMER.CREATE.SLUICE_ALERTS",
                  "{\"stream_name\":\"SLUICE_ALERTS\",\"config\":{\"deliver_subject\":\"judge."
                  "alerts\","
                  "\"deliver_policy\":\"all\",\"ack_policy\":\"none\",\"replay_policy\":"
                  "\"instant\"}}",
                  answer, sizeof(answer))
               ? 0
               : 1;
}

static int teardown(void **state)
{
    (void)state;
    nc_close(nc);
    nc_close(ear);
    world_close(&w, false);
    return 0;
}

static const char *ask(const char *subject, const char *json)
{
    if (!nc_ask(nc, subject, json, answer, sizeof(answer)))
        snprintf(answer, sizeof(answer), "(nobody answered)");
    return answer;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_says_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in: %s", part, text);
}

static void permit_id(const char *text, char ret[ID_SIZE])
{
    const char *at = strstr(text, "\"id\":\"");

    if (!at)
        fail_msg("there is no id in: %s", text);
    snprintf(ret, ID_SIZE, "%s", at + 6);
}

/* Looks again and again until the upstream's state says so, also while nobody answers. */
static void wait_for_state(const char *part)
{
    for (uint64_t until = now_ms() + 20000; now_ms() < until; usleep(30000))
        if (nc_request(nc, "sluice.admin.upstream.up", "", 0, 300, answer, sizeof(answer)) &&
            strstr(answer, part))
            return;
    fail_msg("\"%s\" never came: %s", part, answer);
}

/* Asks again and again until the answer says so. */
static void wait_for(const char *subject, const char *json, const char *part, int ms)
{
    for (uint64_t until = now_ms() + (uint64_t)ms; now_ms() < until; usleep(30000))
        if (strstr(ask(subject, json), part))
            return;
    fail_msg("\"%s\" never came: %s", part, answer);
}

static void returns(const char *id, const char *more)
{
    char text[256];

    snprintf(text, sizeof(text), "{\"return\":\"%s\"%s}", id, more);
    assert_says(ask("sluice.permit.up", text), "\"returned\":true");
}

static void configure(const char *json)
{
    assert_says(ask("sluice.admin.upstream.up", json), "\"mode\"");
}

/* ---- other programs ---------------------------------------------------------------- */

static void an_ask_in_json_is_granted_and_returned(void **state)
{
    char id[ID_SIZE];

    (void)state;
    configure("{\"in_flight\":1,\"rate\":null}");
    assert_says(ask("sluice.permit.up", "{\"wait_ms\":0}"), "\"granted\":true,\"waited_ms\":");
    permit_id(answer, id);
    assert_says(ask("sluice.permit.up", "{\"wait_ms\":0}"), "\"granted\":false");
    assert_says(answer, "\"why\":\"upstream_in_flight\"");
    assert_says_not(answer, "\"retry_after_ms\":0");
    returns(id, ",\"status\":200");
    assert_says(
        ask("sluice.permit.up", "{\"wait_ms\":0,\"tenant\":\"acme\",\"lane\":\"bulk\"}"),
        "\"granted\":true");
    permit_id(answer, id);
    returns(id, ",\"class\":\"unsent\"");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *subject, *body, *says;
    } CASES[] = {
        {"sluice.permit.u", "{\"wait_ms\":0}", "upstream u is not known; is up meant?"},
        {"sluice.permit.up", "{\"wait_m\":0}", "is \\\"wait_ms\\\" meant?"},
        {"sluice.permit.up", "{\"wait_ms\":\"0\"}", "\"pointer\":\"/wait_ms\""},
        {"sluice.permit.up", "{\"wait_ms\":-1}", "\"pointer\":\"/wait_ms\""},
        {"sluice.permit.up", "{\"id\":\"x\"}", "\"pointer\":\"/id\""},
        {"sluice.permit.up", "{\"tenant\":\"a.b\"}", "\"pointer\":\"/tenant\""},
        {"sluice.permit.up", "{\"lane\":\"fast\"}", "\"pointer\":\"/lane\""},
        {"sluice.permit.up", "{\"keys\":[]}", "\"pointer\":\"/keys\""},
        {"sluice.permit.up", "{\"keys\":[{\"name\":\"other\"}]}", "must name the upstream"},
        {"sluice.permit.up", "{\"keys\":[{\"name\":\"up\",\"rat\":true}]}", "\"try\":\"rate\""},
        {"sluice.permit.up", "{\"keys\":[{\"name\":\"up\",\"session_open\":true}]}",
         "\"pointer\":\"/session\""},
        {"sluice.permit.up", "{\"return\":\"x\"}", "\"pointer\":\"/return\""},
        {"sluice.permit.up", "{\"return\":null}", "\"pointer\":\"/return\""},
        {"sluice.permit.up", "{\"session_closed\":false}", "\"pointer\":\"/return\""},
        {"sluice.permit.up", "{\"wait_ms\":0", "not valid JSON"},
        {"sluice.permit.up", "[1]", "must be an object"},
        {"sluice.permit.up", "", "the body is empty"},
        {"sluice.permit.up", "\xff\xff", "neither JSON nor a PermitRequest"},
        {"sluice.admin.upstream.nope", "", "is not known"},
        {"sluice.admin.upstream.nope", "{\"in_flight\":1}", "driver and url"},
        {"sluice.admin.upstream.nope", "{\"resume\":true}", "is not known"},
        {"sluice.admin.upstream.up", "{\"in_fligt\":1}", "\"try\":\"in_flight\""},
        {"sluice.admin.upstream.up", "{\"in_flight\":\"1\"}", "\"pointer\":\"/in_flight\""},
        {"sluice.admin.upstream.up", "{\"ramp\":\"5m\"}", "\"pointer\":\"/ramp\""},
        {"sluice.admin.upstream.up", "{\"resume\":true,\"ramp\":\"5 min\"}",
         "\"pointer\":\"/ramp\""},
        {"sluice.admin.upstream.up", "[]", "must be an object"},
        {"sluice.admin.upstream.up", "{", "not valid JSON"},
    };

    (void)state;
    for (size_t n = 0; n < sizeof(CASES) / sizeof(*CASES); n++) {
        assert_says(ask(CASES[n].subject, CASES[n].body), CASES[n].says);
        assert_says(answer, "\"code\":");
        assert_says_not(answer, "\"mode\"");
    }
}

static void a_problem_has_the_headers_of_a_service(void **state)
{
    struct nc_msg m;

    (void)state;
    nc_sub(nc, "_INBOX.head", 3);
    nc_pub(nc, "sluice.permit.nope", "_INBOX.head", "{}", 2);
    while (nc_next(nc, 5000, &m) && m.sid != 3)
        ;
    assert_int_equal(m.sid, 3);
    snprintf(answer, sizeof(answer), "%.*s", (int)m.headers_len, m.headers);
    assert_says(answer, "Nats-Service-Error: Not found");
    assert_says(answer, "Nats-Service-Error-Code: 404");
}

/* ---- operators --------------------------------------------------------------------- */

static void the_configuration_is_followed_live(void **state)
{
    static const char *GOOD =
        "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\",\"in_flight\":7}";
    static const char *BAD =
        "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\",\"in_fligt\":9}";

    (void)state;
    ask("$KV.sluice_upstreams.hand", GOOD);
    wait_for("sluice.admin.upstream.hand", "", "\"in_flight\":{\"limit\":7,\"used\":0}", 3000);
    ask("$KV.sluice_upstreams.hand", BAD);
    for (int n = 0; n < 100 && world_logged(&w, "in_fligt") == 0; n++)
        usleep(30000);
    assert_int_equal(world_logged(&w, "key=/in_fligt"), 1); /* one line names the field */
    assert_says(ask("sluice.admin.upstream.hand", ""),
                "\"in_flight\":{\"limit\":7,\"used\":0}");
    assert_says(
        ask("sluice.admin.upstream.hand", "{\"sessions\":2}"), /* of the last good one */
        "\"in_flight\":{\"limit\":7,\"used\":0},\"sessions\":{\"limit\":2,\"used\":0}");
    assert_says(ask("sluice.admin.upstream.hand", "{\"in_flight\":8}"),
                "\"in_flight\":{\"limit\":8,\"used\":0}");
}

static void a_paused_upstream_refuses_at_once(void **state)
{
    (void)state;
    configure("{\"paused\":true}");
    assert_says(answer, "\"paused\":true");
    uint64_t from = now_ms();

    assert_says(ask("sluice.permit.up", "{\"wait_ms\":4000}"), "\"why\":\"paused\"");
    assert_true(now_ms() - from < 3500);
    configure("{\"paused\":null}");
    assert_says(ask("sluice.permit.up", "{\"wait_ms\":0}"), "\"granted\":true");
    char id[ID_SIZE];

    permit_id(answer, id);
    returns(id, "");
}

static void the_state_is_told_each_second(void **state)
{
    struct nc_msg m;

    (void)state;
    nc_sub(nc, "sluice.state.upstream.0", 4);
    for (int n = 0; n < 3; n++) {
        do
            assert_true(nc_next(nc, 3000, &m));
        while (m.sid != 4);
        snprintf(answer, sizeof(answer), "%.*s", (int)m.len, m.body);
        assert_says(answer, "{\"upstreams\":{");
        assert_says(answer, "\"up\":{\"mode\":\"open\",\"until_ms\":0,\"since_ms\":");
        assert_says(answer, "\"probe_ms\":1000,\"limit\":");
    }
    nc_put(nc, "UNSUB 4\r\n", 9);
}

/* ---- modes and alerts -------------------------------------------------------------- */

/* What the stream holds of them: a consumer tells it, a subscriber would hear refused ones, too. */
static int alerts(const char *kind, const char *state)
{
    static char seen[64][2048];
    static int total;
    struct nc_msg m;
    int count = 0;

    while (nc_next(ear, 0, &m))
        if (m.sid == 5)
            snprintf(seen[total++ % 64], sizeof(seen[0]), "%s %.*s", m.subject, (int)m.len,
                     m.body);
    for (int n = 0; n < total; n++)
        count += strstr(seen[n], kind) && strstr(seen[n], state);
    return count;
}

static void wait_for_alerts(const char *kind, const char *state, int count)
{
    for (uint64_t until = now_ms() + 5000; now_ms() < until; usleep(50000))
        if (alerts(kind, state) == count)
            return;
    assert_int_equal(alerts(kind, state), count);
}

static void told_to_wait_all_wait(void **state)
{
    char id[ID_SIZE];

    (void)state;
    ask("sluice.permit.up", "{}");
    permit_id(answer, id);
    uint64_t before = now_ms();
    returns(id, ",\"status\":429,\"retry_after_ms\":2000");
    assert_says(ask("sluice.admin.upstream.up", ""), "\"mode\":\"closed\",\"until\":\"2");
    uint64_t from = now_ms();

    assert_says(ask("sluice.permit.up", "{\"wait_ms\":4000}"), "\"why\":\"upstream_closed\"");
    assert_true(now_ms() - from < 1800);
    wait_for_state("\"mode\":\"open\"");
    assert_true(now_ms() - before >= 1990); /* two clocks */
    assert_int_equal(alerts("Upstream", "firing"), 0);
}

static void a_402_limits_until_a_probe_succeeds_and_is_told_once(void **state)
{
    char id[ID_SIZE], second[ID_SIZE];

    (void)state;
    configure("{\"in_flight\":10}");
    ask("sluice.permit.up", "{}");
    permit_id(answer, id);
    ask("sluice.permit.up", "{}");
    permit_id(answer, second);
    returns(id, ",\"status\":402");
    returns(second, ",\"status\":402");
    assert_says(ask("sluice.admin.upstream.up", ""), "\"mode\":\"limited\"");
    assert_says(ask("sluice.permit.up", "{\"wait_ms\":4000}"), "\"why\":\"upstream_limited\"");
    wait_for_alerts("Upstream402", "\"state\":\"firing\"", 1);
    assert_int_equal(alerts("Upstream402", "\"state\":\"resolved\""), 0);

    /* One probe an interval: it fails, so it stays; the next succeeds. */
    wait_for("sluice.permit.up", "{}", "\"probe\":true", 3000);
    permit_id(answer, id);
    assert_says(ask("sluice.permit.up", "{}"), "upstream_limited");
    returns(id, ",\"status\":402");
    assert_says(ask("sluice.permit.up", "{}"), "upstream_limited");
    wait_for("sluice.permit.up", "{}", "\"probe\":true", 3000);
    permit_id(answer, id);
    returns(id, ",\"status\":200");
    assert_says(ask("sluice.admin.upstream.up", ""), "\"mode\":\"ramp\"");
    wait_for_state("\"mode\":\"open\"");
    wait_for_alerts("Upstream402", "\"state\":\"resolved\"", 1);
    assert_int_equal(alerts("Upstream402", "\"state\":\"firing\""), 1);
}

static void kill_leader(const char *const *settings)
{
    world_kill(&w.limiters[0], SIGKILL);
    world_limiter(&w, 0, settings);
    end_the_term(nc);
}

static void a_402_survives_a_killed_leader_and_is_still_told_once(void **state)
{
    static const char *const SETTINGS[] = {"SLUICE_PROBE=1h", STEADY, NULL};
    char id[ID_SIZE];

    (void)state;
    ask("sluice.permit.up", "{}");
    permit_id(answer, id);
    returns(id, ",\"status\":402");
    kill_leader(SETTINGS); /* at once: whether the alert is out nobody knows */
    wait_for_state("\"mode\":\"limited\"");
    wait_for_alerts("Upstream402", "\"state\":\"firing\"",
                    2); /* the other was that of before */
    kill_leader(SETTINGS);
    wait_for_state("\"mode\":\"limited\"");
    usleep(300000);
    assert_int_equal(alerts("Upstream402", "\"state\":\"firing\""), 2);
    configure("{\"resume\":true,\"ramp\":\"200ms\"}");
    assert_says(answer, "\"mode\":\"ramp\"");
    kill_leader(SETTINGS);
    wait_for_state("\"mode\":\"open\"");
    wait_for_alerts("Upstream402", "\"state\":\"resolved\"", 2);
    assert_int_equal(alerts("Upstream402", "\"state\":\"firing\""), 2);
}

static void ten_failures_in_a_row_close_until_one_succeeds(void **state)
{
    char id[ID_SIZE];

    (void)state;
    configure("{\"in_flight\":100}");
    for (int n = 0; n < 10; n++) {
        ask("sluice.permit.up", "{\"wait_ms\":3000}");
        permit_id(answer, id);
        returns(id, ",\"status\":503");
    }
    assert_says(ask("sluice.admin.upstream.up", ""), "\"mode\":\"closed\"");
    wait_for_alerts("UpstreamBreaker", "\"state\":\"firing\"", 1);
    wait_for("sluice.permit.up", "{}", "\"probe\":true", 5000);
    permit_id(answer, id);
    assert_says(ask("sluice.permit.up", "{}"), "upstream_closed");
    returns(id, ",\"status\":200");
    wait_for_alerts("UpstreamBreaker", "\"state\":\"resolved\"", 1);
    assert_says(ask("sluice.admin.upstream.up", ""), "\"mode\":\"slowed\"");
}

/* ---- protobuf ---------------------------------------------------------------------- */

static struct permit_grant tell(const struct permit_ask *a, const struct permit_report *r)
{
    struct permit_grant g = {.ok = false};
    struct buf body;

    buf_init(&body, 4096);
    if (a)
        wire_write_permit_ask(a, &body);
    else
        wire_write_permit_report(r, &body);
    assert_true(
        nc_request(nc, "sluice.permit.pb", body.at, body.len, 5000, answer, sizeof(answer)));
    buf_deinit(&body);
    if (failed(wire_read_permit_grant(&g, bytes_of(answer, nc_len))))
        fail_msg("no grant: %s", answer);
    return g;
}

static void the_same_ask_again_is_the_same_grant_and_a_close_is_confirmed(void **state)
{
    struct permit_ask a = {
        .tenant    = "acme",
        .session   = "s01KAJ4T0Q8ZP9F4T4W6V2N8M1C",
        .key_count = 1,
        .lane      = LANE_BULK,
        .keys      = {{.name = "pb", .rate = true, .in_flight = true, .session_open = true}}};
    struct permit_report r = {.name = "pb", .status = 200, .call_class = CALL_OK};

    (void)state;
    assert_says(ask("sluice.admin.upstream.pb",
                    "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\","
                    "\"in_flight\":3,\"sessions\":1}"),
                "\"mode\"");
    id_new(1, a.id);
    assert_true(tell(&a, NULL).ok);
    assert_true(tell(&a, NULL).ok);
    assert_says(ask("sluice.admin.upstream.pb", ""), "\"in_flight\":{\"limit\":3,\"used\":1}");
    assert_says(answer, "\"sessions\":{\"limit\":1,\"used\":1}");
    snprintf(r.id, sizeof(r.id), "%s", a.id);
    snprintf(r.session, sizeof(r.session), "%s", a.session);
    r.session_opened = true;
    assert_true(tell(NULL, &r).ok);
    assert_true(tell(NULL, &r).ok); /* repeated, it is confirmed again */
    assert_says(ask("sluice.admin.upstream.pb", ""), "\"in_flight\":{\"limit\":3,\"used\":0}");
    assert_says(answer, "\"sessions\":{\"limit\":1,\"used\":1}");

    id_new(2, a.id);
    snprintf(a.session, sizeof(a.session), "s%s", a.id);
    assert_string_equal(tell(&a, NULL).why, "upstream_sessions");
    struct permit_report gone = {.name = "pb", .session_closed = true};

    snprintf(gone.session, sizeof(gone.session), "%s", r.session);
    assert_true(tell(NULL, &gone).ok);
    assert_true(tell(&a, NULL).ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ask_in_json_is_granted_and_returned),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_problem_has_the_headers_of_a_service),
        cmocka_unit_test(the_configuration_is_followed_live),
        cmocka_unit_test(a_paused_upstream_refuses_at_once),
        cmocka_unit_test(the_state_is_told_each_second),
        cmocka_unit_test(told_to_wait_all_wait),
        cmocka_unit_test(a_402_limits_until_a_probe_succeeds_and_is_told_once),
        cmocka_unit_test(a_402_survives_a_killed_leader_and_is_still_told_once),
        cmocka_unit_test(ten_failures_in_a_row_close_until_one_succeeds),
        cmocka_unit_test(the_same_ask_again_is_the_same_grant_and_a_close_is_confirmed),
    };

    return cmocka_run_group_tests_name("limiter protocol", tests, setup, teardown);
}
