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

enum { TAKES_MS = 1000, LOOK_MS = 4000 };

static const char *const TENANTS[] = {"acme", "globex", NULL};

static const struct load_spec READS = {
    .tenants = TENANTS,
    .runs    = 380,
    .body    = "\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"look\",\"timeout\":\"5s\","
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

/* What the record shows of the time from which a change must have been heard until the next. */
static void judge_time(const struct upstream_record *r, int64_t from_ns, int64_t to_ns,
                       size_t per_s, size_t in_flight)
{
    struct upstream_list calls = {0};

    calls.items = calloc(r->calls.count + 1, sizeof(*calls.items));
    for (size_t i = 0; i < r->calls.count; i++)
        if (r->calls.items[i].from_ns >= from_ns && r->calls.items[i].from_ns < to_ns)
            calls.items[calls.count++] = r->calls.items[i];
    size_t rate = upstream_peak_second(&calls), most = upstream_peak(&calls);
    print_message("%zu calls, at most %zu in a second, %zu at once\n", calls.count, rate, most);
    free(calls.items);
    WORLD_MUST(r->upstream->world, calls.count >= per_s); /* else it shows nothing */
    WORLD_MUST(r->upstream->world, rate <= per_s * 12 / 10 + 1);
    WORLD_MUST(r->upstream->world, most <= in_flight);
}

static void a_change_is_heard_within_a_second(void **state)
{
    struct world *w      = upstream_world(state, "upstream_config", 2);
    struct upstream *sim = upstream_start(w, "sim", "{\"latency\":{\"default\":200}}");
    int64_t from[4], to[4];
    char value[600];

    upstream_put(sim,
                 "\"rate\":{\"per_s\":10,\"burst\":1},\"in_flight\":10,\"timeout\":\"5s\"");
    struct load *load = load_start(w, &READS);
    WORLD_WAIT(w, 10000, upstream_now(sim, "calls") > 0);
    from[0] = now_ns();
    pass(w, LOOK_MS);
    to[0] = now_ns();
    change(w, "{\"rate\":{\"per_s\":20,\"burst\":1}}", "");
    pass(w, TAKES_MS);
    from[1] = now_ns();
    pass(w, LOOK_MS);
    to[1] = now_ns();

    /* Refused at the door, or ignored when it is written by hand: the last good one stays. */
    change(w, "{\"rate\":{\"per_s\":900,\"bursts\":5}}", "invalid_request");
    upstream_value(sim, "\"in_flight\":99,\"ratee\":{\"per_s\":900}", value, sizeof(value));
    client_put(w->client, "sluice_upstreams", "sim", value);
    pass(w, TAKES_MS);
    from[2] = now_ns();
    pass(w, LOOK_MS);
    to[2] = now_ns();

    upstream_value(sim,
                   "\"rate\":{\"per_s\":60,\"burst\":1},\"in_flight\":4,\"timeout\":\"5s\"",
                   value, sizeof(value));
    client_put(w->client, "sluice_upstreams", "sim", value);
    pass(w, TAKES_MS);
    from[3] = now_ns();
    judge_all(w, load, 60000);
    to[3] = now_ns();

    WORLD_MUST(w, upstream_results(w, "done") == load_count(load));
    struct upstream_record *r = upstream_read(sim);
    judge_time(r, from[0], to[0], 10, 10);
    judge_time(r, from[1], to[1], 20, 10);
    judge_time(r, from[2], to[2], 20, 10);
    judge_time(r, from[3], to[3], 60, 4);
    upstream_record_free(&r);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_change_is_heard_within_a_second, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_config", tests, NULL, NULL);
}
