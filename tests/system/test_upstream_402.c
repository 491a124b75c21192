/* upstream_402 - the account is empty: runs park, nobody's tries grow, one alert, one probe an interval. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

/* Paid for so many calls; then unpaid until so many probes were in vain. */
enum { RUNS = 100, PAID = 20, PROBES = 2, MS = 1000000 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {.per_s = 50, .burst = 5, .in_flight = 10};
static const int64_t PROBE_NS              = 2000 * (int64_t)MS;

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\",\"timeout\":\"30s\","
               "\"retrieve\":{\"cmd\":\"page @N\",\"url\":\"https://shop.example/@N\"}}]}",
};

/* Nothing is lost here, so nothing is tried again but for an upstream that does not count right. */
static struct upstream *begin(void **state, const char *name, const char *probe)
{
    struct world *w = upstream_world_new(state, name);
    char fields[300];

    world_env(w, "SLUICE_LEASE", "20s");
    upstream_world_start(w, 3);
    struct upstream *sim =
        upstream_start(w, "sim", "{\"latency\":{\"default\":{\"min\":100,\"max\":200}}}");
    snprintf(fields, sizeof(fields),
             "\"rate\":{\"per_s\":50,\"burst\":5},\"in_flight\":10,\"timeout\":\"30s\","
             "\"feature_402\":\"plan|feature\","
             "\"limited\":{\"factor\":0,\"probe\":\"%s\",\"ramp\":\"1s\"}",
             probe);
    upstream_put(sim, fields);
    return sim;
}

static void pass(struct world *w, int ms)
{
    int64_t until = clock_ms() + ms;

    WORLD_WAIT(w, 2 * ms + 10000, clock_ms() >= until);
}

static void mode(struct world *w, char ret[32])
{
    struct answer a = client_ask_text(w->client, "sluice.admin.upstream.sim", "");

    snprintf(ret, 32, "%s", answer_text(&a, "mode"));
    answer_deinit(&a);
}

static bool mode_is(struct world *w, const char *wanted)
{
    char now[32];

    mode(w, now);
    return strcmp(now, wanted) == 0;
}

static void unpaid(struct upstream *sim)
{
    char fault[120];

    /* Not at once, so that it meets all that are on their way. */
    snprintf(fault, sizeof(fault),
             "{\"fault\":\"402_credit\",\"skip\":%d,\"latency_ms\":150,\"for_ms\":600000}",
             PAID);
    upstream_fault(sim, fault);
}

/* Returns when everybody has heard of it, and what was permitted before has come to its end. */
static int64_t limited(struct upstream *sim)
{
    struct world *w = sim->world;

    WORLD_WAIT(w, 30000, mode_is(w, "limited"));
    pass(w, 1000);
    WORLD_WAIT(w, 30000, upstream_now(sim, "in_flight") == 0);
    return clock_ms() * MS; /* the simulator's clock, too */
}

/* Of this incident: one that fires, one that resolves it. */
static void judge_alerts(struct world *w, size_t firing, size_t resolved)
{
    struct record *alerts = record_read(w, "SLUICE_ALERTS");
    size_t fired = 0, over = 0;

    for (size_t i = 0; i < alerts->count; i++) {
        natsMsg *msg = alerts->items[i].msg;
        json_t *doc =
            json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
        const char *state = json_string_value(json_object_get(doc, "state"));
        if (strcmp(record_subject(&alerts->items[i]), "sluice.alert.Upstream402.sim") == 0) {
            fired += state && strcmp(state, "firing") == 0;
            over += state && strcmp(state, "resolved") == 0;
        }
        json_decref(doc);
    }
    record_free(&alerts);
    if (fired != firing || over != resolved)
        world_fail(w, "%zu alerts fired and %zu resolved, not %zu and %zu", fired, over, firing,
                   resolved);
}

/* What came while it was limited: one at a time, an interval after the last was answered. */
static size_t judge_probes(struct upstream *sim, int64_t from_ns)
{
    struct upstream_record *r = upstream_read(sim);
    size_t probes             = 0;
    int64_t last_ns           = 0;
    const struct upstream_act *c;

    for (size_t n = 0; (c = upstream_faulted(r, "402_credit", n)) != NULL; n++) {
        if (c->from_ns < from_ns)
            continue;
        if (last_ns && c->from_ns < last_ns + PROBE_NS * 9 / 10)
            world_fail(sim->world, "call %llu was a probe %lld ms after the last",
                       (unsigned long long)c->id, (long long)((c->from_ns - last_ns) / MS));
        last_ns = c->to_ns;
        probes++;
    }
    upstream_record_free(&r);
    return probes;
}

/* All that the 402 must not have cost. */
static void judge(struct upstream *sim, struct load *load)
{
    struct world *w = sim->world;

    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    WORLD_MUST(w, upstream_workers(w) >= 2);
    upstream_judge_tries(w, 1);
    upstream_judge(sim, &LIMITS, 1000);
    WORLD_WAIT(w, 15000, client_count(w->client, "SLUICE_ALERTS") >= 2);
    judge_alerts(w, 1, 1);
}

static void a_probe_ends_it(void **state)
{
    struct upstream *sim = begin(state, "upstream_402_probe", "2s");
    struct world *w      = sim->world;

    unpaid(sim);
    struct load *load = load_start(w, &READS);
    int64_t from_ns   = limited(sim);
    int64_t before    = upstream_now(sim, "calls");
    WORLD_WAIT(w, 60000, upstream_now(sim, "calls") >= before + PROBES);
    json_decref(upstream_call(sim, "DELETE", "/_sim/faults", NULL));
    WORLD_WAIT(w, 30000, !mode_is(w, "limited"));

    judge(sim, load);
    size_t probes = judge_probes(sim, from_ns);
    print_message("%zu probes in vain\n", probes);
    WORLD_MUST(w, probes >= PROBES);
    upstream_free(&sim);
}

static void the_operator_ends_it(void **state)
{
    struct upstream *sim = begin(state, "upstream_402_operator", "10m");
    struct world *w      = sim->world;

    unpaid(sim);
    struct load *load = load_start(w, &READS);
    (void)limited(sim);
    WORLD_WAIT(w, 15000, client_count(w->client, "SLUICE_ALERTS") == 1);
    WORLD_WAIT(w, 15000,
               client_count(w->client, "SLUICE_JOBS") == 0); /* who waits holds no slot */
    json_decref(upstream_call(sim, "DELETE", "/_sim/faults", NULL));
    int64_t paid = upstream_now(sim, "calls");
    pass(w, 2000);
    WORLD_MUST(w, upstream_now(sim, "calls") == paid); /* it does not come back by itself */
    struct answer a =
        client_ask_text(w->client, "sluice.admin.upstream.sim", "{\"resume\":true}");
    WORLD_MUST(w, a.json && !*answer_header(&a, "Nats-Service-Error"));
    answer_deinit(&a);

    judge(sim, load);
    upstream_free(&sim);
}

static void a_feature_fails_only_its_run(void **state)
{
    static const struct load_spec other = {
        .tenants = TENANTS,
        .runs    = 1,
        .prefix  = "feature",
        .body = "\"flow\":{\"name\":\"dear\",\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\","
                "\"timeout\":\"30s\","
                "\"retrieve\":{\"cmd\":\"sim:fault=402_feature\",\"url\":\"https://"
                "shop.example/\"}}]}",
    };
    struct upstream *sim = begin(state, "upstream_402_feature", "1s");
    struct world *w      = sim->world;
    struct load *load    = load_start(w, &READS);
    struct load *dear    = load_start(w, &other);

    WORLD_WAIT(w, 15000, load_done(dear));
    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    struct answer a = client_get(w->client, "acme", load_item(dear, 0).run);
    assert_string_equal(answer_text(&a, "status"), "failed");
    assert_string_equal(answer_text(&a, "error.code"), "upstream_refused");
    answer_deinit(&a);
    judge_alerts(w, 0, 0);
    upstream_judge_tries(w, 1);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_probe_ends_it, world_teardown),
        cmocka_unit_test_teardown(the_operator_ends_it, world_teardown),
        cmocka_unit_test_teardown(a_feature_fails_only_its_run, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_402", tests, NULL, NULL);
}
