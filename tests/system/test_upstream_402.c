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

enum { RUNS = 100, UNPAID_MS = 6000, MS = 1000000 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {.per_s = 50, .burst = 5, .in_flight = 10};
static const int64_t REPORTED_NS           = 500 * (int64_t)MS;
static const int64_t PROBE_NS              = 1000 * (int64_t)MS;

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = RUNS,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\",\"timeout\":\"5s\","
               "\"retrieve\":{\"cmd\":\"page @N\",\"url\":\"https://shop.example/@N\"}}]}",
};

static struct upstream *begin(struct world *w, const char *probe)
{
    struct upstream *sim =
        upstream_start(w, "sim", "{\"latency\":{\"default\":{\"min\":100,\"max\":200}}}");
    char fields[300];

    snprintf(fields, sizeof(fields),
             "\"rate\":{\"per_s\":50,\"burst\":5},\"in_flight\":10,\"timeout\":\"5s\","
             "\"feature_402\":\"plan|feature\","
             "\"limited\":{\"factor\":0,\"probe\":\"%s\",\"ramp\":\"1s\"}",
             probe);
    upstream_put(sim, fields);
    return sim;
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

/* Returns how many probes there were: calls that came once everybody had heard of the 402. */
static size_t judge_probes(struct upstream *sim, int64_t interval_ns)
{
    struct upstream_record *r = upstream_read(sim);
    size_t probes             = 0;
    int64_t last_ns           = 0;

    const struct upstream_act *first = upstream_faulted(r, "402_credit", 0);
    WORLD_MUST(sim->world, first);
    for (size_t n = 1;; n++) {
        const struct upstream_act *c = upstream_faulted(r, "402_credit", n);
        if (!c)
            break;
        if (c->from_ns < first->to_ns + REPORTED_NS)
            continue;
        if (last_ns && c->from_ns < last_ns + interval_ns * 9 / 10)
            world_fail(sim->world, "call %llu was a probe %lld ms after the last",
                       (unsigned long long)c->id, (long long)((c->from_ns - last_ns) / MS));
        last_ns = c->from_ns;
        probes++;
    }
    upstream_record_free(&r);
    return probes;
}

static void a_probe_ends_it(void **state)
{
    struct world *w      = upstream_world(state, "upstream_402_probe", 3);
    struct upstream *sim = begin(w, "1s");
    struct load *load    = load_start(w, &READS);

    WORLD_WAIT(w, 15000, upstream_now(sim, "calls") >= 20);
    upstream_fault(sim, "{\"fault\":\"402_credit\",\"for_ms\":6000}");
    WORLD_WAIT(w, 5000, mode_is(w, "limited"));
    WORLD_WAIT(w, 20000, !mode_is(w, "limited"));

    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    WORLD_MUST(w, upstream_workers(w) >= 2);
    upstream_judge_tries(w, 1);
    upstream_judge(sim, &LIMITS, 1000);
    size_t probes = judge_probes(sim, PROBE_NS);
    print_message("402 for %d ms: %zu probes in vain\n", UNPAID_MS, probes);
    WORLD_MUST(w, probes >= 2 && probes <= UNPAID_MS / 1000);
    WORLD_WAIT(w, 5000, client_count(w->client, "SLUICE_ALERTS") >= 2);
    judge_alerts(w, 1, 1);
    upstream_free(&sim);
}

static void the_operator_ends_it(void **state)
{
    struct world *w      = upstream_world(state, "upstream_402_operator", 3);
    struct upstream *sim = begin(w, "10m");
    struct load *load    = load_start(w, &READS);

    WORLD_WAIT(w, 15000, upstream_now(sim, "calls") >= 20);
    upstream_fault(sim, "{\"fault\":\"402_credit\",\"for_ms\":600000}");
    WORLD_WAIT(w, 5000, mode_is(w, "limited"));
    WORLD_WAIT(w, 5000, client_count(w->client, "SLUICE_ALERTS") == 1);
    WORLD_WAIT(w, 5000, upstream_now(sim, "in_flight") == 0);
    json_decref(upstream_call(sim, "DELETE", "/_sim/faults", NULL));
    int64_t paid  = upstream_now(sim, "calls");
    int64_t until = clock_ms() + 2000;
    WORLD_WAIT(w, 4000, clock_ms() >= until);
    WORLD_MUST(w, upstream_now(sim, "calls") <=
                      paid + 1); /* at most the one probe: it does not come back by itself */
    struct answer a =
        client_ask_text(w->client, "sluice.admin.upstream.sim", "{\"resume\":true}");
    WORLD_MUST(w, a.json && !*answer_header(&a, "Nats-Service-Error"));
    answer_deinit(&a);

    judge_all(w, load, 60000);
    WORLD_MUST(w, upstream_results(w, "done") == RUNS);
    WORLD_MUST(w, upstream_workers(w) >= 2);
    upstream_judge_tries(w, 1);
    upstream_judge(sim, &LIMITS, 1000);
    WORLD_WAIT(w, 5000, client_count(w->client, "SLUICE_ALERTS") >= 2);
    judge_alerts(w, 1, 1);
    upstream_free(&sim);
}

static void a_feature_fails_only_its_run(void **state)
{
    static const struct load_spec other = {
        .tenants = TENANTS,
        .runs    = 1,
        .prefix  = "feature",
        .body = "\"flow\":{\"name\":\"dear\",\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\","
                "\"timeout\":\"5s\","
                "\"retrieve\":{\"cmd\":\"sim:fault=402_feature\",\"url\":\"https://"
                "shop.example/\"}}]}",
    };
    struct world *w      = upstream_world(state, "upstream_402_feature", 3);
    struct upstream *sim = begin(w, "1s");
    struct load *load    = load_start(w, &READS);

    WORLD_WAIT(w, 15000, upstream_now(sim, "calls") >= 20);
    struct load *dear = load_start(w, &other);
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
