#include "bw_close.h"

#include "base/mem.h"
#include "bw_journal.h"
#include "bw_send.h"
#include "bw_session.h"
#include "bw_target.h"

enum { CLOSE_TRIES = 3 };

static void close_again(struct bw_run *run);

static void closed_recorded(struct bw_run *run)
{
    run->hand.session_lost = run->hand.adopted = false;
    run->doing.then(run);
}

static void closed_landed(struct bw_run *run)
{
    bw_session_write(run, run->doing.closed ? "completed" : "failed", closed_recorded);
}

static void write_closed(struct bw_run *run, bool confirmed, int status, uint64_t ms)
{
    struct entry *e = bw_journal_entry(run, ENTRY_CLOSED);

    run->doing.closed   = confirmed;
    e->session.session  = run->fold.session.id;
    e->session.upstream = run->fold.session.upstream;
    e->session.result   = confirmed ? RESULT_OK : RESULT_FAILED;
    e->session.status   = (uint32_t)status;
    e->session.ms       = ms;
    e->session.why      = run->doing.close_why;
    e->session.step     = run->doing.then_step ? run->doing.then_step->id : "";
    bw_journal_fact(run, closed_landed);
}

static struct err closing_waited(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    close_again(SELF(struct bw_run, BW_RUN_MAGIC, op));
    return OK;
}

static void on_closed(void *self, const struct bw_answer *a)
{
    struct bw_run *run = self;
    bool confirmed = a->fate == CALL_DONE || a->fate == CALL_SESSION_LOST || a->session_gone;

    run->calling = NULL;
    bw_send_report(run, a, false, confirmed);
    if (confirmed || ++run->doing.close_tries >= CLOSE_TRIES)
        write_closed(run, confirmed, a->status, a->ms);
    else
        (void)bus_wait(&run->op, 500 * run->doing.close_tries, closing_waited);
}

static void close_granted(void *self, const struct bw_permit_answer *answer)
{
    struct bw_run *run = self;

    run->asking = NULL;
    if (answer->granted && bw_permit_fresh(&run->permit) && bw_send_may(run)) {
        bw_send_start(run, BW_CLOSE, on_closed);
        return;
    }
    if (answer->granted)
        bw_permit_return(run->bw->permits, &run->permit);
    if (++run->doing.close_tries >= 2 * CLOSE_TRIES)
        write_closed(run, false, 0, 0);
    else
        (void)bus_wait(&run->op, 500, closing_waited);
}

static void close_again(struct bw_run *run)
{
    struct bw_permit_want want = {
        .wait_ms = BW_SEND_WAIT_MS, .session = run->fold.session.id, .close = true};

    if (bw_run_stretch(run, BW_SEND_CLOSE_MS + BW_SEND_WAIT_MS))
        bw_send_ask(run, want, close_granted);
}

static void close_session(struct bw_run *run, const char *why,
                          const struct flow_step *then_step, bw_then_fn *then)
{
    struct bw_doing *d = &run->doing;

    d->close_why = why;
    d->then_step = then_step;
    d->then      = then;
    /* Never answered, or its upstream is gone from the configuration: nothing to send a close to. */
    if (run->fold.session.state == SESSION_OPENING || !*run->fold.session.remote_id ||
        !bw_target_find(run, run->fold.session.upstream)) {
        write_closed(run, false, 0, 0);
        return;
    }
    close_again(run);
}

void bw_close_do(struct bw_run *run, const struct run_move *move)
{
    close_session(run, move->why, move->step, bw_run_advance);
}

void bw_close_step(struct bw_run *run, bw_then_fn *then)
{
    /* The step stays in hand: only its session ends. */
    close_session(run, "close", NULL, then);
}

void bw_close_end(struct bw_run *run, const char *why, bw_then_fn *then)
{
    close_session(run, why, NULL, then);
}
