/* upstream_config - limits are changed while they are at work; a value that is wrong changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { LOOK_MS = 3000, HEARD_MS = 5000 };

static const char *const TENANTS[] = {"acme", "globex", NULL};

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = 320,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\",\"timeout\":\"30s\","
               "\"retrieve\":{\"cmd\":\"page @N\",\"url\":\"https://shop.example/@N\"}}]}",
};

static int64_t now_ns(void)
{
    return clock_ms() * 1000000; /* the simulator's clock, too */
}

static void pass(struct world *w, int ms)
{
    int64_t until = clock_ms() + ms;

    WORLD_WAIT(w, 2 * ms, clock_ms() >= until);
}

static void change(struct world *w, const char *patch, const char *code)
{
    struct answer a = client_ask_text(w->client, "sluice.admin.upstream.sim", patch);

    if (strcmp(answer_text(&a, "code"), code) != 0)
        world_fail(w, "%s: \"%s\", not \"%s\": %s", patch, answer_text(&a, "code"), code,
                   answer_body(&a, NULL));
    answer_deinit(&a);
}

/* The limiter goes by it from now on. */
static void heard(struct world *w, int per_s)
{
    int64_t from = clock_ms();

    for (bool yes = false; !yes;) {
        struct answer a = client_ask_text(w->client, "sluice.admin.upstream.sim", "");
        yes             = answer_number(&a, "rate.limit") == per_s;
        answer_deinit(&a);
        if (!yes && clock_ms() > from + HEARD_MS)
            world_fail(w, "%d calls a second were not heard of within %d ms", per_s, HEARD_MS);
    }
    print_message("heard within %lld ms\n", (long long)(clock_ms() - from));
}

/* Limits that stand, and what the ones before them would not have let pass. */
struct span {
    int64_t from_ns, to_ns;
    size_t per_s, in_flight, before;
};

static void judge_span(const struct upstream_record *r, const struct span *s)
{
    struct upstream_list calls = {0};

    calls.items = calloc(r->calls.count + 1, sizeof(*calls.items));
    for (size_t i = 0; i < r->calls.count; i++)
        if (r->calls.items[i].from_ns >= s->from_ns && r->calls.items[i].from_ns < s->to_ns)
            calls.items[calls.count++] = r->calls.items[i];
    size_t rate = upstream_peak_second(&calls), most = upstream_peak(&calls);
    print_message("%zu calls, at most %zu in a second, %zu at once\n", calls.count, rate, most);
    free(calls.items);
    WORLD_MUST(r->upstream->world, rate > s->before);
    WORLD_MUST(r->upstream->world, rate <= s->per_s * 12 / 10 + 1);
    WORLD_MUST(r->upstream->world, most <= s->in_flight);
}

static void a_change_is_heard_at_work(void **state)
{
    struct world *w      = upstream_world(state, "upstream_config", 2);
    struct upstream *sim = upstream_start(w, "sim", "{\"latency\":{\"default\":200}}");
    struct span slow     = {.per_s = 10, .in_flight = 10, .before = 5},
                faster = {.per_s = 20, .in_flight = 10, .before = 11}, same = faster,
                few = {.per_s = 100, .in_flight = 6, .before = 21};
    char value[600];

    upstream_put(sim,
                 "\"rate\":{\"per_s\":10,\"burst\":1},\"in_flight\":10,\"timeout\":\"30s\"");
    struct load *load = load_start(w, &READS);
    WORLD_WAIT(w, 30000, upstream_now(sim, "calls") > 0);
    slow.from_ns = now_ns();
    pass(w, LOOK_MS);
    slow.to_ns = now_ns();
    change(w, "{\"rate\":{\"per_s\":20,\"burst\":1}}", "");
    heard(w, 20);
    faster.from_ns = now_ns();
    pass(w, LOOK_MS);

    /* Refused at the door, or ignored when it is written by hand: the last good one stays. */
    change(w, "{\"rate\":{\"per_s\":900,\"bursts\":5}}", "invalid_request");
    upstream_value(sim, "\"in_flight\":99,\"ratee\":{\"per_s\":900}", value, sizeof(value));
    client_put(w->client, "sluice_upstreams", "sim", value);
    WORLD_WAIT(w, 15000, client_count(w->client, "SLUICE_ALERTS") == 1);
    faster.to_ns = same.from_ns = now_ns();
    pass(w, LOOK_MS);
    same.to_ns = now_ns();

    /* By hand, and right: more in a second, fewer at once. */
    upstream_set(sim, "{\"latency\":{\"default\":100}}");
    upstream_value(sim,
                   "\"rate\":{\"per_s\":100,\"burst\":1},\"in_flight\":6,\"timeout\":\"30s\"",
                   value, sizeof(value));
    client_put(w->client, "sluice_upstreams", "sim", value);
    heard(w, 100);
    few.from_ns = now_ns();
    judge_all(w, load, 60000);
    few.to_ns = now_ns();

    WORLD_MUST(w, upstream_results(w, "done") == load_count(load));
    struct upstream_record *r = upstream_read(sim);
    judge_span(r, &slow);
    judge_span(r, &faster);
    judge_span(r, &same);
    judge_span(r, &few);
    upstream_record_free(&r);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_change_is_heard_at_work, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_config", tests, NULL, NULL);
}
