#include "bw_reap_internal.h"

#include "base/log.h"
#include "base/mem.h"

/* At once.  Where each takes 300 ms that is a hundred a second; more would be a burst to the upstream. */
enum { TOUCHES_MAX = 32 };

struct bw_reap_touch {
    struct list link; /* of the reaper's */
    struct bw_reap_call call;
    struct bw_table_row row; /* as it was judged */
};

static void drop(struct bw_reaper *r, struct bw_reap_touch **slot)
{
    struct bw_reap_touch *t = take(slot);

    list_remove(&t->link);
    r->touch_count--;
    mem_free(&t);
}

static void note(struct bw_reaper *r, const struct bw_reap_touch *t, const struct bw_answer *a)
{
    if (a->fate == CALL_DONE)
        bw_reap_place_touched(r, &t->row);
    else
        log_debug("session not kept warm", KV("session", bw_table_session(&t->row)),
                  KV("upstream", t->call.upstream.name), KV("why", a->detail));
    if (a->session_gone)
        bw_reap_place_gone(r, &t->row);
}

static void on_touched(void *self, const struct bw_answer *a)
{
    struct bw_reap_touch *t = self;
    struct bw_reaper *r     = t->call.reaper;

    if (a)
        note(r, t, a);
    drop(r, &t);
    if (!r->waits_for_room)
        return;
    r->waits_for_room = false;
    (void)bw_reap_place_next(r);
}

/* Since an earlier sweep. */
static bool is_under_way(const struct bw_reaper *r)
{
    LIST_EACH(&r->touches, it)
    {
        const struct bw_reap_touch *t = LIST_OWNER(it, struct bw_reap_touch, link);

        if (str_equal(t->row.key, r->in_hand.key))
            return true;
    }
    return false;
}

static void start(struct bw_reaper *r)
{
    struct bw_reap_touch *t = mem_new(struct bw_reap_touch);

    t->row = r->in_hand;
    list_push(&r->touches, &t->link);
    r->touch_count++;
    bw_reap_call_start(&t->call, r, BW_TOUCH, on_touched, t);
}

struct err bw_reap_touch(struct bw_reaper *r)
{
    if (!is_under_way(r))
        start(r);
    r->waits_for_room = r->touch_count == TOUCHES_MAX;
    return r->waits_for_room ? OK /* parked */ : bw_reap_place_next(r);
}

void bw_reap_touch_cancel(struct bw_reaper *r)
{
    LIST_EACH_SAFE(&r->touches, it)
    {
        struct bw_reap_touch *t = LIST_OWNER(it, struct bw_reap_touch, link);

        bw_reap_call_cancel(&t->call);
        drop(r, &t);
    }
}
