#include "sch_fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"

static const struct sch_lanes LANES_PRESET = {{70, 25, 5}, {10, 0, 0}};
static const struct sch_lanes NO_RESERVE   = {{70, 25, 5}, {0, 0, 0}};

/* ---- a pool that is always full: parties with endless work of one length each ------------------------- */

enum { PARTIES_MAX = 200, SLOTS_MAX = 200 };

struct party {
    struct sch_share share;
    enum lane lane;
    int64_t run_ms;
    int64_t used_ms;    /* what it really had */
    int64_t from, left; /* it has work from then on; how many runs, -1: endless */
    int64_t waited_max, waits_since;
};

struct running {
    struct heap_node end;
    struct party *party;
    struct sch_fee fee;
    int64_t since;
};

struct world {
    struct sch_fair fair;
    struct sch_room room;
    struct party parties[PARTIES_MAX];
    int count;
    struct running slots[SLOTS_MAX];
    struct heap ends;
};

static void world_init(struct world *w, int slots, const struct sch_lanes *lanes)
{
    *w = (struct world){.room = {.slots = (uint32_t)slots}};
    sch_fair_init(&w->fair, lanes);
    heap_init(&w->ends);
}

static void world_deinit(struct world *w)
{
    heap_deinit(&w->ends);
    sch_fair_deinit(&w->fair);
}

static struct party *party(struct world *w, enum lane lane, int64_t run_ms, uint32_t weight)
{
    struct party *p = &w->parties[w->count++];

    *p = (struct party){.lane = lane, .run_ms = run_ms, .left = -1};
    sch_fair_share(&p->share, weight, 0);
    return p;
}

static void want(struct world *w, struct party *p, int64_t now)
{
    bool wants = p->left != 0 && now >= p->from;

    sch_fair_want(&w->fair, p->lane, &p->share, wants, now);
}

static void admit(struct world *w, int64_t now)
{
    enum lane lane          = LANE_BULK;
    struct sch_share *share = NULL;

    while (w->ends.count < SLOTS_MAX &&
           (share = sch_fair_next(&w->fair, &w->room, now, &lane)) != NULL) {
        struct party *p   = HEAP_OWNER((struct heap_node *)(void *)share, struct party, share);
        struct running *r = NULL;

        for (int n = 0; n < SLOTS_MAX && !r; n++)
            if (!w->slots[n].party)
                r = &w->slots[n];
        assert_int_equal(lane, p->lane);
        *r = (struct running){
            .party = p, .since = now, .fee = sch_fair_start(&w->fair, lane, share, now)};
        heap_put(&w->ends, &r->end, (uint64_t)(now + p->run_ms));
        w->room.taken[lane]++;
        if (now - (p->waits_since > p->from ? p->waits_since : p->from) > p->waited_max)
            p->waited_max = now - (p->waits_since > p->from ? p->waits_since : p->from);
        p->waits_since = now;
        if (p->left > 0)
            p->left--;
        want(w, p, now);
    }
}

static void run_until(struct world *w, int64_t now, int64_t until)
{
    for (int n = 0; n < w->count; n++)
        want(w, &w->parties[n], now);
    for (;;) {
        int64_t next = until;

        admit(w, now);
        if (heap_first(&w->ends) && (int64_t)heap_first(&w->ends)->key < next)
            next = (int64_t)heap_first(&w->ends)->key;
        for (int n = 0; n < w->count; n++)
            if (w->parties[n].from > now && w->parties[n].from < next)
                next = w->parties[n].from;
        now = next;
        if (now >= until)
            break;
        for (int n = 0; n < w->count; n++)
            want(w, &w->parties[n], now);
        while (heap_first(&w->ends) && (int64_t)heap_first(&w->ends)->key <= now) {
            struct running *r = HEAP_OWNER(heap_first(&w->ends), struct running, end);
            struct party *p   = r->party;

            heap_remove(&w->ends, &r->end);
            p->used_ms += now - r->since;
            w->room.taken[p->lane]--;
            sch_fair_stop(&w->fair, p->lane, &p->share, &r->fee, now);
            r->party = NULL;
        }
    }
    for (int n = 0; n < SLOTS_MAX; n++)
        if (w->slots[n].party)
            w->slots[n].party->used_ms += until - w->slots[n].since;
}

static void assert_near(int64_t value, int64_t wanted, int percent)
{
    if (llabs(value - wanted) * 100 > wanted * percent)
        fail_msg("%lld is not within %d %% of %lld", (long long)value, percent,
                 (long long)wanted);
}

enum { HOUR = 3600 * 1000, MINUTE = 60 * 1000 };

/* ---- tests ---------------------------------------------------------------------------------------------- */

static void long_and_short_runs_get_equal_time(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 10, &NO_RESERVE);

    const struct party *slow = party(&w, LANE_STANDARD, 40 * MINUTE, 1);
    const struct party *fast = party(&w, LANE_STANDARD, 2000, 1);

    run_until(&w, 0, 100 * (int64_t)HOUR);
    assert_near(slow->used_ms, 500 * (int64_t)HOUR, 2);
    assert_near(fast->used_ms, 500 * (int64_t)HOUR, 2);
    world_deinit(&w);
}

static void time_follows_weights(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 21, &NO_RESERVE);

    const struct party *one     = party(&w, LANE_STANDARD, 7000, 1);
    const struct party *four    = party(&w, LANE_STANDARD, 90 * 1000, 4);
    const struct party *sixteen = party(&w, LANE_STANDARD, 2000, 16);

    run_until(&w, 0, 20 * (int64_t)HOUR);
    assert_near(one->used_ms, 20 * (int64_t)HOUR, 4);
    assert_near(four->used_ms, 80 * (int64_t)HOUR, 4);
    assert_near(sixteen->used_ms, 320 * (int64_t)HOUR, 4);
    world_deinit(&w);
}

static void free_slots_of_one_instant_are_shared_out(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 10, &NO_RESERVE);
    party(&w, LANE_STANDARD, HOUR, 1);
    party(&w, LANE_STANDARD, HOUR, 1);
    run_until(&w, 0, 1000);
    assert_int_equal(w.parties[0].used_ms, 5000);
    assert_int_equal(w.parties[1].used_ms, 5000);
    world_deinit(&w);
}

static void a_burst_of_one_does_not_delay_others(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 20, &NO_RESERVE);

    struct party *burst = party(&w, LANE_STANDARD, 2000, 1);

    burst->left = 5000;
    for (int n = 0; n < 20; n++) {
        struct party *p = party(&w, LANE_STANDARD, 2000, 1);

        p->from = 10 * 1000 + n * 1700;
        p->left = 1;
    }
    run_until(&w, 0, HOUR);
    for (int n = 1; n <= 20; n++)
        assert_in_range(w.parties[n].waited_max, 0,
                        2000); /* the next slot that gets free is theirs */
    assert_int_equal(burst->left, 0);
    world_deinit(&w);
}

static void nobody_saves_up_while_idle(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 10, &NO_RESERVE);

    const struct party *busy = party(&w, LANE_STANDARD, 5000, 1);
    struct party *late       = party(&w, LANE_STANDARD, 5000, 1);

    late->from = 10 * (int64_t)HOUR;
    run_until(&w, 0, 12 * (int64_t)HOUR);
    assert_near(late->used_ms, 10 * (int64_t)HOUR,
                2); /* half of two hours of ten slots, no more */
    assert_near(busy->used_ms, 110 * (int64_t)HOUR, 2);
    world_deinit(&w);
}

static void use_without_competition_costs_nothing(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 10, &NO_RESERVE);

    struct party *alone = party(&w, LANE_STANDARD, 30 * MINUTE, 1);

    alone->left = 10; /* they just fit: nobody waits */
    run_until(&w, 0, 29 * MINUTE);
    for (int n = 0; n < SLOTS_MAX; n++)
        w.slots[n].since = 29 * MINUTE; /* we count from here */
    alone->used_ms           = 0;
    alone->left              = -1;
    const struct party *late = party(&w, LANE_STANDARD, 1000, 1);
    run_until(&w, 29 * MINUTE, 31 * MINUTE + 4 * (int64_t)HOUR);
    assert_near(alone->used_ms, late->used_ms,
                10); /* else it had paid for five hours of slots first */
    world_deinit(&w);
}

static void lanes_get_their_shares_when_all_want(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 20, &NO_RESERVE);

    const struct party *realtime = party(&w, LANE_REALTIME, 2000, 1);
    const struct party *standard = party(&w, LANE_STANDARD, 30 * 1000, 1);
    const struct party *bulk     = party(&w, LANE_BULK, 10 * MINUTE, 1);

    run_until(&w, 0, 200 * (int64_t)HOUR);
    assert_near(realtime->used_ms, 4000 * (int64_t)HOUR * 70 / 100, 3);
    assert_near(standard->used_ms, 4000 * (int64_t)HOUR * 25 / 100, 5);
    assert_near(bulk->used_ms, 4000 * (int64_t)HOUR * 5 / 100, 8);
    world_deinit(&w);
}

static void bulk_is_not_starved_in_a_pool_of_one_slot(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 1, &NO_RESERVE);
    party(&w, LANE_REALTIME, 1000, 1);
    party(&w, LANE_STANDARD, 1000, 1);

    const struct party *bulk = party(&w, LANE_BULK, 1000, 1);

    run_until(&w, 0, 10 * (int64_t)HOUR);
    assert_near(bulk->used_ms, 10 * (int64_t)HOUR * 5 / 100, 10);
    assert_in_range(bulk->waited_max, 0, 60 * 1000);
    world_deinit(&w);
}

static void a_lane_uses_what_others_leave_but_not_the_reserve(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 20, &LANES_PRESET);
    party(&w, LANE_BULK, HOUR, 1);
    run_until(&w, 0, 1000);
    assert_int_equal(w.room.taken[LANE_BULK], 18); /* a tenth is kept for realtime */

    struct party *realtime = party(&w, LANE_REALTIME, HOUR, 1);

    realtime->left = 2;
    run_until(&w, 1000, 2000);
    assert_int_equal(w.room.taken[LANE_REALTIME], 2);
    world_deinit(&w);
}

static void prefetch_is_for_realtime_and_needs_a_worker(void **state)
{
    struct sch_fair f;
    struct sch_room room = {.slots = 2, .prefetch = 1, .taken = {1, 1, 0}};

    (void)state;
    sch_fair_init(&f, &LANES_PRESET);
    assert_true(sch_fair_room(&f, &room, LANE_REALTIME));
    assert_false(sch_fair_room(&f, &room, LANE_STANDARD));
    room.taken[LANE_REALTIME] = 2;
    assert_false(sch_fair_room(&f, &room, LANE_REALTIME));
    room = (struct sch_room){.prefetch = 5};
    assert_false(sch_fair_room(&f, &room, LANE_REALTIME));
    sch_fair_deinit(&f);
}

static void age_promotes_only_within_the_floor(void **state)
{
    struct sch_fair f;
    struct sch_share a, b;
    struct sch_room room = {.slots = 100, .taken = {50, 0, 4}, .aged = {false, false, true}};
    enum lane lane       = LANE_STANDARD;

    (void)state;
    sch_fair_init(&f, &LANES_PRESET);
    sch_fair_share(&a, 1, 0);
    sch_fair_share(&b, 1, 0);
    sch_fair_want(&f, LANE_REALTIME, &a, true, 0);
    sch_fair_want(&f, LANE_BULK, &b, true, 0);
    assert_ptr_equal(sch_fair_next(&f, &room, 0, &lane), &b);
    assert_int_equal(lane, LANE_BULK);
    room.taken[LANE_BULK] = 5; /* its five of a hundred */
    assert_ptr_equal(sch_fair_next(&f, &room, 0, &lane), &a);
    sch_fair_deinit(&f);
}

static void lanes_are_read_from_their_text(void **state)
{
    static const char *const BAD[] = {
        "",
        "realtime=70",
        "realtime=70/10,standard=25,bulk=0",
        "realtime=70/10,standard=25,bluk=5",
        "realtime=70/95,standard=25,bulk=5",
        "realtime=70/10x,standard=25,bulk=5",
        "realtime=70/,standard=25,bulk=5",
        "realtime=70/50,standard=25/50,bulk=5",
        "realtime=-1,standard=25,bulk=5",
    };
    struct sch_lanes lanes = {{0}, {0}};
    char why[200];

    (void)state;
    assert_false(
        failed(sch_fair_lanes("realtime=70/10,standard=25,bulk=5", &lanes, why, sizeof(why))));
    assert_int_equal(lanes.weight[LANE_REALTIME], 70);
    assert_int_equal(lanes.reserve[LANE_REALTIME], 10);
    assert_int_equal(lanes.weight[LANE_BULK], 5);
    for (size_t n = 0; n < sizeof(BAD) / sizeof(BAD[0]); n++) {
        struct sch_lanes untouched = lanes;

        assert_int_equal(sch_fair_lanes(BAD[n], &lanes, why, sizeof(why)).kind, ERR_REJECT);
        assert_true(why[0] != '\0');
        assert_memory_equal(&untouched, &lanes, sizeof(lanes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_and_short_runs_get_equal_time),
        cmocka_unit_test(time_follows_weights),
        cmocka_unit_test(free_slots_of_one_instant_are_shared_out),
        cmocka_unit_test(a_burst_of_one_does_not_delay_others),
        cmocka_unit_test(nobody_saves_up_while_idle),
        cmocka_unit_test(use_without_competition_costs_nothing),
        cmocka_unit_test(lanes_get_their_shares_when_all_want),
        cmocka_unit_test(bulk_is_not_starved_in_a_pool_of_one_slot),
        cmocka_unit_test(a_lane_uses_what_others_leave_but_not_the_reserve),
        cmocka_unit_test(prefetch_is_for_realtime_and_needs_a_worker),
        cmocka_unit_test(age_promotes_only_within_the_floor),
        cmocka_unit_test(lanes_are_read_from_their_text),
    };

    return cmocka_run_group_tests_name("sch_fair", tests, NULL, NULL);
}
