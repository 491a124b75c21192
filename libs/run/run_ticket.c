#include "run/run_ticket.h"

#include "run/run_flow.h"

static uint64_t after_ms(int64_t at_ms, int64_t now_ms)
{
    if (at_ms == INT64_MAX)
        return 0;
    return at_ms > now_ms ? (uint64_t)(at_ms - now_ms) : 1; /* 0 would mean none */
}

void run_ticket(const struct run_fold *f, enum ticket_cause cause, uint64_t cause_seq,
                int64_t now_wall_ms, struct ticket *ret)
{
    struct ticket t = {
        .wake = f->wake, .cause = cause, .cause_seq = cause_seq, .plan_seq = f->plan_seq};
    int64_t due = run_due_ms(f), deadline = run_deadline_ms(f);

    str_copy(t.run, sizeof t.run, f->plan.run);
    str_copy(t.tenant, sizeof t.tenant, f->plan.tenant);
    run_flow_token(f->plan.flow_name, t.flow, sizeof t.flow);
    str_copy(t.pool, sizeof t.pool, f->plan.pool);
    t.lane = lane_of(f->plan.lane);
    if (t.lane == LANE_NONE)
        t.lane = LANE_STANDARD;
    str_copy(t.lock, sizeof t.lock, f->plan.lock);
    str_copy(t.upstream, sizeof t.upstream, f->plan.upstream);
    str_copy(t.session, sizeof t.session, f->plan.session);
    str_copy(t.parent_run, sizeof t.parent_run, f->plan.parent);
    if (due > deadline)
        due = deadline;
    t.due_after_ms      = due > now_wall_ms ? (uint64_t)(due - now_wall_ms) : 0;
    t.start_within_ms   = f->leases ? 0 : after_ms(run_start_by_ms(f), now_wall_ms);
    t.deadline_after_ms = after_ms(deadline, now_wall_ms);
    *ret                = t;
}
