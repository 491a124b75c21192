#include "bw_adrift.h"

#include "base/mem.h"

struct adrift {
    struct list link; /* of bw->adrift */
    struct bw *bw;
    const struct bw_driver *driver;
    struct bw_call *call;
    enum bw_verb verb;
    struct bw_permit permit;
};

static void adrift_free(struct adrift *a)
{
    list_remove(&a->link);
    mem_free(&a);
}

/* Of a session that nobody waited for, too, the limiter hears. */
static void on_answer(void *self, const struct bw_answer *answer)
{
    struct adrift *a = self;
    bool closes =
        a->verb == BW_CLOSE && (answer->fate == CALL_DONE || answer->fate == CALL_SESSION_LOST);
    const struct bw_permit_done done = {
        .status         = (uint32_t)answer->status,
        .ms             = (uint32_t)answer->ms,
        .retry_after_ms = answer->retry_after_ms,
        .call_class     = answer->call_class,
        .session_opened = a->verb == BW_OPEN && answer->remote_id && *answer->remote_id,
        .session_closed = closes || answer->session_gone};

    a->bw->metrics.calls++;
    bw_permit_report(a->bw->permits, &a->permit, &done);
    adrift_free(a);
}

void bw_adrift_leave(struct bw_run *run)
{
    if (!run->calling)
        return;

    struct adrift *a = mem_new(struct adrift);

    a->bw     = run->bw;
    a->driver = run->doing.driver;
    a->call   = take(&run->calling);
    a->verb   = run->doing.verb;
    a->permit = run->permit;
    list_push(&run->bw->adrift, &a->link);
    run->permit.granted = false;
    a->driver->leave(a->call, on_answer, a);
}

void bw_adrift_stop(struct bw *bw)
{
    LIST_EACH_SAFE(&bw->adrift, it)
    {
        struct adrift *a = LIST_OWNER(it, struct adrift, link);

        a->driver->cancel(&a->call);
        adrift_free(a);
    }
}
