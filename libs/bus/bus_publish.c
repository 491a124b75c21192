#include "base/id.h"
#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_puback.h"

enum { BATCH_MAX = 500, BATCH_HEADERS = 3, HEADERS_MAX = BUS_EXPECT_HEADERS + BATCH_HEADERS };

/* ---- what is expected -------------------------------------------------------------------------- */

static void add(struct bus_expect_text *t, const char *name, const char *value)
{
    t->headers[t->count++] = (struct bus_header){name, value};
}

/* nats.c's own options cannot say "the other subject is empty" (js.c), hence the headers by hand. */
void bus_publish_expect(const struct bus_expect *expect, struct bus_expect_text *t)
{
    t->count = 0;
    if (!expect)
        return;
    if (expect->seq != BUS_ANY) {
        must(str_format(t->seq, sizeof(t->seq), "%llu", (unsigned long long)expect->seq));
        add(t, "Nats-Expected-Last-Subject-Sequence", t->seq);
        if (expect->subject)
            add(t, "Nats-Expected-Last-Subject-Sequence-Subject", expect->subject);
    }
    if (expect->ttl_s != BUS_TTL_NONE) {
        must(str_format(t->ttl, sizeof(t->ttl), "%us", expect->ttl_s));
        add(t, "Nats-TTL", t->ttl);
    }
}

/* ---- one message ------------------------------------------------------------------------------- */

struct err bus_publish_read(const struct bus_msg *msg, struct bus_reply *ret,
                            char text[BUS_TEXT_SIZE])
{
    const char *status = bus_nats_status(msg);
    struct bus_puback ack;

    text[0] = '\0';
    if (status)
        return err_from(ERR_RETRY, "publish: no stream listens", ERR_FROM_JETSTREAM, 503);
    if (!bus_puback_read(msg->body, &ack) || (ack.code == 0 && ack.seq == 0))
        return err_of(ERR_UNKNOWN, "publish: no PubAck");
    if (ack.code == 0) {
        ret->seq   = ack.seq;
        ret->value = ack.value;
        return OK;
    }
    (void)str_copy(text, BUS_TEXT_SIZE, ack.text);
    return err_from(bus_puback_kind(BUS_PUBACK_OF_PUBLISH, ack.code, ack.err_code), "publish",
                    ERR_FROM_JETSTREAM, ack.err_code ? ack.err_code : ack.code);
}

void bus_publish_answer(struct bus_op *op, struct bus_msg **msg)
{
    char text[BUS_TEXT_SIZE];
    struct bus_reply reply = {.text = text};

    reply.err = bus_publish_read(*msg, &reply, text);
    bus_op_reply(op, &reply);
}

struct err bus_publish(struct bus_op *op, const struct bus_out *out,
                       const struct bus_expect *expect, bus_next_fn *next)
{
    struct bus_expect_text text;

    bus_op_call(op, next);
    bus_publish_expect(expect, &text);
    return bus_hop(op, out, text.headers, text.count, 0, bus_publish_answer);
}

/* ---- an atomic batch --------------------------------------------------------------------------- */

/* An empty answer says that the batch was begun.  A refusal of the first message is the batch's: what
   follows it finds no batch.  So the first answer with something in it decides (ADR-50). */
static void on_batch_answer(struct bus_op *op, struct bus_msg **msg)
{
    if ((*msg)->body.len > 0 || bus_nats_status(*msg))
        bus_publish_answer(op, msg);
}

struct batch_text {
    char id[ID_SIZE];
    char seq[16];
};

static struct err send_part(struct bus_op *op, const struct bus_out *out,
                            const struct bus_expect *expect, struct batch_text *batch,
                            const char *reply, bool commit)
{
    struct bus_header headers[HEADERS_MAX];
    struct bus_expect_text text;
    size_t count;

    bus_publish_expect(expect, &text);
    for (count = 0; count < text.count; count++)
        headers[count] = text.headers[count];
    headers[count++] = (struct bus_header){"Nats-Batch-Id", batch->id};
    headers[count++] = (struct bus_header){"Nats-Batch-Sequence", batch->seq};
    if (commit)
        headers[count++] = (struct bus_header){"Nats-Batch-Commit", "1"};
    return bus_nats_send(op->bus->nats, out, reply, headers, count);
}

/* All messages in one go; only the first and the last ask for an answer, so a batch costs one round
   trip (nats.c's own costs one a message).  Without its last message a batch is nothing. */
static struct err send_batch(struct bus_op *op, const struct bus_out *outs,
                             const struct bus_expect *expects, size_t count)
{
    struct batch_text batch;
    char reply[BUS_REPLY_SIZE];

    struct err e = bus_hop_open(op, 0, on_batch_answer, reply);
    if (failed(e))
        return e;
    id_new(0, batch.id);
    for (size_t n = 0; n < count; n++) {
        bool last = n + 1 == count;

        must(str_format(batch.seq, sizeof(batch.seq), "%zu", n + 1));
        e = send_part(op, &outs[n], expects ? &expects[n] : NULL, &batch,
                      n == 0 || last ? reply : NULL, last);
        if (failed(e) && !last && e.kind == ERR_UNKNOWN)
            e.kind = ERR_RETRY;
        if (failed(e))
            return e;
    }
    return OK;
}

struct err bus_publish_batch(struct bus_op *op, const struct bus_out *outs,
                             const struct bus_expect *expects, size_t count, bus_next_fn *next)
{
    must(count > 0);
    if (count == 1)
        return bus_publish(op, outs, expects, next);

    bus_op_call(op, next);
    if (count > BATCH_MAX)
        return bus_op_later(op, err_of(ERR_REJECT, "publish a batch: too many"));
    struct err e = send_batch(op, outs, expects, count);
    return failed(e) ? bus_op_later(op, e) : OK;
}
