#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_puback.h"

_Static_assert((int)BUS_TEXT_SIZE == (int)BUS_PUBACK_TEXT_SIZE, "the server's words fit");

/* ---- core requests --------------------------------------------------------------------------- */

static void on_request_answer(struct bus_op *op, struct bus_msg **msg)
{
    struct bus_reply reply = {0};
    const char *status     = bus_nats_status(*msg);

    if (status && strcmp(status, "503") == 0)
        reply.err = err_of(ERR_ABSENT, "request: nobody listens");
    reply.msgs  = take(msg);
    reply.count = 1;
    reply.body  = reply.msgs->body;
    bus_op_reply(op, &reply);
}

struct err bus_request(struct bus_op *op, const struct bus_out *out, uint32_t timeout_ms,
                       bus_next_fn *next)
{
    bus_op_call(op, next);
    return bus_hop(op, out, NULL, 0, timeout_ms, on_request_answer);
}

/* ---- the API of JetStream ---------------------------------------------------------------------- */

bool bus_api_token(const char *name)
{
    return name && bus_nats_subject_valid(name, false) && !strpbrk(name, ".*>/\\\"");
}

const char *bus_api_name(char at[BUS_SUBJECT_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(at, BUS_SUBJECT_SIZE, format, args);
    va_end(args);
    return len > 0 && len < BUS_SUBJECT_SIZE ? at : "";
}

struct err bus_api_hop(struct bus_op *op, const char *call, struct bytes body,
                       bus_hop_fn *on_answer)
{
    char subject[BUS_SUBJECT_SIZE];
    struct bus_out out = {.subject = subject, .body = body};

    if (!str_format(subject, sizeof(subject), "$JS.API.%s", call))
        return bus_op_later(op, err_of(ERR_REJECT, "call the API"));
    return bus_hop(op, &out, NULL, 0, 0, on_answer);
}

struct err bus_api_error(const struct bus_msg *msg, const char *what, char text[BUS_TEXT_SIZE])
{
    const char *status = bus_nats_status(msg);
    struct bus_puback ack;

    text[0] = '\0';
    if (status)
        return err_from(ERR_RETRY, what, ERR_FROM_JETSTREAM, 503);
    if (!bus_puback_read(msg->body, &ack))
        return err_of(ERR_UNKNOWN, what);
    if (ack.code == 0)
        return OK;
    (void)str_copy(text, BUS_TEXT_SIZE, ack.text);
    return err_from(bus_puback_kind(BUS_PUBACK_OF_API, ack.code, ack.err_code), what,
                    ERR_FROM_JETSTREAM, ack.err_code ? ack.err_code : ack.code);
}

void bus_api_answer(struct bus_op *op, struct bus_msg **msg)
{
    char text[BUS_TEXT_SIZE];
    struct bus_reply reply = {.text = text};

    reply.err   = bus_api_error(*msg, "call the API", text);
    reply.msgs  = take(msg);
    reply.count = 1;
    reply.body  = reply.msgs->body;
    bus_op_reply(op, &reply);
}

struct err bus_api(struct bus_op *op, const char *call, struct bytes body, bus_next_fn *next)
{
    bus_op_call(op, next);
    return bus_api_hop(op, call, body, bus_api_answer);
}

struct err bus_purge(struct bus_op *op, const char *stream, const char *subject, uint64_t upto,
                     bus_next_fn *next)
{
    char call[BUS_SUBJECT_SIZE], body[BUS_SUBJECT_SIZE + 64];

    bus_op_call(op, next);
    if (!bus_api_token(stream) || !bus_nats_subject_valid(subject, true) ||
        strpbrk(subject, "\"\\") || upto == UINT64_MAX)
        return bus_op_later(op, err_of(ERR_REJECT, "purge a subject"));

    /* The server purges up to, and without, the sequence it is given. */
    bool fits = upto == 0 ? str_format(body, sizeof(body), "{\"filter\":\"%s\"}", subject)
                          : str_format(body, sizeof(body), "{\"filter\":\"%s\",\"seq\":%llu}",
                                       subject, (unsigned long long)upto + 1);
    if (!fits)
        return bus_op_later(op, err_of(ERR_REJECT, "purge a subject"));
    return bus_api_hop(op, bus_api_name(call, "STREAM.PURGE.%s", stream), bytes_str(body),
                       bus_api_answer);
}
