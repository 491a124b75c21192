#include "base/buf.h"
#include "base/str.h"
#include "bus/bus_internal.h"
#include "bus/bus_puback.h"
#include "bus/bus_scan.h"

enum { NAME_IN_USE = 10058, CONFIG_MAX = 1 << 20 };

/* ---- streams ----------------------------------------------------------------------------------- */

struct make_part {
    struct bus_part part;
    char name[BUS_SUBJECT_SIZE];
    char *config;
    size_t len;
};

static void part_free(struct bus_part *part)
{
    struct make_part *p = (struct make_part *)(void *)part;

    mem_free(&p->config);
    mem_free(&p);
}

static struct make_part *part_of(struct bus_op *op)
{
    return (struct make_part *)(void *)op->part;
}

/* Our first_seq is that of the hour at which the stream would be made anew (design 4): one that is there keeps its
   own, or none.  nats-server takes a higher one without a word, and at its next start removes all that is below
   it (measured). */
static void add_for_update(struct buf *to, struct bytes config, struct bytes first_seq)
{
    struct bytes name, value;
    struct bus_scan scan;
    const char *between = "{";

    (void)bus_scan_open(&scan, config);
    while (bus_scan_next(&scan, &name, &value)) {
        if (bus_scan_name_is(name, "first_seq"))
            value = first_seq;
        if (value.len == 0)
            continue;
        buf_printf(to, "%s\"", between);
        buf_add(to, name.at, name.len);
        buf_str(to, "\":");
        buf_add(to, value.at, value.len);
        between = ",";
    }
    buf_char(to, '}');
}

static void on_there(struct bus_op *op, struct bus_msg **msg)
{
    struct make_part *p    = part_of(op);
    struct bytes first_seq = {0};
    char call[BUS_SUBJECT_SIZE], text[BUS_TEXT_SIZE];
    struct buf config;

    if (failed(bus_api_error(*msg, "make a stream", text))) {
        bus_api_answer(op, msg);
        return;
    }
    (void)bus_scan_find((*msg)->body, "config.first_seq", &first_seq);
    buf_init(&config, CONFIG_MAX);
    add_for_update(&config, bytes_of(p->config, p->len), first_seq);
    (void)bus_api_hop(op, bus_api_name(call, "STREAM.UPDATE.%s", p->name), buf_bytes(&config),
                      bus_api_answer);
    buf_deinit(&config);
}

static void on_made(struct bus_op *op, struct bus_msg **msg)
{
    struct make_part *p = part_of(op);
    char call[BUS_SUBJECT_SIZE], text[BUS_TEXT_SIZE];

    if (bus_api_error(*msg, "make a stream", text).code == NAME_IN_USE)
        (void)bus_api_hop(op, bus_api_name(call, "STREAM.INFO.%s", p->name), bytes_of(NULL, 0),
                          on_there);
    else
        bus_api_answer(op, msg);
}

struct err bus_stream_make(struct bus_op *op, const char *name, struct bytes config,
                           bus_next_fn *next)
{
    char call[BUS_SUBJECT_SIZE];

    bus_op_call(op, next);
    if (!bus_api_token(name) || strlen(name) >= BUS_SUBJECT_SIZE || config.len > CONFIG_MAX)
        return bus_op_later(op, err_of(ERR_REJECT, "make a stream"));

    struct make_part *p = mem_new(struct make_part);
    p->part.free        = part_free;
    p->config           = mem_copy(config.at, config.len);
    p->len              = config.len;
    must(str_copy(p->name, sizeof(p->name), name));
    op->part = &p->part;
    return bus_api_hop(op, bus_api_name(call, "STREAM.CREATE.%s", name), config, on_made);
}

/* ---- consumers --------------------------------------------------------------------------------- */

/* The server wants the name in the configuration too; a durable one, since it has an owner who is not
   always there. */
static void add_named(struct buf *to, struct bytes config, const char *consumer)
{
    static const char *const members[] = {"name", "durable_name"};
    struct bytes value;
    struct bus_scan scan;
    bool any = bus_scan_open(&scan, config) && bus_scan_next(&scan, &value, &value);

    buf_char(to, '{');
    for (size_t n = 0; n < 2; n++) {
        if (bus_scan_find(config, members[n], &value))
            continue;
        buf_printf(to, "\"%s\":\"%s\"%s", members[n], consumer, any || n == 0 ? "," : "");
    }
    const char *open = memchr(config.at, '{', config.len);
    size_t rest      = open ? config.len - (size_t)(open + 1 - (const char *)config.at) : 0;
    buf_add(to, open ? open + 1 : "}", open ? rest : 1);
}

struct err bus_consumer_make(struct bus_op *op, const char *stream, const char *consumer,
                             struct bytes config, bus_next_fn *next)
{
    char call[BUS_SUBJECT_SIZE];
    struct buf body;

    bus_op_call(op, next);
    if (!bus_api_token(stream) || !bus_api_token(consumer))
        return bus_op_later(op, err_of(ERR_REJECT, "make a consumer"));
    buf_init(&body, CONFIG_MAX);
    buf_printf(&body, "{\"stream_name\":\"%s\",\"config\":", stream);
    add_named(&body, config, consumer);
    buf_char(&body, '}');
    struct err e =
        body.full
            ? bus_op_later(op, err_of(ERR_REJECT, "make a consumer"))
            : bus_api_hop(op, bus_api_name(call, "CONSUMER.CREATE.%s.%s", stream, consumer),
                          buf_bytes(&body), bus_api_answer);
    buf_deinit(&body);
    return e;
}

struct err bus_consumer_delete(struct bus_op *op, const char *stream, const char *consumer,
                               bus_next_fn *next)
{
    char call[BUS_SUBJECT_SIZE];

    bus_op_call(op, next);
    if (!bus_api_token(stream) || !bus_api_token(consumer))
        return bus_op_later(op, err_of(ERR_REJECT, "delete a consumer"));
    return bus_api_hop(op, bus_api_name(call, "CONSUMER.DELETE.%s.%s", stream, consumer),
                       bytes_of(NULL, 0), bus_api_answer);
}
