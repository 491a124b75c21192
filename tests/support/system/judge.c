#include "support/system/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"

/* The entries of one journal stand together, in order. */
struct group {
    const struct record_item *const *items;
    size_t count;
};

static const char *run_of(const struct record_item *i)
{
    return strrchr(record_subject(i), '.') + 1;
}

static struct group group_at(const struct record *r, size_t at)
{
    struct group g = {r->by_run + at, 1};

    while (at + g.count < r->count && strcmp(run_of(g.items[0]), run_of(g.items[g.count])) == 0)
        g.count++;
    return g;
}

static bool is(const struct record_item *i, const char *kind)
{
    return strcmp(record_header(i, "Sluice-Kind"), kind) == 0;
}

static bool is_one_of(const struct record_item *i, const char *const *kinds)
{
    for (; *kinds; kinds++)
        if (is(i, *kinds))
            return true;
    return false;
}

static bool of_holder(const struct record_item *i)
{
    static const char *const kinds[] = {"RELEASED", "OPENING", "OPENED", "INTENT", "OUTCOME",
                                        "SPAWNED",  "WAITING", "CLOSED", "END",    NULL};
    return is_one_of(i, kinds) && *record_header(i, "Sluice-Lease");
}

static void accuse(struct world *w, const struct record *r, const struct record_item *i,
                   const char *what)
{
    record_print(r, run_of(i));
    world_fail(w, "run %s: %s (entry #%llu)", run_of(i), what, (unsigned long long)i->seq);
}

/* ---- one run ------------------------------------------------------------------------------------- */

static void judge_entries(struct world *w, const struct record *r, const struct group *g)
{
    const struct record_item *end = NULL;
    const char *token             = "";

    for (size_t n = 0; n < g->count; n++) {
        const struct record_item *i = g->items[n];
        if (end && (is(i, "END") || (of_holder(i) && !is(i, "CLOSED")) || is(i, "LEASED")))
            accuse(w, r, i, is(i, "END") ? "has a second END" : "its holder wrote after END");
        if (is(i, "LEASED"))
            token = record_header(i, "Sluice-Lease");
        else if (of_holder(i) && !end && strcmp(token, record_header(i, "Sluice-Lease")) != 0)
            accuse(w, r, i, "somebody wrote who does not hold the lease");
        else if (is(i, "RELEASED") || is(i, "WAITING"))
            token = "";
        if (is(i, "END"))
            end = i;
    }
}

static bool is_rejected(const struct group *g)
{
    return is(g->items[g->count - 1], "REJECTED");
}

static const struct record_item *end_of(const struct group *g)
{
    for (size_t n = 0; n < g->count; n++)
        if (is(g->items[n], "END"))
            return g->items[n];
    return NULL;
}

/* Results are sorted by run, too. */
static void judge_result(struct world *w, const struct record *r, const struct group *g,
                         const struct record *results)
{
    const struct record_item *end = end_of(g);
    size_t low = 0, high = results->count, found = 0;
    char status[32];

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(run_of(results->by_run[middle]), run_of(g->items[0])) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + found < results->count &&
           strcmp(run_of(results->by_run[low + found]), run_of(g->items[0])) == 0)
        found++;
    if (found != 1)
        accuse(w, r, g->items[0], found ? "has more than one result" : "has no result");
    record_token(results->by_run[low], 4, status, sizeof(status));
    if (strcmp(status, record_header(end, "Sluice-Result")) != 0)
        accuse(w, r, end, "its result says another status than its END");
}

void judge_runs(struct world *w, const struct record *journal)
{
    struct record *results = record_read(w, "SLUICE_RESULTS");
    size_t expected        = 0;

    for (size_t at = 0; at < journal->count;) {
        struct group g = group_at(journal, at);
        at += g.count;
        if (!is(g.items[0], "PLAN"))
            accuse(w, journal, g.items[0], "its journal does not begin with PLAN");
        judge_entries(w, journal, &g);
        if (is_rejected(&g))
            continue;
        if (!end_of(&g))
            accuse(w, journal, g.items[g.count - 1], "never ended");
        judge_result(w, journal, &g, results);
        expected++;
    }
    if (results->count != expected)
        world_fail(w, "%zu results of %zu runs", results->count, expected);
    if (!client_idle(w->client))
        world_fail(w, "%lld tickets and %lld jobs are left",
                   (long long)client_count(w->client, "SLUICE_PENDING"),
                   (long long)client_count(w->client, "SLUICE_JOBS"));
    record_free(&results);
}

/* ---- a load --------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The runs with an entry of this kind, sorted. */
static const char **runs_with(const struct record *r, const char *kind, size_t *ret_count)
{
    const char **runs = calloc(r->count + 1, sizeof(*runs));
    size_t count      = 0;

    for (size_t i = 0; i < r->count; i++)
        if (is(&r->items[i], kind))
            runs[count++] = run_of(&r->items[i]);
    qsort(runs, count, sizeof(*runs), by_name);
    *ret_count = count;
    return runs;
}

static bool has(const char **runs, size_t count, const char *run)
{
    return bsearch(&run, runs, count, sizeof(*runs), by_name) != NULL;
}

void judge_load(struct world *w, const struct record *journal, struct load *l)
{
    size_t ended_count;
    const char **ended = runs_with(journal, "END", &ended_count);

    for (size_t n = 0; n < load_count(l); n++) {
        struct load_item i = load_item(l, n);
        if (i.accepted && !has(ended, ended_count, i.run)) {
            record_print(journal, i.run);
            world_fail(w, "%s was answered with run %s, which never ended", i.key, i.run);
        }
    }
    free(ended);
}

/* ---- caps -------------------------------------------------------------------------------------------------- */

struct holding {
    const char *run;
    bool held;
};

static int by_holding(const void *a, const void *b)
{
    return strcmp(((const struct holding *)a)->run, ((const struct holding *)b)->run);
}

static bool of_tenant(const struct record_item *i, const char *tenant)
{
    char token[80];

    return strcmp(record_token(i, 2, token, sizeof(token)), tenant) == 0;
}

static struct holding *holdings(const struct record *r, const char *tenant, size_t *ret_count)
{
    struct holding *all = calloc(r->count + 1, sizeof(*all));
    size_t count        = 0;

    for (size_t i = 0; i < r->count; i++)
        if (is(&r->items[i], "PLAN") && of_tenant(&r->items[i], tenant))
            all[count++].run = run_of(&r->items[i]);
    qsort(all, count, sizeof(*all), by_holding);
    *ret_count = count;
    return all;
}

size_t judge_cap(struct world *w, const struct record *journal, const char *tenant, size_t cap,
                 size_t closing)
{
    static const char *const leaves[] = {"END", "WAITING", "RELEASED", NULL};
    size_t count, now = 0, most = 0;
    struct holding *all = holdings(journal, tenant, &count);

    for (size_t n = 0; n < journal->count; n++) {
        const struct record_item *i = &journal->items[n];
        bool takes                  = is(i, "LEASED");
        if (!of_tenant(i, tenant) || (!takes && !is_one_of(i, leaves)))
            continue;
        const struct holding what = {run_of(i), false};
        struct holding *h         = bsearch(&what, all, count, sizeof(*all), by_holding);
        if (!h || h->held == takes)
            continue;
        h->held = takes;
        now     = takes ? now + 1 : now - 1;
        most    = now > most ? now : most;
        if (now > cap + closing)
            accuse(w, journal, i, "is one more than its tenant's cap");
    }
    free(all);
    return most;
}

/* ---- locks ------------------------------------------------------------------------------------------------- */

size_t judge_lock(struct world *w, const struct record *journal, const char *lock)
{
    static const char *const steps[] = {"INTENT", "OUTCOME", "OPENING", NULL};
    const char **runs                = calloc(journal->count + 1, sizeof(*runs));
    size_t count = 0, had = 0;
    const char *owner = NULL;

    for (size_t n = 0; n < journal->count; n++)
        if (is(&journal->items[n], "PLAN") &&
            strcmp(record_header(&journal->items[n], "Sluice-Lock"), lock) == 0)
            runs[count++] = run_of(&journal->items[n]);
    qsort(runs, count, sizeof(*runs), by_name);
    for (size_t n = 0; n < journal->count; n++) {
        const struct record_item *i = &journal->items[n];
        if (!has(runs, count, run_of(i)))
            continue;
        if (is_one_of(i, steps)) {
            if (owner && strcmp(owner, run_of(i)) != 0) {
                record_print(journal, owner);
                accuse(w, journal, i, "did a step while another run had its lock");
            }
            had += owner == NULL;
            owner = run_of(i);
        } else if (is(i, "END") && owner && strcmp(owner, run_of(i)) == 0) {
            owner = NULL;
        }
    }
    free(runs);
    return had;
}

/* ---- the rest ------------------------------------------------------------------------------------------------- */

size_t judge_lost(const struct record *journal)
{
    static const char *const leaves[] = {"END", "WAITING", "RELEASED", NULL};
    size_t lost                       = 0;

    for (size_t at = 0; at < journal->count;) {
        struct group g = group_at(journal, at);
        bool held      = false;
        at += g.count;
        for (size_t n = 0; n < g.count; n++) {
            lost += held && is(g.items[n], "LEASED");
            held = is(g.items[n], "LEASED") || (held && !is_one_of(g.items[n], leaves));
        }
    }
    return lost;
}

/* Runs that were refused and never planned anew have no result. */
static size_t rejected(struct world *w)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    size_t count           = 0;

    for (size_t at = 0; at < journal->count;) {
        struct group g = group_at(journal, at);
        at += g.count;
        count += is_rejected(&g);
    }
    record_free(&journal);
    return count;
}

/* A queue may be empty because its message was lost: then the scheduler finds out, and it is not over. */
static bool settled(struct world *w)
{
    if (!client_idle(w->client))
        return false;
    int64_t runs    = client_subjects(w->client, "SLUICE_JOURNAL"),
            results = client_count(w->client, "SLUICE_RESULTS");
    return runs >= 0 && (results == runs || results == runs - (int64_t)rejected(w));
}

void judge_settles(struct world *w, int timeout_ms)
{
    int64_t until = clock_ms() + timeout_ms;

    while (!settled(w) && clock_ms() < until)
        world_turn(w);
    if (clock_ms() < until)
        return;
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    judge_runs(w, journal); /* names a run that is not as it should be */
    world_fail(w, "not settled within %d ms", timeout_ms);
}

void judge_all(struct world *w, struct load *l, int timeout_ms)
{
    int64_t until = clock_ms() + timeout_ms;

    if (l)
        WORLD_WAIT(w, timeout_ms, load_done(l));
    judge_settles(w, (int)(until - clock_ms()));
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    judge_runs(w, journal);
    if (l)
        judge_load(w, journal, l);
    print_message("%s: %zu entries, %zu leases lost\n", w->name, journal->count,
                  judge_lost(journal));
    record_free(&journal);
}
