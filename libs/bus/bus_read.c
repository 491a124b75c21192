#include "base/base64.h"
#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_meta.h"
#include "bus/bus_puback.h"
#include "bus/bus_scan.h"

/* A batch is also cut by bytes, so that 1024 messages of the largest size are not gathered at once. */
enum {
    READ_DEFAULT   = 256,
    READ_MAX       = 1024,
    READ_BYTES_MAX = 16 << 20,
    BODY_SIZE      = BUS_SUBJECT_SIZE + 128
};

struct read_part {
    struct bus_part part;
    char stream[BUS_SUBJECT_SIZE], subject[BUS_SUBJECT_SIZE];
    uint64_t from; /* the leader is asked for the next from here */
    uint32_t max;
    struct bus_msg *first, **last;
    size_t count, size;
    uint64_t seq; /* of the last that came */
    bool more;
};

static void part_free(struct bus_part *part)
{
    struct read_part *p = (struct read_part *)(void *)part;

    for (struct bus_msg *msg; (msg = p->first);) {
        p->first  = msg->next;
        msg->next = NULL;
        bus_msg_free(&msg);
    }
    mem_free(&p);
}

static struct read_part *part_of(struct bus_op *op)
{
    return (struct read_part *)(void *)op->part;
}

static void keep(struct read_part *p, struct bus_msg **msg)
{
    struct bus_msg *m = take(msg);

    p->seq = m->seq;
    p->size += m->body.len;
    p->count++;
    m->next  = NULL;
    *p->last = m;
    p->last  = &m->next;
}

static void reply_all(struct bus_op *op)
{
    struct read_part *p    = part_of(op);
    struct bus_reply reply = {
        .seq = p->seq, .count = p->count, .more = p->more, .msgs = take(&p->first)};

    if (reply.count == 1)
        reply.body = reply.msgs->body;
    bus_op_reply(op, &reply);
}

/* ---- direct get -------------------------------------------------------------------------------- */

static bool header_u64(const struct bus_msg *msg, const char *name, uint64_t *ret)
{
    const char *text = bus_msg_header(msg, name);

    return text && bus_meta_u64(bytes_str(text), ret);
}

static bool read_headers(struct bus_msg *msg)
{
    const char *subject = bus_msg_header(msg, "Nats-Subject");
    const char *time    = bus_msg_header(msg, "Nats-Time-Stamp");

    if (!subject || !time || !header_u64(msg, "Nats-Sequence", &msg->seq) ||
        failed(str_time_ms(time, &msg->stored_ms)))
        return false;
    msg->subject = subject;
    (void)header_u64(msg, "Nats-Num-Pending", &msg->pending);
    return true;
}

/* A stored message may have a header "Status" of its own; the server names its stream in each. */
static const char *direct_status(const struct bus_msg *msg)
{
    return bus_msg_header(msg, "Nats-Stream") ? NULL : bus_nats_status(msg);
}

static struct err status_error(const char *status)
{
    enum err_kind kind = status[0] == '4' ? ERR_REJECT : ERR_UNKNOWN;
    uint64_t code      = 0;

    if (strcmp(status, "404") == 0)
        kind = ERR_ABSENT;
    if (strcmp(status, "503") == 0 || strcmp(status, "429") == 0)
        kind = ERR_RETRY;
    (void)bus_meta_u64(bytes_str(status), &code);
    return err_from(kind, "read a stream", ERR_FROM_JETSTREAM, (int32_t)(code & 0xffff));
}

/* Each message of a batch tells the sequence of the one before it, the end that of the last: a part
   that was lost on the way shows, and is never taken for a short read. */
static bool continues(const struct bus_msg *msg, uint64_t seq)
{
    uint64_t before;

    return header_u64(msg, "Nats-Last-Sequence", &before) && before == seq;
}

static void on_batch_end(struct bus_op *op, const struct bus_msg *msg)
{
    uint64_t pending = 0;

    if (!continues(msg, part_of(op)->seq) || !header_u64(msg, "Nats-Num-Pending", &pending)) {
        bus_op_reply_err(op, err_of(ERR_UNKNOWN, "read: a part of the answer was lost"));
        return;
    }
    part_of(op)->more = pending > 0;
    reply_all(op);
}

static void on_batch(struct bus_op *op, struct bus_msg **msg)
{
    struct read_part *p = part_of(op);
    const char *status  = direct_status(*msg);

    if (!status) {
        if (!read_headers(*msg) || !continues(*msg, p->seq)) {
            bus_op_reply_err(op, err_of(ERR_UNKNOWN, "read: a part of the answer was lost"));
            return;
        }
        keep(p, msg);
        bus_hop_extend(op, 0);
    } else if (strcmp(status, "204") == 0) {
        on_batch_end(op, *msg);
    } else if (strcmp(status, "404") == 0 && p->count == 0) {
        reply_all(op);
    } else if (strcmp(status, "404") == 0) {
        bus_op_reply_err(op, err_of(ERR_UNKNOWN, "read: the answer contradicts itself"));
    } else {
        bus_op_reply_err(op, status_error(status));
    }
}

static struct err ask_batch(struct bus_op *op)
{
    struct read_part *p = part_of(op);
    char call[BUS_SUBJECT_SIZE], body[BODY_SIZE];

    must(str_format(body, sizeof(body),
                    "{\"batch\":%u,\"max_bytes\":%d,\"seq\":%llu,\"next_by_subj\":\"%s\"}",
                    p->max, READ_BYTES_MAX, (unsigned long long)p->from, p->subject));
    return bus_api_hop(op, bus_api_name(call, "DIRECT.GET.%s", p->stream), bytes_str(body),
                       on_batch);
}

/* ---- the leader, one by one --------------------------------------------------------------------- */

static struct err ask_leader(struct bus_op *op);

static bool decode(struct bytes json, const char *name, uint8_t **ret, size_t *ret_len)
{
    struct bytes value;

    *ret     = mem_copy(NULL, 0);
    *ret_len = 0;
    if (!bus_scan_find(json, name, &value))
        return true;
    if (value.len < 2 || value.at[0] != '"')
        return false;
    mem_free(ret);
    *ret = mem_array(base64_decoded_max(value.len), 1);
    return base64_decode(bytes_of(value.at + 1, value.len - 2), *ret, ret_len);
}

/* From {"message":{"subject","seq","time","hdrs","data"}}; NULL if it is not that. */
static struct bus_msg *read_stored(struct bytes json)
{
    AUTO(mem_free) uint8_t *body    = NULL;
    AUTO(mem_free) uint8_t *headers = NULL;
    char subject[BUS_SUBJECT_SIZE], time[64];
    struct bytes message, text;
    size_t body_len, headers_len;
    uint64_t seq;
    int64_t stored_ms;

    if (!bus_scan_find(json, "message", &message) ||
        !bus_scan_find(message, "subject", &text) ||
        !bus_scan_text(text, subject, sizeof(subject)) ||
        !bus_scan_find(message, "time", &text) || !bus_scan_text(text, time, sizeof(time)) ||
        failed(str_time_ms(time, &stored_ms)) || !bus_scan_find(message, "seq", &text) ||
        !bus_scan_u64(text, &seq) || !decode(message, "data", &body, &body_len) ||
        !decode(message, "hdrs", &headers, &headers_len))
        return NULL;
    struct bus_msg *msg =
        bus_nats_msg(subject, bytes_of(headers, headers_len), bytes_of(body, body_len));
    msg->seq       = seq;
    msg->stored_ms = stored_ms;
    return msg;
}

/* One more than was asked for is fetched, to know whether there is more. */
static void on_leader(struct bus_op *op, struct bus_msg **msg)
{
    struct read_part *p = part_of(op);
    char text[BUS_TEXT_SIZE];

    struct err e = bus_api_error(*msg, "read", text);
    if (e.kind == ERR_ABSENT && e.code != 10059) {
        reply_all(op);
        return;
    }
    struct bus_msg *stored = failed(e) ? NULL : read_stored((*msg)->body);
    if (!stored) {
        struct bus_reply reply = {.err  = failed(e) ? e : err_of(ERR_UNKNOWN, "read"),
                                  .text = text};
        bus_op_reply(op, &reply);
        return;
    }
    if (p->count == p->max || p->size > READ_BYTES_MAX) {
        bus_msg_free(&stored);
        p->more = true;
        reply_all(op);
        return;
    }
    keep(p, &stored);
    p->from = p->seq + 1;
    (void)ask_leader(op);
}

static struct err ask_leader(struct bus_op *op)
{
    struct read_part *p = part_of(op);
    char call[BUS_SUBJECT_SIZE], body[BODY_SIZE];

    must(str_format(body, sizeof(body), "{\"seq\":%llu,\"next_by_subj\":\"%s\"}",
                    (unsigned long long)p->from, p->subject));
    return bus_api_hop(op, bus_api_name(call, "STREAM.MSG.GET.%s", p->stream), bytes_str(body),
                       on_leader);
}

/* ---- the calls --------------------------------------------------------------------------------- */

static bool askable(const char *stream, const char *subject)
{
    return bus_api_token(stream) && bus_nats_subject_valid(subject, true) &&
           !strpbrk(subject, "\"\\") && strlen(subject) < BUS_SUBJECT_SIZE &&
           strlen(stream) < BUS_SUBJECT_SIZE;
}

struct err bus_read(struct bus_op *op, const struct bus_read *read, bus_next_fn *next)
{
    bus_op_call(op, next);
    if (!askable(read->stream, read->subject))
        return bus_op_later(op, err_of(ERR_REJECT, "read a stream"));

    struct read_part *p = mem_new(struct read_part);
    p->part.free        = part_free;
    p->from             = read->from ? read->from : 1;
    p->max  = read->max == 0 ? READ_DEFAULT : read->max > READ_MAX ? READ_MAX : read->max;
    p->last = &p->first;
    must(str_copy(p->stream, sizeof(p->stream), read->stream));
    must(str_copy(p->subject, sizeof(p->subject), read->subject));
    op->part = &p->part;
    return read->leader ? ask_leader(op) : ask_batch(op);
}

struct err bus_read_one(struct bus_msg **msg, struct bus_reply *ret)
{
    const char *status = direct_status(*msg);

    if (status)
        return status_error(status);
    if (!read_headers(*msg))
        return err_of(ERR_UNKNOWN, "get a message");
    ret->msgs  = take(msg);
    ret->seq   = ret->msgs->seq;
    ret->body  = ret->msgs->body;
    ret->count = 1;
    return OK;
}

static void on_one(struct bus_op *op, struct bus_msg **msg)
{
    struct bus_reply reply = {0};

    reply.err = bus_read_one(msg, &reply);
    bus_op_reply(op, &reply);
}

struct err bus_get_last(struct bus_op *op, const char *stream, const char *subject,
                        bus_next_fn *next)
{
    char call[BUS_SUBJECT_SIZE];

    bus_op_call(op, next);
    if (!askable(stream, subject) || !bus_nats_subject_valid(subject, false))
        return bus_op_later(op, err_of(ERR_REJECT, "get the last message"));
    return bus_api_hop(op, bus_api_name(call, "DIRECT.GET.%s.%s", stream, subject),
                       bytes_of(NULL, 0), on_one);
}

struct err bus_get_seq(struct bus_op *op, const char *stream, uint64_t seq, bus_next_fn *next)
{
    char call[BUS_SUBJECT_SIZE], body[64];

    bus_op_call(op, next);
    if (!bus_api_token(stream) || seq == 0)
        return bus_op_later(op, err_of(ERR_REJECT, "get a message"));
    must(str_format(body, sizeof(body), "{\"seq\":%llu}", (unsigned long long)seq));
    return bus_api_hop(op, bus_api_name(call, "DIRECT.GET.%s", stream), bytes_str(body),
                       on_one);
}
