#include "bw_reap_internal.h"

enum { PERMIT_WAIT_MS = 10000 };

bool bw_reap_call_closed(const struct bw_answer *a)
{
    return a->fate == CALL_DONE || a->fate == CALL_SESSION_LOST || a->session_gone;
}

static void report(struct bw_reap_call *c, const struct bw_answer *a)
{
    const struct bw_permit_done done = {.status         = (uint32_t)a->status,
                                        .ms             = (uint32_t)a->ms,
                                        .retry_after_ms = a->retry_after_ms,
                                        .call_class     = a->call_class,
                                        .session_closed =
                                            c->verb == BW_CLOSE && bw_reap_call_closed(a)};

    bw_permit_report(c->reaper->bw->permits, &c->permit, &done);
}

static void on_answer(void *self, const struct bw_answer *a)
{
    struct bw_reap_call *c = self;

    c->calling = NULL;
    report(c, a);
    c->fn(c->self, a);
}

static bool may(void *self)
{
    const struct bw_reap_call *c = self;

    return bw_reap_our_turn(c->reaper);
}

static void call(struct bw_reap_call *c)
{
    struct bw *bw                   = c->reaper->bw;
    const struct bw_request request = {.verb       = c->verb,
                                       .upstream   = &c->upstream,
                                       .endpoint   = c->endpoint,
                                       .remote_id  = c->remote_id,
                                       .effect     = EFFECT_READ,
                                       .timeout_ms = BW_REAP_CALL_MS,
                                       .body_max   = bw->config->response_max,
                                       .page_max   = bw->config->page_max,
                                       .may        = may,
                                       .self       = c};

    c->calling = c->driver->start(&bw->drivers, &request, on_answer, c);
}

static void on_permit(void *self, const struct bw_permit_answer *answer)
{
    struct bw_reap_call *c = self;

    c->asking = NULL;
    if (answer->granted && bw_reap_our_turn(c->reaper)) {
        call(c);
        return;
    }
    bw_permit_return(c->reaper->bw->permits, &c->permit);
    c->fn(c->self, NULL);
}

/* The next sweep lists and closes as well; a touch that waits too long costs a session. */
static enum lane lane_for(enum bw_verb verb)
{
    return verb == BW_TOUCH ? LANE_REALTIME : LANE_STANDARD;
}

static void ask(struct bw_reap_call *c, const struct bw_table_row *row)
{
    const struct bw_permit_want want = {.upstream    = c->upstream.name,
                                        .tenant      = row ? row->record.tenant : "",
                                        .run         = row ? row->record.run : NULL,
                                        .session     = row ? bw_table_session(row) : NULL,
                                        .lane        = lane_for(c->verb),
                                        .close       = c->verb == BW_CLOSE,
                                        .wait_ms     = PERMIT_WAIT_MS,
                                        .lifetime_ms = BW_REAP_CALL_MS};

    c->asking = bw_permit_ask(c->reaper->bw->permits, &want, &c->permit, on_permit, c);
}

void bw_reap_call_start(struct bw_reap_call *c, struct bw_reaper *r, enum bw_verb verb,
                        bw_reap_call_fn *fn, void *self)
{
    const struct bw_table_row *row = verb == BW_LIST ? NULL : &r->in_hand;

    *c = (struct bw_reap_call){.reaper   = r,
                               .verb     = verb,
                               .upstream = r->upstream,
                               .driver   = r->driver,
                               .fn       = fn,
                               .self     = self};
    str_copy(c->endpoint, sizeof c->endpoint, r->places[r->place_at].endpoint);
    str_copy(c->remote_id, sizeof c->remote_id, row ? row->record.remote_id : "");
    ask(c, row);
}

void bw_reap_call_cancel(struct bw_reap_call *c)
{
    bw_permit_cancel(&c->asking);
    if (c->calling)
        c->driver->cancel(&c->calling);
}
