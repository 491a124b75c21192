/* What the leader says of a pool is what there is, also when nobody is left to work in it. */
#include "sch_rig.h"
#include "sch_tell.h"

static bool load_has(const struct rig *r, const char *part)
{
    struct buf to;

    buf_init(&to, 4096);
    sch_tell_load(r->sch, "default", &to);

    bool has = memmem(to.at, to.len, part, strlen(part)) != NULL;

    buf_deinit(&to);
    return has;
}

static void pool_whose_last_worker_went_wants_slots_for_what_is_stuck_there(void **state)
{
    struct rig *r              = *state;
    const struct entry_lease l = {.tries = 1};
    struct fake_stored job;

    rig_plan(r, 1, (struct entry_plan){.key = ""});
    rig_ticket(1, (struct ticket){.lane = LANE_BULK});
    RIG_WAIT(r, 1000, fake_stored(STREAM_JOBS, ">", 0, &job));
    rig_entry(r, 1,
              (struct entry){.kind   = ENTRY_LEASED,
                             .wake   = 1,
                             .token  = 7,
                             .job    = job.seq,
                             .worker = "w-1",
                             .lease  = l},
              false);
    rig_pass(r, 100);
    assert_true(load_has(r, "\"wanted_slots\":1,"));

    rig_worker_dies(r);

    assert_true(load_has(r, "\"slots\":0,\"in_flight\":1,\"runnable\":0,\"wanted_slots\":1,"));
    assert_true(load_has(r, "\"bulk\":{\"waiting\":0,\"oldest_ms\":0,\"in_flight\":1}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(pool_whose_last_worker_went_wants_slots_for_what_is_stuck_there),
    };
    return cmocka_run_group_tests_name("sch_tell", tests, NULL, NULL);
}
