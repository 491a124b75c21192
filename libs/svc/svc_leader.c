#include "svc/svc_leader.h"

#include <inttypes.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "svc/svc_internal.h"
#include "wire/subject.h"

enum {
    LEADER_MAGIC      = 0x534c4431,
    VALUE_SIZE        = 320,
    REPLICATED_TTL_MS = 15000,
    SOON_MS = 250,      /* before a campaign or renewal that could not be sent is tried again */
    READ_AGAIN_MS = 50, /* a read may be answered by a follower that has not heard yet */
};

/*
 * One chain of round trips at a time, begun by the tick: a campaign (read the key, write it if it
 * is gone or ours), a renewal (write it, expecting our last revision) or a resignation (delete
 * it).  Between them the leader rests, and two things wake it: its instant and the bucket.
 */
struct svc_leader {
    struct bus_op op; /* first: SELF() */
    struct svc *svc;
    struct list link;
    char key[STR_NAME_SIZE];
    uint64_t ttl_ms;
    struct svc_leader_events on;
    struct bus_follower *follower;
    char value[VALUE_SIZE]; /* what we write: names this process, and nobody else writes it */

    bool busy;
    bool held;
    bool unsure;   /* a write of ours had no answer: read before writing */
    bool resigned; /* never again */
    bool freed;    /* by its owner: the memory goes with the chain */
    uint64_t epoch;
    uint64_t revision;   /* of the key as we wrote it last */
    uint64_t gone;       /* the marker that the bucket showed last; 0: there is somebody */
    uint64_t sent_boot;  /* when the write under way was sent */
    uint64_t until_boot; /* ours without doubt until then */
    uint64_t wake_at;    /* monotonic ms */
};

static struct err write_key(struct svc_leader *l, uint64_t expect);
static struct err resign_key(struct svc_leader *l, uint64_t revision);

static uint64_t third(const struct svc_leader *l)
{
    return l->ttl_ms / 3;
}

static void wake_in(struct svc_leader *l, uint64_t ms)
{
    l->wake_at = svc_now(l->svc) + ms;
    svc_poke(l->svc);
}

/* ---- holding -------------------------------------------------------------------------------- */

static void step_down(struct svc_leader *l, const char *why)
{
    if (!l->held)
        return;
    if (l->resigned)
        log_info("leadership given back", KV("key", l->key), KV("epoch", l->epoch));
    else
        log_warn("leadership lost", KV("key", l->key), KV("epoch", l->epoch), KV("why", why));
    l->held  = false;
    l->epoch = 0;
    if (!l->freed && l->on.lost)
        l->on.lost(l->on.self, why);
}

/* The write that was sent at sent_boot is stored: the server's clock began no earlier. */
static void written(struct svc_leader *l, uint64_t revision)
{
    l->revision   = revision;
    l->unsure     = false;
    l->gone       = 0;
    l->until_boot = l->sent_boot + 2 * third(l);
    wake_in(l, third(l));
    if (l->held || l->resigned || clk_boot_ms() >= l->until_boot)
        return;
    l->held  = true;
    l->epoch = revision;
    log_info("leadership won", KV("key", l->key), KV("epoch", l->epoch));
    if (l->on.won)
        l->on.won(l->on.self, l->epoch);
}

bool svc_leader_is(const struct svc_leader *l)
{
    return l->held && clk_boot_ms() < l->until_boot;
}

uint64_t svc_leader_epoch(const struct svc_leader *l)
{
    return svc_leader_is(l) ? l->epoch : 0;
}

/* ---- the chain ------------------------------------------------------------------------------ */

static bool ours(const struct svc_leader *l, struct bytes value)
{
    return bytes_equal(value, bytes_str(l->value));
}

static struct err on_read(struct bus_op *op, const struct bus_reply *r)
{
    struct svc_leader *l = SELF(struct svc_leader, LEADER_MAGIC, op);
    bool mine            = !failed(r->err) && ours(l, r->body);

    if (failed(r->err) && r->err.kind != ERR_ABSENT)
        return r->err;
    if (l->resigned)
        return mine ? resign_key(l, r->seq) : bus_op_done(op);
    if (mine)
        return write_key(l, r->seq);
    if (l->held) {
        step_down(l, failed(r->err) ? "the key is gone" : "another leads");
        wake_in(l, failed(r->err) ? 0 : third(l));
        return bus_op_done(op);
    }
    if (failed(r->err))
        return write_key(l, r->seq);
    wake_in(l, third(l));
    return bus_op_done(op);
}

static struct err read_key(struct svc_leader *l)
{
    return bus_kv_get(&l->op, BUCKET_LEADERS, l->key, on_read);
}

static struct err on_read_again(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    return read_key(SELF(struct svc_leader, LEADER_MAGIC, op));
}

static struct err on_written(struct bus_op *op, const struct bus_reply *r)
{
    struct svc_leader *l = SELF(struct svc_leader, LEADER_MAGIC, op);

    if (r->err.kind == ERR_CONFLICT) {
        if (l->held || l->resigned)
            return bus_wait(op, READ_AGAIN_MS, on_read_again); /* perhaps our own, unanswered */
        wake_in(l, third(l));
        return bus_op_done(op);
    }
    if (failed(r->err))
        return r->err;
    written(l, r->seq);
    return l->resigned ? resign_key(l, r->seq) : bus_op_done(op);
}

/* The TTL is said each time: a plain update would drop it, and the leader were eternal. */
static struct err write_key(struct svc_leader *l, uint64_t expect)
{
    struct bus_expect e = {.seq = expect, .ttl_s = (uint32_t)((l->ttl_ms + 999) / 1000)};

    l->sent_boot = clk_boot_ms();
    return bus_kv_put(&l->op, BUCKET_LEADERS, l->key, bytes_str(l->value), &e, on_written);
}

static struct err on_deleted(struct bus_op *op, const struct bus_reply *r)
{
    return failed(r->err) ? r->err : bus_op_done(op);
}

static struct err resign_key(struct svc_leader *l, uint64_t revision)
{
    l->revision = 0;
    return bus_kv_delete(&l->op, BUCKET_LEADERS, l->key, revision, on_deleted);
}

static void ended(struct bus_op *op, struct err e)
{
    struct svc_leader *l = SELF(struct svc_leader, LEADER_MAGIC, op);

    l->busy   = false;
    l->unsure = l->unsure || e.kind == ERR_UNKNOWN;
    if (l->freed) {
        mem_free(&l);
        return;
    }
    if (l->resigned) {
        svc_poke(l->svc); /* what was under way has ended: the tick deletes the key */
        return;
    }
    if (!failed(e))
        return;
    wake_in(l, third(l) < SOON_MS ? third(l) : SOON_MS);
    if (e.kind == ERR_RETRY && bus_connected(l->svc->bus))
        svc_streams_missing(l->svc); /* nobody stores for the bucket */
}

static void start(struct svc_leader *l)
{
    l->busy    = true;
    l->wake_at = UINT64_MAX; /* each end of the chain says when */
    bus_op_start(l->svc->bus, &l->op, LEADER_MAGIC, "leader", third(l), ended);
}

/* ---- between the chains ---------------------------------------------------------------------- */

/* Only when the key may still be ours: after that there is nothing to give back. */
static void start_resignation(struct svc_leader *l)
{
    uint64_t revision = l->revision;
    bool unsure       = l->unsure;

    start(l);
    l->revision = 0;
    l->unsure   = false; /* one attempt: if it fails, the key lives out its term */
    if (unsure)
        read_key(l);
    else
        resign_key(l, revision);
}

static void start_campaign(struct svc_leader *l)
{
    uint64_t gone = l->gone;

    start(l);
    l->gone = 0;
    if (l->held && !l->unsure)
        write_key(l, l->revision);
    else if (gone && !l->held)
        write_key(l, gone);
    else
        read_key(l);
}

static bool gives_back(const struct svc_leader *l)
{
    return l->resigned && (l->revision != 0 || l->unsure);
}

/* Nothing is under way, and its instant is what it waits for.  A campaign needs a bucket. */
static bool rests(const struct svc_leader *l)
{
    return !l->busy && !l->resigned && (l->held || svc_ready(l->svc));
}

static uint64_t tick_one(struct svc_leader *l, uint64_t now)
{
    uint64_t boot = clk_boot_ms();

    if (l->held && boot >= l->until_boot) {
        step_down(l, "it could not be renewed in time");
        l->unsure = true;
    }
    if (!l->busy && gives_back(l))
        start_resignation(l);
    else if (rests(l) && now >= l->wake_at)
        start_campaign(l);

    uint64_t wake     = rests(l) ? l->wake_at : UINT64_MAX;
    uint64_t deadline = l->held ? now + (l->until_boot - boot) : UINT64_MAX;

    return wake < deadline ? wake : deadline;
}

uint64_t svc_leader_tick(struct svc *svc, uint64_t now)
{
    uint64_t first = UINT64_MAX;

    LIST_EACH_SAFE(&svc->leaders, it)
    {
        uint64_t next = tick_one(LIST_OWNER(it, struct svc_leader, link), now);

        first = next < first ? next : first;
    }
    return first;
}

/* The bucket says at once what a campaign would find out at its next instant. */
static void on_key(void *self, struct bus_msg **msg)
{
    struct svc_leader *l    = SELF(struct svc_leader, LEADER_MAGIC, self);
    const struct bus_msg *m = *msg;

    if (bus_kv_gone(m)) {
        l->gone = m->seq;
        if (m->seq > l->revision)
            step_down(l, "the key is gone"); /* it expired, or somebody deleted it */
        if (!l->held)
            wake_in(l, 0);
        return;
    }
    l->gone = 0;
    if (l->held && m->seq > l->revision && !ours(l, m->body)) {
        step_down(l, "another leads");
        wake_in(l, third(l));
    }
}

static void on_anew(void *self)
{
    struct svc_leader *l = SELF(struct svc_leader, LEADER_MAGIC, self);

    l->gone   = 0;
    l->unsure = true;
    wake_in(l, 0);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void write_value(struct svc_leader *l)
{
    char since[32], nonce[ID_SIZE];

    id_new(clk_wall_ms(), nonce);
    must(str_format(l->value, sizeof(l->value),
                    "{\"service\":\"%s\",\"leader\":\"%s\",\"id\":\"%s\",\"since\":\"%s\"}",
                    l->svc->about->name, l->svc->instance, nonce,
                    str_time_text(clk_wall_ms(), since, sizeof(since))));
}

struct svc_leader *svc_leader_new(struct svc *svc, const char *key, uint64_t ttl_ms,
                                  const struct svc_leader_events *on)
{
    struct svc_leader *l = mem_new(struct svc_leader);
    bool replicated      = svc_config(svc)->replicas > 1;
    char filter[SUBJECT_SIZE];

    must(ttl_ms >= 1000);
    l->op.magic = LEADER_MAGIC;
    l->svc      = svc;
    l->ttl_ms   = replicated && ttl_ms < REPLICATED_TTL_MS ? REPLICATED_TTL_MS : ttl_ms;
    l->on       = *on;
    l->wake_at  = svc_now(svc);
    must(str_copy(l->key, sizeof(l->key), key));
    write_value(l);
    list_push(&svc->leaders, &l->link);

    must(str_format(filter, sizeof(filter), "$KV.%s.%s", BUCKET_LEADERS, key));
    struct bus_follow follow = {
        .stream           = "KV_" BUCKET_LEADERS,
        .filter           = filter,
        .last_per_subject = true,
        .on_msg           = on_key,
        .on_anew          = on_anew,
        .self             = l,
    };
    struct err e = bus_follow(svc->bus, &follow, &l->follower);

    if (failed(e))
        die(1, "cannot follow %s", filter);
    svc_poke(svc);
    return l;
}

static void resign(struct svc_leader *l)
{
    if (l->resigned)
        return;
    l->resigned = true;
    if (!l->held && !l->unsure)
        l->revision = 0;
    step_down(l, "resigned");
    svc_poke(l->svc);
}

void svc_leader_free(struct svc_leader **slot)
{
    struct svc_leader *l = take(slot);

    if (!l)
        return;
    l->freed = true;
    resign(l);
    if (!l->busy && gives_back(l))
        start_resignation(l);
    bus_follow_end(&l->follower);
    list_remove(&l->link);
    if (!l->busy)
        mem_free(&l);
}

void svc_leader_deposed(struct svc_leader *l, const char *why)
{
    if (!l->held)
        return;
    l->unsure = true;
    step_down(l, why);
    wake_in(l, third(l));
}

void svc_leader_resign_all(struct svc *svc)
{
    LIST_EACH_SAFE(&svc->leaders, it)
    resign(LIST_OWNER(it, struct svc_leader, link));
}

bool svc_leader_busy(const struct svc *svc)
{
    LIST_EACH(&svc->leaders, it)
    {
        const struct svc_leader *l = LIST_OWNER(it, struct svc_leader, link);

        if (l->busy || gives_back(l))
            return true;
    }
    return false;
}

bool svc_leader_any(const struct svc *svc)
{
    LIST_EACH(&svc->leaders, it)
    if (svc_leader_is(LIST_OWNER(it, struct svc_leader, link)))
        return true;
    return false;
}

void svc_leader_metrics(const struct svc *svc, struct buf *to)
{
    if (list_empty(&svc->leaders))
        return;
    buf_str(to,
            "# HELP sluice_leader_epoch the epoch of a leadership held here; 0: another leads\n"
            "# TYPE sluice_leader_epoch gauge\n");
    LIST_EACH(&svc->leaders, it)
    {
        const struct svc_leader *l = LIST_OWNER(it, struct svc_leader, link);

        buf_printf(to, "sluice_leader_epoch{key=\"%s\"} %" PRIu64 "\n", l->key,
                   svc_leader_epoch(l));
    }
}
