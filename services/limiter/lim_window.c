#include "lim_window.h"

#define CUT 0.7
enum { BAD_PART = 10 }; /* one in ten */

void lim_window_set(struct lim_window *w, const struct lim_window_limits *l, double size,
                    uint32_t ceiling, uint64_t now_ms)
{
    w->size    = size < l->floor ? l->floor : size;
    w->ceiling = l->in_flight > 0 ? l->in_flight : ceiling;
    if (w->ceiling <= l->floor)
        w->ceiling = l->floor + 1; /* or it would be gone before it was there */
    w->bad    = 0;
    w->good   = 0;
    w->cut_ms = now_ms;
}

void lim_window_clear(struct lim_window *w)
{
    *w = (struct lim_window){.cut_ms = w->cut_ms};
}

/* A window's worth of answers is one sample; what was before it is not counted for ever. */
static void sample(struct lim_window *w, double size)
{
    uint32_t count = w->bad + w->good;

    if (count < BAD_PART || count < size)
        return;
    w->bad  = 0;
    w->good = 0;
}

bool lim_window_bad(struct lim_window *w, const struct lim_window_limits *l, uint32_t in_flight,
                    uint64_t granted_ms, uint64_t now_ms)
{
    double size = w->size > 0 ? w->size : in_flight;

    if (w->cut_ms > 0 && granted_ms <= w->cut_ms)
        return false;
    w->bad++;
    if (w->bad * BAD_PART < size) {
        sample(w, size);
        return false;
    }
    lim_window_set(w, l, size * CUT, w->size > 0 ? w->ceiling : in_flight, now_ms);
    return true;
}

bool lim_window_good(struct lim_window *w)
{
    w->good++;
    sample(w, w->size);
    if (w->size <= 0)
        return false;
    w->size += 1 / w->size;
    if (w->size < w->ceiling)
        return false;
    lim_window_clear(w);
    return true;
}

uint32_t lim_window_room(const struct lim_window *w)
{
    return w->size > 0 ? (uint32_t)w->size : UINT32_MAX;
}
