#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_puback.h"

/* ---- what is expected -------------------------------------------------------------------------- */

enum { HEADERS_MAX = 3 };

struct expect_text {
    struct bus_header headers[HEADERS_MAX];
    size_t count;
    char seq[24], ttl[24];
};

static void add(struct expect_text *t, const char *name, const char *value)
{
    t->headers[t->count++] = (struct bus_header){name, value};
}

/* nats.c's own options cannot say "the other subject is empty" (js.c), hence the headers by hand. */
static void write_expect(const struct bus_expect *expect, struct expect_text *t)
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
    struct expect_text text;

    bus_op_call(op, next);
    write_expect(expect, &text);
    return bus_hop(op, out, text.headers, text.count, 0, bus_publish_answer);
}
