/* upstream_failover - the limiter that leads is killed, or freezes and comes back: limits hold across it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/ear.h"
#include "support/system/grants.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { DOSES = 40, STALE_MS = 300, QUEUE_MS = 150 };

static const char *const TENANTS[]         = {"acme", "globex", NULL};
static const struct upstream_limits LIMITS = {
    .per_s = 40, .burst = 4, .in_flight = 15, .sessions = 20};

static const struct load_spec BROWSES = {
    .tenants = TENANTS,
    .runs    = 110,
    .body =
        "\"flow\":{\"upstream\":\"sim\",\"steps\":["
        "{\"id\":\"open\",\"timeout\":\"4s\",\"open\":{\"url\":\"https://shop.example/@N\"}},"
        "{\"id\":\"look\",\"timeout\":\"4s\",\"browse\":{\"cmd\":\"sim:order=o-@N\"}},"
        "{\"id\":\"close\",\"close\":{}}]}",
};

static struct upstream *begin(void **state, const char *name, struct proc **ret_leader,
                              struct proc **ret_standby)
{
    struct world *w = upstream_world(state, name, 2);
    struct upstream *sim =
        upstream_start(w, "sim", "{\"latency\":{\"default\":{\"min\":150,\"max\":400}}}");

    upstream_put(sim, "\"rate\":{\"per_s\":40,\"burst\":4},\"in_flight\":15,\"sessions\":20,"
                      "\"timeout\":\"4s\"");
    *ret_leader  = upstream_proc(w, "limiter", 1);
    *ret_standby = world_start(w, "limiter");
    return sim;
}

static void judge(struct upstream *sim, struct load *load)
{
    struct world *w = sim->world;

    judge_all(w, load, 90000);
    WORLD_MUST(w, upstream_results(w, "done") == load_count(load));
    upstream_judge(sim, &LIMITS, 10000);
    grants_judge(w, sim->name, &LIMITS);
    upstream_free(&sim);
}

static void a_killed_leader(void **state)
{
    struct proc *leader, *standby;
    struct upstream *sim = begin(state, "upstream_failover_killed", &leader, &standby);
    struct world *w      = sim->world;
    struct load *load    = load_start(w, &BROWSES);

    for (unsigned n = 0; n < 3; n++) {
        struct proc *victim = n % 2 == 0 ? leader : standby,
                    *next   = n % 2 == 0 ? standby : leader;
        int64_t calls       = upstream_now(sim, "calls");
        WORLD_WAIT(w, 20000,
                   upstream_now(sim, "calls") > calls + 20 &&
                       upstream_now(sim, "in_flight") >= 5);
        unsigned before = proc_said_times(next, "msg=deciding");
        proc_kill(victim);
        WORLD_WAIT(w, 10000, proc_said_times(next, "msg=deciding") > before);
        world_restart(w, victim);
    }
    judge(sim, load);
}

/* By an operator's hand: who led does not know it before it renews. */
static void take_leadership_away(struct world *w)
{
    natsMsg *msg  = NULL;
    jsPubAck *ack = NULL;

    WORLD_MUST(w,
               natsMsg_Create(&msg, "$KV.sluice_leaders.limiter-0", NULL, NULL, 0) == NATS_OK);
    WORLD_MUST(w, natsMsgHeader_Set(msg, "KV-Operation", "DEL") == NATS_OK);
    natsStatus s = js_PublishMsg(&ack, w->client->js, msg, NULL, NULL);
    jsPubAck_Destroy(ack);
    natsMsg_Destroy(msg);
    WORLD_MUST(w, s == NATS_OK);
}

/* Frozen, replaced, and continued while it still takes itself for the leader.  Returns its publishes that were refused. */
static size_t freeze(struct world *w, struct ear *ear, struct proc *leader, struct proc *next)
{
    size_t heard = ear_count(ear), refused = 0;
    unsigned decided = proc_said_times(next, "msg=deciding");
    char stale[64];

    WORLD_WAIT(w, 20000, ear_count(ear) > heard + 5);
    ear_who(ear, ear_count(ear) - 1, stale);
    proc_stop(leader);
    for (int64_t until = clock_ms() + QUEUE_MS; clock_ms() < until;)
        world_turn(w); /* it is to find requests in front of the news */
    take_leadership_away(w);
    WORLD_WAIT(w, 10000, proc_said_times(next, "msg=deciding") > decided);
    size_t from = ear_count(ear);
    proc_continue(leader);
    int64_t until = clock_ms() + STALE_MS;
    while (refused == 0 && clock_ms() < until) {
        world_turn(w);
        refused = ear_refused(ear, from, stale);
    }
    return refused;
}

static void a_frozen_leader(void **state)
{
    struct proc *two[2];
    struct upstream *sim = begin(state, "upstream_failover_frozen", &two[0], &two[1]);
    struct world *w      = sim->world;
    struct load *load    = load_start(w, &BROWSES);
    struct ear *ear      = ear_new(w, "sluice.grants.>");
    size_t refused = 0, dose = 0;

    WORLD_WAIT(w, 20000, upstream_now(sim, "in_flight") >= 5);
    for (; dose < DOSES && refused == 0; dose++)
        refused = freeze(w, ear, two[dose % 2], two[(dose + 1) % 2]);
    print_message("%zu appends of a stale leader refused after %zu doses\n", refused, dose);
    WORLD_MUST(w, refused >= 1); /* else nothing was proved */
    ear_free(&ear);
    judge(sim, load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_killed_leader, world_teardown),
        cmocka_unit_test_teardown(a_frozen_leader, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_failover", tests, NULL, NULL);
}
