#include "bw_reap.h"

#include <stdlib.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "bw.h"
#include "bw_reap_judge.h"
#include "bw_record.h"
#include "bw_upstream.h"
#include "svc/svc_leader.h"
#include "wire/subject.h"

enum {
    REAP_MAGIC   = 0x62777270,
    LEADER_MS    = 15000,
    LOOK_MS      = 1000,  /* whether it is our turn */
    CALL_MS      = 20000, /* of a list or a close */
    WAIT_MS      = 10000, /* for a permit */
    GRACE_MIN_MS = 10000,
    KEPT_TTL_S   = 24 * 3600, /* of an ended record, as bw_session writes it */
    RECORD_MAX   = 8192,
    KEY_SIZE     = STR_NAME_SIZE + ID_SIZE + 2,
};

/* One record that has not ended, as the bucket said last. */
struct known {
    char key[KEY_SIZE];
    struct bw_record record;
    uint64_t revision, read_no;
};

/*
 * One sweep: for each place that has sessions of ours (an upstream and an endpoint), its list,
 * and then each record there, one after the other.  One chain, which rests between two sweeps.
 */
struct bw_reaper {
    struct bus_op op; /* first: SELF() */
    struct bw *bw;
    struct svc_leader *leader;
    struct bus_follower *follower;
    struct map *known; /* key -> struct known */
    bool caught_up;
    bool freed;
    uint64_t read_no; /* counts what is read, and lists that are asked for */
    uint64_t due_at;

    bool sweeping;
    char **keys; /* of the records to look at in this sweep */
    size_t key_count, key_at;

    char upstream_name[STR_NAME_SIZE], endpoint[256]; /* the place in hand */
    struct bw_upstream upstream;
    const struct bw_driver *driver;
    struct map *listed; /* remote id -> anything; NULL: not known */
    uint64_t listed_no;

    struct known in_hand; /* a copy: the bucket goes on */
    struct run_fold fold;
    bool folding;
    struct bw_permit permit;
    struct bw_permit_ask *asking;
    struct bw_call *calling;
    struct json *doc; /* the record that is being rewritten */
    uint64_t revision;
};

static struct err next_record(struct bw_reaper *r);

static struct bw_reaper *self_of(struct bus_op *op)
{
    return SELF(struct bw_reaper, REAP_MAGIC, op);
}

/* ---- the session table ------------------------------------------------------------------- */

static void forget(struct bw_reaper *r, const char *key)
{
    struct known *k = map_remove(r->known, key);

    mem_free(&k);
}

static void on_record(void *self, struct bus_msg **msg)
{
    struct bw_reaper *r = self;
    const char *key     = bus_kv_key(*msg);
    struct known k      = {.revision = (*msg)->seq, .read_no = ++r->read_no};

    if (!key || !str_copy(k.key, sizeof k.key, key))
        return;
    forget(r, key);
    bool readable = !bus_kv_gone(*msg) && !failed(bw_record_read(&k.record, (*msg)->body));
    bool ended =
        str_equal(k.record.status, "completed") || str_equal(k.record.status, "expired");
    if (readable && !ended && *k.record.remote_id)
        (void)map_put(r->known, key, mem_copy(&k, sizeof k));
}

static void on_caught_up(void *self)
{
    struct bw_reaper *r = self;

    r->caught_up = true;
}

static void forget_all(struct bw_reaper *r)
{
    const char *key = NULL;
    void *value     = NULL;

    for (size_t it = 0; map_next(r->known, &it, &key, &value);)
        forget(r, key);
}

static void on_anew(void *self)
{
    forget_all(self);
}

static const char *session_of(const struct known *k)
{
    const char *dot = strchr(k->key, '.');

    return dot ? dot + 1 : "";
}

/* ---- one sweep, record by record --------------------------------------------------------- */

static void drop_list(struct bw_reaper *r)
{
    map_free(&r->listed);
}

static void drop_hand(struct bw_reaper *r)
{
    if (r->folding)
        run_fold_deinit(&r->fold);
    r->folding = false;
    json_free(&r->doc);
}

static struct err rest(struct bw_reaper *r)
{
    drop_hand(r);
    drop_list(r);
    for (size_t i = 0; i < r->key_count; i++)
        mem_free(&r->keys[i]);
    mem_free(&r->keys);
    r->key_count = r->key_at = 0;
    r->sweeping              = false;
    r->due_at                = bus_now(r->bw->bus) + r->bw->config->reap_ms;
    svc_poke(r->bw->svc);
    return OK; /* parked */
}

static bool our_turn(const struct bw_reaper *r)
{
    return !r->freed && svc_leader_is(r->leader) && !svc_draining(r->bw->svc);
}

static int by_place(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "upstream endpoint tenant.session": sorted by it, the records of one place stand together. */
static void gather(struct bw_reaper *r)
{
    void *value = NULL;
    size_t room = map_count(r->known);

    r->keys = mem_array(room, sizeof *r->keys);
    for (size_t it = 0; map_next(r->known, &it, NULL, &value);) {
        const struct known *k = value;
        r->keys[r->key_count++] =
            mem_printf("%s %s %s", k->record.upstream, k->record.endpoint, k->key);
    }
    if (r->key_count)
        qsort(r->keys, r->key_count, sizeof *r->keys, by_place);
}

static struct err record_over(struct bw_reaper *r)
{
    drop_hand(r);
    r->key_at++;
    return next_record(r);
}

static struct err over_later(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return record_over(self_of(op));
}

/* ---- rewriting a record ------------------------------------------------------------------ */

static struct err put_status(struct bw_reaper *r, const char *status, uint64_t revision,
                             bus_next_fn *next)
{
    bool closing                   = str_equal(status, "closing");
    const struct bus_expect expect = {.seq = revision, .ttl_s = closing ? 0 : KEPT_TTL_S};
    struct buf value;
    char at[40];

    json_set(r->doc, "status", json_new_str(status));
    json_set(r->doc, "last_updated_at",
             json_new_str(str_time_text(clk_wall_ms(), at, sizeof at)));
    buf_init(&value, RECORD_MAX);
    json_print(r->doc, &value);
    struct err e =
        bus_kv_put(&r->op, BUCKET_SESSIONS, r->in_hand.key, buf_bytes(&value), &expect, next);
    buf_deinit(&value);
    return e;
}

/* Is it still the record that was judged?  Then r->doc is it. */
static bool unchanged(struct bw_reaper *r, const struct bus_reply *reply)
{
    char why[JSON_WHY_SIZE];

    if (failed(reply->err) || reply->seq != r->in_hand.revision)
        return false;
    json_free(&r->doc);
    return !failed(json_parse(&r->doc, reply->body, why, sizeof why)) &&
           json_type(r->doc) == JSON_OBJECT;
}

static struct err read_record(struct bw_reaper *r, bus_next_fn *next)
{
    return bus_kv_get(&r->op, BUCKET_SESSIONS, r->in_hand.key, next);
}

/* ---- it is gone -------------------------------------------------------------------------- */

static struct err on_expired(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = self_of(op);

    if (!failed(reply->err)) {
        log_info("session expired at its upstream", KV("session", session_of(&r->in_hand)),
                 KV("upstream", r->in_hand.record.upstream), KV("run", r->in_hand.record.run));
        bw_permit_session_gone(r->bw->permits, r->in_hand.record.upstream,
                               session_of(&r->in_hand));
    }
    return record_over(r); /* refused: somebody has it now.  Not known: the next sweep sees */
}

static struct err expire_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = self_of(op);

    if (!unchanged(r, reply))
        return record_over(r);
    return put_status(r, "expired", reply->seq, on_expired);
}

/* ---- closing it -------------------------------------------------------------------------- */

static bool may(void *self)
{
    return our_turn(self);
}

static void start_call(struct bw_reaper *r, enum bw_verb verb, const char *remote_id,
                       bw_answer_fn *fn)
{
    const struct bw_request request = {.verb       = verb,
                                       .upstream   = &r->upstream,
                                       .endpoint   = r->endpoint,
                                       .remote_id  = remote_id,
                                       .effect     = EFFECT_READ,
                                       .timeout_ms = CALL_MS,
                                       .body_max   = r->bw->config->response_max,
                                       .page_max   = r->bw->config->page_max,
                                       .may        = may,
                                       .self       = r};

    r->calling = r->driver->start(&r->bw->drivers, &request, fn, r);
}

static void ask(struct bw_reaper *r, struct bw_permit_want want, bw_permit_fn *fn)
{
    want.upstream    = r->upstream_name;
    want.lane        = LANE_STANDARD;
    want.wait_ms     = WAIT_MS;
    want.lifetime_ms = CALL_MS;
    r->asking        = bw_permit_ask(r->bw->permits, &want, &r->permit, fn, r);
}

static void report(struct bw_reaper *r, const struct bw_answer *a, bool closed)
{
    const struct bw_permit_done done = {.status         = (uint32_t)a->status,
                                        .ms             = (uint32_t)a->ms,
                                        .retry_after_ms = a->retry_after_ms,
                                        .call_class     = a->call_class,
                                        .session_closed = closed};

    bw_permit_report(r->bw->permits, &r->permit, &done);
}

static struct err on_completed(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply; /* not stored: it stays closing, and the next list lacks it */
    return record_over(self_of(op));
}

/* Called from outside the chain, which is parked. */
static void on_closed(void *self, const struct bw_answer *a)
{
    struct bw_reaper *r = self;
    bool closed = a->fate == CALL_DONE || a->fate == CALL_SESSION_LOST || a->session_gone;

    r->calling = NULL;
    report(r, a, closed);
    if (!closed) {
        log_warn("session not closed", KV("session", session_of(&r->in_hand)),
                 KV("upstream", r->upstream_name), KV("why", a->detail));
        (void)record_over(r);
        return;
    }
    log_info("session closed", KV("session", session_of(&r->in_hand)),
             KV("upstream", r->upstream_name), KV("run", r->in_hand.record.run),
             KV("why", r->in_hand.record.free ? "kept long enough" : "nobody's"));
    (void)put_status(r, "completed", r->revision, on_completed);
}

static void close_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_reaper *r = self;

    r->asking = NULL;
    if (answer->granted && our_turn(r)) {
        start_call(r, BW_CLOSE, r->in_hand.record.remote_id, on_closed);
        return;
    }
    bw_permit_return(r->bw->permits, &r->permit);
    (void)record_over(r);
}

/* From here on no run can take it. */
static struct err on_claimed(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r                = self_of(op);
    const struct bw_permit_want closes = {.tenant  = r->in_hand.record.tenant,
                                          .run     = r->in_hand.record.run,
                                          .session = session_of(&r->in_hand),
                                          .close   = true};

    if (failed(reply->err))
        return record_over(r);
    r->revision = reply->seq;
    ask(r, closes, close_granted);
    return OK; /* parked */
}

static struct err close_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = self_of(op);

    if (!unchanged(r, reply))
        return record_over(r);
    return put_status(r, "closing", reply->seq, on_claimed);
}

/* ---- looking at its run ------------------------------------------------------------------ */

static struct err judge(struct bw_reaper *r);
static struct err on_journal(struct bus_op *op, const struct bus_reply *reply);

static struct err read_journal(struct bw_reaper *r)
{
    char subject[SUBJECT_SIZE];
    const struct bus_read read = {
        .stream  = STREAM_JOURNAL,
        .subject = subject_journal(subject, r->in_hand.record.tenant, r->in_hand.record.run),
        .from    = r->fold.last_seq ? r->fold.last_seq + 1 : 0};

    return bus_read(&r->op, &read, on_journal);
}

static struct err on_journal(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = self_of(op);
    struct arena *arena = NULL;

    if (failed(reply->err))
        return record_over(r);
    arena = arena_new();
    for (const struct bus_msg *m = reply->msgs; m; m = m->next) {
        struct entry e;

        if (failed(wire_read_entry(&e, m->body, arena)))
            e = (struct entry){.kind = ENTRY_NONE};
        e.seq       = m->seq;
        e.stored_ms = m->stored_ms;
        run_fold_add(&r->fold, &e);
        arena_reset(arena);
    }
    arena_free(&arena);
    return reply->more && reply->count ? read_journal(r) : judge(r);
}

/* Most runs live, and the last entry says so. */
static bool says_living(const struct bus_msg *last)
{
    static const char *const LIVING[] = {"PLAN",   "ACCEPTED", "LEASED",  "RELEASED", "OPENING",
                                         "OPENED", "INTENT",   "OUTCOME", "SPAWNED",  NULL};
    const char *kind                  = bus_msg_header(last, "Sluice-Kind");

    for (size_t i = 0; kind && LIVING[i]; i++)
        if (str_equal(LIVING[i], kind))
            return true;
    return false;
}

static struct err on_last(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = self_of(op);
    bool absent         = reply->err.kind == ERR_ABSENT;

    if (failed(reply->err) && !absent)
        return record_over(r);
    if (!absent && says_living(reply->msgs))
        return record_over(r);
    run_fold_init(&r->fold);
    r->folding = true;
    return absent ? judge(r) : read_journal(r);
}

static struct err look(struct bw_reaper *r)
{
    const struct bw_record *record = &r->in_hand.record;
    char subject[SUBJECT_SIZE];

    if (!str_is_name(record->tenant) || !id_valid(record->run))
        return record_over(r); /* written by hand */
    return bus_get_last(&r->op, STREAM_JOURNAL,
                        subject_journal(subject, record->tenant, record->run), on_last);
}

/* ---- judging one ------------------------------------------------------------------------- */

static enum bw_reap_listed listed(const struct bw_reaper *r)
{
    if (!r->listed || r->in_hand.read_no > r->listed_no)
        return BW_REAP_UNKNOWN;
    return map_find(r->listed, r->in_hand.record.remote_id) ? BW_REAP_LISTED
                                                            : BW_REAP_NOT_LISTED;
}

static struct err judge(struct bw_reaper *r)
{
    uint64_t reap_ms                 = r->bw->config->reap_ms;
    const struct bw_reap_sight sight = {
        .record   = &r->in_hand.record,
        .listed   = listed(r),
        .looked   = r->folding,
        .phase    = r->folding ? r->fold.phase : RUN_ABSENT,
        .ended_ms = r->folding ? r->fold.ended_ms : 0,
        .keep_ms  = r->folding ? r->fold.plan.keep_session_ms : 0,
        .now_ms   = clk_wall_ms(),
        .grace_ms = reap_ms > GRACE_MIN_MS ? reap_ms : GRACE_MIN_MS};

    switch (bw_reap_judge(&sight)) {
    case BW_REAP_LEAVE:
        return bus_wait(&r->op, 0, over_later); /* not deeper for each that is well */
    case BW_REAP_LOOK:
        return look(r);
    case BW_REAP_EXPIRE:
        return read_record(r, expire_read);
    case BW_REAP_CLOSE:
        return read_record(r, close_read);
    }
    must(!"unknown move");
    return record_over(r);
}

static struct err judge_later(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return judge(self_of(op));
}

/* ---- the list of a place ----------------------------------------------------------------- */

static void on_list(void *self, const struct bw_answer *a)
{
    struct bw_reaper *r = self;

    r->calling = NULL;
    report(r, a, false);
    if (a->fate == CALL_DONE && json_type(a->value) == JSON_ARRAY) {
        r->listed = map_new();
        for (size_t i = 0; i < json_count(a->value); i++)
            (void)map_put(r->listed, json_str(json_at(a->value, i)), r);
    } else {
        log_debug("upstream does not list its sessions", KV("upstream", r->upstream_name),
                  KV("why", a->detail));
    }
    (void)bus_wait(&r->op, 0, judge_later);
}

static void list_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_reaper *r = self;

    r->asking = NULL;
    if (answer->granted && our_turn(r)) {
        r->listed_no = ++r->read_no;
        start_call(r, BW_LIST, "", on_list);
        return;
    }
    bw_permit_return(r->bw->permits, &r->permit);
    (void)bus_wait(&r->op, 0, judge_later);
}

/* Another place than the one in hand?  Then its list comes first. */
static struct err go_to_place(struct bw_reaper *r)
{
    const struct bw_record *record    = &r->in_hand.record;
    const struct bw_permit_want lists = {.tenant = ""};
    const struct bw_upstream *u       = bw_upstream_find(r->bw->upstreams, record->upstream);

    if (str_equal(r->upstream_name, record->upstream) &&
        str_equal(r->endpoint, record->endpoint))
        return bus_wait(&r->op, 0, r->driver ? judge_later : over_later);
    drop_list(r);
    r->listed_no = 0;
    str_copy(r->upstream_name, sizeof r->upstream_name, record->upstream);
    str_copy(r->endpoint, sizeof r->endpoint, record->endpoint);
    r->driver = u ? bw_driver_find(u->driver) : NULL;
    if (!r->driver) /* no longer configured: nobody to ask */
        return bus_wait(&r->op, 0, over_later);
    r->upstream = *u;
    ask(r, lists, list_granted);
    return OK; /* parked */
}

static struct err next_record(struct bw_reaper *r)
{
    const struct known *k = NULL;

    if (!our_turn(r))
        return rest(r);
    while (r->key_at < r->key_count && !k) {
        k = map_find(r->known, strrchr(r->keys[r->key_at], ' ') + 1);
        if (!k)
            r->key_at++;
    }
    if (!k)
        return rest(r);
    r->in_hand = *k;
    return go_to_place(r);
}

static struct err begin(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_reaper *r = self_of(op);

    (void)reply;
    r->upstream_name[0] = r->endpoint[0] = '\0';
    r->driver                            = NULL;
    gather(r);
    return next_record(r);
}

uint64_t bw_reap_tick(struct bw_reaper *r, uint64_t now)
{
    if (r->sweeping)
        return UINT64_MAX;
    if (!our_turn(r) || !r->caught_up || !bw_upstream_ready(r->bw->upstreams) ||
        !svc_ready(r->bw->svc))
        return now + LOOK_MS;
    if (now < r->due_at)
        return r->due_at;
    if (map_count(r->known) == 0) {
        r->due_at = now + r->bw->config->reap_ms;
        return r->due_at;
    }
    r->sweeping = true;
    (void)bus_wait(&r->op, 0, begin);
    return UINT64_MAX;
}

/* ---- life -------------------------------------------------------------------------------- */

static void reap_end(struct bus_op *op, struct err e)
{
    struct bw_reaper *r = self_of(op);

    (void)e;
    must(r->freed);
    mem_free(&r);
}

struct bw_reaper *bw_reap_new(struct bw *bw)
{
    struct bw_reaper *r                   = mem_new(struct bw_reaper);
    const struct svc_leader_events events = {.self = r};
    const struct bus_follow follow        = {.stream           = "KV_" BUCKET_SESSIONS,
                                             .filter           = "$KV." BUCKET_SESSIONS ".>",
                                             .last_per_subject = true,
                                             .on_msg           = on_record,
                                             .on_caught_up     = on_caught_up,
                                             .on_anew          = on_anew,
                                             .self             = r};

    r->bw    = bw;
    r->known = map_new();
    bus_op_start(bw->bus, &r->op, REAP_MAGIC, "reap", 0, reap_end);
    if (failed(bus_follow(bw->bus, &follow, &r->follower)))
        die(1, "browser-worker: cannot follow the sessions");
    r->leader = svc_leader_new(bw->svc, "reaper", LEADER_MS, &events);
    return r;
}

void bw_reap_free(struct bw_reaper **slot)
{
    struct bw_reaper *r = take(slot);

    if (!r)
        return;
    r->freed = true;
    if (r->asking)
        bw_permit_cancel(&r->asking);
    if (r->calling)
        r->driver->cancel(&r->calling);
    bus_follow_end(&r->follower);
    svc_leader_free(&r->leader);
    drop_hand(r);
    drop_list(r);
    for (size_t i = 0; i < r->key_count; i++)
        mem_free(&r->keys[i]);
    mem_free(&r->keys);
    forget_all(r);
    map_free(&r->known);
    (void)bus_op_done(&r->op);
}
