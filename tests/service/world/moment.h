/*
 * moment - a scenario of the world at one chosen moment: nothing is hurt by chance, but the one answer that a case is about.
 *
 * Included once, like world.h.
 */
#ifndef TESTS_SERVICE_MOMENT_H
#define TESTS_SERVICE_MOMENT_H

#include "../../fault/world/world.h"

#define OPEN "{\"id\":\"o\",\"timeout\":\"2s\",\"open\":{\"url\":\"https://shop.example\"}},"
#define ORDER "{\"id\":\"b\",\"browse\":{\"cmd\":\"order\"}}"
#define ON_SIM "\"upstream\":\"sim\","

/* Nothing is hurt by chance; who is stopped need not answer. */
static const struct fake_hurt WELL = {.how = FAKE_WELL}, STOPPED = {.how = FAKE_FROZEN};

static void follow(const struct scenario *s, struct fake_hurt hurt)
{
    failures = 0;
    (void)play(s, hurt);
    assert_int_equal(failures, 0);
}

/* The n-th answer from now on is hurt: a refusal for now, one that never comes, or comes to a worker that is stopped before it hears it, long enough
   for others to be given its runs, and short enough for it to go on with them. */
enum { STOPPED_MS = 30000, HURT_MAX = 25 };
static unsigned hurt_nth;
static enum fake_how hurt_how;
static char hurt_at[200];

static inline void hurt_now(void)
{
    fake_count((struct fake_hurt){.nth = hurt_nth, .how = hurt_how, .kind = ERR_RETRY});
    fake_settle();
    for (uint64_t end = fake_now() + 1000; !fake_hurt_done() && fake_now() < end;)
        fake_advance(20);
    str_copy(hurt_at, sizeof hurt_at, fake_hurt_what());
    if (hurt_how == FAKE_FROZEN && holder() < WORKERS)
        fake_freeze(svc_bus(world.bw_svc[holder()]), STOPPED_MS);
}

/* … which is, of all such, this one. */
static inline void follow_hurt_at(const struct scenario *s, enum fake_how how, const char *what,
                                  const char *of, unsigned which)
{
    struct scenario any = *s;

    any.judge = NULL;
    hurt_how  = how;
    for (hurt_nth = 1; hurt_nth <= HURT_MAX; hurt_nth++) {
        (void)play(&any, STOPPED);
        if (strstr(hurt_at, what) && strstr(hurt_at, of) && --which == 0) {
            follow(s, STOPPED);
            return;
        }
    }
    fail_msg("nobody waits for %s of %s", what, of);
}

static inline struct run_fold fold_of(const char *run)
{
    struct run_fold f;
    const char *why;

    read_journal(run, &f, &why);
    return f;
}

/* It is over when it is over for the run, and for those who still call. */
static inline bool over(bool is)
{
    if (is)
        world.call_ms = 40;
    return is;
}

static const char *second(void)
{
    static char run[ID_SIZE];

    run_id_for(TENANT, "k2", clk_wall_ms(), run);
    return run;
}

static inline unsigned entries(const char *run, enum entry_kind kind)
{
    struct arena *arena = arena_new();
    char subject[SUBJECT_SIZE];
    struct fake_stored m;
    unsigned count = 0;

    (void)subject_journal(subject, TENANT, run);
    for (size_t i = 0; fake_stored(STREAM_JOURNAL, subject, i, &m); i++) {
        struct entry e;
        count += !failed(wire_read_entry(&e, m.body, arena)) && e.kind == kind;
    }
    arena_free(&arena);
    return count;
}

#endif
