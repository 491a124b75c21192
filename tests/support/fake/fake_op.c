#include <inttypes.h>
#include <stdio.h>

#include "base/map.h"
#include "fake_internal.h"

enum { FROZEN_MS = 120000, LATE_MS = 1000 /* by then it has been tried anew */ };

/* ---- the chains that were driven: for lint ------------------------------------------------------------- */

static struct map *chains;

void fake_tell_chains(void)
{
    const char *name;
    void *value;

    for (size_t it = 0; chains && map_next(chains, &it, &name, &value);)
        printf("CHAIN %s\n", name);
    map_free(&chains);
}

/* ---- events ------------------------------------------------------------------------------------------- */

struct answer {
    struct err err;
    uint64_t seq;
    struct bus_msg *msgs, **last;
    size_t count;
    bool more;
    const char *text;
};

enum event_kind { EVENT_ANSWER, EVENT_MSG, EVENT_DO };

struct event {
    struct list link;
    enum event_kind kind;
    uint64_t at;
    struct bus *bus;
    uint32_t generation; /* of the call; 0: none */
    struct answer answer;
    unsigned sub;
    struct bus_msg *msg;
    struct request *request; /* to be carried out late */
};

static struct event *event_new(enum event_kind kind, struct bus *bus, uint64_t at)
{
    struct event *e = mem_new(struct event);

    e->kind = kind;
    e->bus  = bus;
    e->at   = at;
    list_push(&fake.events, &e->link);
    return e;
}

static void free_msgs(struct bus_msg *first)
{
    while (first) {
        struct bus_msg *msg = first;

        first     = msg->next;
        msg->next = NULL;
        bus_msg_free(&msg);
    }
}

static void request_free(struct request **request);

static void event_free(struct event *e)
{
    list_remove(&e->link);
    free_msgs(e->answer.msgs);
    if (e->msg)
        bus_msg_free(&e->msg);
    request_free(&e->request);
    mem_free(&e);
}

static void answer_init(struct answer *a)
{
    *a = (struct answer){.text = ""};
}

static void answer_add(struct answer *a, struct bus_msg *msg)
{
    struct bus_msg **last = &a->msgs;

    while (*last)
        last = &(*last)->next;
    *last  = msg;
    a->seq = msg->seq;
    a->count++;
}

static void answer_copy(struct answer *to, const struct answer *from)
{
    *to = (struct answer){.err = from->err, .more = from->more, .text = from->text};
    for (const struct bus_msg *m = from->msgs; m; m = m->next) {
        struct bus_msg *copy = fake_msg_new(m->subject, m->reply, m->body, NULL, 0);
        copy->seq            = m->seq;
        answer_add(to, copy);
    }
    to->seq = from->seq;
}

void fake_post(unsigned sub, struct bus *bus, struct bus_msg *msg)
{
    struct event *e = event_new(EVENT_MSG, bus, fake.now);

    e->sub = sub;
    e->msg = msg;
}

/* ---- ops --------------------------------------------------------------------------------------------------- */

enum state {
    STATE_NEW,
    STATE_PARKED,
    STATE_RUNNING,
    STATE_CALLING,
    STATE_WAITING,
    STATE_ENDING,
    STATE_ENDED
};

static uint32_t generation(void)
{
    if (++fake.generation == 0)
        fake.generation = 1;
    return fake.generation;
}

static struct bus_op *op_of(struct bus *bus, uint32_t gen)
{
    LIST_EACH(&bus->ops, it)
    {
        struct bus_op *op = LIST_OWNER(it, struct bus_op, link);

        if (op->slot == gen)
            return op;
    }
    return NULL;
}

void bus_op_start(struct bus *bus, struct bus_op *op, uint32_t magic, const char *what,
                  uint64_t deadline_ms, bus_end_fn *end)
{
    must(bus->magic == FAKE_BUS_MAGIC && !bus->freeing);
    must(op->state == STATE_NEW || op->state == STATE_ENDED);
    *op = (struct bus_op){
        .magic = magic, .state = STATE_PARKED, .bus = bus, .end = end, .what = what};
    list_push(&bus->ops, &op->link);
    if (!chains)
        chains = map_new();
    (void)map_put(chains, what, chains);
    bus_op_deadline(op, deadline_ms);
}

void bus_op_deadline(struct bus_op *op, uint64_t deadline_ms)
{
    must(bus_op_living(op));
    op->deadline = deadline_ms == 0 ? 0 : fake.now + deadline_ms;
}

static void finish(struct bus_op *op)
{
    must(op->state == STATE_ENDING);
    list_remove(&op->link);
    op->state = STATE_ENDED;
    op->slot  = 0;
    op->end(op, op->result);
}

struct err bus_op_fail(struct bus_op *op, struct err e)
{
    must(bus_op_living(op));
    if (op->state == STATE_ENDING)
        return OK;
    op->state                                              = STATE_ENDING;
    op->result                                             = e;
    op->slot                                               = generation();
    event_new(EVENT_ANSWER, op->bus, fake.now)->generation = op->slot;
    return OK;
}

struct err bus_op_done(struct bus_op *op)
{
    return bus_op_fail(op, OK);
}

bool bus_op_parked(const struct bus_op *op)
{
    return op->state == STATE_PARKED;
}

bool bus_op_living(const struct bus_op *op)
{
    return op->state != STATE_NEW && op->state != STATE_ENDED;
}

/* One call, one answer: whatever else comes for it finds another generation. */
static void answer_op(struct bus_op *op, struct answer *a)
{
    struct bus_reply reply = {.err   = a->err,
                              .seq   = a->seq,
                              .msgs  = take(&a->msgs),
                              .count = a->count,
                              .more  = a->more,
                              .text  = a->text ? a->text : ""};

    if (reply.count == 1)
        reply.body = reply.msgs->body;
    must(op->state == STATE_CALLING || op->state == STATE_WAITING);
    op->state    = STATE_RUNNING;
    op->slot     = 0;
    struct err e = op->next(op, &reply);
    free_msgs(take(&reply.msgs));
    if (op->state == STATE_RUNNING)
        op->state = STATE_PARKED;
    if (failed(e))
        (void)bus_op_fail(op, e);
}

static void answer_err(struct bus_op *op, struct err e)
{
    struct answer a;

    answer_init(&a);
    a.err = e;
    answer_op(op, &a);
}

static void call(struct bus_op *op, bus_next_fn *next)
{
    must(op->state == STATE_PARKED || op->state == STATE_RUNNING);
    op->state = STATE_CALLING;
    op->next  = next;
    op->slot  = generation();
    op->until = fake.now + (op->bus->config.reply_ms ? op->bus->config.reply_ms : 5000);
}

struct err bus_wait(struct bus_op *op, uint64_t ms, bus_next_fn *next)
{
    call(op, next);
    op->state = STATE_WAITING;
    op->until = fake.now + ms;
    if (ms == 0)
        event_new(EVENT_ANSWER, op->bus, fake.now)->generation = op->slot;
    return OK;
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

enum request_kind { PUBLISH, READ, LAST, SEQ, API, PURGE, KEY, MAKE, REQUEST, BEAT };

static const enum fake_sort SORTS[] = {FAKE_PUBLISH, FAKE_READ,  FAKE_READ, FAKE_READ,
                                       FAKE_WRITE,   FAKE_WRITE, FAKE_READ, FAKE_WRITE,
                                       FAKE_REQUEST, FAKE_WRITE};

static const char *const KINDS[] = {"publish", "read",   "get last", "get",     "api",
                                    "purge",   "kv get", "make",     "request", "beat"};

struct request {
    enum request_kind kind;
    char *stream, *subject;
    struct bus_out out; /* of a publish and a request; no subject: of another */
    struct bus_expect expect;
    uint64_t seq;
    uint32_t max;
    uint8_t *body;
    size_t len;
    enum fake_how how;
};

static struct request *request_new(enum request_kind kind, const char *stream,
                                   const char *subject, struct bytes body)
{
    struct request *r = mem_new(struct request);

    r->kind    = kind;
    r->stream  = mem_strdup(stream);
    r->subject = mem_strdup(subject);
    r->body    = mem_copy(body.at, body.len);
    r->len     = body.len;
    return r;
}

static void add_out(struct request *r, const struct bus_out *out,
                    const struct bus_expect *expect)
{
    struct bus_header *headers = mem_array(out->header_count + 1, sizeof(*headers));

    for (size_t h = 0; h < out->header_count; h++)
        headers[h] = (struct bus_header){mem_strdup(out->headers[h].name),
                                         mem_strdup(out->headers[h].value)};
    r->out            = (struct bus_out){mem_strdup(out->subject),
                                         bytes_of(mem_copy(out->body.at, out->body.len), out->body.len),
                                         headers, out->header_count};
    r->expect         = expect ? *expect : (struct bus_expect){.seq = BUS_ANY};
    r->expect.subject = mem_strdup(r->expect.subject);
}

static void free_const(const void *at)
{
    void *mine = (void *)(uintptr_t)at;

    mem_free(&mine);
}

static void request_free(struct request **slot)
{
    struct request *r = take(slot);

    if (!r)
        return;
    for (size_t h = 0; h < r->out.header_count; h++) {
        free_const(r->out.headers[h].name);
        free_const(r->out.headers[h].value);
    }
    free_const(r->out.headers);
    free_const(r->out.subject);
    free_const(r->out.body.at);
    free_const(r->expect.subject);
    mem_free(&r->stream);
    mem_free(&r->subject);
    mem_free(&r->body);
    mem_free(&r);
}

/* ---- carried out by the server ----------------------------------------------------------------------------------- */

static void do_read(const struct request *r, struct answer *a)
{
    const struct fake_stream *s = fake_stream_find(r->stream);
    uint32_t max                = r->max == 0 ? 256 : r->max > 1024 ? 1024 : r->max;

    if (!s) {
        a->err = err_from(ERR_RETRY, "read a stream", ERR_FROM_JETSTREAM, 503);
        return;
    }
    const struct fake_msg *m = fake_stream_next(s, r->subject, r->seq);
    for (; m && a->count < max; m = fake_stream_next(s, r->subject, m->seq + 1))
        answer_add(a, fake_msg_copy(m, false));
    a->more = m != NULL;
}

static void do_get(const struct request *r, struct answer *a)
{
    const struct fake_stream *s = fake_stream_find(r->stream);
    const struct fake_msg *m    = !s               ? NULL
                                  : r->kind == SEQ ? fake_stream_seq(s, r->seq)
                                                   : fake_stream_last(s, r->subject);

    if (!s)
        a->err = err_from(ERR_RETRY, "read a stream", ERR_FROM_JETSTREAM, 503);
    else if (!m)
        a->err = err_from(ERR_ABSENT, "read a stream", ERR_FROM_JETSTREAM, 404);
    else
        answer_add(a, fake_msg_copy(m, false));
    if (m && r->kind == KEY && bus_kv_gone(a->msgs)) {
        a->err   = err_of(ERR_ABSENT, "get a key");
        a->count = 0;
        free_msgs(take(&a->msgs));
    }
}

static void do_api(const struct request *r, struct answer *a)
{
    AUTO(mem_free) char *json = NULL;

    a->err = fake_api(r->subject, bytes_of(r->body, r->len), &json);
    if (json)
        answer_add(a, fake_msg_new("", "", bytes_str(json), NULL, 0));
}

static void do_request(const struct request *r, struct answer *a)
{
    switch (r->kind) {
    case PUBLISH:
        a->err = fake_stream_store(&r->out, &r->expect, &a->seq, &a->text);
        if (!failed(a->err))
            (void)fake_route(r->out.subject, "", r->out.body, r->out.headers,
                             r->out.header_count);
        return;
    case READ:
        do_read(r, a);
        return;
    case LAST:
    case SEQ:
    case KEY:
        do_get(r, a);
        return;
    case API:
    case MAKE:
        do_api(r, a);
        return;
    case PURGE:
        if (fake_stream_find(r->stream))
            (void)fake_stream_purge(fake_stream_find(r->stream), r->subject, r->seq);
        else
            a->err = err_from(ERR_ABSENT, "call the API", ERR_FROM_JETSTREAM, 10059);
        return;
    case BEAT:
        fake_ack(r->subject, bytes_str("+WPI"), NULL);
        return;
    case REQUEST:
        break;
    }
    must(!"a core request is answered by whoever hears it");
}

/* ---- a request's way there and back -------------------------------------------------------------------------------- */

static struct event *answer_at(struct bus *bus, uint32_t gen, uint64_t at,
                               const struct answer *a)
{
    struct event *e = event_new(EVENT_ANSWER, bus, at);

    e->generation = gen;
    e->answer     = *a;
    return e;
}

static void answer_with(struct bus_op *op, struct err err)
{
    struct answer a;

    answer_init(&a);
    a.err = err;
    (void)answer_at(op->bus, op->slot, fake.now, &a);
}

/* A request with an inbox: whoever hears it answers, or nobody does. */
static void send_core(struct bus_op *op, const struct request *r, bool answered, bool twice)
{
    char inbox[64] = "_INBOX.none";

    if (answered)
        must(str_format(inbox, sizeof(inbox), "_INBOX.%u.%" PRIu32, op->bus->id, op->slot));
    unsigned heard = 0;
    for (int i = 0; i < (twice ? 2 : 1); i++)
        heard =
            fake_route(r->out.subject, inbox, r->out.body, r->out.headers, r->out.header_count);
    if (heard == 0 && answered)
        answer_with(op, err_of(ERR_ABSENT, "request: nobody listens"));
}

void fake_inbox(const char *subject, struct bytes body, const struct bus_header *headers,
                size_t header_count)
{
    unsigned id, gen;

    if (sscanf(subject, "_INBOX.%u.%u", &id, &gen) != 2)
        return;
    LIST_EACH(&fake.buses, it)
    {
        struct bus *bus = LIST_OWNER(it, struct bus, link);
        struct answer a;

        if (bus->id != id)
            continue;
        answer_init(&a);
        answer_add(&a, fake_msg_new("", "", body, headers, header_count));
        (void)answer_at(bus, gen, fake.now, &a);
    }
}

static void hop(struct bus_op *op, struct request *r, enum fake_how how)
{
    struct bus *bus = op->bus;
    uint64_t late   = op->until + 20;
    struct answer a, again;

    if (how == FAKE_LATE_DONE) {
        event_new(EVENT_DO, bus, op->until + LATE_MS)->request = r;
        return;
    }
    bool core = r->kind == REQUEST;
    if (core)
        send_core(op, r, how == FAKE_WELL || how == FAKE_TWICE || how == FAKE_FROZEN,
                  how == FAKE_TWICE);
    answer_init(&a);
    if (!core) {
        do_request(r, &a);
        if (how == FAKE_WELL || how == FAKE_TWICE || how == FAKE_FROZEN)
            (void)answer_at(bus, op->slot, fake.now, &a);
        if (how == FAKE_TWICE) {
            answer_copy(&again, &LIST_OWNER(fake.events.prev, struct event, link)->answer);
            (void)answer_at(bus, op->slot, fake.now, &again);
        }
        if (how == FAKE_LATE_ANSWER)
            (void)answer_at(bus, op->slot, late, &a);
        else if (how != FAKE_WELL && how != FAKE_TWICE && how != FAKE_FROZEN)
            free_msgs(a.msgs);
    }
    request_free(&r);
    if (how == FAKE_CUT_AFTER)
        fake_cut(bus);
    if (how == FAKE_FROZEN)
        fake_freeze(bus, FROZEN_MS);
}

static struct err submit(struct bus_op *op, struct request *r)
{
    struct bus *bus     = op->bus;
    const char *subject = r->out.subject ? r->out.subject : r->subject ? r->subject : r->stream;

    bus->counts.sent++;
    if (!bus->connected || bus->freeing) {
        answer_with(op, err_of(ERR_RETRY, "not connected"));
        request_free(&r);
        return OK;
    }
    enum fake_how how = fake_hurt_next(bus, SORTS[r->kind], op->what, KINDS[r->kind], subject);
    switch (how) {
    case FAKE_REFUSED:
        answer_with(op,
                    err_of(r->kind == REQUEST                                 ? ERR_ABSENT
                           : fake.hurt.kind == ERR_FULL && r->kind != PUBLISH ? ERR_RETRY
                                                                              : fake.hurt.kind,
                           "refused by the script"));
        break;
    case FAKE_LOST_BEFORE:
        break;
    case FAKE_CUT_BEFORE:
        fake_cut(bus);
        break;
    case FAKE_WELL:
    case FAKE_LOST_AFTER:
    case FAKE_LATE_DONE:
    case FAKE_LATE_ANSWER:
    case FAKE_TWICE:
    case FAKE_CUT_AFTER:
    case FAKE_FROZEN:
        hop(op, r, how);
        return OK;
    }
    request_free(&r);
    return OK;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

struct err bus_publish(struct bus_op *op, const struct bus_out *out,
                       const struct bus_expect *expect, bus_next_fn *next)
{
    struct request *r = request_new(PUBLISH, NULL, NULL, bytes_str(""));

    add_out(r, out, expect);
    call(op, next);
    return submit(op, r);
}

struct err bus_request(struct bus_op *op, const struct bus_out *out, uint32_t timeout_ms,
                       bus_next_fn *next)
{
    struct request *r = request_new(REQUEST, NULL, NULL, bytes_str(""));

    add_out(r, out, NULL);
    call(op, next);
    if (timeout_ms)
        op->until = fake.now + timeout_ms;
    return submit(op, r);
}

struct err bus_read(struct bus_op *op, const struct bus_read *read, bus_next_fn *next)
{
    struct request *r = request_new(READ, read->stream, read->subject, bytes_str(""));

    r->seq = read->from;
    r->max = read->max;
    call(op, next);
    return submit(op, r);
}

struct err bus_get_last(struct bus_op *op, const char *stream, const char *subject,
                        bus_next_fn *next)
{
    call(op, next);
    return submit(op, request_new(LAST, stream, subject, bytes_str("")));
}

struct err bus_get_seq(struct bus_op *op, const char *stream, uint64_t seq, bus_next_fn *next)
{
    struct request *r = request_new(SEQ, stream, NULL, bytes_str(""));

    r->seq = seq;
    call(op, next);
    return submit(op, r);
}

struct err bus_api(struct bus_op *op, const char *name, struct bytes body, bus_next_fn *next)
{
    call(op, next);
    return submit(op, request_new(API, NULL, name, body));
}

struct err bus_purge(struct bus_op *op, const char *stream, const char *subject, uint64_t upto,
                     bus_next_fn *next)
{
    struct request *r = request_new(PURGE, stream, subject, bytes_str(""));

    r->seq = upto;
    call(op, next);
    return submit(op, r);
}

struct err bus_stream_make(struct bus_op *op, const char *name, struct bytes config,
                           bus_next_fn *next)
{
    char text[FAKE_SUBJECT];

    must(str_format(text, sizeof(text), "STREAM.CREATE.%s", name));
    call(op, next);
    return submit(op, request_new(MAKE, NULL, text, config));
}

struct err bus_consumer_make(struct bus_op *op, const char *stream, const char *consumer,
                             struct bytes config, bus_next_fn *next)
{
    char text[FAKE_SUBJECT];

    must(str_format(text, sizeof(text), "CONSUMER.CREATE.%s.%s", stream, consumer));
    call(op, next);
    return submit(op, request_new(MAKE, NULL, text, config));
}

struct err bus_consumer_delete(struct bus_op *op, const char *stream, const char *consumer,
                               bus_next_fn *next)
{
    char text[FAKE_SUBJECT];

    must(str_format(text, sizeof(text), "CONSUMER.DELETE.%s.%s", stream, consumer));
    call(op, next);
    return submit(op, request_new(API, NULL, text, bytes_str("")));
}

struct err bus_kv_get(struct bus_op *op, const char *bucket, const char *key, bus_next_fn *next)
{
    char stream[FAKE_TEXT], subject[FAKE_SUBJECT];

    must(str_format(stream, sizeof(stream), "KV_%s", bucket) &&
         str_format(subject, sizeof(subject), "$KV.%s.%s", bucket, key));
    call(op, next);
    return submit(op, request_new(KEY, stream, subject, bytes_str("")));
}

struct err bus_kv_put(struct bus_op *op, const char *bucket, const char *key,
                      struct bytes value, const struct bus_expect *expect, bus_next_fn *next)
{
    char subject[FAKE_SUBJECT];
    struct bus_out out = {.subject = subject, .body = value};

    must(str_format(subject, sizeof(subject), "$KV.%s.%s", bucket, key));
    return bus_publish(op, &out, expect, next);
}

struct err bus_kv_delete(struct bus_op *op, const char *bucket, const char *key,
                         uint64_t revision, bus_next_fn *next)
{
    const struct bus_header marker = {"KV-Operation", "DEL"};
    const struct bus_expect expect = {.seq = revision};
    char subject[FAKE_SUBJECT];
    struct bus_out out = {.subject = subject, .headers = &marker, .header_count = 1};

    must(str_format(subject, sizeof(subject), "$KV.%s.%s", bucket, key));
    return bus_publish(op, &out, &expect, next);
}

/* One message a name, and no chunks: what is in it is all that a test looks at. */
struct err bus_object_put(struct bus_op *op, const char *bucket, const char *name,
                          struct bytes body, const char *description, bus_next_fn *next)
{
    const struct bus_header rollup = {"Nats-Rollup", "sub"};
    char subject[FAKE_SUBJECT];
    struct bus_out out = {
        .subject = subject, .body = body, .headers = &rollup, .header_count = 1};

    (void)description;
    must(str_format(subject, sizeof(subject), "$O.%s.M.%s", bucket, name));
    return bus_publish(op, &out, NULL, next);
}

struct err bus_lease_beat(struct bus_op *op, const char *acks, bus_next_fn *next)
{
    call(op, next);
    return submit(op, request_new(BEAT, NULL, acks, bytes_str("")));
}

/* ---- turns ------------------------------------------------------------------------------------------------------------- */

static void carry_out(struct event *e)
{
    struct answer a;

    answer_init(&a);
    if (e->request->kind == REQUEST)
        (void)fake_route(e->request->out.subject, "_INBOX.none", e->request->out.body,
                         e->request->out.headers, e->request->out.header_count);
    else
        do_request(e->request, &a);
    free_msgs(a.msgs);
}

static void run_event(struct event *e)
{
    struct bus_op *op =
        e->kind == EVENT_ANSWER && e->generation ? op_of(e->bus, e->generation) : NULL;

    switch (e->kind) {
    case EVENT_DO:
        carry_out(e);
        return;
    case EVENT_MSG:
        fake_sub_deliver(e->bus, e->sub, take(&e->msg));
        return;
    case EVENT_ANSWER:
        if (!op)
            e->bus->counts.late++;
        else if (op->state == STATE_ENDING)
            finish(op);
        else
            answer_op(op, &e->answer);
        return;
    }
}

/* Those that are due by now, in the order in which they came; what they bring about is the next turn's. */
bool fake_events_run(void)
{
    struct list due;

    list_init(&due);
    LIST_EACH_SAFE(&fake.events, it)
    {
        const struct event *e = LIST_OWNER(it, struct event, link);
        if (e->at > fake.now || (e->kind != EVENT_DO && fake_frozen(e->bus)))
            continue;
        list_remove(it);
        list_push(&due, it);
    }
    bool any = !list_empty(&due);
    for (struct list *it; !list_empty(&due);) {
        it                                               = due.next;
        LIST_OWNER(it, struct event, link)->bus->stirred = true;
        run_event(LIST_OWNER(it, struct event, link));
        event_free(LIST_OWNER(it, struct event, link));
    }
    return any;
}

bool fake_ops_due(struct bus *bus)
{
    bool any = false;

    if (fake_frozen(bus))
        return false;
    for (struct list *it = bus->ops.next; it != &bus->ops;) {
        struct bus_op *op = LIST_OWNER(it, struct bus_op, link);
        bool over = op->deadline != 0 && op->deadline <= fake.now && op->state != STATE_ENDING;
        bool waited  = op->state == STATE_WAITING && op->until <= fake.now;
        bool unheard = op->state == STATE_CALLING && op->until <= fake.now;

        it = it->next;
        if (over)
            (void)bus_op_fail(op, err_of(ERR_UNKNOWN, "deadline"));
        else if (waited)
            answer_err(op, OK);
        else if (unheard)
            answer_err(op, err_of(ERR_UNKNOWN, "no answer in time"));
        else
            continue;
        any = true;
        it  = bus->ops.next; /* others may be gone */
    }
    return any;
}

uint64_t fake_ops_next(const struct bus *bus)
{
    uint64_t next = UINT64_MAX;

    LIST_EACH(&bus->ops, it)
    {
        const struct bus_op *op = LIST_OWNER(it, struct bus_op, link);
        bool asks               = op->state == STATE_WAITING || op->state == STATE_CALLING;

        if (asks && op->until < next)
            next = op->until;
        if (op->deadline != 0 && op->state != STATE_ENDING && op->deadline < next)
            next = op->deadline;
    }
    return next;
}

uint64_t fake_events_next(void)
{
    uint64_t next = UINT64_MAX;

    LIST_EACH(&fake.events, it)
    {
        const struct event *e = LIST_OWNER(it, struct event, link);
        bool held             = e->kind != EVENT_DO && e->bus->frozen_until > e->at;
        uint64_t at           = held ? e->bus->frozen_until : e->at;

        if (at < next)
            next = at;
    }
    return next;
}

/* The connection is lost: nobody answers any more. */
void fake_ops_lost(struct bus *bus)
{
    LIST_EACH(&bus->ops, it)
    {
        struct bus_op *op = LIST_OWNER(it, struct bus_op, link);

        if (op->state != STATE_CALLING)
            continue;
        op->slot = generation();
        answer_with(op, err_of(ERR_UNKNOWN, "connection lost"));
    }
}

void fake_ops_end(struct bus *bus)
{
    while (!list_empty(&bus->ops)) {
        struct bus_op *op = LIST_OWNER(bus->ops.next, struct bus_op, link);

        if (op->state != STATE_ENDING)
            (void)bus_op_fail(op, err_of(ERR_UNKNOWN, "the bus was freed"));
        finish(op);
    }
    LIST_EACH_SAFE(&fake.events, it)
    {
        if (LIST_OWNER(it, struct event, link)->bus == bus)
            event_free(LIST_OWNER(it, struct event, link));
    }
}

size_t fake_ops(const char *what)
{
    size_t n = 0;

    LIST_EACH(&fake.buses, it)
    LIST_EACH(&LIST_OWNER(it, struct bus, link)->ops, o)
    n += !what || str_equal(what, LIST_OWNER(o, struct bus_op, link)->what);
    return n;
}
