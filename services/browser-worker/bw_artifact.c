#include "bw_artifact.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "bw_step.h"
#include "problem/problem.h"

enum { ROWS_INLINE_MAX = 64 * 1024, ROWS_MAX = 32 << 20, AGAIN_MS = 300 };

void bw_artifact_keep(struct bw_run *run, const struct bw_shot *shots, size_t count)
{
    struct bw_doing *d = &run->doing;
    size_t room        = sizeof d->shots / sizeof *d->shots;

    for (size_t i = 0; i < count && d->shot_count < room - 1; i++) { /* one place is for rows */
        d->shots[d->shot_count].name = bw_step_keep(run, shots[i].name);
        d->shots[d->shot_count].png  = arena_bytes(d->arena, shots[i].png);
        d->shot_count++;
    }
}

/* Rows that are too many for the journal: the outcome keeps their name, number and digest. */
static void keep_rows(struct bw_run *run)
{
    struct bw_doing *d      = &run->doing;
    const struct json *rows = d->value ? json_get(d->value, "rows") : NULL;
    uint8_t digest[32];
    char hex[65];
    struct buf text;

    if (!rows || d->fate != CALL_DONE)
        return;
    buf_init(&text, ROWS_MAX);
    json_print(rows, &text);
    if (text.len > ROWS_INLINE_MAX) {
        struct json *small = json_new_object();
        struct sha256 *sha = sha256_new();

        sha256_add(sha, text.at, text.len);
        sha256_end(&sha, digest);
        for (size_t i = 0; i < 32; i++)
            str_format(hex + 2 * i, 3, "%02x", digest[i]);
        d->shots[d->shot_count].name = "rows.json";
        d->shots[d->shot_count].png  = arena_bytes(d->arena, buf_bytes(&text));
        d->shot_count++;
        json_set(small, "rows", json_new_null());
        json_set(small, "count", json_new_int((int64_t)json_count(rows)));
        json_set(small, "sha256", json_new_str(hex));
        json_free(&d->rows);
        d->rows = json_ref(rows);
        json_free(&d->value);
        d->value = small;
    }
    buf_deinit(&text);
}

static const char *make_name(struct bw_run *run, size_t n)
{
    struct bw_doing *d = &run->doing;
    const char *name   = d->shots[n].name;

    if (str_equal(name, "rows.json"))
        name = arena_printf(d->arena, "%s.json", d->step->id);
    else if (!*name)
        name = d->step->artifact ? d->step->artifact
                                 : arena_printf(d->arena, "%s.png", d->step->id);
    else if (!str_ends(name, ".png"))
        name = arena_printf(d->arena, "%s.png", name);
    return arena_printf(d->arena, "%zu-%s", run->fold.artifact_count + n + 1, name);
}

/* The server is away, or its answer is: what was done need not come to nothing for that. */
static bool may_be_stored_yet(const struct bus_reply *reply)
{
    return reply->err.kind == ERR_RETRY || reply->err.kind == ERR_UNKNOWN;
}

static struct err store_later(struct bw_run *run, const struct bus_reply *reply,
                              bus_next_fn *again)
{
    log_debug("artifact not stored yet", KV("run", run->job.ticket.run), KV("err", reply->err));
    return bus_wait(&run->op, AGAIN_MS, again);
}

/* Past the stretch another may have the run, and the name. */
static bool in_time(struct bw_run *run)
{
    if (bw_run_left_ms(run) > 0)
        return true;
    bw_run_drop(run, "past its step's deadline");
    return false;
}

static void put_shot(struct bw_run *run);
static void store_next(struct bw_run *run);

static struct err put_shot_again(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    (void)reply;
    if (in_time(run))
        put_shot(run);
    return OK;
}

static struct err on_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);
    struct bw_doing *d = &run->doing;

    const char *name = d->shots[d->shot_at].name;
    bool rows        = str_ends(name, ".json");

    if (rows && may_be_stored_yet(reply))
        return store_later(run, reply, put_shot_again);
    if (failed(reply->err)) /* a picture is not worth a run: said, and left out */
        log_warn("artifact not stored", KV("run", run->job.ticket.run), KV("err", reply->err));
    else
        d->artifacts[d->outcome.artifact_count++] = name;
    if (rows && failed(reply->err)) {
        d->fate           = CALL_FAILED;
        d->outcome.code   = problem_word(PROBLEM_UPSTREAM_FAILED);
        d->outcome.detail = "the rows could not be stored in sluice_artifacts";
    } else if (rows) {
        json_set(d->value, "artifact", json_new_str(name));
    }
    d->shot_at++;
    store_next(run);
    return OK;
}

static void put_shot(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;
    AUTO(mem_free)
    char *path = mem_printf("%s/%s/%s", run->fold.plan.tenant, run->fold.plan.run,
                            d->shots[d->shot_at].name);

    (void)bus_object_put(&run->op, BUCKET_ARTIFACTS, path, d->shots[d->shot_at].png,
                         d->step->id, on_stored);
}

static void store_next(struct bw_run *run)
{
    struct bw_doing *d = &run->doing;

    if (d->shot_at == d->shot_count) {
        run->record.then(run);
        return;
    }
    d->shots[d->shot_at].name = make_name(run, d->shot_at);
    put_shot(run);
}

void bw_artifact_store(struct bw_run *run, bw_then_fn *then)
{
    run->record.then = then;
    keep_rows(run);
    store_next(run);
}

/* ---- the run's result ------------------------------------------------------------------------------------------------ */

static void put_result(struct bw_run *run);

static struct err put_result_again(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);

    (void)reply;
    if (in_time(run))
        put_result(run);
    return OK;
}

static struct err on_result_stored(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_run *run = SELF(struct bw_run, BW_RUN_MAGIC, op);
    struct entry *e    = &run->append.entry;

    if (may_be_stored_yet(reply))
        return store_later(run, reply, put_result_again);
    if (failed(reply->err)) {
        e->end.status = STATUS_FAILED;
        e->end.code   = "response_too_large";
        e->end.detail =
            "the result is larger than 256 KiB and could not be stored as an artifact";
        e->end.result = (struct bytes){0};
    } else {
        e->end.result = bytes_str("{\"artifact\":\"result.json\"}");
    }
    run->record.then(run);
    return OK;
}

static void put_result(struct bw_run *run)
{
    AUTO(mem_free)
    char *path = mem_printf("%s/%s/result.json", run->fold.plan.tenant, run->fold.plan.run);

    (void)bus_object_put(&run->op, BUCKET_ARTIFACTS, path, run->append.entry.end.result,
                         "result", on_result_stored);
}

void bw_artifact_result(struct bw_run *run, struct bytes text, bw_then_fn *then)
{
    run->record.then             = then;
    run->append.entry.end.result = text; /* until it is stored */
    put_result(run);
}
