#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lim_queue.h"

struct one {
    struct lim_wait wait;
    char name[16];
    bool blocked;
};

static struct one *one_of(const struct lim_wait *w)
{
    return (struct one *)(uintptr_t)LIST_OWNER(w, struct one, wait);
}

static bool fits(void *self, const struct lim_wait *w)
{
    (void)self;
    return !one_of(w)->blocked;
}

static const char *next(struct lim_queue *q)
{
    struct lim_wait *w = lim_queue_next(q, fits, NULL);

    return w ? one_of(w)->name : "nobody";
}

static void put(struct lim_queue *q, struct one *o, const char *name, enum lane lane,
                const char *tenant, enum lim_wait_kind kind)
{
    snprintf(o->name, sizeof(o->name), "%s", name);
    lim_queue_put(q, &o->wait, lane, tenant, kind);
}

static void tenants_go_in_turn_whoever_came_in_a_crowd(void **state)
{
    struct one crowd[10] = {0}, lone = {0};
    struct lim_queue q;

    (void)state;
    lim_queue_init(&q);
    for (int n = 0; n < 10; n++)
        put(&q, &crowd[n], "crowd", LANE_STANDARD, "a", LIM_WAIT_CALL);
    put(&q, &lone, "lone", LANE_STANDARD, "b", LIM_WAIT_CALL);
    assert_string_equal(next(&q), "crowd");
    assert_string_equal(next(&q), "lone");
    for (int n = 0; n < 9; n++)
        assert_string_equal(next(&q), "crowd");
    assert_string_equal(next(&q), "nobody");
    lim_queue_deinit(&q);
}

static void lanes_share_and_bulk_keeps_its_floor(void **state)
{
    enum { EACH = 1000 };
    static struct one all[LANES][EACH];
    int taken[LANES] = {0};
    struct lim_queue q;

    (void)state;
    lim_queue_init(&q);
    for (int lane = 0; lane < LANES; lane++)
        for (int n = 0; n < EACH; n++)
            put(&q, &all[lane][n], "x", (enum lane)lane, "t", LIM_WAIT_CALL);
    for (int n = 0; n < 1000; n++)
        taken[lim_queue_next(&q, fits, NULL)->lane]++;
    assert_in_range(taken[LANE_REALTIME], 690, 710);
    assert_in_range(taken[LANE_STANDARD], 240, 260);
    assert_in_range(taken[LANE_BULK], 45, 55);
    while (lim_queue_any(&q))
        ;
    lim_queue_deinit(&q);
}

static void an_idle_lane_saves_nothing_up(void **state)
{
    static struct one bulk[200], real[200];
    struct lim_queue q;
    int taken = 0;

    (void)state;
    lim_queue_init(&q);
    for (int n = 0; n < 200; n++)
        put(&q, &bulk[n], "bulk", LANE_BULK, "t", LIM_WAIT_CALL);
    for (int n = 0; n < 100; n++)
        (void)next(&q);
    for (int n = 0; n < 200; n++)
        put(&q, &real[n], "real", LANE_REALTIME, "t", LIM_WAIT_CALL);
    for (int n = 0; n < 45; n++)
        taken += strcmp(next(&q), "bulk") == 0;
    assert_in_range(taken, 2, 5); /* one in fifteen, at once */
    while (lim_queue_any(&q))
        ;
    lim_queue_deinit(&q);
}

static void one_that_needs_a_session_lets_others_pass(void **state)
{
    struct one open = {.blocked = true}, call = {0};
    struct lim_queue q;

    (void)state;
    lim_queue_init(&q);
    put(&q, &open, "open", LANE_STANDARD, "a", LIM_WAIT_OPEN);
    put(&q, &call, "call", LANE_STANDARD, "a", LIM_WAIT_CALL);
    assert_string_equal(next(&q), "call");
    assert_string_equal(next(&q), "nobody");
    open.blocked = false;
    assert_string_equal(next(&q), "open");
    lim_queue_deinit(&q);
}

static void of_a_tenant_they_go_as_they_came(void **state)
{
    struct one a = {0}, b = {0}, c = {0};
    struct lim_queue q;

    (void)state;
    lim_queue_init(&q);
    put(&q, &a, "a", LANE_BULK, "t", LIM_WAIT_CALL);
    put(&q, &b, "b", LANE_BULK, "t", LIM_WAIT_OPEN);
    put(&q, &c, "c", LANE_BULK, "t", LIM_WAIT_CALL);
    assert_string_equal(next(&q), "a");
    assert_string_equal(next(&q), "b");
    assert_string_equal(next(&q), "c");
    lim_queue_deinit(&q);
}

static void closes_are_a_queue_of_their_own(void **state)
{
    struct one call = {0}, first = {0}, second = {0};
    struct lim_queue q;

    (void)state;
    lim_queue_init(&q);
    put(&q, &call, "call", LANE_REALTIME, "a", LIM_WAIT_CALL);
    put(&q, &first, "first", LANE_BULK, "a", LIM_WAIT_CLOSE);
    put(&q, &second, "second", LANE_BULK, "b", LIM_WAIT_CLOSE);
    assert_int_equal(q.close_count, 2);
    assert_int_equal(lim_queue_count(&q), 1);
    assert_string_equal(one_of(lim_queue_next_close(&q, fits, NULL))->name, "first");
    lim_queue_remove(&q, &second.wait);
    assert_null(lim_queue_next_close(&q, fits, NULL));
    assert_string_equal(next(&q), "call");
    lim_queue_deinit(&q);
}

static void any_sequence_loses_nobody(void **state)
{
    enum { ALL = 300 };
    static struct one all[ALL];
    static bool in[ALL];
    struct lim_queue q;
    unsigned seed = 3;
    size_t count  = 0;

    (void)state;
    lim_queue_init(&q);
    for (int n = 0; n < 100000; n++) {
        seed         = seed * 1103515245 + 12345;
        unsigned i   = (seed >> 16) % ALL;
        char name[8] = "";

        if (!in[i]) {
            snprintf(name, sizeof(name), "t%u", i % 13);
            put(&q, &all[i], "x", (enum lane)(i % LANES), name, (enum lim_wait_kind)(i % 3));
            in[i] = true;
            count++;
        } else if ((seed >> 10) % 2) {
            lim_queue_remove(&q, &all[i].wait);
            in[i] = false;
            count--;
        } else {
            all[i].blocked     = (seed >> 12) % 2;
            struct lim_wait *w = (seed >> 11) % 2 ? lim_queue_next(&q, fits, NULL)
                                                  : lim_queue_next_close(&q, fits, NULL);

            if (w) {
                assert_true(in[one_of(w) - all] && !one_of(w)->blocked);
                in[one_of(w) - all] = false;
                count--;
            }
        }
        assert_int_equal(count, lim_queue_count(&q) + q.close_count);
    }
    for (int n = 0; n < ALL; n++)
        if (in[n])
            lim_queue_remove(&q, &all[n].wait);
    lim_queue_deinit(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_go_in_turn_whoever_came_in_a_crowd),
        cmocka_unit_test(lanes_share_and_bulk_keeps_its_floor),
        cmocka_unit_test(an_idle_lane_saves_nothing_up),
        cmocka_unit_test(one_that_needs_a_session_lets_others_pass),
        cmocka_unit_test(of_a_tenant_they_go_as_they_came),
        cmocka_unit_test(closes_are_a_queue_of_their_own),
        cmocka_unit_test(any_sequence_loses_nobody),
    };

    return cmocka_run_group_tests_name("lim_queue", tests, NULL, NULL);
}
