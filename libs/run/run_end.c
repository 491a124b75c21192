#include "run/run_end.h"

#include "base/str.h"
#include "json/json.h"
#include "problem/problem.h"
#include "run/run_view.h"

unsigned run_end_duties(const struct run_fold *f)
{
    unsigned duties = 0;

    if (f->phase != RUN_ENDED)
        return 0;
    if (f->session.state == SESSION_OPEN || f->session.state == SESSION_OPENING)
        duties |= *f->end.session ? DUTY_KEEP_SESSION : DUTY_CLOSE_SESSION;
    if (*f->plan.lock && f->leases)
        duties |= DUTY_CLEAR_LOCK;
    if (f->end.status == STATUS_INDETERMINATE ||
        str_equal(f->end.code, problem_word(PROBLEM_WORKER_LOST)))
        duties |= DUTY_DEAD;
    return duties | DUTY_RESULT;
}

bool run_end_unrun(const struct run_fold *f, int64_t now_wall_ms, struct entry_end *ret)
{
    struct entry_end end = {.reason = "", .detail = "", .step = "", .session = ""};

    if (f->phase != RUN_QUEUED)
        return false;
    if (f->cancelled) {
        end.status = STATUS_CANCELLED;
        end.code   = problem_word(PROBLEM_CANCELLED);
        end.reason = f->cancel.reason;
    } else if (now_wall_ms > run_start_by_ms(f)) {
        end.status = STATUS_EXPIRED;
        end.code   = problem_word(PROBLEM_EXPIRED);
        end.detail = "it was not started within start_within";
    } else if (now_wall_ms > run_deadline_ms(f)) {
        end.status = STATUS_EXPIRED;
        end.code   = problem_word(PROBLEM_EXPIRED);
        end.detail = "its timeout was over before it was started";
    } else {
        return false;
    }
    end.replayable = true;
    *ret           = end;
    return true;
}

struct json *run_end_dead(const struct run_fold *f)
{
    struct json *doc = json_new_object();
    char at[40];

    json_set(doc, "run_id", json_new_str(f->plan.run));
    json_set(doc, "tenant", json_new_str(f->plan.tenant));
    json_set(doc, "flow", json_new_str(f->plan.flow_name));
    json_set(doc, "status", json_new_str(run_status_word(f->end.status)));
    json_set(doc, "code", json_new_str(f->end.code));
    json_set(doc, "detail", json_new_str(f->end.detail));
    json_set(doc, "step", json_new_str(f->end.step));
    json_set(doc, "at", json_new_str(str_time_text(f->ended_ms, at, sizeof at)));
    return doc;
}
