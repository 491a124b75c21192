#include "sch_gate.h"

#include <string.h>

#include "base/mem.h"

void sch_gate_init(struct sch_gate *g, enum sch_gate_kind kind, const char *name)
{
    *g      = (struct sch_gate){.kind = kind, .limit = kind == GATE_LOCK ? 1 : GATE_OPEN};
    g->name = mem_strdup(name);
    heap_init(&g->parked);
}

void sch_gate_deinit(struct sch_gate *g)
{
    heap_deinit(&g->parked);
    mem_free(&g->name);
}

static bool shut(const struct sch_gate *g, int64_t now)
{
    return g->shut_until > now;
}

bool sch_gate_open(const struct sch_gate *g, const char *run, int64_t now, bool *ret_probe)
{
    *ret_probe = false;
    if (g->paused)
        return false;
    if (g->owner[0] && strcmp(g->owner, run) != 0)
        return false;
    if (g->passed >= g->limit)
        return false;
    if (!shut(g, now))
        return true;
    *ret_probe = g->probe_ms > 0 && now >= g->probe_at;
    return *ret_probe;
}

void sch_gate_pass(struct sch_gate *g, bool probe, int64_t now)
{
    must(g->passed < UINT32_MAX);
    g->passed++;
    if (probe)
        g->probe_at = now + (int64_t)g->probe_ms;
}

void sch_gate_leave(struct sch_gate *g)
{
    must(g->passed > 0);
    g->passed--;
}

void sch_gate_probed(struct sch_gate *g, int64_t now)
{
    g->probe_at = now + (int64_t)g->probe_ms;
}

int64_t sch_gate_next_at(const struct sch_gate *g, int64_t now)
{
    if (g->parked.count == 0 || g->paused || !shut(g, now))
        return INT64_MAX;
    if (g->probe_ms > 0 && g->probe_at < g->shut_until)
        return g->probe_at;
    return g->shut_until;
}

bool sch_gate_idle(const struct sch_gate *g)
{
    return g->refs == 0 && g->passed == 0 && !g->known && !g->owner[0];
}
