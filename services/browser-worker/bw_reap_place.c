#include "bw_reap_internal.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "bw_stamp.h"

/* What is kept of a session, or of a place, from sweep to sweep. */
struct note {
    int64_t at_ms;  /* 0: never */
    uint64_t gone;  /* revision of the row whose session is gone over there; 0: none */
    unsigned times; /* in a row */
    uint64_t sweep; /* the last that saw it */
};

static struct err next_place(struct bw_reaper *r);

static struct bw_reap_place *place_of(const struct bw_reaper *r)
{
    return &r->places[r->place_at];
}

/* ---- from sweep to sweep ------------------------------------------------------------------------ */

static struct note *note_of(const struct bw_reaper *r, struct map *notes, const char *key)
{
    struct note *note = map_find(notes, key);

    if (!note) {
        note = mem_new(struct note);
        (void)map_put(notes, key, note);
    }
    note->sweep = r->sweeps;
    return note;
}

static void forget(const struct bw_reaper *r, struct map *notes)
{
    const char *key = NULL;
    void *value     = NULL;

    for (size_t it = 0; map_next(notes, &it, &key, &value);) {
        struct note *note = value;
        if (note->sweep == r->sweeps)
            continue;
        (void)map_remove(notes, key);
        mem_free(&note);
    }
}

void bw_reap_place_forget(struct bw_reaper *r)
{
    forget(r, r->strays);
    forget(r, r->touched);
    forget(r, r->silent);
}

void bw_reap_place_touched(struct bw_reaper *r, const struct bw_table_row *row)
{
    note_of(r, r->touched, row->key)->at_ms = clk_wall_ms();
}

void bw_reap_place_gone(struct bw_reaper *r, const struct bw_table_row *row)
{
    note_of(r, r->touched, row->key)->gone = row->revision;
}

/* ---- what only the list knows ------------------------------------------------------------------- */

static int64_t seen_since(struct bw_reaper *r, const char *remote_id)
{
    struct note *note = note_of(r, r->strays, remote_id);

    if (note->at_ms == 0)
        note->at_ms = clk_wall_ms();
    return note->at_ms;
}

/* Is it of this upstream, and named by no record? */
static bool take_stray(struct bw_reaper *r, const char *remote_id, const char *text)
{
    struct bw_table_row row = {0};
    struct bw_stamp stamp;

    if (!bw_stamp_read(text, &stamp) || !str_equal(stamp.upstream, r->upstream.name) ||
        bw_table_find(r->bw->table, bw_table_key(stamp.tenant, stamp.session, row.key)) ||
        !str_copy(row.record.remote_id, sizeof row.record.remote_id, remote_id))
        return false;
    str_copy(row.record.tenant, sizeof row.record.tenant, stamp.tenant);
    str_copy(row.record.run, sizeof row.record.run, stamp.run);
    str_copy(row.record.upstream, sizeof row.record.upstream, stamp.upstream);
    str_copy(row.record.endpoint, sizeof row.record.endpoint, place_of(r)->endpoint);
    r->in_hand  = row;
    r->is_stray = true;
    r->seen_ms  = seen_since(r, remote_id);
    return true;
}

static bool next_stray(struct bw_reaper *r)
{
    const struct json *stamp = NULL;
    const char *id           = NULL;

    while (r->listed && json_each(r->listed, &r->listed_at, &id, &stamp))
        if (take_stray(r, id, json_str(stamp)))
            return true;
    return false;
}

/* ---- what the table knows ------------------------------------------------------------------------ */

static bool is_here(const struct bw_reaper *r, const struct bw_table_row *row)
{
    const struct bw_reap_place *place = place_of(r);

    return str_equal(row->record.upstream, place->upstream) &&
           str_equal(row->record.endpoint, place->endpoint);
}

static void gather_rows(struct bw_reaper *r)
{
    const struct bw_table_row *row = NULL;

    for (size_t it = 0; bw_table_next(r->bw->table, &it, &row);) {
        if (!is_here(r, row))
            continue;
        r->keys                 = mem_grow(r->keys, r->key_count + 1, sizeof *r->keys);
        r->keys[r->key_count++] = mem_strdup(row->key);
    }
}

/* Its open was never answered: what the list shows under its stamp is its session. */
static void find_by_stamp(struct bw_reaper *r)
{
    struct bw_record *record = &r->in_hand.record;
    const struct json *text  = NULL;
    const char *id           = NULL;
    struct bw_stamp stamp;

    for (size_t it = 0; r->listed && json_each(r->listed, &it, &id, &text);)
        if (bw_stamp_read(json_str(text), &stamp) && str_equal(stamp.tenant, record->tenant) &&
            str_equal(stamp.session, bw_table_session(&r->in_hand)))
            (void)str_copy(record->remote_id, sizeof record->remote_id, id);
}

static bool next_row(struct bw_reaper *r)
{
    while (r->key_at < r->key_count) {
        const struct bw_table_row *row = bw_table_find(r->bw->table, r->keys[r->key_at++]);
        if (!row || !is_here(r, row))
            continue;
        const struct note *note = note_of(r, r->touched, row->key);
        r->in_hand              = *row;
        r->is_stray             = false;
        r->touched_ms           = note->at_ms;
        r->is_gone              = note->gone == row->revision;
        if (!*row->record.remote_id)
            find_by_stamp(r);
        return true;
    }
    return false;
}

/* ---- one session after the other ----------------------------------------------------------------- */

static struct err next_session(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = bw_reap_self(op);

    (void)reply;
    if (bw_reap_our_turn(r) && (next_row(r) || next_stray(r)))
        return bw_reap_session_judge(r);
    r->place_at++;
    return next_place(r);
}

/* Not deeper for each that is well. */
struct err bw_reap_place_next(struct bw_reaper *r)
{
    bw_reap_session_drop(r);
    return bus_wait(&r->op, 0, next_session);
}

void bw_reap_place_drop(struct bw_reaper *r)
{
    json_free(&r->listed);
    for (size_t i = 0; i < r->key_count; i++)
        mem_free(&r->keys[i]);
    mem_free(&r->keys);
    r->key_count = r->key_at = r->listed_at = 0;
    r->listed_mark                          = 0;
}

/* ---- the list --------------------------------------------------------------------------------------- */

static const char *where(const struct bw_reaper *r)
{
    return *place_of(r)->endpoint ? place_of(r)->endpoint : r->upstream.url;
}

static struct note *silence(struct bw_reaper *r)
{
    AUTO(mem_free) char *key = mem_printf("%s %s", r->upstream.name, where(r));

    return note_of(r, r->silent, key);
}

/* Told of once: a browser that is busy with its page for ever keeps its driver from answering, and then nobody closes
   what was left open there.  Of a place that answers no note is kept. */
static void note_silence(struct bw_reaper *r, const char *why)
{
    if (++silence(r)->times == BW_REAP_SILENT)
        log_warn("nobody lists the sessions here; what was left open stays open: restart it",
                 KV("upstream", r->upstream.name), KV("endpoint", where(r)), KV("why", why));
}

static void keep_list(struct bw_reaper *r, const struct bw_answer *a)
{
    bool refused = a->fate == CALL_NOT_SENT; /* nobody is there */

    if (a->fate == CALL_DONE && json_type(a->value) == JSON_OBJECT)
        r->listed = json_ref(a->value);
    else if (refused && place_of(r)->is_past)
        r->listed = json_new_object(); /* where nobody is nothing is open */
    else if (a->fate == CALL_UNANSWERED || refused)
        note_silence(r, a->detail);
    else
        log_debug("upstream does not list its sessions", KV("upstream", r->upstream.name),
                  KV("why", a->detail));
}

static void on_list(void *self, const struct bw_answer *a)
{
    struct bw_reaper *r = self;

    if (a)
        keep_list(r, a);
    else
        (void)silence(r); /* not asked: it stands as before */
    gather_rows(r);       /* of some it is known without a list that their time is over */
    (void)bw_reap_place_next(r);
}

/* ---- one place after the other ------------------------------------------------------------------------ */

static struct err next_place(struct bw_reaper *r)
{
    const struct bw_upstream *u = NULL;

    bw_reap_place_drop(r);
    r->driver = NULL;
    for (; r->place_at < r->place_count && !r->driver; r->place_at += !r->driver) {
        u = bw_upstream_find(r->bw->upstreams, place_of(r)->upstream);
        r->driver =
            u ? bw_driver_find(u->driver) : NULL; /* no longer configured: nobody to ask */
    }
    if (!r->driver || !bw_reap_our_turn(r)) {
        if (r->place_at == r->place_count)
            bw_reap_place_forget(r);
        return bw_reap_rest(r);
    }
    r->upstream    = *u;
    r->listed_mark = bw_table_mark(r->bw->table);
    bw_reap_call_start(&r->call, r, BW_LIST, on_list, r);
    return OK; /* parked */
}

struct err bw_reap_place_first(struct bw_reaper *r)
{
    r->place_at = 0;
    return next_place(r);
}
