#include "support/system/orders.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/system/load.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

static bool is(const struct record_item *i, const char *kind)
{
    return strcmp(record_header(i, "Sluice-Kind"), kind) == 0;
}

/* The first entry after `n` that settles the step of INTENT n; NULL: none does. */
static const struct record_item *settled(const struct record *r, size_t n)
{
    const struct record_item *intent = &r->items[n];

    for (size_t i = n + 1; i < r->count; i++) {
        const struct record_item *e = &r->items[i];
        if (strcmp(record_subject(e), record_subject(intent)) != 0)
            continue;
        if (is(e, "END") ||
            (is(e, "OUTCOME") && strcmp(record_header(e, "Sluice-Step"),
                                        record_header(intent, "Sluice-Step")) == 0))
            return e;
    }
    return NULL;
}

size_t orders_judge_lost(struct world *w, const struct record *journal, size_t *ret_workers)
{
    json_t *workers = json_object();
    size_t foreign  = 0;

    for (size_t n = 0; n < journal->count; n++) {
        const struct record_item *intent = &journal->items[n];
        if (!is(intent, "INTENT"))
            continue;
        const struct record_item *e = settled(journal, n);
        const char *run             = strrchr(record_subject(intent), '.') + 1;
        if (!e)
            world_fail(w, "run %s: an INTENT was never settled", run);
        if (is(e, "OUTCOME") && strcmp(record_header(e, "Sluice-Lease"),
                                       record_header(intent, "Sluice-Lease")) == 0)
            continue;
        foreign++;
        json_object_set_new(workers, record_header(intent, "Sluice-Worker"), json_true());
        if (is(e, "OUTCOME") &&
            strcmp(record_header(e, "Sluice-Result"), "indeterminate") != 0) {
            record_print(journal, run);
            world_fail(w, "run %s: a lost unsafe step came to \"%s\"", run,
                       record_header(e, "Sluice-Result"));
        }
        if (is(e, "END") && strcmp(record_header(e, "Sluice-Result"), "indeterminate") != 0) {
            record_print(journal, run);
            world_fail(w, "run %s: ended %s with a lost unsafe step", run,
                       record_header(e, "Sluice-Result"));
        }
    }
    *ret_workers = json_object_size(workers);
    json_decref(workers);
    return foreign;
}

/* What the outcomes of its order say: placed; or lost, so that nobody knows. */
static void outcomes(const struct record *journal, const char *run, bool *ret_placed,
                     bool *ret_lost)
{
    const struct record_item *o = NULL;

    *ret_placed = *ret_lost = false;
    for (size_t k = 0; (o = record_entry(journal, run, "OUTCOME", k)); k++) {
        if (strcmp(record_header(o, "Sluice-Step"), "place") != 0)
            continue;
        *ret_lost |= strcmp(record_header(o, "Sluice-Result"), "indeterminate") == 0;
        *ret_placed |= strcmp(record_header(o, "Sluice-Result"), "ok") == 0;
    }
}

void orders_judge(struct world *w, const struct upstream_record *r, struct load *load,
                  const struct record *journal, bool looks)
{
    for (size_t n = 0; n < load_count(load); n++) {
        struct load_item i = load_item(load, n);
        bool lost, placed;
        char key[64];

        if (!i.accepted)
            world_fail(w, "%s was never accepted (%s)", i.key, i.code);
        snprintf(key, sizeof(key), "%s-%zu", r->upstream->name, n);
        const struct upstream_act *order = upstream_order(r, key);
        const struct record_item *end    = record_entry(journal, i.run, "END", 0);
        const char *status               = record_header(end, "Sluice-Result");
        bool done                        = strcmp(status, "done") == 0;
        outcomes(journal, i.run, &placed, &lost);
        bool well = lost ? strcmp(status, "indeterminate") == 0 || (looks && done)
                         : done && placed && order;
        if (!well) {
            record_print(journal, i.run);
            world_fail(w, "run %s (%s) ended %s; its order %s", i.run, key, status,
                       order ? "was placed" : "was not placed");
        }
    }
}
