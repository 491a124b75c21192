#include <inttypes.h>

#include "base/err.h"
#include "fake_internal.h"

enum { CUT_MS = 300, FROZEN_MS = 120000, TURNS_MAX = 20000, EPOCH = 1000000 };

struct fake fake;

struct bus_sub {
    struct list link;
    unsigned id;
    struct bus *bus;
    char *subject, *queue;
    bus_msg_fn *fn;
    void *self;
    bool drains; /* nothing more is routed to it */
};

struct bus_follower {
    struct list link;
    struct bus *bus;
    struct bus_follow want;
    const struct fake_stream *at; /* NULL: there was none yet */
    char *stream, *filter;
    uint64_t next, seen;
    uint64_t first_until; /* what was there at first goes up to here */
    unsigned generation;  /* of the stream; 0: not seen yet */
    bool caught_up, ended;
};

struct bus_consumer {
    struct list link;
    struct bus *bus;
    struct bus_consume want;
    const struct fake_stream *at;
    char *stream, *name;
    uint32_t room;
    uint64_t seq;
    bool ended, heard;
};

/* ---- messages ------------------------------------------------------------------------------------- */

struct raw {
    char *subject, *reply;
    uint8_t *body;
    struct bus_header *headers;
    size_t count;
};

struct bus_msg *fake_msg_new(const char *subject, const char *reply, struct bytes body,
                             const struct bus_header *headers, size_t header_count)
{
    struct bus_msg *msg = mem_new(struct bus_msg);
    struct raw *raw     = mem_new(struct raw);

    raw->subject = mem_strdup(subject);
    raw->reply   = mem_strdup(reply);
    raw->body    = mem_copy(body.at, body.len);
    raw->headers = mem_array(header_count + 1, sizeof(*raw->headers));
    raw->count   = header_count;
    for (size_t i = 0; i < header_count; i++)
        raw->headers[i] =
            (struct bus_header){mem_strdup(headers[i].name), mem_strdup(headers[i].value)};
    msg->magic   = FAKE_BUS_MAGIC;
    msg->subject = raw->subject;
    msg->reply   = raw->reply;
    msg->body    = bytes_of(raw->body, body.len);
    msg->raw     = raw;
    return msg;
}

struct bus_msg *fake_msg_copy(const struct fake_msg *m, bool headers_only)
{
    struct bus_msg *msg =
        fake_msg_new(m->subject, "", bytes_of(m->body, headers_only ? 0 : m->len), m->headers,
                     m->header_count);

    msg->seq        = m->seq;
    msg->stored_ms  = m->stored_ms;
    msg->deliveries = 1;
    return msg;
}

const char *bus_msg_header(const struct bus_msg *msg, const char *name)
{
    const struct raw *raw = msg->raw;

    for (size_t i = 0; i < raw->count; i++)
        if (str_equal(raw->headers[i].name, name))
            return raw->headers[i].value;
    return NULL;
}

void bus_msg_free(struct bus_msg **slot)
{
    struct bus_msg *msg = take(slot);

    if (!msg)
        return;
    struct raw *raw = msg->raw;
    for (size_t i = 0; i < raw->count; i++) {
        char *name  = (char *)(uintptr_t)raw->headers[i].name,
             *value = (char *)(uintptr_t)raw->headers[i].value;
        mem_free(&name);
        mem_free(&value);
    }
    mem_free(&raw->headers);
    mem_free(&raw->subject);
    mem_free(&raw->reply);
    mem_free(&raw->body);
    mem_free(&raw);
    mem_free(&msg);
}

const char *bus_kv_key(const struct bus_msg *msg)
{
    const char *bucket = str_starts(msg->subject, "$KV.") ? msg->subject + strlen("$KV.") : "";
    const char *dot    = strchr(bucket, '.');

    return dot ? dot + 1 : NULL;
}

bool bus_kv_gone(const struct bus_msg *msg)
{
    const char *operation = bus_msg_header(msg, "KV-Operation");

    return bus_msg_header(msg, "Nats-Marker-Reason") ||
           (operation && (str_equal(operation, "DEL") || str_equal(operation, "PURGE")));
}

/* ---- the world -------------------------------------------------------------------------------------- */

void fake_begin(void)
{
    fake = (struct fake){.now       = EPOCH,
                         .wall_base = INT64_C(1795000000000),
                         .random    = 42,
                         .step_ms   = 20,
                         .changes   = fake.changes + 1};
    list_init(&fake.buses);
    list_init(&fake.streams);
    list_init(&fake.events);
}

void fake_end(void)
{
    must(list_empty(&fake.buses) && list_empty(&fake.events));
    fake_server_free();
}

void fake_step(uint64_t ms)
{
    fake.step_ms = ms;
}

uint64_t fake_now(void)
{
    return fake.now;
}

void fake_freeze(struct bus *bus, uint64_t ms)
{
    bus->frozen_until = fake.now + ms;
}

bool fake_frozen(const struct bus *bus)
{
    return bus->frozen_until > fake.now;
}

bool fake_any_frozen(void)
{
    LIST_EACH(&fake.buses, it)
    if (fake_frozen(LIST_OWNER(it, struct bus, link)))
        return true;
    return false;
}

static void burst(struct bus *bus)
{
    bus->stirred  = false;
    bus->burst_at = fake.now;
    for (unsigned n = 0; n < bus->listener_count && !fake_frozen(bus); n++)
        if (bus->listeners[n].on_burst)
            bus->listeners[n].on_burst(bus->listeners[n].self);
}

/* Of those who use a bus: after its last turn, when they want the next one. */
static uint64_t next_turn(const struct bus *bus)
{
    uint64_t in = fake.on_time(bus);

    return in == UINT64_MAX ? in : bus->burst_at + in;
}

static bool wants_turn(const struct bus *bus)
{
    return !fake_frozen(bus) && (bus->stirred || !fake.on_time || next_turn(bus) <= fake.now);
}

static void bursts(void)
{
    LIST_EACH(&fake.buses, it)
    if (wants_turn(LIST_OWNER(it, struct bus, link)))
        burst(LIST_OWNER(it, struct bus, link));
}

static bool reconnects(void)
{
    bool any = false;

    LIST_EACH(&fake.buses, it)
    {
        struct bus *bus = LIST_OWNER(it, struct bus, link);

        if (bus->connected || bus->back_at == 0 || bus->back_at > fake.now)
            continue;
        fake_connect(bus, true);
        any = true;
    }
    return any;
}

bool fake_turn(void)
{
    bool any = reconnects();

    any = fake_events_run() || any;
    LIST_EACH(&fake.buses, it)
    {
        struct bus *bus = LIST_OWNER(it, struct bus, link);
        bool due        = fake_ops_due(bus);

        bus->stirred = bus->stirred || due;
        any          = any || due;
    }
    any = fake_pump() || any;
    if (any)
        bursts();
    return any;
}

void fake_settle(void)
{
    for (unsigned turns = 0; fake_turn(); turns++)
        must(turns < TURNS_MAX); /* a chain that asks again and again without waiting */
}

void fake_on_time(uint64_t (*fn)(const struct bus *bus))
{
    fake.on_time = fn;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t bus_next(const struct bus *bus)
{
    uint64_t next = bus->connected || bus->back_at == 0 ? UINT64_MAX : bus->back_at;

    if (fake_frozen(bus))
        return earlier(next, bus->frozen_until);
    return earlier(next, earlier(fake_ops_next(bus), next_turn(bus)));
}

/* The step at which the next thing falls due. */
static uint64_t next_step(void)
{
    if (!fake.on_time)
        return fake.now + fake.step_ms;
    uint64_t next = earlier(fake_server_due(), fake_events_next());
    LIST_EACH(&fake.buses, it)
    next = earlier(next, bus_next(LIST_OWNER(it, struct bus, link)));
    if (next == UINT64_MAX)
        return next;
    uint64_t steps = next > fake.now ? (next - fake.now + fake.step_ms - 1) / fake.step_ms : 1;
    return fake.now + steps * fake.step_ms;
}

void fake_advance(uint64_t ms)
{
    uint64_t end = fake.now + ms;

    fake_settle();
    while (fake.now < end) {
        uint64_t next = next_step();

        if (next > end && fake.on_time) {
            fake.now = end;
            return;
        }
        fake.now = earlier(next, end);
        fake_server_expire();
        bursts();
        fake_settle();
    }
}

/* ---- connections --------------------------------------------------------------------------------------- */

struct err bus_open(struct bus **ret, struct uv_loop_s *loop, const struct bus_config *config)
{
    struct bus *bus = mem_new(struct bus);

    (void)loop;
    bus->magic        = FAKE_BUS_MAGIC;
    bus->config       = *config;
    bus->id           = ++fake.ids;
    bus->connected    = true;
    bus->connected_at = fake.now;
    list_init(&bus->ops);
    list_init(&bus->subs);
    list_init(&bus->followers);
    list_init(&bus->consumers);
    list_push(&fake.buses, &bus->link);
    *ret = bus;
    return OK;
}

static void sub_free(struct bus_sub *sub)
{
    list_remove(&sub->link);
    mem_free(&sub->subject);
    mem_free(&sub->queue);
    mem_free(&sub);
}

static void follower_free(struct bus_follower *f)
{
    list_remove(&f->link);
    mem_free(&f->stream);
    mem_free(&f->filter);
    mem_free(&f);
}

static void consumer_free(struct bus_consumer *c)
{
    list_remove(&c->link);
    mem_free(&c->stream);
    mem_free(&c->name);
    mem_free(&c);
}

void bus_free(struct bus **slot)
{
    struct bus *bus = take(slot);

    if (!bus)
        return;
    must(bus->magic == FAKE_BUS_MAGIC && !bus->freeing);
    bus->freeing = true;
    fake_ops_end(bus);
    while (!list_empty(&bus->subs))
        sub_free(LIST_OWNER(bus->subs.next, struct bus_sub, link));
    while (!list_empty(&bus->followers))
        follower_free(LIST_OWNER(bus->followers.next, struct bus_follower, link));
    while (!list_empty(&bus->consumers))
        consumer_free(LIST_OWNER(bus->consumers.next, struct bus_consumer, link));
    list_remove(&bus->link);
    mem_free(&bus);
}

bool bus_freeing(const struct bus *bus)
{
    return bus->freeing;
}

bool bus_connected(const struct bus *bus)
{
    return bus->connected;
}

bool bus_denied(const struct bus *bus)
{
    (void)bus;
    return false;
}

uint64_t bus_connected_at(const struct bus *bus)
{
    return bus->connected_at;
}

uint64_t bus_now(const struct bus *bus)
{
    (void)bus;
    return fake.now;
}

void bus_on_state(struct bus *bus, bus_state_fn *fn, void *self)
{
    must(bus->listener_count < FAKE_LISTENERS);
    bus->listeners[bus->listener_count].on_state = fn;
    bus->listeners[bus->listener_count++].self   = self;
}

void bus_on_burst(struct bus *bus, bus_burst_fn *fn, void *self)
{
    must(bus->listener_count < FAKE_LISTENERS);
    bus->listeners[bus->listener_count].on_burst = fn;
    bus->listeners[bus->listener_count++].self   = self;
}

struct bus_counts bus_counts(const struct bus *bus)
{
    struct bus_counts counts = bus->counts;

    LIST_EACH(&bus->ops, it)
    counts.ops++;
    return counts;
}

void fake_connect(struct bus *bus, bool connected)
{
    if (bus->connected == connected)
        return;
    bus->connected = connected;
    bus->stirred   = true;
    bus->back_at   = 0;
    if (connected)
        bus->connected_at = fake.now;
    else
        fake_ops_lost(bus);
    LIST_EACH_SAFE(&bus->consumers, it)
    {
        struct bus_consumer *c = LIST_OWNER(it, struct bus_consumer, link);

        /* What it asked for may have been given out. */
        if (!connected && (c->heard || c->room > 0) && !c->ended && c->want.on_gap)
            c->want.on_gap(c->want.self, "connection lost");
        c->heard = false;
    }
    for (unsigned n = 0; n < bus->listener_count; n++)
        if (bus->listeners[n].on_state)
            bus->listeners[n].on_state(bus->listeners[n].self, connected);
}

/* It breaks when whoever called has returned: a listener must not be called from within a call. */
static void break_off(void *self, struct bus_msg **msg)
{
    struct bus *bus = self;

    (void)msg;
    fake_connect(bus, false);
    bus->back_at = fake.now + CUT_MS;
}

void fake_cut(struct bus *bus)
{
    fake_post(0, bus, NULL);
}

/* ---- subscriptions ----------------------------------------------------------------------------------------- */

struct err bus_subscribe(struct bus *bus, const char *subject, const char *queue,
                         bus_msg_fn *fn, void *self, struct bus_sub **ret)
{
    struct bus_sub *sub = mem_new(struct bus_sub);

    sub->id      = ++fake.ids;
    sub->bus     = bus;
    sub->subject = mem_strdup(subject);
    sub->queue   = mem_strdup(queue);
    sub->fn      = fn;
    sub->self    = self;
    list_push(&bus->subs, &sub->link);
    *ret = sub;
    return OK;
}

void bus_unsubscribe(struct bus_sub **slot)
{
    struct bus_sub *sub = take(slot);

    if (sub)
        sub_free(sub);
}

/* What was routed to it already is still delivered: by its id. */
void bus_sub_drain(struct bus_sub *sub)
{
    sub->drains = true;
}

bool bus_sub_drained(const struct bus_sub *sub)
{
    return sub->drains;
}

/* Subscription 0 is the connection itself. */
void fake_sub_deliver(struct bus *bus, unsigned id, struct bus_msg *msg)
{
    struct bus_msg *mine = msg;

    if (id == 0)
        break_off(bus, NULL);
    LIST_EACH(&bus->subs, it)
    {
        struct bus_sub *sub = LIST_OWNER(it, struct bus_sub, link);

        if (sub->id != id)
            continue;
        bus->counts.received++;
        sub->fn(sub->self, &mine);
        break;
    }
    if (mine)
        bus_msg_free(&mine);
}

/* Of a queue group the first that listens hears it. */
unsigned fake_route(const char *subject, const char *reply, struct bytes body,
                    const struct bus_header *headers, size_t header_count)
{
    const char *queues[16];
    size_t queue_count = 0;
    unsigned heard     = 0;

    LIST_EACH(&fake.buses, b)
    LIST_EACH(&LIST_OWNER(b, struct bus, link)->subs, it)
    {
        const struct bus_sub *sub = LIST_OWNER(it, struct bus_sub, link);
        bool had = sub->drains || !sub->bus->connected || !fake_match(sub->subject, subject);

        for (size_t q = 0; sub->queue && q < queue_count; q++)
            had = had || str_equal(queues[q], sub->queue);
        if (had)
            continue;
        if (sub->queue && queue_count < 16)
            queues[queue_count++] = sub->queue;
        fake_post(sub->id, sub->bus, fake_msg_new(subject, reply, body, headers, header_count));
        heard++;
    }
    return heard;
}

bool bus_send_from(struct bus *bus, const struct bus_out *out, const char *reply)
{
    const char *text;
    uint64_t seq;

    if (!bus->connected)
        return false;
    bus->counts.sent++;
    if (str_starts(out->subject, "_INBOX.")) {
        fake_inbox(out->subject, out->body, out->headers, out->header_count);
        return true;
    }
    if (fake_stream_of(out->subject))
        (void)fake_stream_store(out, NULL, &seq, &text);
    (void)fake_route(out->subject, reply ? reply : "", out->body, out->headers,
                     out->header_count);
    return true;
}

bool bus_send(struct bus *bus, const struct bus_out *out)
{
    return bus_send_from(bus, out, NULL);
}

void bus_answer(struct bus *bus, const struct bus_msg *request, struct bytes body,
                const struct bus_header *headers, size_t header_count)
{
    const struct bus_out out = {request->reply, body, headers, header_count};

    if (request->reply[0])
        (void)bus_send(bus, &out);
}

/* ---- followers ------------------------------------------------------------------------------------------------ */

struct err bus_follow(struct bus *bus, const struct bus_follow *follow,
                      struct bus_follower **ret)
{
    struct bus_follower *f = mem_new(struct bus_follower);

    f->bus    = bus;
    f->want   = *follow;
    f->stream = mem_strdup(follow->stream);
    f->filter = mem_strdup(follow->filter ? follow->filter : ">");
    list_push(&bus->followers, &f->link);
    *ret = f;
    return OK;
}

void bus_follow_end(struct bus_follower **slot)
{
    struct bus_follower *f = take(slot);

    if (f)
        f->ended = true;
}

bool bus_follow_caught_up(const struct bus_follower *f)
{
    return f->caught_up;
}

uint64_t bus_follow_seq(const struct bus_follower *f)
{
    return f->seen;
}

/* Does the stream's beginning lie before us?  False: nothing more this turn. */
static bool follow_begin(struct bus_follower *f, const struct fake_stream *s)
{
    bool anew = f->generation != 0 && (!s || s->generation != f->generation);

    if (anew) {
        f->generation = 0;
        f->caught_up  = false;
        f->seen       = 0;
        f->want.from  = 0;
        if (f->want.on_anew)
            f->want.on_anew(f->want.self);
    }
    if (!s || f->ended)
        return false;
    if (f->generation == 0) {
        f->generation  = s->generation;
        f->first_until = s->last_seq;
        f->next        = f->want.only_new ? s->last_seq + 1 : f->want.from;
    }
    return true;
}

static bool follow_on(struct bus_follower *f)
{
    const struct fake_stream *s = f->at = f->at ? f->at : fake_stream_find(f->stream);

    if (!f->bus->connected || f->ended || !follow_begin(f, s))
        return false;
    if (f->caught_up && f->next > s->last_seq)
        return false;
    const struct fake_msg *m = fake_stream_next(s, f->filter, f->next);
    while (m && f->want.last_per_subject && m->seq <= f->first_until &&
           fake_stream_last(s, m->subject) != m)
        m = fake_stream_next(s, f->filter, m->seq + 1);
    if (!m && f->caught_up)
        return false;
    if (m) {
        struct bus_msg *msg = fake_msg_copy(m, f->want.headers_only);
        f->next             = m->seq + 1;
        f->seen             = m->seq;
        f->want.on_msg(f->want.self, &msg);
        if (msg)
            bus_msg_free(&msg);
    } else {
        f->caught_up = true;
        if (f->want.on_caught_up)
            f->want.on_caught_up(f->want.self);
    }
    return true;
}

/* ---- consumers -------------------------------------------------------------------------------------------------- */

struct err bus_consume(struct bus *bus, const struct bus_consume *consume,
                       struct bus_consumer **ret)
{
    struct bus_consumer *c = mem_new(struct bus_consumer);

    c->bus    = bus;
    c->want   = *consume;
    c->stream = mem_strdup(consume->stream);
    c->name   = mem_strdup(consume->consumer);
    list_push(&bus->consumers, &c->link);
    *ret = c;
    return OK;
}

void bus_consumer_room(struct bus_consumer *c, uint32_t room)
{
    c->room = room;
}

void bus_consumer_free(struct bus_consumer **slot)
{
    struct bus_consumer *c = take(slot);

    if (c)
        c->ended = true;
}

static void deliver(struct bus_consumer *c, struct bus_msg *msg)
{
    bool gap = c->want.alone && c->seq > 0 && msg->consumer_seq != c->seq + 1;

    if (gap && c->heard && c->want.on_gap)
        c->want.on_gap(c->want.self, "delivery skipped");
    c->heard = true;
    c->seq   = msg->consumer_seq;
    c->room -= c->room > 0 && c->room != BUS_ROOM_ANY;
    c->want.on_msg(c->want.self, &msg);
    if (msg)
        bus_msg_free(&msg);
}

static bool takes(const struct bus_consumer *c)
{
    return !c->ended && c->bus->connected && !fake_frozen(c->bus) && c->room > 0;
}

/* They take turns. */
static bool other_takes(const struct bus_consumer *mine)
{
    LIST_EACH(&fake.buses, b)
    LIST_EACH(&LIST_OWNER(b, struct bus, link)->consumers, it)
    {
        const struct bus_consumer *c = LIST_OWNER(it, struct bus_consumer, link);

        if (c->bus != mine->bus && takes(c) && str_equal(c->name, mine->name) &&
            str_equal(c->stream, mine->stream))
            return true;
    }
    return false;
}

static bool consume_on(struct bus_consumer *c)
{
    struct fake_consumer *from;
    struct bus_msg *msg = NULL;

    if (!takes(c))
        return false;
    c->at = c->at ? c->at : fake_stream_find(c->stream);
    from  = fake_consumer_find(c->at, c->name);
    if (from && (from->last != c->bus->id || !other_takes(c)))
        msg = fake_consumer_next(from);
    if (!msg)
        return false;
    from->last = c->bus->id;
    switch (fake_hurt_next(c->bus, FAKE_DELIVERY, "delivery", c->name, msg->subject)) {
    case FAKE_LOST_BEFORE:
    case FAKE_LOST_AFTER:
    case FAKE_LATE_DONE:
    case FAKE_LATE_ANSWER:
        bus_msg_free(&msg);
        return true;
    case FAKE_CUT_BEFORE:
    case FAKE_CUT_AFTER:
        bus_msg_free(&msg);
        fake_cut(c->bus);
        return true;
    case FAKE_TWICE: {
        struct bus_msg *again = fake_msg_new(msg->subject, msg->reply, msg->body, NULL, 0);
        again->seq            = msg->seq;
        again->consumer_seq   = msg->consumer_seq + 1;
        again->deliveries     = msg->deliveries + 1;
        again->stored_ms      = msg->stored_ms;
        deliver(c, msg);
        deliver(c, again);
        return true;
    }
    case FAKE_FROZEN:
        fake_freeze(c->bus,
                    FROZEN_MS); /* it has it, and looks at it when it is long another's */
        break;
    case FAKE_WELL:
    case FAKE_REFUSED:
        break;
    }
    deliver(c, msg);
    return true;
}

/* One of each in a turn, so that nobody is starved; a queue's consumers take turns. */
bool fake_pump(void)
{
    bool any = false;

    LIST_EACH(&fake.buses, b)
    {
        struct bus *bus = LIST_OWNER(b, struct bus, link);

        bool heard = false;
        if (fake_frozen(bus))
            continue;
        LIST_EACH_SAFE(&bus->followers, it)
        {
            if (LIST_OWNER(it, struct bus_follower, link)->ended)
                follower_free(LIST_OWNER(it, struct bus_follower, link));
            else
                heard = follow_on(LIST_OWNER(it, struct bus_follower, link)) || heard;
        }
        LIST_EACH_SAFE(&bus->consumers, it)
        {
            if (LIST_OWNER(it, struct bus_consumer, link)->ended)
                consumer_free(LIST_OWNER(it, struct bus_consumer, link));
            else
                heard = consume_on(LIST_OWNER(it, struct bus_consumer, link)) || heard;
        }
        bus->stirred = bus->stirred || heard;
        any          = any || heard;
    }
    return any;
}

/* ---- settling ------------------------------------------------------------------------------------------------------ */

/* An ack has no answer; what can be hurt is its way. */
static void say(struct bus *bus, const char *acks, const char *what, const char *reply)
{
    if (!acks[0] || !bus->connected)
        return;
    switch (fake_hurt_next(bus, FAKE_SETTLE, "settle", what, acks)) {
    case FAKE_LOST_BEFORE:
        return;
    case FAKE_CUT_BEFORE:
        fake_cut(bus);
        return;
    case FAKE_CUT_AFTER:
        fake_cut(bus);
        break;
    case FAKE_FROZEN: /* on its way to the ack */
        fake_freeze(bus, FROZEN_MS);
        break;
    case FAKE_WELL:
    case FAKE_REFUSED:
    case FAKE_LOST_AFTER:
    case FAKE_LATE_DONE:
    case FAKE_LATE_ANSWER:
    case FAKE_TWICE:
        break;
    }
    fake_ack(acks, bytes_str(what), reply);
}

static void nak(struct bus *bus, const char *acks, uint64_t delay_ms)
{
    char text[64];

    must(str_format(text, sizeof(text), "-NAK {\"delay\":%" PRIu64 "}", delay_ms * 1000000));
    say(bus, acks, text, NULL);
}

void bus_settle(struct bus *bus, struct bus_msg **slot, struct err e)
{
    AUTO(bus_msg_free) struct bus_msg *m = take(slot);

    switch ((enum err_kind)e.kind) {
    case ERR_NONE:
        say(bus, m->reply, "+ACK", NULL);
        return;
    case ERR_RETRY:
    case ERR_FULL:
    case ERR_CONFLICT:
        nak(bus, m->reply, 250);
        return;
    case ERR_ABSENT:
    case ERR_REJECT:
        say(bus, m->reply, "+TERM", NULL);
        return;
    case ERR_UNKNOWN:
    case ERR_LOST:
    case ERR_FATAL:
        return;
    }
}

void bus_lease_ack(struct bus *bus, const char *acks, const char *freed)
{
    say(bus, acks, "+ACK", freed);
}

void bus_lease_release(struct bus *bus, const char *acks, uint64_t delay_ms)
{
    nak(bus, acks, delay_ms);
}

void bus_ack(struct bus *bus, const char *acks)
{
    say(bus, acks, "+ACK", NULL);
}
