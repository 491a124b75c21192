#include "base/str.h"
#include "bus/bus_internal.h"

#define PREFIX "$KV."

static bool is_key(const char *bucket, const char *key)
{
    return str_is_name(bucket) && bus_nats_subject_valid(key, false);
}

static const char *subject_of(char at[BUS_SUBJECT_SIZE], const char *bucket, const char *key)
{
    return is_key(bucket, key) ? bus_api_name(at, PREFIX "%s.%s", bucket, key) : "";
}

const char *bus_kv_key(const struct bus_msg *msg)
{
    const char *bucket = str_starts(msg->subject, PREFIX) ? msg->subject + strlen(PREFIX) : "";
    const char *dot    = strchr(bucket, '.');

    return dot ? dot + 1 : NULL;
}

bool bus_kv_gone(const struct bus_msg *msg)
{
    const char *operation = bus_msg_header(msg, "KV-Operation");

    return bus_msg_header(msg, "Nats-Marker-Reason") ||
           (operation && (strcmp(operation, "DEL") == 0 || strcmp(operation, "PURGE") == 0));
}

static void on_value(struct bus_op *op, struct bus_msg **msg)
{
    struct bus_reply reply = {0};

    reply.err = bus_read_one(msg, &reply);
    if (!failed(reply.err) && bus_kv_gone(reply.msgs)) {
        reply.err  = err_of(ERR_ABSENT, "get a key");
        reply.body = bytes_of(NULL, 0);
    }
    bus_op_reply(op, &reply);
}

struct err bus_kv_get(struct bus_op *op, const char *bucket, const char *key, bus_next_fn *next)
{
    char subject[BUS_SUBJECT_SIZE], call[BUS_SUBJECT_SIZE];

    bus_op_call(op, next);
    if (*subject_of(subject, bucket, key) == '\0')
        return bus_op_later(op, err_of(ERR_REJECT, "get a key"));
    return bus_api_hop(op, bus_api_name(call, "DIRECT.GET.KV_%s.%s", bucket, subject),
                       bytes_of(NULL, 0), on_value);
}

struct err bus_kv_put(struct bus_op *op, const char *bucket, const char *key,
                      struct bytes value, const struct bus_expect *expect, bus_next_fn *next)
{
    char subject[BUS_SUBJECT_SIZE];
    struct bus_out out = {.subject = subject_of(subject, bucket, key), .body = value};

    return bus_publish(op, &out, expect, next);
}

struct err bus_kv_delete(struct bus_op *op, const char *bucket, const char *key,
                         uint64_t revision, bus_next_fn *next)
{
    char subject[BUS_SUBJECT_SIZE];
    struct bus_header marker = {"KV-Operation", "DEL"};
    struct bus_expect expect = {.seq = revision};
    struct bus_out out       = {
              .subject = subject_of(subject, bucket, key), .headers = &marker, .header_count = 1};

    return bus_publish(op, &out, &expect, next);
}
