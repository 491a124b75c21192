#include "bw_lock.h"

#include "base/clk.h"
#include "base/mem.h"
#include "bw_step.h"

enum { FREE_TTL_S = 24 * 3600 };

static void key_of(const struct bw_run *run, char *at, size_t size)
{
    str_format(at, size, "%s.%s", run->fold.plan.tenant, run->fold.plan.lock);
}

/* Whose it is: "" nobody's. */
static void read_owner(struct bytes body, char owner[ID_SIZE])
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    owner[0] = 0;
    if (failed(json_parse(&doc, body, why, sizeof why)))
        return;
    const char *run = json_str(json_get(doc, "run"));
    if (run)
        str_copy(owner, ID_SIZE, run);
    json_free(&doc);
}

static struct err put(struct bw_run *run, const char *owner, struct bus_expect expect,
                      bus_next_fn *next)
{
    char key[2 * STR_NAME_SIZE], value[160], at[40];

    key_of(run, key, sizeof key);
    str_format(value, sizeof value, "{\"run\":\"%s\",\"at\":\"%s\"}", owner,
               str_time_text(clk_wall_ms(), at, sizeof at));
    return bus_kv_put(&run->op, BUCKET_LOCKS, key, bytes_str(value), &expect, next);
}

static struct err get(struct bw_run *run, bus_next_fn *next)
{
    char key[2 * STR_NAME_SIZE];

    key_of(run, key, sizeof key);
    return bus_kv_get(&run->op, BUCKET_LOCKS, key, next);
}

/* ---- taking ------------------------------------------------------------------------------------------------ */

static struct err on_take_read(struct bus_op *op, const struct bus_reply *reply);

static struct err take_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return get(SELF(struct bw_run, BW_RUN_MAGIC, op), on_take_read);
}

static struct err on_taken(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (failed(reply->err)) /* refused or not known: read what stands now */
        return bus_wait(op, 50, take_again);
    run->hand.lock_held = true;
    bw_run_advance(run);
    return OK;
}

static struct err on_take_read(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run  = SELF(struct bw_run, BW_RUN_MAGIC, op);
    char owner[ID_SIZE] = "";

    if (failed(reply->err) && reply->err.kind != ERR_ABSENT)
        return bus_wait(op, 200, take_again);
    if (!failed(reply->err))
        read_owner(reply->body, owner);
    if (str_equal(owner, run->job.ticket.run)) {
        run->hand.lock_held = true;
        bw_run_advance(run);
        return OK;
    }
    if (!*owner)
        return put(run, run->job.ticket.run, (struct bus_expect){.seq = reply->seq}, on_taken);
    /* Due at once: the gate keeps it waiting until the lock is free, and nothing has to wake it. */
    bw_step_wait(run, ON_LOCK, 0, owner);
    return OK;
}

void bw_lock_take(struct bw_run *run)
{
    (void)get(run, on_take_read);
}

/* ---- clearing ---------------------------------------------------------------------------------------------- */

static struct err on_clear_read(struct bus_op *op, const struct bus_reply *reply);
static struct err on_keep_read(struct bus_op *op, const struct bus_reply *reply);

static struct err clear_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return get(SELF(struct bw_run, BW_RUN_MAGIC, op), on_clear_read);
}

static struct err clear_and_keep(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return get(SELF(struct bw_run, BW_RUN_MAGIC, op), on_keep_read);
}

static struct err on_cleared(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    if (reply->err.kind == ERR_REJECT) /* a bucket that somebody else made may take no TTL */
        return bus_wait(op, 50, clear_and_keep);
    if (failed(reply->err))
        return bus_wait(op, 50, clear_again);
    run->doing.then(run);
    return OK;
}

static struct err clear(struct bw_run *run, const struct bus_reply *reply, uint32_t ttl_s)
{
    char owner[ID_SIZE] = "";

    if (failed(reply->err) && reply->err.kind != ERR_ABSENT)
        return bus_wait(&run->op, 200, clear_again);
    if (!failed(reply->err))
        read_owner(reply->body, owner);
    if (str_equal(owner, run->job.ticket.run))
        return put(run, "", (struct bus_expect){.seq = reply->seq, .ttl_s = ttl_s}, on_cleared);
    run->doing.then(run); /* never taken, or cleared before */
    return OK;
}

static struct err on_clear_read(struct bus_op *op, const struct bus_reply *reply)
{
    return clear(SELF(struct bw_run, BW_RUN_MAGIC, op), reply, FREE_TTL_S);
}

static struct err on_keep_read(struct bus_op *op, const struct bus_reply *reply)
{
    return clear(SELF(struct bw_run, BW_RUN_MAGIC, op), reply, BUS_TTL_NONE);
}

void bw_lock_clear(struct bw_run *run, bw_then_fn *then)
{
    run->doing.then = then;
    (void)get(run, on_clear_read);
}
