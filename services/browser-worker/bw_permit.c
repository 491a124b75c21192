#include "bw_permit.h"

#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/subject.h"

enum {
    ASK_MAGIC    = 0x6277706b,
    REPORT_MAGIC = 0x62777072,
    HOP_MS       = 1000,  /* then the same is asked again: the limiter may be another by now */
    PAUSE_MS     = 300,   /* when nobody listens, or we are not connected */
    SLACK_MS     = 1000,  /* for an answer on its way when wait_ms is over */
    CONFIRM_MS   = 30000, /* how long a report is repeated whose permit ends by itself */
    BODY_MAX     = 2048,
    REPEAT_MS    = 100, /* a grant that was told before is told again for so long (lim_gate) */
};

struct bw_permits {
    struct bus *bus;
    size_t asks, reports; /* chains */
    size_t dropped;       /* asks whose asker has gone */
    bool freed;           /* goes with the last of them */
};

struct bw_permit_ask {
    struct bus_op op; /* first: SELF() */
    struct bw_permits *permits;
    struct permit_ask ask;
    char upstream[STR_NAME_SIZE], site[PERMIT_NAME_SIZE];
    struct bw_permit *permit; /* the asker's */
    bw_permit_fn *fn;         /* NULL: it wants to hear no more */
    void *self;
    uint64_t wait_until, until; /* monotonic ms: in the limiter; for us */
    uint64_t first_boot_ms;     /* when the present id was said first and may have been heard */
    uint64_t sent_boot_ms;      /* … and last */
    bool out;                   /* it is being asked */
    bool heard;                 /* an earlier time the present id may have reached a limiter */
};

struct report {
    struct bus_op op; /* first: SELF() */
    struct bw_permits *permits;
    char upstream[STR_NAME_SIZE];
    struct permit_report report;
};

/* ---- life -------------------------------------------------------------------------------- */

struct bw_permits *bw_permit_new(struct bus *bus)
{
    struct bw_permits *permits = mem_new(struct bw_permits);

    permits->bus = bus;
    return permits;
}

static void free_when_over(struct bw_permits *permits)
{
    if (permits->freed && permits->asks == 0 && permits->reports == 0)
        mem_free(&permits);
}

void bw_permit_free(struct bw_permits **slot)
{
    struct bw_permits *permits = take(slot);

    if (!permits)
        return;
    permits->freed = true;
    free_when_over(permits);
}

size_t bw_permit_pending(const struct bw_permits *permits)
{
    return permits->reports + permits->dropped;
}

/* ---- reports ----------------------------------------------------------------------------- */

static struct err report_now(struct report *r);

static struct err report_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return report_now(SELF(struct report, REPORT_MAGIC, op));
}

static struct err on_confirmed(struct bus_op *op, const struct bus_reply *reply)
{
    struct report *r = SELF(struct report, REPORT_MAGIC, op);
    struct permit_grant grant;
    bool confirmed = !failed(reply->err) &&
                     !failed(wire_read_permit_grant(&grant, reply->body)) && grant.ok &&
                     str_equal(grant.id, r->report.id);

    if (confirmed)
        return bus_op_done(op);
    return bus_wait(op, PAUSE_MS, report_again);
}

static void print_report(const struct permit_report *report, struct buf *to)
{
    buf_init(to, BODY_MAX);
    wire_write_permit_report(report, to);
}

static struct err report_now(struct report *r)
{
    char subject[SUBJECT_SIZE];
    struct buf body;

    print_report(&r->report, &body);
    const struct bus_out out = {subject_permit(subject, r->upstream), buf_bytes(&body), NULL,
                                0};
    struct err e             = bus_request(&r->op, &out, HOP_MS, on_confirmed);
    buf_deinit(&body);
    return e;
}

static void report_end(struct bus_op *op, struct err e)
{
    struct report *r           = SELF(struct report, REPORT_MAGIC, op);
    struct bw_permits *permits = r->permits;

    if (failed(e) && !permits->freed)
        log_warn("report not confirmed by a limiter", KV("upstream", r->upstream),
                 KV("session", r->report.session), KV("err", e));
    permits->reports--;
    mem_free(&r);
    free_when_over(permits);
}

/* What became of a session is said until somebody has heard it, however long nobody leads: nobody
   else will say it, and until session_idle its place would be counted wrongly. */
static void confirm(struct bw_permits *permits, const char *upstream,
                    const struct permit_report *report)
{
    struct report *r     = mem_new(struct report);
    uint64_t deadline_ms = report->session_opened || report->session_closed ? 0 : CONFIRM_MS;

    r->permits = permits;
    r->report  = *report;
    str_copy(r->upstream, sizeof r->upstream, upstream);
    permits->reports++;
    bus_op_start(permits->bus, &r->op, REPORT_MAGIC, "permit-report", deadline_ms, report_end);
    (void)report_now(r);
}

/* Once; unless it cannot even be sent. */
static void say(struct bw_permits *permits, const char *upstream,
                const struct permit_report *report)
{
    char subject[SUBJECT_SIZE];
    struct buf body;

    print_report(report, &body);
    const struct bus_out out = {subject_permit(subject, upstream), buf_bytes(&body), NULL, 0};
    bool sent                = bus_send(permits->bus, &out);
    buf_deinit(&body);
    if (!sent)
        confirm(permits, upstream, report);
}

static struct permit_report report_of(const char *id, const char *upstream, const char *session)
{
    struct permit_report report = {0};

    str_copy(report.id, sizeof report.id, id);
    str_copy(report.name, sizeof report.name, upstream);
    str_copy(report.session, sizeof report.session, session);
    return report;
}

/* Unused.  The place for a session that it took goes with it by its id alone: said of the
   session, a late repetition would end the place that a later ask of the same session got. */
static void give_back(struct bw_permits *permits, const char *id, const char *upstream,
                      const char *session)
{
    struct permit_report report = report_of(id, upstream, session);

    report.call_class = CALL_UNSENT;
    confirm(permits, upstream, &report);
}

void bw_permit_return(struct bw_permits *permits, struct bw_permit *permit)
{
    if (!permit->granted)
        return;
    permit->granted = false;
    give_back(permits, permit->id, permit->upstream, permit->session);
}

void bw_permit_report(struct bw_permits *permits, struct bw_permit *permit,
                      const struct bw_permit_done *done)
{
    struct permit_report report = report_of(permit->id, permit->upstream, permit->session);

    if (!permit->granted)
        return;
    permit->granted       = false;
    report.status         = done->status;
    report.ms             = done->ms;
    report.call_class     = done->call_class;
    report.session_opened = done->session_opened;
    report.session_closed = done->session_closed;
    report.retry_after_ms =
        done->retry_after_ms < UINT32_MAX ? (uint32_t)done->retry_after_ms : UINT32_MAX;
    if (done->session_opened || done->session_closed)
        confirm(permits, permit->upstream, &report);
    else
        say(permits, permit->upstream, &report);
}

void bw_permit_session_gone(struct bw_permits *permits, const char *upstream,
                            const char *session)
{
    char id[ID_SIZE];

    id_new(clk_wall_ms(), id); /* of no permit: what answers must have a name */
    struct permit_report report = report_of(id, upstream, session);
    report.session_closed       = true;
    confirm(permits, upstream, &report);
}

/* ---- asking ------------------------------------------------------------------------------ */

static struct err ask_now(struct bw_permit_ask *a);

bool bw_permit_fresh(const struct bw_permit *permit)
{
    uint64_t age = clk_boot_ms() - permit->asked_boot_ms;

    return permit->granted && age <= (uint64_t)permit->waited_ms + PERMIT_FRESH_MS;
}

static struct err answer(struct bw_permit_ask *a, bool granted, uint64_t retry_after_ms,
                         const char *why)
{
    const struct bw_permit_answer is = {granted, retry_after_ms, why};
    bw_permit_fn *fn                 = a->fn;

    a->fn = NULL;
    if (fn)
        fn(a->self, &is);
    else
        a->permits->dropped--;
    return bus_op_done(&a->op);
}

static void new_id(struct bw_permit_ask *a)
{
    id_new(clk_wall_ms(), a->ask.id);
    a->heard = false;
}

/*
 * How old it can be at most.  Asked once, or from the first time on in the limiter's books: the
 * time since then, less what it waited there.  Else the limiter, or a successor, began with a
 * repetition, or tells a grant for the second time: it answered the last repetition, by a grant
 * no older than REPEAT_MS then.
 */
static void set_age(const struct bw_permit_ask *a, const struct permit_grant *grant,
                    struct bw_permit *permit)
{
    bool from_first = grant->waited_ms >= a->sent_boot_ms - a->first_boot_ms;

    permit->asked_boot_ms = from_first ? a->first_boot_ms : a->sent_boot_ms - REPEAT_MS;
    permit->waited_ms     = from_first ? grant->waited_ms : 0;
}

static struct err take_grant(struct bw_permit_ask *a, const struct permit_grant *grant)
{
    struct bw_permit permit = {
        .granted = true, .session_open = a->ask.keys[0].session_open, .probe = grant->probe};

    set_age(a, grant, &permit);
    str_copy(permit.id, sizeof permit.id, a->ask.id);
    str_copy(permit.upstream, sizeof permit.upstream, a->upstream);
    str_copy(permit.site, sizeof permit.site, a->site);
    str_copy(permit.session, sizeof permit.session, a->ask.session);
    if (a->fn && bw_permit_fresh(&permit)) {
        *a->permit = permit;
        return answer(a, true, 0, "");
    }
    bw_permit_return(a->permits, &permit);
    if (!a->fn)
        return answer(a, false, 0, "");
    new_id(a); /* too old to be used: somebody else's turn, and ours comes again */
    return ask_now(a);
}

static struct err ask_again(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return ask_now(SELF(struct bw_permit_ask, ASK_MAGIC, op));
}

static struct err on_grant(struct bus_op *op, const struct bus_reply *reply)
{
    struct bw_permit_ask *a = SELF(struct bw_permit_ask, ASK_MAGIC, op);
    struct permit_grant grant;

    a->out = false;
    if (failed(reply->err)) {
        bool certainly_not = reply->err.kind == ERR_ABSENT || reply->err.kind == ERR_RETRY;

        a->heard = a->heard || !certainly_not;
        return bus_wait(op, certainly_not ? PAUSE_MS : 0, ask_again);
    }
    a->heard = true;
    if (failed(wire_read_permit_grant(&grant, reply->body)) || !str_equal(grant.id, a->ask.id))
        return bus_wait(op, PAUSE_MS, ask_again);
    if (grant.ok)
        return take_grant(a, &grant);
    return answer(a, false, grant.retry_after_ms, grant.why);
}

static struct err ask_now(struct bw_permit_ask *a)
{
    uint64_t now = bus_now(a->permits->bus);
    char subject[SUBJECT_SIZE];
    struct buf body;

    if (now >= a->until) {
        if (a->heard) /* what may still come of it */
            give_back(a->permits, a->ask.id, a->upstream, a->ask.session);
        return answer(a, false, HOP_MS, "unavailable");
    }
    a->sent_boot_ms = clk_boot_ms();
    if (!a->heard)
        a->first_boot_ms = a->sent_boot_ms;
    a->ask.wait_ms = (uint32_t)(now < a->wait_until ? a->wait_until - now : 0);
    buf_init(&body, BODY_MAX);
    wire_write_permit_ask(&a->ask, &body);
    const struct bus_out out = {subject_permit(subject, a->upstream), buf_bytes(&body), NULL,
                                0};
    struct err e             = bus_request(&a->op, &out, HOP_MS, on_grant);
    buf_deinit(&body);
    a->out = true;
    return e;
}

static void ask_end(struct bus_op *op, struct err e)
{
    struct bw_permit_ask *a    = SELF(struct bw_permit_ask, ASK_MAGIC, op);
    struct bw_permits *permits = a->permits;

    /* The bus ended it: nobody will answer. */
    if (a->fn && failed(e) && !permits->freed)
        a->fn(a->self, &(const struct bw_permit_answer){false, HOP_MS, "unavailable"});
    else if (!a->fn && failed(e))
        permits->dropped--;
    permits->asks--;
    mem_free(&a);
    free_when_over(permits);
}

static void write_keys(struct bw_permit_ask *a, const struct bw_permit_want *want)
{
    struct permit_key *key = &a->ask.keys[a->ask.key_count++];

    *key = (struct permit_key){.rate         = true,
                               .in_flight    = true,
                               .session_open = want->session_open,
                               .session_use  = want->session_use,
                               .close        = want->close};
    str_copy(key->name, sizeof key->name, want->upstream);
    if (!want->site || !str_format(a->site, sizeof a->site, "site:%s", want->site)) {
        a->site[0] = '\0';
        return;
    }
    key  = &a->ask.keys[a->ask.key_count++];
    *key = (struct permit_key){.rate = true, .in_flight = true};
    str_copy(key->name, sizeof key->name, a->site);
}

static uint32_t at_most_u32(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

struct bw_permit_ask *bw_permit_ask(struct bw_permits *permits,
                                    const struct bw_permit_want *want, struct bw_permit *permit,
                                    bw_permit_fn *fn, void *self)
{
    struct bw_permit_ask *a = mem_new(struct bw_permit_ask);
    uint64_t now            = bus_now(permits->bus);

    *permit            = (struct bw_permit){0};
    a->permits         = permits;
    a->permit          = permit;
    a->fn              = fn;
    a->self            = self;
    a->wait_until      = now + want->wait_ms;
    a->until           = a->wait_until + SLACK_MS;
    a->ask.lane        = want->lane;
    a->ask.lifetime_ms = at_most_u32(want->lifetime_ms);
    str_copy(a->upstream, sizeof a->upstream, want->upstream);
    str_copy(a->ask.tenant, sizeof a->ask.tenant, or_empty(want->tenant));
    str_copy(a->ask.run, sizeof a->ask.run, or_empty(want->run));
    str_copy(a->ask.step, sizeof a->ask.step, or_empty(want->step));
    str_copy(a->ask.session, sizeof a->ask.session, or_empty(want->session));
    write_keys(a, want);
    new_id(a);
    permits->asks++;
    bus_op_start(permits->bus, &a->op, ASK_MAGIC, "permit-ask", 0, ask_end);
    (void)ask_now(a);
    return a;
}

/* It goes on by itself until the limiter has answered, so that a grant is not taken for
 * nothing. */
void bw_permit_cancel(struct bw_permit_ask **slot)
{
    struct bw_permit_ask *a = take(slot);

    if (!a)
        return;
    a->fn = NULL;
    a->permits->dropped++;
    if (!a->out && !a->heard)
        (void)answer(a, false, 0, "");
}
