#include "base/backoff.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "bus/bus_internal.h"

enum { NAK_BASE_MS = 250, NAK_CAP_MS = 30000, NAK_SIZE = 64 };

static void say(struct bus *bus, const char *acks, const char *what, const char *reply)
{
    struct bus_out out = {.subject = acks, .body = bytes_str(what)};

    if (acks[0] != '\0')
        (void)bus_send_from(bus, &out, reply);
}

static void nak(struct bus *bus, const char *acks, uint64_t delay_ms)
{
    char text[NAK_SIZE];

    must(str_format(text, sizeof(text), "-NAK {\"delay\":%llu}",
                    (unsigned long long)delay_ms * 1000000));
    say(bus, acks, delay_ms > 0 ? text : "-NAK", NULL);
}

static uint64_t nak_delay(const struct bus_msg *msg)
{
    unsigned tries = msg->deliveries > 0 ? msg->deliveries - 1 : 0;

    return backoff_half_ms(tries, NAK_BASE_MS, NAK_CAP_MS, id_random64());
}

void bus_settle(struct bus *bus, struct bus_msg **slot, struct err e)
{
    AUTO(bus_msg_free) struct bus_msg *m = take(slot);

    if (failed(e))
        log_debug("delivery refused", KV("subject", m->subject), KV("try", m->deliveries),
                  KV("err", e));

    switch ((enum err_kind)e.kind) {
    case ERR_NONE:
        say(bus, m->reply, "+ACK", NULL);
        return;
    case ERR_RETRY:
    case ERR_FULL:
    case ERR_CONFLICT:
        nak(bus, m->reply, nak_delay(m));
        return;
    case ERR_ABSENT:
    case ERR_REJECT:
        say(bus, m->reply, "+TERM", NULL);
        return;
    case ERR_UNKNOWN:
    case ERR_LOST: /* a stale holder's nak or term would hit another's delivery */
    case ERR_FATAL:
        return; /* unanswered: the server gives it to whoever is still alive */
    }
    must(!"unknown err_kind");
}

void bus_ack(struct bus *bus, const char *acks)
{
    say(bus, acks, "+ACK", NULL);
}

void bus_lease_ack(struct bus *bus, const char *acks, const char *freed)
{
    say(bus, acks, "+ACK", freed);
}

void bus_lease_release(struct bus *bus, const char *acks, uint64_t delay_ms)
{
    nak(bus, acks, delay_ms);
}

/* The server confirms anything, also a lease that is long another's: it heard us, no more. */
static void on_beat_answer(struct bus_op *op, struct bus_msg **msg)
{
    bool nobody = bus_nats_status(*msg) != NULL;

    bus_op_reply_err(op, nobody ? err_of(ERR_RETRY, "beat: nobody listens") : OK);
}

struct err bus_lease_beat(struct bus_op *op, const char *acks, bus_next_fn *next)
{
    struct bus_out out = {.subject = acks, .body = bytes_str("+WPI")};

    bus_op_call(op, next);
    return bus_hop(op, &out, NULL, 0, 0, on_beat_answer);
}
