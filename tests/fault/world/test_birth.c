/* Births: of all services in nothing, and of a scheduler among runs in every state, beside the one that led before. */
#include "world.h"

#define OPEN "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}},"
#define ORDER "{\"id\":\"b\",\"browse\":{\"cmd\":\"order\"}}"
#define ON_SIM "\"upstream\":\"sim\","
#define RUN(key, more, steps) "{\"key\":\"" key "\"," more "\"flow\":{\"steps\":[" steps "]}}"

/* ---- of all ------------------------------------------------------------------------------------------------ */

static void from_nothing_a_run_ends_once(void **state)
{
    static const struct scenario s = {.name   = "born",
                                      .submit = FLOW(ON_SIM, OPEN ORDER),
                                      .key    = "k",
                                      .birth  = true,
                                      .drive  = drive_to_end,
                                      .orders = 1};

    (void)state;
    torture(&s);
}

/* ---- of a scheduler ------------------------------------------------------------------------------------------ */

enum { SLOW_MS = 4000, STOPPED_MS = 12000 };

/* A run in each state at which a term may end, and how it must end in the next one. */
static const struct {
    const char *key, *submit, *status; /* status NULL: what its session suffered decides */
    enum run_phase phase;
} RUNS[] = {
    {"k", RUN("k", ON_SIM "\"lock\":\"till\",", OPEN ORDER), NULL, RUN_LEASED},
    {"over", RUN("over", "", SET), "done", RUN_ENDED},
    {"asleep", RUN("asleep", "", "{\"id\":\"s\",\"sleep\":{\"for\":\"8s\"}}," SET), "done",
     RUN_WAITING},
    {"locked", RUN("locked", "\"lock\":\"till\",", SET), "done", RUN_QUEUED},
    {"expires", RUN("expires", "\"lock\":\"till\",\"start_within\":\"5s\",", SET), "expired",
     RUN_QUEUED},
    {"unwanted", RUN("unwanted", "\"lock\":\"till\",", SET), "cancelled", RUN_QUEUED},
};
enum { RUN_COUNT = sizeof RUNS / sizeof *RUNS };

static char runs[RUN_COUNT][ID_SIZE];

/* Only what a scheduler hears is hurt. */
static void only_schedulers(void)
{
    world.call_ms = SLOW_MS;
    fake_spare(svc_bus(world.gw_svc));
    fake_spare(svc_bus(world.lim_svc));
    for (unsigned n = 0; n < WORKERS; n++)
        fake_spare(svc_bus(world.bw_svc[n]));
    for (size_t i = 0; i < RUN_COUNT; i++)
        run_id_for(TENANT, RUNS[i].key, clk_wall_ms(), runs[i]);
}

/* One after the other, so that the first has the lock. */
static bool in_every_state(void)
{
    unsigned next = world.ask_count;

    if (next > 0 && phase_of(runs[next - 1]) != RUNS[next - 1].phase)
        return false;
    if (next == RUN_COUNT)
        return true;
    (void)ask("submit", RUNS[next].submit);
    return false;
}

static bool all_over(void)
{
    for (size_t i = 0; i < RUN_COUNT; i++)
        if (!run_over(runs[i]))
            return false;
    return true;
}

static bool drive_successor(void (*succeed)(void), uint64_t till_ms)
{
    if (world.stage == 0 && in_every_state())
        next_stage();
    else if (world.stage == 1) {
        succeed();
        (void)ask("cancel", "{\"key\":\"unwanted\"}"); /* while nobody leads */
        next_stage();
    }
    return world.stage == 2 && all_over() && fake_now() > world.at + till_ms;
}

static const char *judge_runs(void)
{
    const char *why = NULL;

    for (size_t i = 0; i < RUN_COUNT; i++) {
        struct run_fold f;

        judge_run(runs[i]);
        read_journal(runs[i], &f, &why);
        if (RUNS[i].status && !str_equal(run_status_word(f.end.status), RUNS[i].status)) {
            fprintf(stderr, "%s: ", RUNS[i].key);
            complain_of_end(&f.end);
        }
        run_fold_deinit(&f);
    }
    return NULL;
}

static void it_dies(void)
{
    scheduler_down(&world.sch, &world.sch_svc);
    scheduler_up();
}

static bool drive_dead_leader(void)
{
    return drive_successor(it_dies, 0);
}

static void a_successor_finds_runs_in_every_state(void **state)
{
    static const struct scenario s = {.name    = "dead leader",
                                      .key     = "k",
                                      .prepare = only_schedulers,
                                      .drive   = drive_dead_leader,
                                      .from    = 1,
                                      .orders  = 1,
                                      .judge   = judge_runs};

    (void)state;
    torture(&s);
}

/* Stopped in the middle of its work; when it goes on another leads, and nothing that it still wants is done. */
static void it_is_stopped(void)
{
    fake_freeze(svc_bus(world.sch_svc), STOPPED_MS);
    scheduler_beside();
}

static bool drive_frozen_leader(void)
{
    return drive_successor(it_is_stopped, STOPPED_MS + 3000);
}

static void a_leader_that_was_stopped_is_refused(void **state)
{
    static const struct scenario s = {.name    = "frozen leader",
                                      .key     = "k",
                                      .prepare = only_schedulers,
                                      .drive   = drive_frozen_leader,
                                      .from    = 1,
                                      .orders  = 1,
                                      .judge   = judge_runs};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("leader", "streams", "take", "look", "admit", "mend", "lease",
                       "lease-time", "grant-log")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_nothing_a_run_ends_once),
        cmocka_unit_test(a_successor_finds_runs_in_every_state),
        cmocka_unit_test(a_leader_that_was_stopped_is_refused),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("birth", tests, world_setup, world_teardown);
}
