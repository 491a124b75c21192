#include "gw_chain.h"

static struct err on_read(struct bus_op *op, const struct bus_reply *reply);

static struct err read_more(struct gw_chain *c)
{
    const struct bus_read read = {.stream  = STREAM_JOURNAL,
                                  .subject = c->journal,
                                  .from    = c->fold.last_seq ? c->fold.last_seq + 1 : 0,
                                  .leader  = c->leader};

    return bus_read(&c->op, &read, on_read);
}

static void fold_all(struct gw_chain *c, const struct bus_msg *msgs)
{
    struct arena *arena = arena_new();

    for (const struct bus_msg *m = msgs; m; m = m->next) {
        struct entry e;

        if (failed(wire_read_entry(&e, m->body, arena)))
            e = (struct entry){.kind = ENTRY_NONE};
        e.seq       = m->seq;
        e.stored_ms = m->stored_ms;
        run_fold_add(&c->fold, &e);
        arena_reset(arena);
    }
    arena_free(&arena);
}

static struct err on_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct gw_chain *c = SELF(struct gw_chain, CHAIN_MAGIC, op);

    if (!failed(reply->err)) {
        fold_all(c, reply->msgs);
        if (reply->more && reply->count)
            return read_more(c);
    }
    return c->then(op, reply);
}

struct err gw_chain_read(struct gw_chain *c, bus_next_fn *then)
{
    if (!c->folded)
        run_fold_init(&c->fold);
    c->folded = true;
    c->then   = then;
    return read_more(c);
}

void gw_chain_forget(struct gw_chain *c)
{
    if (c->folded)
        run_fold_deinit(&c->fold);
    c->folded = false;
}

struct err gw_chain_append(struct gw_chain *c, const struct entry *e, uint64_t expect,
                           bus_next_fn *next)
{
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct bus_header out_headers[ENTRY_HEADERS_MAX];
    const struct bus_expect expected = {.seq = expect};
    struct arena *arena              = arena_new();
    size_t count                     = wire_entry_headers(e, arena, headers);
    struct buf body;

    for (size_t i = 0; i < count; i++)
        out_headers[i] = (struct bus_header){headers[i].name, headers[i].value};
    buf_init(&body, ENTRY_BODY_MAX);
    struct err err = wire_write_entry(e, &body);
    if (!failed(err)) {
        const struct bus_out out = {c->journal, buf_bytes(&body), out_headers, count};
        err                      = bus_publish(&c->op, &out, &expected, next);
    }
    buf_deinit(&body);
    arena_free(&arena);
    return err;
}

void gw_chain_why(struct gw_chain *c, const char *detail)
{
    if (c->why.code == PROBLEM_NONE)
        gw_request_unavailable(&c->why, detail);
}
