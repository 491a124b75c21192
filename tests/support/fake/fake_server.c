#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "fake_internal.h"

/* ---- subjects and the server's compact JSON --------------------------------------------------- */

/* Asked more often than anything else here: a star and a > stand for whole tokens, so characters are all there is. */
bool fake_match(const char *filter, const char *subject)
{
    while (*filter) {
        if (*filter == '>')
            return *subject != '\0';
        if (*filter == '*') {
            while (*subject && *subject != '.')
                subject++;
            filter++;
        } else if (*filter++ != *subject++) {
            return false;
        }
    }
    return *subject == '\0';
}

static const char *member(const char *json, const char *name)
{
    char key[80];

    must(str_format(key, sizeof(key), "\"%s\":", name));
    const char *at = json ? strstr(json, key) : NULL;

    return at ? at + strlen(key) : NULL;
}

/* -1 (no limit) and what is not there: absent. */
static uint64_t number(const char *json, const char *name, uint64_t absent)
{
    const char *at = member(json, name);

    return at && *at != '-' ? strtoull(at, NULL, 10) : absent;
}

static char *text_of(const char *json, const char *name)
{
    const char *at = member(json, name);

    return at && *at == '"' ? mem_strndup(at + 1, strcspn(at + 1, "\"")) : NULL;
}

/* ---- streams ------------------------------------------------------------------------------------ */

struct fake_stream *fake_stream_find(const char *name)
{
    LIST_EACH(&fake.streams, it)
    {
        struct fake_stream *s = LIST_OWNER(it, struct fake_stream, link);

        if (str_equal(s->name, name))
            return s;
    }
    return NULL;
}

struct fake_stream *fake_stream_of(const char *subject)
{
    LIST_EACH(&fake.streams, it)
    {
        struct fake_stream *s = LIST_OWNER(it, struct fake_stream, link);

        for (size_t i = 0; i < s->subject_count; i++)
            if (fake_match(s->subjects[i], subject))
                return s;
    }
    return NULL;
}

static void configure(struct fake_stream *s, struct bytes config)
{
    mem_free(&s->config);
    s->config        = mem_strndup((const char *)config.at, config.len);
    const char *list = member(s->config, "subjects");

    while (s->subject_count > 0)
        mem_free(&s->subjects[--s->subject_count]);
    for (const char *at = list ? list + 1 : ""; *at == '"' || *at == ',';) {
        if (*at == ',') {
            at++;
            continue;
        }
        size_t len = strcspn(at + 1, "\"");

        must(s->subject_count < 4);
        s->subjects[s->subject_count++] = mem_strndup(at + 1, len);
        at += len + 2;
    }
    mem_free(&s->republish);
    s->queue         = strstr(s->config, "\"retention\":\"workqueue\"") != NULL;
    s->discard_new   = strstr(s->config, "\"discard\":\"new\"") != NULL;
    s->allow_ttl     = strstr(s->config, "\"allow_msg_ttl\":true") != NULL;
    s->max_msgs      = number(s->config, "max_msgs", UINT64_MAX);
    s->history       = number(s->config, "max_msgs_per_subject", UINT64_MAX);
    s->marker_ttl_ms = number(s->config, "subject_delete_marker_ttl", 0) / 1000000;
    s->republish     = text_of(s->config, "dest");
}

/* It is a stream of its own, and nothing is in it. */
static void begin(struct fake_stream *s)
{
    uint64_t first = number(s->config, "first_seq", 1);

    s->generation = ++fake.ids;
    s->last_seq   = first > 0 ? first - 1 : 0;
}

static struct fake_stream *stream_new(const char *name, struct bytes config)
{
    struct fake_stream *s = mem_new(struct fake_stream);

    s->name  = mem_strdup(name);
    s->limit = UINT64_MAX;
    list_init(&s->consumers);
    configure(s, config);
    begin(s);
    list_push(&fake.streams, &s->link);
    return s;
}

void fake_make_stream(const char *name, struct bytes config)
{
    (void)stream_new(name, config);
}

static void msg_free(struct fake_msg *m)
{
    for (size_t i = 0; i < m->header_count; i++) {
        char *name  = (char *)(uintptr_t)m->headers[i].name;
        char *value = (char *)(uintptr_t)m->headers[i].value;
        mem_free(&name);
        mem_free(&value);
    }
    mem_free(&m->headers);
    mem_free(&m->subject);
    mem_free(&m->body);
    mem_free(&m);
}

struct fake_msg *fake_stream_seq(const struct fake_stream *s, uint64_t seq)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->msgs[i]->seq == seq)
            return s->msgs[i];
    return NULL;
}

struct fake_msg *fake_stream_last(const struct fake_stream *s, const char *subject)
{
    for (size_t i = s->count; i-- > 0;)
        if (fake_match(subject, s->msgs[i]->subject))
            return s->msgs[i];
    return NULL;
}

struct fake_msg *fake_stream_next(const struct fake_stream *s, const char *subject,
                                  uint64_t from)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->msgs[i]->seq >= from && fake_match(subject, s->msgs[i]->subject))
            return s->msgs[i];
    return NULL;
}

static void remove_at(struct fake_stream *s, size_t at)
{
    s->changed = ++fake.changes;
    msg_free(s->msgs[at]);
    memmove(s->msgs + at, s->msgs + at + 1, (s->count - at - 1) * sizeof(*s->msgs));
    s->count--;
}

void fake_stream_remove(struct fake_stream *s, uint64_t seq)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->msgs[i]->seq == seq) {
            remove_at(s, i);
            return;
        }
}

uint64_t fake_stream_purge(struct fake_stream *s, const char *subject, uint64_t upto)
{
    uint64_t purged = 0;

    for (size_t i = 0; i < s->count;) {
        if ((upto == 0 || s->msgs[i]->seq <= upto) &&
            fake_match(subject, s->msgs[i]->subject)) {
            remove_at(s, i);
            purged++;
        } else {
            i++;
        }
    }
    return purged;
}

static const char *header_of(const struct bus_out *out, const char *name)
{
    for (size_t i = 0; i < out->header_count; i++)
        if (str_equal(out->headers[i].name, name))
            return out->headers[i].value;
    return NULL;
}

/* sluice.watch.{{wildcard(1)}}.{{wildcard(2)}}: the last tokens of the subject, as the journal has it. */
static void republish(const struct fake_stream *s, const struct fake_msg *m)
{
    char to[FAKE_SUBJECT] = "", token[128], seq[24];
    const char *at        = s->republish;

    while (*at) {
        const char *wild = strstr(at, "{{wildcard(");
        size_t len       = wild ? (size_t)(wild - at) : strlen(at);
        strncat(to, at, len);
        at += len;
        if (!wild)
            break;
        unsigned n       = (unsigned)atoi(at + strlen("{{wildcard("));
        const char *dots = m->subject;
        unsigned stars = 0, i = 0;
        for (const char *f = s->subjects[0];;
             f++, i++) { /* which token the n-th star stands for */
            if (*f == '*' || *f == '>')
                stars++;
            if (stars == n)
                break;
            f += strcspn(f, ".");
        }
        must(str_token(dots, i, token, sizeof(token)));
        strncat(to, token, sizeof(to) - strlen(to) - 1);
        at = strstr(at, "}}") + 2;
    }
    struct bus_header headers[40];
    size_t count = 0;
    for (; count < m->header_count && count < 32; count++)
        headers[count] = m->headers[count];
    str_format(seq, sizeof(seq), "%" PRIu64, m->seq);
    headers[count++] = (struct bus_header){"Nats-Stream", s->name};
    headers[count++] = (struct bus_header){"Nats-Subject", m->subject};
    headers[count++] = (struct bus_header){"Nats-Sequence", seq};
    (void)fake_route(to, "", bytes_of(m->body, m->len), headers, count);
}

static uint64_t add(struct fake_stream *s, const struct bus_out *out,
                    const struct bus_expect *expect)
{
    struct fake_msg *m = mem_new(struct fake_msg);
    const char *rollup = header_of(out, "Nats-Rollup");

    if (rollup)
        (void)fake_stream_purge(s, str_equal(rollup, "all") ? ">" : out->subject, 0);
    m->subject      = mem_strdup(out->subject);
    m->body         = mem_copy(out->body.at, out->body.len);
    m->len          = out->body.len;
    m->seq          = ++s->last_seq;
    m->stored_ms    = fake.wall_base + (int64_t)fake.now;
    m->header_count = out->header_count;
    m->headers      = mem_array(out->header_count + 1, sizeof(*m->headers));
    for (size_t i = 0; i < out->header_count; i++)
        m->headers[i] = (struct bus_header){mem_strdup(out->headers[i].name),
                                            mem_strdup(out->headers[i].value)};
    if (expect && expect->ttl_s)
        m->expires = fake.now + expect->ttl_s * UINT64_C(1000);
    if (s->count == s->room) {
        s->room = s->room * 2 + 16;
        s->msgs = mem_grow(s->msgs, s->room, sizeof(*s->msgs));
    }
    s->msgs[s->count++] = m;
    s->changed          = ++fake.changes;

    size_t of_subject = 0;
    if (s->history != UINT64_MAX)
        for (size_t i = s->count; i-- > 0;)
            if (str_equal(s->msgs[i]->subject, out->subject) && ++of_subject > s->history)
                remove_at(s, i);
    if (s->republish)
        republish(s, m);
    return s->last_seq;
}

static struct err check(const struct fake_stream *s, const struct bus_out *out,
                        const struct bus_expect *expect, const char **ret_text)
{
    uint64_t max = s->limit != UINT64_MAX ? s->limit : s->max_msgs;

    if (expect && expect->ttl_s && !s->allow_ttl) {
        *ret_text = "per-message TTL is disabled";
        return err_from(ERR_REJECT, "publish", ERR_FROM_JETSTREAM, 10166);
    }
    if (expect && expect->seq != BUS_ANY) {
        const struct fake_msg *last =
            fake_stream_last(s, expect->subject ? expect->subject : out->subject);
        if ((last ? last->seq : 0) != expect->seq) {
            *ret_text = "wrong last sequence";
            return err_from(ERR_CONFLICT, "publish", ERR_FROM_JETSTREAM, 10071);
        }
    }
    if (s->discard_new && max != UINT64_MAX && s->count >= max) {
        *ret_text = "maximum messages exceeded";
        return err_from(ERR_FULL, "publish", ERR_FROM_JETSTREAM, 10077);
    }
    return OK;
}

struct err fake_stream_store(const struct bus_out *out, const struct bus_expect *expect,
                             uint64_t *ret_seq, const char **ret_text)
{
    struct fake_stream *s = fake_stream_of(out->subject);

    if (!s)
        return err_from(ERR_RETRY, "publish: no stream listens", ERR_FROM_JETSTREAM, 503);
    struct err e = check(s, out, expect, ret_text);
    if (!failed(e))
        *ret_seq = add(s, out, expect);
    return e;
}

static void expire(struct fake_stream *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->msgs[i]->expires || s->msgs[i]->expires > fake.now)
            continue;
        AUTO(mem_free) char *subject = mem_strdup(s->msgs[i]->subject);
        bool last                    = fake_stream_last(s, subject) == s->msgs[i];
        bool marker                  = s->msgs[i]->header_count > 0;

        remove_at(s, i--);
        if (last && !marker && s->marker_ttl_ms) {
            const struct bus_header header = {"Nats-Marker-Reason", "MaxAge"};
            const struct bus_out out       = {subject, bytes_str(""), &header, 1};
            const struct bus_expect expect = {.seq   = BUS_ANY,
                                              .ttl_s = (uint32_t)(s->marker_ttl_ms / 1000)};
            (void)add(s, &out, &expect);
        }
    }
}

void fake_server_expire(void)
{
    LIST_EACH(&fake.streams, it)
    expire(LIST_OWNER(it, struct fake_stream, link));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is due already waits for somebody who takes it, not for time. */
uint64_t fake_server_due(void)
{
    uint64_t due = UINT64_MAX;

    LIST_EACH(&fake.streams, it)
    {
        const struct fake_stream *s = LIST_OWNER(it, struct fake_stream, link);

        for (size_t i = 0; i < s->count; i++)
            if (s->msgs[i]->expires)
                due = earlier(due, s->msgs[i]->expires);
        LIST_EACH(&s->consumers, c)
        LIST_EACH(&LIST_OWNER(c, struct fake_consumer, link)->leases, l)
        {
            const struct fake_lease *lease = LIST_OWNER(l, struct fake_lease, link);
            if (lease->due > fake.now)
                due = earlier(due, lease->due);
        }
    }
    return due;
}

/* ---- consumers ------------------------------------------------------------------------------------ */

struct fake_consumer *fake_consumer_find(const struct fake_stream *s, const char *name)
{
    if (!s)
        return NULL;
    LIST_EACH(&s->consumers, it)
    {
        struct fake_consumer *c = LIST_OWNER(it, struct fake_consumer, link);

        if (str_equal(c->name, name))
            return c;
    }
    return NULL;
}

static void consumer_free(struct fake_consumer *c)
{
    for (struct list *it; (it = list_shift(&c->leases));) {
        struct fake_lease *lease = LIST_OWNER(it, struct fake_lease, link);
        mem_free(&lease);
    }
    list_remove(&c->link);
    mem_free(&c->name);
    mem_free(&c->filter);
    mem_free(&c->config);
    mem_free(&c);
}

void fake_make_consumer(const char *stream, const char *name, struct bytes config)
{
    struct fake_stream *s   = fake_stream_find(stream);
    struct fake_consumer *c = fake_consumer_find(s, name);

    if (!c) {
        c         = mem_new(struct fake_consumer);
        c->stream = s;
        c->name   = mem_strdup(name);
        list_init(&c->leases);
        list_push(&s->consumers, &c->link);
    }
    mem_free(&c->config);
    mem_free(&c->filter);
    c->config      = mem_strndup((const char *)config.at, config.len);
    c->filter      = text_of(c->config, "filter_subject");
    c->ack_wait_ms = number(c->config, "ack_wait", UINT64_C(30000000000)) / 1000000;
    must(c->filter);
}

static struct fake_lease *lease_of(struct fake_consumer *c, uint64_t seq)
{
    LIST_EACH(&c->leases, it)
    {
        struct fake_lease *lease = LIST_OWNER(it, struct fake_lease, link);

        if (lease->seq == seq)
            return lease;
    }
    return NULL;
}

static void lease_free(struct fake_lease *lease)
{
    list_remove(&lease->link);
    mem_free(&lease);
}

static struct fake_lease *due_lease(struct fake_consumer *c)
{
    LIST_EACH_SAFE(&c->leases, it)
    {
        struct fake_lease *lease = LIST_OWNER(it, struct fake_lease, link);

        if (!fake_stream_seq(c->stream, lease->seq))
            lease_free(lease);
        else if (lease->due <= fake.now)
            return lease;
    }
    return NULL;
}

struct bus_msg *fake_consumer_next(struct fake_consumer *c)
{
    struct fake_lease *lease = due_lease(c);
    const struct fake_msg *m;

    if (lease) {
        m = fake_stream_seq(c->stream, lease->seq);
    } else {
        m = fake_stream_next(c->stream, c->filter, c->next_seq);
        if (!m)
            return NULL;
        c->next_seq = m->seq + 1;
        lease       = mem_new(struct fake_lease);
        lease->seq  = m->seq;
        list_push(&c->leases, &lease->link);
    }
    lease->deliveries++;
    lease->due = fake.now + c->ack_wait_ms;

    char acks[FAKE_SUBJECT];
    must(str_format(acks, sizeof(acks),
                    "$JS.ACK.%s.%s.%u.%" PRIu64 ".%" PRIu64 ".%" PRId64 ".0", c->stream->name,
                    c->name, lease->deliveries, m->seq, ++c->seq, m->stored_ms * 1000000));
    struct bus_msg *out =
        fake_msg_new(m->subject, acks, bytes_of(m->body, m->len), m->headers, m->header_count);
    out->seq          = m->seq;
    out->consumer_seq = c->seq;
    out->deliveries   = lease->deliveries;
    out->stored_ms    = m->stored_ms;
    return out;
}

void fake_redeliver(const char *stream, const char *consumer)
{
    struct fake_consumer *c = fake_consumer_find(fake_stream_find(stream), consumer);

    must(c);
    LIST_EACH(&c->leases, it)
    LIST_OWNER(it, struct fake_lease, link)->due = fake.now;
}

void fake_ack(const char *acks, struct bytes what, const char *reply)
{
    char stream[128], consumer[128], seq[32];

    must(str_token(acks, 2, stream, sizeof(stream)) &&
         str_token(acks, 3, consumer, sizeof(consumer)) &&
         str_token(acks, 5, seq, sizeof(seq)));
    struct fake_consumer *c   = fake_consumer_find(fake_stream_find(stream), consumer);
    struct fake_lease *lease  = c ? lease_of(c, strtoull(seq, NULL, 10)) : NULL;
    AUTO(mem_free) char *verb = mem_strndup((const char *)what.at, what.len);

    if (lease && (str_starts(verb, "+ACK") || str_starts(verb, "+TERM"))) {
        uint64_t number_of = lease->seq;
        lease_free(lease);
        if (c->stream->queue)
            fake_stream_remove(c->stream, number_of);
    } else if (lease && str_starts(verb, "-NAK")) {
        lease->due = fake.now + number(verb, "delay", 0) / 1000000;
    } else if (lease && str_starts(verb, "+WPI")) {
        lease->due = fake.now + c->ack_wait_ms;
    }
    if (reply && *reply)
        (void)fake_route(reply, "", bytes_str(""), NULL, 0);
}

/* ---- the API -------------------------------------------------------------------------------------- */

static size_t of_subject(const struct fake_stream *s, const char *subject, size_t from)
{
    size_t n = 0;

    for (size_t i = from; i < s->count; i++)
        n += str_equal(s->msgs[i]->subject, subject);
    return n;
}

static char *stream_info(const struct fake_stream *s, const char *ask)
{
    struct buf b;
    size_t subjects = 0;
    bool list       = strstr(ask, "subjects_filter") != NULL;
    char first[40]  = "0001-01-01T00:00:00Z";

    buf_init(&b, 4 << 20);
    if (s->count > 0)
        str_time_text(s->msgs[0]->stored_ms, first, sizeof(first));
    buf_printf(&b,
               "{\"config\":%s,\"created\":\"made-%u\",\"state\":{\"messages\":%zu,\"last_"
               "seq\":%" PRIu64 ",\"first_seq\":%" PRIu64 ",\"first_ts\":\"%s\"",
               s->config, s->generation, s->count, s->last_seq,
               s->count > 0      ? s->msgs[0]->seq
               : s->last_seq > 0 ? s->last_seq + 1
                                 : 0,
               first);
    buf_str(&b, list ? ",\"subjects\":{" : "");
    for (size_t i = 0; i < s->count; i++) {
        if (of_subject(s, s->msgs[i]->subject, i + 1) > 0)
            continue;
        if (list && subjects >= number(ask, "offset", 0))
            buf_printf(&b, "%s\"%s\":1", b.at[b.len - 1] == '{' ? "" : ",",
                       s->msgs[i]->subject);
        subjects++;
    }
    buf_printf(&b, "%s,\"num_subjects\":%zu}}", list ? "}" : "", subjects);
    return buf_take(&b);
}

static char *consumer_info(const struct fake_consumer *c)
{
    struct buf b;
    size_t leases = 0, waiting = 0;

    LIST_EACH(&c->leases, it)
    leases++;
    for (size_t i = 0; i < c->stream->count; i++)
        waiting += c->stream->msgs[i]->seq >= c->next_seq &&
                   fake_match(c->filter, c->stream->msgs[i]->subject);
    buf_init(&b, 1 << 20);
    buf_printf(&b,
               "{\"name\":\"%s\",\"config\":%s,\"num_ack_pending\":%zu,\"num_pending\":%zu}",
               c->name, c->config, leases, waiting);
    return buf_take(&b);
}

static struct err absent(int32_t code)
{
    return err_from(ERR_ABSENT, "call the API", ERR_FROM_JETSTREAM, code);
}

static struct err consumer_call(const char *verb, struct fake_stream *s, const char *name,
                                struct bytes body, char **ret)
{
    struct fake_consumer *c = fake_consumer_find(s, name);

    if (!s)
        return absent(10059);
    if (str_equal(verb, "NAMES")) {
        struct buf b;
        buf_init(&b, 1 << 20);
        buf_str(&b, "{\"consumers\":[");
        LIST_EACH(&s->consumers, it)
        buf_printf(&b, "%s\"%s\"", it == s->consumers.next ? "" : ",",
                   LIST_OWNER(it, struct fake_consumer, link)->name);
        buf_str(&b, "]}");
        *ret = buf_take(&b);
        return OK;
    }
    if (str_equal(verb, "CREATE")) {
        fake_make_consumer(s->name, name, body);
        *ret = consumer_info(fake_consumer_find(s, name));
        return OK;
    }
    if (!c)
        return absent(10014);
    if (str_equal(verb, "DELETE")) {
        consumer_free(c);
        *ret = mem_strdup("{\"success\":true}");
        return OK;
    }
    must(str_equal(verb, "INFO"));
    *ret = consumer_info(c);
    return OK;
}

static struct err stream_call(const char *verb, const char *name, struct bytes body, char **ret)
{
    struct fake_stream *s       = fake_stream_find(name);
    AUTO(mem_free) char *config = mem_strndup((const char *)body.at, body.len);

    if (!s && str_equal(verb, "CREATE"))
        s = stream_new(name, body);
    if (!s)
        return absent(10059);
    if (str_equal(verb, "UPDATE"))
        configure(s, body);
    else
        must(str_equal(verb, "INFO") || str_equal(verb, "CREATE"));
    *ret = stream_info(s, str_equal(verb, "INFO") ? config : "");
    return OK;
}

struct err fake_api(const char *call, struct bytes body, char **ret)
{
    char kind[32], verb[32], name[128], consumer[128] = "";

    must(str_token(call, 0, kind, sizeof(kind)) && str_token(call, 1, verb, sizeof(verb)) &&
         str_token(call, 2, name, sizeof(name)));
    (void)str_token(call, 3, consumer, sizeof(consumer));
    if (str_equal(kind, "CONSUMER"))
        return consumer_call(verb, fake_stream_find(name), consumer, body, ret);
    must(str_equal(kind, "STREAM"));
    return stream_call(verb, name, body, ret);
}

/* ---- what a test asks -------------------------------------------------------------------------------- */

bool fake_stored(const char *stream, const char *subject, size_t n, struct fake_stored *ret)
{
    const struct fake_stream *s = fake_stream_find(stream);

    for (size_t i = 0; s && i < s->count; i++) {
        const struct fake_msg *m = s->msgs[i];
        if (fake_match(subject, m->subject) && n-- == 0) {
            *ret = (struct fake_stored){m->subject, bytes_of(m->body, m->len), m->seq,
                                        m->stored_ms};
            return true;
        }
    }
    return false;
}

bool fake_has_stream(const char *stream)
{
    return fake_stream_find(stream) != NULL;
}

uint64_t fake_changes(const char *stream)
{
    const struct fake_stream *s = fake_stream_find(stream);

    return s ? s->changed : 0;
}

size_t fake_stored_count(const char *stream, const char *subject)
{
    struct fake_stored m;
    size_t n = 0;

    while (fake_stored(stream, subject, n, &m))
        n++;
    return n;
}

uint64_t fake_store(const char *subject, struct bytes body)
{
    const struct bus_out out = {subject, body, NULL, 0};
    const char *text;
    uint64_t seq = 0;

    must(!failed(fake_stream_store(&out, NULL, &seq, &text)));
    return seq;
}

void fake_limit(const char *stream, uint64_t max_msgs)
{
    struct fake_stream *s = fake_stream_find(stream);

    must(s);
    s->limit = max_msgs;
}

void fake_configure(const char *stream, struct bytes config)
{
    struct fake_stream *s = fake_stream_find(stream);

    must(s);
    configure(s, config);
}

void fake_make_anew(const char *stream)
{
    struct fake_stream *s = fake_stream_find(stream);

    must(s);
    while (!list_empty(&s->consumers))
        consumer_free(LIST_OWNER(s->consumers.next, struct fake_consumer, link));
    (void)fake_stream_purge(s, ">", 0);
    begin(s);
}

void fake_server_free(void)
{
    for (struct list *it; (it = list_shift(&fake.streams));) {
        struct fake_stream *s = LIST_OWNER(it, struct fake_stream, link);

        while (!list_empty(&s->consumers))
            consumer_free(LIST_OWNER(s->consumers.next, struct fake_consumer, link));
        while (s->count > 0)
            msg_free(s->msgs[--s->count]);
        while (s->subject_count > 0)
            mem_free(&s->subjects[--s->subject_count]);
        mem_free(&s->msgs);
        mem_free(&s->name);
        mem_free(&s->config);
        mem_free(&s->republish);
        mem_free(&s);
    }
}
