#include "bw_eval.h"

#include <uv.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "eval/frame.h"
#include "json/json.h"
#include "json/json_jq.h"

enum {
    EVAL_MAGIC   = 0x62776576,
    CHILD_MAGIC  = 0x62776563,
    START_MS     = 5000,  /* to be READY, at first and again after an answer               */
    WALL_FACTOR  = 20,    /* a machine so busy that a child gets a twentieth of a processor */
    BACKOFF_MS   = 100,   /* after a failed start, doubled up to START_MS                  */
    STARTS_TRIED = 3,     /* then nobody waits for the next one                            */
    OVERRUN_MS   = 60000, /* how long a program is remembered that took too long           */
    OVERRUNS     = 64,
};

struct bw_eval {
    uint32_t magic;
    struct uv_loop_s *loop;
    char *path;
    uint64_t eval_ms;
    unsigned wanted, alive; /* children */
    unsigned slow;          /* of them busy with programs that took too long before */
    unsigned
        held; /* children whose handles are not closed, and kick: the loop still knows us */
    unsigned failed_starts;
    uint64_t start_at;
    bool ending;
    struct list children;
    struct list waiting, waiting_slow;
    size_t waiting_count, waiting_bytes;
    struct list told; /* those whose fate is known; kick calls them */
    uv_timer_t kick;
    struct {
        uint64_t program, until;
    } overran[OVERRUNS];
};

struct bw_eval_ask {
    struct list link;
    struct bw_eval *eval;
    struct child *child; /* while it is evaluated */
    bw_eval_done_fn *done;
    void *self;
    uint64_t program; /* its hash */
    bool waiting, slow;
    char *frame;
    size_t frame_len;
    struct err e;
    char *value;
    size_t value_len;
    char why[JSON_WHY_SIZE];
};

enum child_state {
    CHILD_STARTING, /* it has not been READY yet */
    CHILD_READY,
    CHILD_BUSY,
    CHILD_ANSWERED, /* READY must come, or its end */
    CHILD_ENDING,   /* it was killed */
};

/* child - one life of one process; its successor is another. */
struct child {
    uint32_t magic;
    enum child_state state;
    struct list link;
    struct bw_eval *eval;
    uv_process_t process;
    uv_pipe_t to, from;
    uv_timer_t timer;
    uv_write_t write;
    bool started; /* it was READY once */
    bool exited, eof, writing;
    int64_t status;
    int signal;
    unsigned handles;
    struct bw_eval_ask *ask; /* NULL although BUSY: it was cancelled */
    bool slow;
    uint64_t program;
    uint64_t cpu_at, wall_at; /* when the request was given */
    char *sent;
    struct eval_answer head;
    size_t head_len;
    struct buf body;
    char chunk[16 << 10];
};

static void dispatch(struct bw_eval *eval);
static void start_children(struct bw_eval *eval);

/* --------------------------------------------------------------------------------- requests */

static void free_ask(struct bw_eval_ask **slot)
{
    struct bw_eval_ask *ask = *slot;

    mem_free(&ask->frame);
    mem_free(&ask->value);
    mem_free(slot);
}

static void wake(struct bw_eval *eval);

/* The asker is called from the loop, when nothing of ours is half done. */
static void tell(struct bw_eval_ask **slot, enum err_kind kind, const char *why)
{
    struct bw_eval_ask *ask = take(slot);

    ask->child = NULL;
    ask->e     = kind == ERR_NONE ? OK : err_of(kind, "evaluate jq");
    str_copy(ask->why, sizeof ask->why, why);
    list_push(&ask->eval->told, &ask->link);
    wake(ask->eval);
}

static void call(struct bw_eval_ask *ask)
{
    struct bytes value =
        failed(ask->e) ? bytes_of("", 0) : bytes_of(ask->value, ask->value_len);

    ask->done(ask->self, ask->e, value, ask->why);
    free_ask(&ask);
}

static void enter_queue(struct bw_eval_ask *ask)
{
    struct bw_eval *eval = ask->eval;

    ask->waiting = true;
    eval->waiting_count++;
    eval->waiting_bytes += ask->frame_len;
    list_push(ask->slow ? &eval->waiting_slow : &eval->waiting, &ask->link);
}

static void leave_queue(struct bw_eval_ask *ask)
{
    ask->waiting = false;
    ask->eval->waiting_count--;
    ask->eval->waiting_bytes -= ask->frame_len;
    list_remove(&ask->link);
}

static struct bw_eval_ask *next_of(struct list *queue)
{
    struct bw_eval_ask *ask = LIST_OWNER(queue->next, struct bw_eval_ask, link);

    leave_queue(ask);
    return ask;
}

static struct bw_eval_ask *next_ask(struct bw_eval *eval)
{
    if (!list_empty(&eval->waiting))
        return next_of(&eval->waiting);
    if (!list_empty(&eval->waiting_slow) &&
        (eval->slow + 1 < eval->wanted || eval->wanted == 1))
        return next_of(&eval->waiting_slow);
    return NULL;
}

static void tell_all_waiting(struct bw_eval *eval, const char *why)
{
    struct list *queues[] = {&eval->waiting, &eval->waiting_slow};

    for (size_t i = 0; i < 2; i++)
        while (!list_empty(queues[i])) {
            struct bw_eval_ask *ask = next_of(queues[i]);
            tell(&ask, ERR_RETRY, why);
        }
}

/* In its old place, or in that of the one that was seen longest ago. */
static void remember_overrun(struct bw_eval *eval, uint64_t program)
{
    size_t slot = 0;

    for (size_t i = 1; i < OVERRUNS && eval->overran[slot].program != program; i++)
        if (eval->overran[i].program == program ||
            eval->overran[i].until < eval->overran[slot].until)
            slot = i;
    eval->overran[slot].program = program;
    eval->overran[slot].until   = uv_now(eval->loop) + OVERRUN_MS;
}

static bool overran(const struct bw_eval *eval, uint64_t program)
{
    for (size_t i = 0; i < OVERRUNS; i++)
        if (eval->overran[i].program == program && eval->overran[i].until > uv_now(eval->loop))
            return true;
    return false;
}

/* ---------------------------------------------------------------------------- end of a child */

static void on_eval_closed(struct bw_eval *eval)
{
    if (--eval->held > 0)
        return;
    mem_free(&eval->path);
    mem_free(&eval);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct child *c      = SELF(struct child, CHILD_MAGIC, handle->data);
    struct bw_eval *eval = c->eval;

    if (--c->handles > 0)
        return;
    list_remove(&c->link);
    buf_deinit(&c->body);
    mem_free(&c->sent);
    mem_free(&c);
    on_eval_closed(eval);
}

static void close_child(struct child *c)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&c->process, (uv_handle_t *)&c->to,
                              (uv_handle_t *)&c->from, (uv_handle_t *)&c->timer};

    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        uv_close(handles[i], on_handle_closed);
}

static void count_failed_start(struct bw_eval *eval, int error)
{
    uint64_t delay = (uint64_t)BACKOFF_MS
                     << (eval->failed_starts < 6 ? eval->failed_starts : 6);

    if (eval->failed_starts++ == 0)
        log_warn("evaluator does not start", KV("at", eval->path),
                 KV("why", error ? uv_strerror(error) : "it ended"));
    eval->start_at = uv_now(eval->loop) + (delay < START_MS ? delay : START_MS);
    if (eval->failed_starts >= STARTS_TRIED && eval->alive == 0)
        tell_all_waiting(eval, "the evaluator does not start");
    wake(eval);
}

static void tell_how_it_ended(struct child *c)
{
    struct bw_eval_ask *ask = take(&c->ask);
    char why[JSON_WHY_SIZE];

    if (!ask)
        return;
    if (c->signal == 0 && c->status == JSON_JQ_NO_MEMORY) {
        str_format(why, sizeof why, "needed more than %d MB", BW_EVAL_MEMORY >> 20);
        tell(&ask, ERR_REJECT, why);
    } else if (c->signal == SIGSEGV || c->signal == SIGABRT || c->signal == SIGBUS ||
               c->signal == SIGILL || c->signal == SIGFPE || c->signal == SIGTRAP) {
        str_format(why, sizeof why,
                   "crashed the evaluator (signal %d); a value nested too deep does that",
                   c->signal);
        tell(&ask, ERR_REJECT, why);
    } else {
        str_format(why, sizeof why, "the evaluator ended meanwhile (signal %d, status %d)",
                   c->signal, (int)c->status);
        tell(&ask, ERR_RETRY, why);
    }
}

/* What it wrote may be read after it ended, so both must have come. */
static void end_if_over(struct child *c)
{
    struct bw_eval *eval = c->eval;

    if (!c->exited || !c->eof)
        return;
    eval->alive--;
    if (c->slow)
        eval->slow--;
    if (c->ask)
        log_debug("evaluator ended", KV("signal", c->signal), KV("status", (long)c->status));
    tell_how_it_ended(c);
    c->state = CHILD_ENDING;
    close_child(c);
    if (eval->ending)
        return;
    if (!c->started)
        count_failed_start(eval, 0);
    start_children(eval);
}

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal)
{
    struct child *c = SELF(struct child, CHILD_MAGIC, process->data);

    c->exited = true;
    c->status = status;
    c->signal = signal;
    end_if_over(c);
}

static void kill_child(struct child *c)
{
    uv_timer_stop(&c->timer);
    c->state = CHILD_ENDING;
    if (!c->exited)
        uv_process_kill(&c->process, SIGKILL);
}

/* -------------------------------------------------------------------------------------- time */

/* Milliseconds of processor that a child has used; it is not its fault when the machine is busy, or we are. */
static bool cpu_ms(const struct child *c, uint64_t *ret)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(c->process.pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return false;
    *ret = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    return true;
}

static void on_time(uv_timer_t *timer)
{
    struct child *c      = SELF(struct child, CHILD_MAGIC, timer->data);
    struct bw_eval *eval = c->eval;
    uint64_t cpu, wall = uv_now(eval->loop) - c->wall_at;
    char why[JSON_WHY_SIZE];

    if (c->state != CHILD_BUSY || c->exited) {
        kill_child(c);
        return;
    }
    uint64_t used = cpu_ms(c, &cpu) ? cpu - c->cpu_at : wall;
    if (used < eval->eval_ms && wall < eval->eval_ms * WALL_FACTOR) {
        uv_timer_start(timer, on_time, eval->eval_ms - used, 0);
        return;
    }
    remember_overrun(eval, c->program);
    str_format(why, sizeof why, "took longer than %llu ms", (unsigned long long)eval->eval_ms);
    if (c->ask)
        tell(&c->ask, ERR_REJECT, why);
    kill_child(c);
}

/* -------------------------------------------------------------------------------- what it says */

static void on_ready(struct child *c)
{
    c->state               = CHILD_READY;
    c->started             = true;
    c->eval->failed_starts = 0;
    if (c->writing)
        return; /* it can answer before we hear that it was given all; else its time goes on */
    uv_timer_stop(&c->timer);
    dispatch(c->eval);
}

static void on_answer(struct child *c)
{
    char why[JSON_WHY_SIZE];

    c->state = CHILD_ANSWERED;
    uv_timer_start(&c->timer, on_time, START_MS, 0);
    if (c->slow) {
        c->slow = false;
        c->eval->slow--;
    }
    if (!c->ask)
        return;
    if (c->head.kind == EVAL_FAILED) {
        str_copy_n(why, sizeof why, c->body.len > 0 ? c->body.at : "", c->body.len);
        tell(&c->ask, ERR_REJECT, why);
        return;
    }
    c->ask->value_len = c->body.len;
    c->ask->value     = buf_take(&c->body);
    tell(&c->ask, ERR_NONE, "");
}

/* False: that was no sense, or not the moment for it. */
static bool on_frame(struct child *c)
{
    bool waits = c->state == CHILD_STARTING || c->state == CHILD_ANSWERED;

    if (c->head.kind == EVAL_READY && c->head.len == 0 && waits)
        on_ready(c);
    else if ((c->head.kind == EVAL_VALUE || c->head.kind == EVAL_FAILED) &&
             c->state == CHILD_BUSY)
        on_answer(c);
    else
        return false;
    return true;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool feed(struct child *c, const char *at, size_t len)
{
    while (len > 0) {
        size_t n = smaller(len, sizeof c->head - c->head_len);
        memcpy((char *)&c->head + c->head_len, at, n);
        c->head_len += n;
        if (c->head_len < sizeof c->head)
            return true;
        if (c->head.len > BW_EVAL_ANSWER_MAX)
            return false;
        size_t more = smaller(len - n, c->head.len - c->body.len);
        buf_add(&c->body, at + n, more);
        at += n + more;
        len -= n + more;
        if (c->body.len < c->head.len)
            return true;
        if (!on_frame(c))
            return false;
        c->head_len = 0;
        buf_clear(&c->body);
    }
    return true;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct child *c = SELF(struct child, CHILD_MAGIC, handle->data);

    (void)suggested;
    *ret = uv_buf_init(c->chunk, sizeof c->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
    struct child *c = SELF(struct child, CHILD_MAGIC, stream->data);

    if (n > 0 && c->state != CHILD_ENDING && !feed(c, chunk->base, (size_t)n)) {
        log_warn("evaluator talks nonsense", KV("n", (long)c->head.kind));
        kill_child(c);
    }
    if (n >= 0)
        return;
    uv_read_stop(stream);
    c->eof = true;
    kill_child(c);
    end_if_over(c);
}

/* -------------------------------------------------------------------------------- giving work */

static void on_written(uv_write_t *write, int status)
{
    struct child *c = SELF(struct child, CHILD_MAGIC, write->data);

    (void)status; /* it ended, and that will be told */
    c->writing = false;
    mem_free(&c->sent);
    if (c->state == CHILD_READY)
        on_ready(c);
}

static void give(struct child *c, struct bw_eval_ask *ask)
{
    uv_buf_t bytes = uv_buf_init(ask->frame, (unsigned)ask->frame_len);

    mem_free(&c->sent);
    c->sent    = take(&ask->frame);
    c->state   = CHILD_BUSY;
    c->ask     = ask;
    c->program = ask->program;
    c->slow    = ask->slow;
    c->eval->slow += c->slow;
    ask->child = c;
    uv_update_time(c->eval->loop);
    c->wall_at = uv_now(c->eval->loop);
    if (!cpu_ms(c, &c->cpu_at))
        c->cpu_at = 0;
    uv_timer_start(&c->timer, on_time, c->eval->eval_ms, 0);
    c->writing = uv_write(&c->write, (uv_stream_t *)&c->to, &bytes, 1, on_written) == 0;
    if (!c->writing)
        kill_child(c); /* its end tells the asker */
}

static void dispatch(struct bw_eval *eval)
{
    LIST_EACH(&eval->children, link)
    {
        struct child *c = LIST_OWNER(link, struct child, link);
        struct bw_eval_ask *ask =
            c->state == CHILD_READY && !c->writing && !eval->ending ? next_ask(eval) : NULL;
        if (ask)
            give(c, ask);
    }
}

/* ---------------------------------------------------------------------------------- starting */

static struct child *new_child(struct bw_eval *eval)
{
    struct child *c = mem_new(struct child);

    c->magic   = CHILD_MAGIC;
    c->eval    = eval;
    c->handles = 4;
    buf_init(&c->body, BW_EVAL_ANSWER_MAX);
    uv_pipe_init(eval->loop, &c->to, 0);
    uv_pipe_init(eval->loop, &c->from, 0);
    uv_timer_init(eval->loop, &c->timer);
    c->process.data = c->to.data = c->from.data = c->timer.data = c->write.data = c;
    list_push(&eval->children, &c->link);
    eval->held++;
    return c;
}

static int start_child(struct bw_eval *eval)
{
    struct child *c              = new_child(eval);
    char *const args[]           = {eval->path, NULL};
    char *const nothing[]        = {NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&c->to},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->from},
        {.flags = UV_IGNORE},
    };
    uv_process_options_t options = {
        .file        = eval->path,
        .args        = (char **)args,
        .env         = (char **)nothing,
        .cwd         = "/",
        .flags       = UV_PROCESS_DETACHED, /* a Ctrl-C in the terminal is for us, not for it */
        .stdio       = stdio,
        .stdio_count = 3,
        .exit_cb     = on_exit_of_child,
    };

    int error = uv_spawn(eval->loop, &c->process, &options);
    if (error) {
        c->state = CHILD_ENDING;
        close_child(c);
        return error;
    }
    eval->alive++;
    uv_read_start((uv_stream_t *)&c->from, on_room, on_read);
    uv_timer_start(&c->timer, on_time, START_MS, 0);
    return 0;
}

static void start_children(struct bw_eval *eval)
{
    while (!eval->ending && eval->alive < eval->wanted &&
           uv_now(eval->loop) >= eval->start_at) {
        int error = start_child(eval);
        if (error) {
            count_failed_start(eval, error);
            return;
        }
    }
}

static void on_kick(uv_timer_t *timer)
{
    struct bw_eval *eval = SELF(struct bw_eval, EVAL_MAGIC, timer->data);
    struct list *link;

    while ((link = list_shift(&eval->told))) {
        call(LIST_OWNER(link, struct bw_eval_ask, link));
        if (eval->ending)
            return;
    }
    start_children(eval);
    wake(eval);
}

/* Sets the timer of the pool: at once if somebody is to be told, else to the next start. */
static void wake(struct bw_eval *eval)
{
    uint64_t now = uv_now(eval->loop);

    if (eval->ending)
        return;
    if (!list_empty(&eval->told))
        uv_timer_start(&eval->kick, on_kick, 0, 0);
    else if (eval->alive < eval->wanted)
        uv_timer_start(&eval->kick, on_kick, eval->start_at > now ? eval->start_at - now : 0,
                       0);
}

/* --------------------------------------------------------------------------------------- door */

/* Beside our own executable. */
static char *own_path(void)
{
    char path[PATH_MAX];
    size_t size = sizeof path;

    int error   = uv_exepath(path, &size);
    char *slash = error ? NULL : strrchr(path, '/');
    if (!slash)
        return mem_strdup("sluice-eval");
    return mem_printf("%.*s/sluice-eval", (int)(slash - path), path);
}

struct bw_eval *bw_eval_new(struct uv_loop_s *loop, const char *program_path, uint64_t eval_ms,
                            unsigned children)
{
    struct bw_eval *eval = mem_new(struct bw_eval);

    must(eval_ms > 0 && children > 0);
    eval->magic   = EVAL_MAGIC;
    eval->loop    = loop;
    eval->path    = program_path ? mem_strdup(program_path) : own_path();
    eval->eval_ms = eval_ms;
    eval->wanted  = children;
    eval->held    = 1;
    list_init(&eval->children);
    list_init(&eval->waiting);
    list_init(&eval->waiting_slow);
    list_init(&eval->told);
    uv_timer_init(loop, &eval->kick);
    eval->kick.data = eval;
    signal(SIGPIPE, SIG_IGN); /* a child may end while it is written to */
    start_children(eval);
    return eval;
}

static void on_kick_closed(uv_handle_t *handle)
{
    on_eval_closed(SELF(struct bw_eval, EVAL_MAGIC, handle->data));
}

void bw_eval_free(struct bw_eval **slot)
{
    struct bw_eval *eval = take(slot);
    struct list *link;

    if (!eval)
        return;
    tell_all_waiting(eval, "the worker is ending");
    LIST_EACH(&eval->children, it)
    {
        struct child *c = LIST_OWNER(it, struct child, link);
        if (c->ask)
            tell(&c->ask, ERR_RETRY, "the worker is ending");
        if (!uv_is_closing((uv_handle_t *)&c->timer))
            kill_child(c);
    }
    eval->ending = true;
    uv_close((uv_handle_t *)&eval->kick, on_kick_closed);
    while ((link = list_shift(&eval->told)))
        call(LIST_OWNER(link, struct bw_eval_ask, link));
}

static char *frame_of(const char *program, size_t program_len, struct bytes scope,
                      size_t *ret_len)
{
    struct eval_ask head = {.program_len = (uint32_t)program_len,
                            .scope_len   = (uint32_t)scope.len};
    char *frame          = mem_array(sizeof head + program_len + scope.len, 1);

    memcpy(frame, &head, sizeof head);
    memcpy(frame + sizeof head, program, program_len);
    if (scope.len > 0)
        memcpy(frame + sizeof head + program_len, scope.at, scope.len);
    *ret_len = sizeof head + program_len + scope.len;
    return frame;
}

/* What we say no to at once; NULL: nothing. */
static const char *refusal(const struct bw_eval *eval, size_t program_len, size_t scope_len,
                           enum err_kind *ret)
{
    *ret = ERR_REJECT;
    if (program_len > BW_EVAL_PROGRAM_MAX)
        return "the expression is longer than 64 KiB";
    if (scope_len > BW_EVAL_SCOPE_MAX)
        return "what the run knows is more than the 4 MiB that an expression may see";
    *ret = ERR_FULL;
    if (eval->waiting_count >= BW_EVAL_WAITING_MAX ||
        eval->waiting_bytes + program_len + scope_len > BW_EVAL_BYTES_MAX)
        return "too many expressions are waiting for the evaluator";
    *ret = ERR_RETRY;
    if (eval->failed_starts >= STARTS_TRIED && eval->alive == 0)
        return "the evaluator does not start";
    return NULL;
}

struct bw_eval_ask *bw_eval_ask(struct bw_eval *eval, const char *program, struct bytes scope,
                                bw_eval_done_fn *done, void *self)
{
    struct bw_eval_ask *ask = mem_new(struct bw_eval_ask);
    size_t program_len      = strlen(program);
    enum err_kind kind;

    must(!eval->ending);
    ask->eval      = eval;
    ask->done      = done;
    ask->self      = self;
    const char *no = refusal(eval, program_len, scope.len, &kind);
    if (no) {
        struct bw_eval_ask *told = ask;
        tell(&told, kind, no);
        return ask;
    }
    ask->program = str_hash(program, program_len);
    ask->slow    = overran(eval, ask->program);
    ask->frame   = frame_of(program, program_len, scope, &ask->frame_len);
    enter_queue(ask);
    dispatch(eval);
    return ask;
}

void bw_eval_cancel(struct bw_eval_ask **slot)
{
    struct bw_eval_ask *ask = take(slot);

    if (!ask)
        return;
    if (ask->child)
        ask->child->ask = NULL; /* it goes on to its own end */
    else if (ask->waiting)
        leave_queue(ask);
    else
        list_remove(&ask->link); /* it was about to be told */
    free_ask(&ask);
}
