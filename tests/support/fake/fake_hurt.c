#include "fake_internal.h"

enum { STANDING_MAX = 3, CHAINS_MAX = 64, COUNT_MAX = 1024, WAY_FULL = 31 };

const struct fake_hurt FAKE_HURTS[] = {
    {0, FAKE_REFUSED, ERR_RETRY, "refused"},
    {0, FAKE_REFUSED, ERR_FULL, "full"},
    {0, FAKE_LOST_BEFORE, 0, "lost before"},
    {0, FAKE_LOST_AFTER, 0, "lost after"},
    {0, FAKE_LATE_DONE, 0, "done late"},
    {0, FAKE_LATE_ANSWER, 0, "answered late"},
    {0, FAKE_TWICE, 0, "twice"},
    {0, FAKE_CUT_BEFORE, 0, "cut before"},
    {0, FAKE_CUT_AFTER, 0, "cut after"},
    {0, FAKE_FROZEN, 0, "frozen"},
    {0, FAKE_WELL, 0, NULL},
};

/* ---- which ways differ -------------------------------------------------------------------------- */

#define WAY(how) (1U << FAKE_##how)

enum { WAYS_ALWAYS = WAY(LOST_BEFORE) | WAY(CUT_BEFORE) | WAY(FROZEN) };

static const unsigned WAYS[] = {
    [FAKE_PUBLISH]  = ~0U,
    [FAKE_WRITE]    = ~(1U << WAY_FULL),
    [FAKE_READ]     = WAYS_ALWAYS | WAY(REFUSED) | WAY(TWICE),
    [FAKE_REQUEST]  = ~(1U << WAY_FULL | WAY(LATE_ANSWER)), /* nobody waits for it any more */
    [FAKE_DELIVERY] = WAYS_ALWAYS | WAY(TWICE),
    [FAKE_SETTLE]   = WAYS_ALWAYS | WAY(CUT_AFTER),
};

static unsigned way_of(const struct fake_hurt *hurt)
{
    return 1U << (hurt->kind == ERR_FULL ? (unsigned)WAY_FULL : hurt->how);
}

/* ---- what was hurt, of all chains of the program ------------------------------------------------- */

static struct {
    const char *chain;
    unsigned ways, hurt; /* that there are, and that were taken */
} chains[CHAINS_MAX];

static size_t chain_at(const char *chain)
{
    size_t n = 0;

    while (n < CHAINS_MAX && chains[n].chain && !str_equal(chains[n].chain, chain))
        n++;
    must(n < CHAINS_MAX);
    return n;
}

bool fake_was_hurt(const char *chain, const struct fake_hurt *hurt)
{
    size_t n = chain_at(chain);

    return chains[n].chain && (~chains[n].ways | chains[n].hurt) & way_of(hurt);
}

/* ---- the count ------------------------------------------------------------------------------------ */

static unsigned ways[COUNT_MAX]; /* of each answer of the last count without a hurt */

bool fake_hurt_differs(unsigned nth, const struct fake_hurt *hurt)
{
    return nth >= COUNT_MAX || ways[nth] & way_of(hurt);
}

void fake_count(struct fake_hurt hurt)
{
    fake.hurt    = hurt;
    fake.counted = 0;
    memset(fake.standing, 0, sizeof(fake.standing));
    fake.counting     = true;
    fake.hurt_done    = false;
    fake.hurt_what[0] = '\0';
}

void fake_count_end(void)
{
    fake.counting = false;
}

unsigned fake_counted(void)
{
    return fake.counted;
}

bool fake_hurt_done(void)
{
    return fake.hurt_done;
}

const char *fake_hurt_what(void)
{
    return fake.hurt_what;
}

void fake_spare(struct bus *bus)
{
    bus->spared = true;
}

/* What goes on all the time is hurt a few times, else it would be most of what there is. */
static bool enough(const char *chain)
{
    static const char *const STANDING[FAKE_STANDING] = {
        "beat", "look", "lease", "lease-time", "leader", "reap", "streams"};

    for (size_t i = 0; i < FAKE_STANDING; i++)
        if (str_equal(chain, STANDING[i]))
            return ++fake.standing[i] > STANDING_MAX;
    return false;
}

enum fake_how fake_hurt_next(const struct bus *bus, enum fake_sort sort, const char *chain,
                             const char *what, const char *subject)
{
    if (!fake.counting || bus->spared || enough(chain))
        return FAKE_WELL;

    size_t n = chain_at(chain);

    fake.counted++;
    chains[n].chain = chain;
    if (fake.hurt.nth == 0) {
        chains[n].ways |= WAYS[sort];
        if (fake.counted < COUNT_MAX)
            ways[fake.counted] = WAYS[sort];
    }
    if (fake.counted != fake.hurt.nth)
        return FAKE_WELL;
    fake.hurt_done = true;
    chains[n].hurt |= way_of(&fake.hurt);
    (void)str_format(fake.hurt_what, sizeof(fake.hurt_what), "%s: %s %s", chain, what, subject);
    return fake.hurt.how;
}
