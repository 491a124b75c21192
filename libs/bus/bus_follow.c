#include "base/backoff.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_meta.h"
#include "bus/bus_pull.h"
#include "bus/bus_scan.h"

enum {
    FOLLOWER_MAGIC = 0x666c6c77,
    BATCH          = 512, /* outstanding at most; asked for again at half of it */
    EXPIRES_MS     = 20000,
    RETRY_BASE_MS  = 50,
    RETRY_CAP_MS   = 1000,
    IDLE_S = 30, /* our consumer is deleted by the server when nobody pulls for that long */
    CREATED_SIZE = 64,
};

struct bus_follower {
    struct bus_op op; /* first: SELF() */
    struct list link;
    struct bus_pull pull;
    struct bus_follow want;
    char *stream, *filter;
    char consumer[32];          /* "": there is none now */
    char created[CREATED_SIZE]; /* the stream we know; "": none yet */
    uint64_t seen;              /* the last delivered; 0: none of this stream */
    uint64_t seq;               /* go on behind it … */
    bool begun;                 /* … if this is set */
    uint64_t consumer_seq;
    uint64_t left; /* of what was there when the consumer was made */
    bool caught_up;
    unsigned tries;
    bool virgin; /* no stream of this name was ever seen */
    bool ended;
};

static struct err ask_stream(struct bus_follower *f);
static struct err on_watch(struct bus_op *op, const struct bus_reply *reply);

static struct bus_follower *self_of(struct bus_op *op)
{
    return SELF(struct bus_follower, FOLLOWER_MAGIC, op);
}

static void caught_up(struct bus_follower *f)
{
    if (f->caught_up || f->ended)
        return;
    f->caught_up = true;
    if (f->want.on_caught_up)
        f->want.on_caught_up(f->want.self);
}

/* The consumer deletes itself in time; this is only sooner. */
static void delete_consumer(struct bus_follower *f)
{
    char subject[BUS_SUBJECT_SIZE];
    struct bus_out out = {.subject = bus_api_name(subject, "$JS.API.CONSUMER.DELETE.%s.%s",
                                                  f->stream, f->consumer)};

    if (f->consumer[0] != '\0' && bus_connected(f->op.bus))
        (void)bus_send(f->op.bus, &out);
    f->consumer[0] = '\0';
}

/* ---- making the consumer ------------------------------------------------------------------------ */

static struct err on_retry(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return ask_stream(self_of(op));
}

/* Without a connection there is nothing to do until it comes back (bus_follow_state). */
static struct err retry(struct bus_follower *f)
{
    if (!bus_connected(f->op.bus))
        return OK;
    return bus_wait(&f->op,
                    backoff_half_ms(f->tries++, RETRY_BASE_MS, RETRY_CAP_MS, id_random64()),
                    on_retry);
}

/* From wherever we are: make a new consumer that goes on behind the last message seen. */
static void remake(struct bus_follower *f, const char *why)
{
    log_debug("follower starts over", KV("stream", f->stream), KV("why", why),
              KV("seq", f->seq));
    delete_consumer(f);
    bus_pull_reset(&f->pull);
    bus_op_recall(&f->op);
    (void)retry(f);
}

static void pull(struct bus_follower *f)
{
    uint32_t out = f->pull.outstanding;

    if (f->consumer[0] != '\0' && !f->ended && out <= BATCH / 2)
        (void)bus_pull_ask(&f->pull, f->stream, f->consumer, BATCH - out, EXPIRES_MS);
}

static struct err on_created(struct bus_op *op, const struct bus_reply *reply)
{
    struct bus_follower *f = self_of(op);
    struct bytes pending;

    if (failed(reply->err) || !bus_scan_find(reply->body, "num_pending", &pending) ||
        !bus_scan_u64(pending, &f->left)) {
        f->consumer[0] = '\0';
        log_debug("follower cannot start", KV("stream", f->stream), KV("err", reply->err),
                  KV("why", reply->text));
        return retry(f);
    }
    f->consumer_seq = 0;
    f->tries        = 0;
    bus_pull_reset(&f->pull);
    pull(f);
    if (f->left == 0)
        caught_up(f);
    return f->ended ? OK : bus_wait(op, BUS_PULL_WATCH_MS, on_watch);
}

static void add_start(struct buf *to, const struct bus_follower *f)
{
    if (f->begun)
        buf_printf(to, "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%llu",
                   (unsigned long long)f->seq + 1);
    else
        buf_printf(to, "\"deliver_policy\":\"%s\"",
                   f->want.last_per_subject ? "last_per_subject" : "all");
}

static struct err create(struct bus_follower *f)
{
    char call[BUS_SUBJECT_SIZE], hex[17];
    struct buf body;

    must(str_format(f->consumer, sizeof(f->consumer), "follow-%s",
                    str_hex64(id_random64(), hex)));
    buf_init(&body, 4096);
    buf_printf(&body,
               "{\"stream_name\":\"%s\",\"action\":\"create\",\"config\":{\"name\":\"%s\",",
               f->stream, f->consumer);
    add_start(&body, f);
    buf_printf(
        &body,
        ",\"filter_subject\":\"%s\",\"ack_policy\":\"none\",\"replay_policy\":\"instant\"",
        f->filter);
    buf_printf(&body,
               ",\"mem_storage\":true,\"num_replicas\":1,\"inactive_threshold\":%d000000000",
               IDLE_S);
    buf_printf(&body, ",\"headers_only\":%s}}", f->want.headers_only ? "true" : "false");
    must(!body.full);
    bus_api_name(call, "CONSUMER.CREATE.%s.%s.%s", f->stream, f->consumer, f->filter);
    struct err e = bus_api(&f->op, call, buf_bytes(&body), on_created);
    buf_deinit(&body);
    return e;
}

/* ---- is it still the same stream ---------------------------------------------------------------- */

/* What was learned is void; all of the new stream is news. */
static void anew(struct bus_follower *f)
{
    log_debug("stream made anew", KV("stream", f->stream), KV("seq", f->seq));
    f->created[0] = '\0';
    f->seen = f->seq = 0;
    f->begun         = false;
    f->caught_up     = false;
    if (!f->ended && f->want.on_anew)
        f->want.on_anew(f->want.self);
}

static bool read_stream(struct bytes info, char created[CREATED_SIZE], uint64_t *ret_last)
{
    struct bytes value;

    return bus_scan_find(info, "created", &value) &&
           bus_scan_text(value, created, CREATED_SIZE) &&
           bus_scan_find(info, "state.last_seq", &value) && bus_scan_u64(value, ret_last);
}

/* Where the first consumer of a stream starts. */
static void begin(struct bus_follower *f, const char *created, uint64_t last)
{
    must(str_copy(f->created, sizeof(f->created), created));
    if (!f->virgin)
        return;
    f->virgin = false;
    if (f->want.only_new)
        f->seq = last;
    else if (f->want.from > 0)
        f->seq = f->want.from - 1;
    f->begun = f->want.only_new || f->want.from > 0;
}

static struct err on_stream(struct bus_op *op, const struct bus_reply *reply)
{
    struct bus_follower *f = self_of(op);
    char created[CREATED_SIZE];
    uint64_t last = 0;
    bool had      = f->created[0] != '\0';

    if (reply->err.kind == ERR_ABSENT && had)
        anew(f);
    if (f->ended)
        return OK;
    if (failed(reply->err) || !read_stream(reply->body, created, &last))
        return retry(f);
    if (had && (strcmp(created, f->created) != 0 || last < f->seen)) {
        anew(f);
        had = false;
    }
    if (f->ended)
        return OK;
    if (!had)
        begin(f, created, last);
    return create(f);
}

static struct err ask_stream(struct bus_follower *f)
{
    char call[BUS_SUBJECT_SIZE];

    return bus_api(&f->op, bus_api_name(call, "STREAM.INFO.%s", f->stream), bytes_of(NULL, 0),
                   on_stream);
}

/* ---- what it delivers --------------------------------------------------------------------------- */

static bool is_ours(const struct bus_follower *f, const struct bus_msg *msg)
{
    struct bus_meta meta;

    return f->consumer[0] != '\0' && bus_meta_read(msg->reply, &meta) &&
           bytes_equal(meta.consumer, bytes_str(f->consumer));
}

static void deliver(struct bus_follower *f, struct bus_msg **msg)
{
    uint64_t pending = (*msg)->pending;

    if (!is_ours(f, *msg))
        return;
    if ((*msg)->consumer_seq != f->consumer_seq + 1) {
        remake(f, "delivery skipped");
        return;
    }
    f->consumer_seq++;
    f->seen = f->seq = (*msg)->seq;
    f->begun         = true;
    f->want.on_msg(f->want.self, msg);
    if (pending == 0 || f->consumer_seq >= f->left)
        caught_up(f);
    pull(f);
}

/* Nothing was delivered for a whole heartbeat: there is nothing more, unless something was lost. */
static void on_beat(struct bus_follower *f, uint64_t last)
{
    if (last == f->consumer_seq)
        caught_up(f);
    else
        remake(f, "delivery lost");
}

static void on_msg(void *self, struct bus_msg **msg)
{
    struct bus_follower *f    = self;
    struct bus_pull_news news = bus_pull_read(&f->pull, *msg);

    switch (news.kind) {
    case BUS_PULL_MSG:
        deliver(f, msg);
        break;
    case BUS_PULL_BEAT:
        on_beat(f, news.last);
        break;
    case BUS_PULL_OVER:
        pull(f);
        break;
    case BUS_PULL_GONE:
    case BUS_PULL_BROKEN:
        remake(f, news.why);
        break;
    case BUS_PULL_STALE:
        break;
    }
}

static struct err on_watch(struct bus_op *op, const struct bus_reply *reply)
{
    struct bus_follower *f = self_of(op);

    (void)reply;
    if (bus_connected(op->bus) && bus_pull_dead(&f->pull)) {
        remake(f, "heartbeat missed");
        return OK;
    }
    pull(f);
    return bus_wait(op, BUS_PULL_WATCH_MS, on_watch);
}

void bus_follow_state(struct bus *bus, bool connected)
{
    LIST_EACH_SAFE(&bus->followers, it)
    {
        struct bus_follower *f = LIST_OWNER(it, struct bus_follower, link);

        if (f->ended)
            continue;
        f->tries = 0;
        bus_pull_reset(&f->pull);
        bus_op_recall(&f->op);
        if (connected) {
            delete_consumer(f);
            (void)ask_stream(f);
        }
    }
}

/* ---- life -------------------------------------------------------------------------------------- */

static void on_end(struct bus_op *op, struct err e)
{
    struct bus_follower *f = self_of(op);

    (void)e;
    bus_pull_deinit(&f->pull);
    list_remove(&f->link);
    mem_free(&f->stream);
    mem_free(&f->filter);
    mem_free(&f);
}

struct err bus_follow(struct bus *bus, const struct bus_follow *follow,
                      struct bus_follower **ret)
{
    const char *filter = follow->filter ? follow->filter : ">";

    FAULT(err_of(ERR_REJECT, "follow"));

    if (!bus_api_token(follow->stream) || !bus_nats_subject_valid(filter, true) ||
        strpbrk(filter, "\"\\") ||
        strlen(filter) + strlen(follow->stream) + 128 > BUS_SUBJECT_SIZE)
        return err_of(ERR_REJECT, "follow");

    struct bus_follower *f = mem_new(struct bus_follower);

    f->want   = *follow;
    f->virgin = true;
    f->stream = mem_strdup(follow->stream);
    f->filter = mem_strdup(filter);
    bus_op_start_inner(bus, &f->op, FOLLOWER_MAGIC, "follow", on_end);
    bus_pull_init(&f->pull, bus, on_msg, f);
    list_push(&bus->followers, &f->link);
    if (bus_connected(bus))
        (void)ask_stream(f);
    *ret = f;
    return OK;
}

/* Freed in a later turn: we may be in one of its calls. */
void bus_follow_end(struct bus_follower **slot)
{
    struct bus_follower *f = take(slot);

    if (!f)
        return;
    f->ended = true;
    delete_consumer(f);
    bus_pull_deinit(&f->pull);
    (void)bus_op_done(&f->op);
}

bool bus_follow_caught_up(const struct bus_follower *f)
{
    return f->caught_up;
}

uint64_t bus_follow_seq(const struct bus_follower *f)
{
    return f->seen;
}
