#include "sch_slot.h"

#include <string.h>

#include "base/mem.h"

void sch_slot_init(struct sch_jobs *jobs)
{
    jobs->by_run = map_new();
    jobs->by_seq = map_new();
}

void sch_slot_deinit(struct sch_jobs *jobs)
{
    must(map_count(jobs->by_seq) == 0);
    map_free(&jobs->by_run);
    map_free(&jobs->by_seq);
}

static struct sch_slot *slot_at(struct sch_slots *slots, uint32_t slot)
{
    if (slot >= slots->room) {
        uint32_t room = slots->room > 0 ? slots->room : 4;

        while (room <= slot)
            room *= 2;
        slots->at = mem_grow(slots->at, room, sizeof(struct sch_slot));
        memset(slots->at + slots->room, 0, (room - slots->room) * sizeof(struct sch_slot));
        slots->room = room;
    }
    return &slots->at[slot];
}

bool sch_slot_any(const struct sch_slots *slots, uint32_t cap)
{
    return slots->taken < cap;
}

uint32_t sch_slot_ask(struct sch_slots *slots, uint32_t cap)
{
    if (slots->taken >= cap)
        return 0;
    if (slots->low < 1)
        slots->low = 1;
    /* Fewer than cap are taken, so one of 1 to cap is free, if none is above; else the search may end above it. */
    for (uint32_t n = slots->low; n <= cap; n++) {
        struct sch_slot *s = slot_at(slots, n);

        if (s->state != SLOT_FREE)
            continue;
        *s = (struct sch_slot){.state = SLOT_ASKED, .gone = s->gone};
        slots->taken++;
        slots->low = n + 1;
        return n;
    }
    return 0;
}

bool sch_slot_closing_free(const struct sch_slots *slots)
{
    return slots->room == 0 || slots->at[0].state == SLOT_FREE;
}

bool sch_slot_ask_closing(struct sch_slots *slots)
{
    struct sch_slot *s = slot_at(slots, 0);

    if (s->state != SLOT_FREE)
        return false;
    *s = (struct sch_slot){.state = SLOT_ASKED, .gone = s->gone};
    return true;
}

static void set_free(struct sch_slots *slots, uint32_t slot, uint64_t gone)
{
    slots->at[slot] = (struct sch_slot){.gone = gone};
    if (slot == 0)
        return;
    must(slots->taken > 0);
    slots->taken--;
    if (slot < slots->low)
        slots->low = slot;
}

void sch_slot_undo(struct sch_slots *slots, uint32_t slot)
{
    must(slot < slots->room && slots->at[slot].state == SLOT_ASKED);
    set_free(slots, slot, slots->at[slot].gone);
}

struct sch_job *sch_slot_holder(const struct sch_slots *slots, uint32_t slot)
{
    return slot < slots->room ? slots->at[slot].job : NULL;
}

bool sch_slot_put(struct sch_jobs *jobs, struct sch_slots *slots, struct sch_job *job)
{
    struct sch_slot *s = slot_at(slots, job->slot);
    bool over          = s->state == SLOT_ASKED && s->hint == job->seq;

    must(s->state != SLOT_TAKEN);
    if (s->state == SLOT_FREE && job->slot > 0)
        slots->taken++;
    s->state = SLOT_TAKEN;
    s->job   = job;
    map_put(jobs->by_run, job->run, job);
    map_put_u64(jobs->by_seq, job->seq, job);
    return over;
}

uint64_t sch_slot_gone(const struct sch_slots *slots, uint32_t slot)
{
    return slot < slots->room ? slots->at[slot].gone : 0;
}

void sch_slot_out(struct sch_jobs *jobs, struct sch_slots *slots, struct sch_job *job)
{
    must(sch_slot_holder(slots, job->slot) == job);
    set_free(slots, job->slot, job->seq);
    map_remove_u64(jobs->by_seq, job->seq);
    if (map_find(jobs->by_run, job->run) ==
        job) /* a later job of the run may have taken the name over */
        map_remove(jobs->by_run, job->run);
}

struct sch_job *sch_slot_freed(struct sch_slots *slots, uint32_t slot, uint64_t seq,
                               bool *ret_doubt)
{
    *ret_doubt = false;
    if (slot >= slots->room) {
        *ret_doubt = true;
        return NULL;
    }

    struct sch_slot *s = &slots->at[slot];

    switch (s->state) {
    case SLOT_FREE:
        return NULL;
    case SLOT_ASKED:
        if (s->gone != seq)
            s->hint = seq;
        return NULL;
    case SLOT_TAKEN:
        if (s->job->seq == seq)
            return s->job;
        *ret_doubt = s->gone != seq && seq > s->job->seq;
        return NULL;
    }
    must(!"slot state");
    return NULL;
}

struct sch_job *sch_slot_job(const struct sch_jobs *jobs, const char *run)
{
    return map_find(jobs->by_run, run);
}

struct sch_job *sch_slot_job_seq(const struct sch_jobs *jobs, uint64_t seq)
{
    return map_find_u64(jobs->by_seq, seq);
}

void sch_slot_forget(struct sch_slots *slots)
{
    mem_free(&slots->at);
    *slots = (struct sch_slots){0};
}
