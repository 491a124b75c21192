#include "cli_link.h"

#include <stdio.h>

#include <uv.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli_print.h"

enum {
    LINK_MAGIC  = 0x6c696e6b,
    CONNECT_MS  = 5000,
    HOP_MS      = 10000,
    CLOSE_TURNS = 1000,
};

struct cli_link {
    struct bus_op op; /* first: what is asked at the moment */
    uv_loop_t loop;
    struct bus *bus;
    bool ended;
    struct err result;
    /* Of what is asked: */
    struct buf *to;
    uint64_t seq, from;
    char stream[64], subject[256];
    cli_link_value_fn *on_value;
    cli_link_entry_fn *on_entry;
    void *self;
    bool enough;
};

/* ---- one op at a time ---------------------------------------------------------------------------- */

static void on_end(struct bus_op *op, struct err e)
{
    struct cli_link *l = SELF(struct cli_link, LINK_MAGIC, op);

    l->ended  = true;
    l->result = e;
}

static void start(struct cli_link *l, const char *what, uint64_t deadline_ms)
{
    l->ended = false;
    l->seq   = 0;
    bus_op_start(l->bus, &l->op, LINK_MAGIC, what, deadline_ms, on_end);
}

static struct err finish(struct cli_link *l)
{
    while (!l->ended)
        uv_run(&l->loop, UV_RUN_ONCE);
    return l->result;
}

/* ---- the connection -------------------------------------------------------------------------------- */

static void close_link(struct cli_link *l)
{
    bus_free(&l->bus);
    for (int i = 0; i < CLOSE_TURNS && uv_run(&l->loop, UV_RUN_NOWAIT); i++)
        ;
    uv_loop_close(&l->loop);
}

static bool connect_to(struct cli_link *l)
{
    start(l, "connect", CONNECT_MS);
    while (!l->ended && !bus_connected(l->bus))
        uv_run(&l->loop, UV_RUN_ONCE);
    if (!l->ended)
        (void)bus_op_done(&l->op);
    return !failed(finish(l));
}

static int say_why_not(const struct cli *cli, struct err e)
{
    const char *place = str_url_place(cli->server);
    char what[160];

    if (bus_is_denied(e)) {
        str_format(what, sizeof(what), "NATS at %s refuses the credentials", place);
        return cli_print_away(cli, CLI_REFUSED, what,
                              "write --creds FILE, or set NATS_CREDS or NATS_USER_FILE");
    }
    if (failed(e) && e.kind != ERR_RETRY) {
        fprintf(stderr,
                "sluice: \"%.100s\" is no address of NATS, or the credentials cannot be "
                "read\n  write --server nats://host:4222\n",
                place);
        return CLI_USAGE;
    }
    str_format(what, sizeof(what), "NATS cannot be reached at %s", place);
    return cli_print_away(cli, CLI_UNREACHABLE, what,
                          "is it running?  sluice dev begins one; --server URL names another");
}

struct bus_config cli_link_config(const struct cli *cli, const char *name)
{
    return (struct bus_config){.url       = cli->server,
                               .creds     = cli->creds,
                               .user_file = cli->user_file,
                               .ca        = cli->ca,
                               .name      = name};
}

int cli_link_open(struct cli *cli)
{
    struct bus_config config = cli_link_config(cli, "sluice");

    if (cli->link)
        return CLI_OK;
    struct cli_link *l = mem_new(struct cli_link);

    config.once = true;
    must(uv_loop_init(&l->loop) == 0);
    struct err e = bus_open(&l->bus, &l->loop, &config);
    if (!failed(e)) {
        cli->link = l;
        if (connect_to(l))
            return CLI_OK;
    } else {
        uv_run(&l->loop, UV_RUN_NOWAIT);
        uv_loop_close(&l->loop);
        mem_free(&l);
    }
    return say_why_not(cli, e);
}

void cli_link_free(struct cli_link **slot)
{
    struct cli_link *l = take(slot);

    if (!l)
        return;
    close_link(l);
    mem_free(&l);
}

/* ---- requests and keys -------------------------------------------------------------------------------- */

static struct err answered(struct bus_op *op, const struct bus_reply *reply)
{
    struct cli_link *l = SELF(struct cli_link, LINK_MAGIC, op);

    l->seq = reply->seq;
    if (failed(reply->err))
        return reply->err;
    if (l->to) {
        buf_add(l->to, reply->body.at, reply->body.len);
        if (l->to->full)
            return err_of(ERR_FULL, "keep an answer");
    }
    return bus_op_done(op);
}

struct err cli_link_request(struct cli_link *l, const char *subject, struct bytes body,
                            uint32_t timeout_ms, struct buf *to)
{
    const struct bus_out out = {.subject = subject, .body = body};

    l->to = to;
    start(l, "request", 0);
    (void)bus_request(&l->op, &out, timeout_ms, answered);
    return finish(l);
}

struct err cli_link_get(struct cli_link *l, const char *bucket, const char *key, struct buf *to,
                        uint64_t *ret_revision)
{
    l->to = to;
    start(l, "get a key", HOP_MS);
    (void)bus_kv_get(&l->op, bucket, key, answered);
    struct err e  = finish(l);
    *ret_revision = l->seq;
    return e;
}

struct err cli_link_put(struct cli_link *l, const char *bucket, const char *key,
                        struct bytes value, uint64_t revision)
{
    const struct bus_expect expect = {.seq = revision};

    l->to = NULL;
    start(l, "put a key", HOP_MS);
    (void)bus_kv_put(&l->op, bucket, key, value, &expect, answered);
    return finish(l);
}

static struct err waited(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return bus_op_done(op);
}

void cli_link_pause(struct cli_link *l, uint64_t ms)
{
    start(l, "pause", 0);
    (void)bus_wait(&l->op, ms, waited);
    (void)finish(l);
}

/* ---- buckets ----------------------------------------------------------------------------------------------- */

static struct err values_read(struct bus_op *op, const struct bus_reply *reply);

static struct err read_values(struct cli_link *l)
{
    const struct bus_read read = {.stream = l->stream, .subject = l->subject, .from = l->from};

    return bus_read(&l->op, &read, values_read);
}

static struct err values_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct cli_link *l = SELF(struct cli_link, LINK_MAGIC, op);

    if (failed(reply->err))
        return reply->err;
    for (const struct bus_msg *msg = reply->msgs; msg; msg = msg->next) {
        const char *key = bus_kv_key(msg);

        if (key)
            l->on_value(l->self, key, msg->body, bus_kv_gone(msg));
    }
    l->from = reply->seq + 1;
    return reply->more ? read_values(l) : bus_op_done(op);
}

struct err cli_link_values(struct cli_link *l, const char *bucket, cli_link_value_fn *fn,
                           void *self)
{
    l->on_value = fn;
    l->self     = self;
    l->from     = 0;
    str_format(l->stream, sizeof(l->stream), "KV_%s", bucket);
    str_format(l->subject, sizeof(l->subject), "$KV.%s.>", bucket);
    start(l, "read a bucket", 0);
    (void)read_values(l);
    return finish(l);
}

/* ---- following ------------------------------------------------------------------------------------------------ */

static void on_followed(void *self, struct bus_msg **msg)
{
    struct cli_link *l = self;

    if (!l->enough)
        l->enough = l->on_entry(l->self, *msg);
}

struct err cli_link_follow(struct cli_link *l, const char *stream, const char *subject,
                           cli_link_entry_fn *fn, void *self)
{
    struct bus_follower *follower  = NULL;
    const struct bus_follow follow = {.stream       = stream,
                                      .filter       = subject,
                                      .headers_only = true,
                                      .on_msg       = on_followed,
                                      .self         = l};

    l->on_entry  = fn;
    l->self      = self;
    l->enough    = false;
    struct err e = bus_follow(l->bus, &follow, &follower);

    if (failed(e))
        return e;
    while (!l->enough)
        uv_run(&l->loop, UV_RUN_ONCE);
    bus_follow_end(&follower);
    return OK;
}
