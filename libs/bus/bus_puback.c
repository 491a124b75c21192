#include "bus/bus_puback.h"

#include "bus/bus_scan.h"

static void number(struct bytes value, int32_t *ret)
{
    uint64_t n;

    if (bus_scan_u64(value, &n) && n <= INT32_MAX)
        *ret = (int32_t)n;
}

static bool read_error(struct bytes json, struct bus_puback *ack)
{
    struct bus_scan s;
    struct bytes name, value;

    if (!bus_scan_open(&s, json))
        return false;
    while (bus_scan_next(&s, &name, &value)) {
        if (bus_scan_name_is(name, "code"))
            number(value, &ack->code);
        else if (bus_scan_name_is(name, "err_code"))
            number(value, &ack->err_code);
        else if (bus_scan_name_is(name, "description"))
            (void)bus_scan_text(value, ack->text, sizeof(ack->text));
    }
    return !bus_scan_broken(&s) && ack->code != 0;
}

/* "val" is a string: counters are of any size there; beyond 64 bits they are of no use to us. */
static void read_value(struct bytes value, int64_t *ret)
{
    char text[32];

    if (bus_scan_text(value, text, sizeof(text)))
        (void)bus_scan_i64(bytes_str(text), ret);
}

bool bus_puback_read(struct bytes json, struct bus_puback *ret)
{
    struct bus_scan s;
    struct bytes name, value;

    ret->seq   = 0;
    ret->value = 0;
    ret->code = ret->err_code = 0;
    ret->duplicate            = false;
    ret->text[0]              = '\0';
    if (!bus_scan_open(&s, json))
        return false;
    while (bus_scan_next(&s, &name, &value)) {
        if (bus_scan_name_is(name, "seq"))
            (void)bus_scan_u64(value, &ret->seq);
        else if (bus_scan_name_is(name, "val"))
            read_value(value, &ret->value);
        else if (bus_scan_name_is(name, "duplicate"))
            ret->duplicate = bytes_equal(value, bytes_str("true"));
        else if (bus_scan_name_is(name, "error") && !read_error(value, ret))
            return false;
    }
    return !bus_scan_broken(&s);
}

/* ADR-1's codes, by what we do next; names as in the server's errors.json. */
enum {
    ACCOUNT_RESOURCES_EXCEEDED = 10002,
    CLUSTER_NO_PEERS           = 10005,
    CLUSTER_NOT_AVAILABLE      = 10008,
    CLUSTER_NOT_LEADER         = 10009,
    INSUFFICIENT_RESOURCES     = 10023,
    MAXIMUM_CONSUMERS          = 10026,
    MAXIMUM_STREAMS            = 10027,
    MEMORY_EXCEEDED            = 10028,
    NO_MESSAGE_FOUND           = 10037,
    SEQUENCE_NOT_FOUND         = 10043,
    STORAGE_EXCEEDED           = 10047,
    STREAM_GENERAL             = 10051,
    STREAM_NOT_FOUND           = 10059,
    STREAM_SEQUENCE_NOT_MATCH  = 10063,
    WRONG_LAST_MSG_ID          = 10070,
    WRONG_LAST_SEQUENCE        = 10071,
    PEER_REMAP                 = 10075,
    NOT_ENABLED                = 10076,
    STORE_FAILED               = 10077,
    ROLLUP_FAILED              = 10111,
    STREAM_OFFLINE             = 10118,
    CONSUMER_OFFLINE           = 10119,
    MAX_STREAM_BYTES           = 10122,
    CONSUMER_EXISTS            = 10148,
    DUPLICATE_IN_PROCESS       = 10158,
    SUBJECT_SEQUENCE_NOT_READY = 10163,
    WRONG_LAST_SEQUENCE_BUSY   = 10164,
    TOO_MANY_REQUESTS          = 10167,
};

/* By code, for the many that have no fate of their own.  500 of the API is mostly "your configuration
   is invalid"; 500 to a publish is a server that cannot now. */
static enum err_kind kind_by_code(enum bus_puback_asked asked, int32_t code)
{
    switch (code) {
    case 404:
        return asked == BUS_PUBACK_OF_PUBLISH ? ERR_RETRY : ERR_ABSENT;
    case 408:
    case 429:
    case 503:
        return ERR_RETRY;
    case 409:
        return ERR_CONFLICT;
    case 500:
        return asked == BUS_PUBACK_OF_PUBLISH ? ERR_RETRY : ERR_REJECT;
    default:
        return ERR_REJECT;
    }
}

enum err_kind bus_puback_kind(enum bus_puback_asked asked, int32_t code, int32_t err_code)
{
    switch (err_code) {
    case WRONG_LAST_SEQUENCE:
    case WRONG_LAST_MSG_ID:
    case CONSUMER_EXISTS:
        return ERR_CONFLICT;
    case STORE_FAILED:
    case ACCOUNT_RESOURCES_EXCEEDED:
    case MAXIMUM_CONSUMERS:
    case MAXIMUM_STREAMS:
    case MEMORY_EXCEEDED:
    case STORAGE_EXCEEDED:
    case MAX_STREAM_BYTES:
        return ERR_FULL;
    case CLUSTER_NO_PEERS:
    case CLUSTER_NOT_AVAILABLE:
    case CLUSTER_NOT_LEADER:
    case INSUFFICIENT_RESOURCES:
    case STREAM_SEQUENCE_NOT_MATCH:
    case PEER_REMAP:
    case NOT_ENABLED:
    case STREAM_OFFLINE:
    case CONSUMER_OFFLINE:
    case DUPLICATE_IN_PROCESS:
    case SUBJECT_SEQUENCE_NOT_READY:
    case WRONG_LAST_SEQUENCE_BUSY:
    case TOO_MANY_REQUESTS:
        return ERR_RETRY;
    case NO_MESSAGE_FOUND:
    case SEQUENCE_NOT_FOUND:
        return ERR_ABSENT;
    case STREAM_GENERAL:
    case ROLLUP_FAILED:
    case STREAM_NOT_FOUND:
    default:
        return kind_by_code(asked, code);
    }
}
