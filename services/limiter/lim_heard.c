#include "lim_heard.h"

#include "base/list.h"
#include "base/mem.h"
#include "lim.h"

enum {
    HEARD_MAX = 20000,
    HEARD_MS  = 30000, /* far more than it takes until somebody leads again */
};

struct heard {
    struct list link;
    struct permit_report report;
    uint64_t at_ms;
    uint64_t batch; /* while we decide: what it changed is in there */
};

static struct heard *first_of(const struct lim *lim)
{
    return LIST_OWNER(lim->heard.next, struct heard, link);
}

static void forget_first(struct lim *lim)
{
    struct heard *h = LIST_OWNER(list_shift(&lim->heard), struct heard, link);

    lim->heard_count--;
    mem_free(&h);
}

static void keep(struct lim *lim, const struct permit_report *r, uint64_t batch)
{
    struct heard *h = NULL;

    if (!r->id[0])
        return;
    h         = mem_new(struct heard);
    h->at_ms  = svc_now(lim->svc);
    h->batch  = batch;
    h->report = *r;
    list_push(&lim->heard, &h->link);
    lim->heard_count++;
    while (lim->heard_count > HEARD_MAX || first_of(lim)->at_ms + HEARD_MS < h->at_ms)
        forget_first(lim);
}

void lim_heard_keep(struct lim *lim, struct bytes body)
{
    struct permit_request r = {.what = PERMIT_NOTHING};

    if (!failed(wire_read_permit_request(&r, body)) && r.what == PERMIT_REPORT)
        keep(lim, &r.report, 0);
}

void lim_heard_decided(struct lim *lim, const struct permit_report *r)
{
    uint64_t batch = lim_log_mark(lim->log);

    if (batch > lim_log_stored(lim->log))
        keep(lim, r, batch);
}

void lim_heard_report(struct lim *lim)
{
    LIST_EACH(&lim->heard, it)
    {
        struct heard *h = LIST_OWNER(it, struct heard, link);

        h->report.session_closed = false;
        lim_gate_report(lim->gate, &h->report, lim_time(lim));
        h->batch = lim_log_mark(lim->log);
    }
    lim_heard_stored(lim, lim_log_stored(lim->log));
}

void lim_heard_stored(struct lim *lim, uint64_t batch)
{
    while (lim->heard_count > 0 && first_of(lim)->batch <= batch)
        forget_first(lim);
}

void lim_heard_forget(struct lim *lim)
{
    while (lim->heard_count > 0)
        forget_first(lim);
}
