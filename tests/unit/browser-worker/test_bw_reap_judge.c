#include "bw_reap_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW = 1000000, GRACE = 60000 };

static const int64_t OLD = NOW - 2 * GRACE, YOUNG = NOW - 1;

struct sight {
    const char *status;
    bool free;
    int64_t updated, expires;
    enum bw_reap_listed listed;
    bool looked;
    enum run_phase phase;
    int64_t ended;
    uint64_t keep;
    enum bw_reap_move move;
};

static void check(const struct sight *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sight *c            = &cases[i];
        struct bw_record r               = {.remote_id     = "r1",
                                            .free          = c->free,
                                            .expires_at_ms = c->expires,
                                            .updated_ms    = c->updated};
        const struct bw_reap_sight sight = {.record   = &r,
                                            .listed   = c->listed,
                                            .looked   = c->looked,
                                            .phase    = c->phase,
                                            .ended_ms = c->ended,
                                            .keep_ms  = c->keep,
                                            .now_ms   = NOW,
                                            .grace_ms = GRACE};
        str_copy(r.status, sizeof r.status, c->status);
        if (bw_reap_judge(&sight) != c->move)
            fail_msg("case %zu: %d, wanted %d", i, bw_reap_judge(&sight), c->move);
    }
}

static void a_kept_session_is_closed_at_its_time_and_not_before(void **state)
{
    const struct sight CASES[] = {
        {"active", true, OLD, NOW + 1, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_LEAVE},
        {"active", true, OLD, NOW, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_CLOSE},
        {"active", true, OLD, NOW, BW_REAP_UNKNOWN, false, 0, 0, 0, BW_REAP_CLOSE},
        {"active", true, OLD, NOW + 1, BW_REAP_NOT_LISTED, false, 0, 0, 0, BW_REAP_EXPIRE},
        {"active", true, OLD, NOW + 1, BW_REAP_UNKNOWN, false, 0, 0, 0, BW_REAP_LEAVE},
    };

    (void)state;
    check(CASES, sizeof CASES / sizeof *CASES);
}

static void what_a_living_run_holds_is_left_alone(void **state)
{
    static const enum run_phase LIVING[]    = {RUN_QUEUED, RUN_LEASED, RUN_RELEASED};
    static const enum bw_reap_listed SEEN[] = {BW_REAP_LISTED, BW_REAP_NOT_LISTED,
                                               BW_REAP_UNKNOWN};

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        const struct sight c = {"active", false,         OLD, 0, SEEN[i / 3],
                                true,     LIVING[i % 3], 0,   0, BW_REAP_LEAVE};
        check(&c, 1);
    }
}

static void a_young_record_is_not_even_looked_into(void **state)
{
    const struct sight CASES[] = {
        {"active", false, YOUNG, 0, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_LEAVE},
        {"active", false, YOUNG, 0, BW_REAP_UNKNOWN, false, 0, 0, 0, BW_REAP_LEAVE},
        {"active", false, YOUNG, 0, BW_REAP_NOT_LISTED, false, 0, 0, 0, BW_REAP_LOOK},
        {"active", false, OLD, 0, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_LOOK},
    };

    (void)state;
    check(CASES, sizeof CASES / sizeof *CASES);
}

static void a_waiting_run_keeps_what_is_there(void **state)
{
    const struct sight CASES[] = {
        {"active", false, OLD, 0, BW_REAP_LISTED, true, RUN_WAITING, 0, 0, BW_REAP_LEAVE},
        {"active", false, OLD, 0, BW_REAP_UNKNOWN, true, RUN_WAITING, 0, 0, BW_REAP_LEAVE},
        {"active", false, OLD, 0, BW_REAP_NOT_LISTED, true, RUN_WAITING, 0, 0, BW_REAP_EXPIRE},
    };

    (void)state;
    check(CASES, sizeof CASES / sizeof *CASES);
}

/* Three times within the time in which it would fall idle, whatever keeps it: but never under a holder. */
static void what_waits_is_kept_warm(void **state)
{
    enum { IDLE = 3000, COLD = NOW - IDLE / 3 };
    static const struct {
        bool free, looked;
        enum run_phase phase;
        int64_t updated, touched;
        enum bw_reap_listed listed;
        enum bw_reap_move move;
    } CASES[] = {
        {true, false, 0, COLD, 0, BW_REAP_LISTED, BW_REAP_TOUCH},
        {true, false, 0, COLD, 0, BW_REAP_UNKNOWN, BW_REAP_TOUCH},
        {true, false, 0, COLD, 0, BW_REAP_NOT_LISTED, BW_REAP_EXPIRE},
        {true, false, 0, COLD + 1, 0, BW_REAP_LISTED, BW_REAP_LEAVE},
        {true, false, 0, COLD, COLD + 1, BW_REAP_LISTED, BW_REAP_LEAVE},
        {true, false, 0, COLD - 1, COLD, BW_REAP_LISTED, BW_REAP_TOUCH},
        {false, false, 0, COLD, 0, BW_REAP_LISTED, BW_REAP_LOOK},
        {false, false, 0, COLD + 1, 0, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, true, RUN_WAITING, COLD, 0, BW_REAP_LISTED, BW_REAP_TOUCH},
        {false, true, RUN_WAITING, COLD, COLD + 1, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, true, RUN_WAITING, COLD, 0, BW_REAP_NOT_LISTED, BW_REAP_EXPIRE},
        {false, true, RUN_RELEASED, COLD, 0, BW_REAP_LISTED, BW_REAP_TOUCH},
        {false, true, RUN_LEASED, COLD, 0, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, true, RUN_ENDED, COLD, 0, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, true, RUN_ABSENT, COLD, 0, BW_REAP_LISTED, BW_REAP_LEAVE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct bw_record r         = {.status        = "active",
                                            .remote_id     = "r1",
                                            .free          = CASES[i].free,
                                            .expires_at_ms = NOW + 1,
                                            .updated_ms    = CASES[i].updated};
        const struct bw_reap_sight sight = {.record     = &r,
                                            .listed     = CASES[i].listed,
                                            .looked     = CASES[i].looked,
                                            .phase      = CASES[i].phase,
                                            .ended_ms   = NOW,
                                            .touched_ms = CASES[i].touched,
                                            .idle_ms    = IDLE,
                                            .now_ms     = NOW,
                                            .grace_ms   = GRACE};
        if (bw_reap_judge(&sight) != CASES[i].move)
            fail_msg("case %zu: %d, wanted %d", i, bw_reap_judge(&sight), CASES[i].move);
    }
}

/* Its own call keeps it warm, and a touch might meet it there.  A run that waits for its turn for long does not call. */
static void what_its_run_will_use_soon_is_not_touched(void **state)
{
    enum { IDLE = 6000, HALF = IDLE / 2, SWEEP = IDLE / 6, COLD = NOW - IDLE / 3 };
    static const struct {
        bool free;
        enum run_phase phase;
        int64_t updated, touched, due;
        enum bw_reap_listed listed;
        enum bw_reap_move move;
    } CASES[] = {
        {false, RUN_WAITING, COLD, 0, COLD + HALF - 1, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, RUN_WAITING, COLD, 0, COLD + HALF - 1, BW_REAP_UNKNOWN, BW_REAP_LEAVE},
        {false, RUN_WAITING, COLD, 0, COLD + HALF - 1, BW_REAP_NOT_LISTED, BW_REAP_EXPIRE},
        {false, RUN_WAITING, COLD, 0, COLD + HALF, BW_REAP_LISTED, BW_REAP_TOUCH},
        {false, RUN_WAITING, COLD - IDLE, COLD, COLD + HALF - 1, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, RUN_WAITING, COLD, 0, NOW - SWEEP + 1, BW_REAP_LISTED, BW_REAP_LEAVE},
        {false, RUN_WAITING, COLD, 0, NOW - SWEEP, BW_REAP_LISTED, BW_REAP_TOUCH},
        {false, RUN_RELEASED, COLD, 0, COLD + HALF - 1, BW_REAP_LISTED, BW_REAP_TOUCH},
        {true, RUN_ABSENT, COLD, 0, COLD + HALF - 1, BW_REAP_LISTED, BW_REAP_TOUCH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct bw_record r         = {.status        = "active",
                                            .remote_id     = "r1",
                                            .free          = CASES[i].free,
                                            .expires_at_ms = NOW + 1,
                                            .updated_ms    = CASES[i].updated};
        const struct bw_reap_sight sight = {.record     = &r,
                                            .listed     = CASES[i].listed,
                                            .looked     = true,
                                            .phase      = CASES[i].phase,
                                            .due_ms     = CASES[i].due,
                                            .touched_ms = CASES[i].touched,
                                            .idle_ms    = IDLE,
                                            .now_ms     = NOW,
                                            .grace_ms   = GRACE};
        if (bw_reap_judge(&sight) != CASES[i].move)
            fail_msg("case %zu: %d, wanted %d", i, bw_reap_judge(&sight), CASES[i].move);
    }
}

static void after_its_run_a_session_has_a_time_of_grace(void **state)
{
    const struct sight CASES[] = {
        {"active", false, OLD, 0, BW_REAP_LISTED, true, RUN_ENDED, YOUNG, 0, BW_REAP_LEAVE},
        {"active", false, OLD, 0, BW_REAP_LISTED, true, RUN_ENDED, OLD, 0, BW_REAP_CLOSE},
        {"active", false, OLD, 0, BW_REAP_NOT_LISTED, true, RUN_ENDED, OLD, 0, BW_REAP_EXPIRE},
        {"active", false, OLD, 0, BW_REAP_NOT_LISTED, true, RUN_ENDED, YOUNG, 0, BW_REAP_LEAVE},
        {"active", false, OLD, 0, BW_REAP_LISTED, true, RUN_ENDED, OLD, 2 * GRACE,
         BW_REAP_LEAVE},
        {"active", false, OLD, 0, BW_REAP_LISTED, true, RUN_ABSENT, 0, 0, BW_REAP_CLOSE},
        {"active", false, YOUNG, 0, BW_REAP_NOT_LISTED, true, RUN_ABSENT, 0, 0, BW_REAP_LEAVE},
    };

    (void)state;
    check(CASES, sizeof CASES / sizeof *CASES);
}

static void an_unconfirmed_close_is_done_again(void **state)
{
    const struct sight CASES[] = {
        {"failed", false, OLD, 0, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_CLOSE},
        {"failed", false, OLD, 0, BW_REAP_UNKNOWN, false, 0, 0, 0, BW_REAP_CLOSE},
        {"failed", false, YOUNG, 0, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_LEAVE},
        {"failed", false, YOUNG, 0, BW_REAP_NOT_LISTED, false, 0, 0, 0, BW_REAP_EXPIRE},
        {"closing", false, OLD, 0, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_CLOSE},
        {"completed", false, OLD, 0, BW_REAP_LISTED, false, 0, 0, 0, BW_REAP_LEAVE},
        {"", false, OLD, 0, BW_REAP_NOT_LISTED, false, 0, 0, 0, BW_REAP_LEAVE},
    };

    (void)state;
    check(CASES, sizeof CASES / sizeof *CASES);
}

/* Its open may still be under way over there; once it certainly is not, its place is given back. */
static void an_unanswered_open_is_gone_when_no_list_shows_it_for_long(void **state)
{
    enum { LOST = 5 * GRACE };
    static const struct {
        int64_t ago;
        enum bw_reap_listed listed;
        enum bw_reap_move move;
    } CASES[] = {
        {LOST - 1, BW_REAP_NOT_LISTED, BW_REAP_LEAVE},
        {LOST + 1, BW_REAP_NOT_LISTED, BW_REAP_EXPIRE},
        {LOST + 1, BW_REAP_UNKNOWN, BW_REAP_LEAVE}, /* there is nothing to close it by */
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct bw_record r = {.status = "failed", .updated_ms = NOW - CASES[i].ago};
        const struct bw_reap_sight sight = {.record   = &r,
                                            .listed   = CASES[i].listed,
                                            .now_ms   = NOW,
                                            .grace_ms = GRACE,
                                            .lost_ms  = LOST};
        if (bw_reap_judge(&sight) != CASES[i].move)
            fail_msg("case %zu: %d", i, bw_reap_judge(&sight));
    }
}

/* What only a list shows. */
static void a_stray_is_closed_when_its_own_run_is_done_with_it(void **state)
{
    static const struct {
        int64_t seen;
        bool looked, ours;
        enum run_phase phase;
        bool current;
        int64_t ended;
        enum bw_reap_move move;
    } CASES[] = {
        {NOW - 1, false, false, 0, false, 0, BW_REAP_LEAVE},
        {NOW - 2 * GRACE, false, false, 0, false, 0, BW_REAP_LOOK},
        {NOW - 2 * GRACE, true, true, RUN_LEASED, true, 0,
         BW_REAP_LEAVE}, /* it is being opened */
        {NOW - 2 * GRACE, true, true, RUN_LEASED, false, 0,
         BW_REAP_CLOSE}, /* it was given up */
        {NOW - 2 * GRACE, true, true, RUN_WAITING, true, 0, BW_REAP_LEAVE},
        {NOW - 2 * GRACE, true, true, RUN_WAITING, false, 0, BW_REAP_CLOSE},
        {NOW - 2 * GRACE, true, true, RUN_ENDED, true, NOW - 1, BW_REAP_LEAVE},
        {NOW - 2 * GRACE, true, true, RUN_ENDED, true, NOW - 2 * GRACE, BW_REAP_CLOSE},
        {NOW - 2 * GRACE, true, true, RUN_ENDED, false, NOW - 2 * GRACE, BW_REAP_CLOSE},
        /* Another installation's: our journal knows nothing of it, or not of this session. */
        {NOW - 2 * GRACE, true, false, RUN_ABSENT, false, 0, BW_REAP_LEAVE},
        {NOW - 2 * GRACE, true, false, RUN_LEASED, false, 0, BW_REAP_LEAVE},
        {NOW - 2 * GRACE, true, false, RUN_ENDED, false, NOW - 2 * GRACE, BW_REAP_LEAVE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct bw_record r         = {.remote_id = "r1"};
        const struct bw_reap_sight sight = {.record   = &r,
                                            .listed   = BW_REAP_LISTED,
                                            .looked   = CASES[i].looked,
                                            .is_ours  = CASES[i].ours,
                                            .phase    = CASES[i].phase,
                                            .current  = CASES[i].current,
                                            .ended_ms = CASES[i].ended,
                                            .seen_ms  = CASES[i].seen,
                                            .now_ms   = NOW,
                                            .grace_ms = GRACE};
        if (bw_reap_judge_stray(&sight) != CASES[i].move)
            fail_msg("case %zu: %d", i, bw_reap_judge_stray(&sight));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_session_is_closed_at_its_time_and_not_before),
        cmocka_unit_test(what_a_living_run_holds_is_left_alone),
        cmocka_unit_test(a_young_record_is_not_even_looked_into),
        cmocka_unit_test(a_waiting_run_keeps_what_is_there),
        cmocka_unit_test(what_waits_is_kept_warm),
        cmocka_unit_test(what_its_run_will_use_soon_is_not_touched),
        cmocka_unit_test(after_its_run_a_session_has_a_time_of_grace),
        cmocka_unit_test(an_unconfirmed_close_is_done_again),
        cmocka_unit_test(an_unanswered_open_is_gone_when_no_list_shows_it_for_long),
        cmocka_unit_test(a_stray_is_closed_when_its_own_run_is_done_with_it),
    };
    return cmocka_run_group_tests_name("bw_reap_judge", tests, NULL, NULL);
}
