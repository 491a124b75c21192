#include "sch_journal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sch.h"
#include "sch_mend.h"
#include "wire/subject.h"

static const char *header(const void *self, const char *name)
{
    return bus_msg_header(self, name);
}

void sch_journal_job(struct sch *s, struct sch_job *job)
{
    const struct sch_fact *fact = sch_reconcile_find(s->facts, job->run);

    if (fact && fact->worker && fact->job == job->seq)
        sch_pool_leased(&s->pools, job, fact->worker);
}

static void act_on(struct sch *s, enum sch_event event, const char *id,
                   const struct sch_fact *fact)
{
    struct sch_run *run = sch_index_find(s->index, id);
    struct sch_job *job = NULL;
    int64_t now         = sch_now(s);

    switch (event) {
    case EVENT_LEASED:
        job = sch_slot_job_seq(&s->jobs, fact->job);
        if (job && str_equal(job->run, id) && fact->worker)
            sch_pool_leased(&s->pools, job, fact->worker);
        if (run)
            sch_index_started(s->index, run, now);
        break;
    case EVENT_WAITING:
        if (run)
            sch_index_drop_below(s->index, run, fact->wake, now);
        break;
    case EVENT_OVER:
        if (run)
            sch_index_drop(s->index, run, now);
        break;
    case EVENT_CANCELLED:
    case EVENT_NONE:
        if (run && (event == EVENT_CANCELLED || (fact && fact->state == FACT_ENDED)))
            sch_mend_look(s, run);
        break;
    }
}

static void on_journal(void *self, struct bus_msg **slot)
{
    struct sch *s               = SELF(struct sch, SCH_MAGIC, self);
    const struct bus_msg *m     = *slot;
    const struct sch_fact *fact = NULL;
    char tenant[STR_NAME_SIZE], run[ID_SIZE];
    struct entry e;

    if (!str_token(m->subject, 2, tenant, sizeof(tenant)) ||
        !str_token(m->subject, 3, run, sizeof(run)) || !sch_mine(s, tenant))
        return;
    wire_entry_from_headers(&e, header, m, s->arena);
    e.seq       = m->seq;
    e.stored_ms = m->stored_ms;

    const char *worker = e.kind == ENTRY_LEASED && e.worker[0] ? sch_word(s, e.worker) : NULL;
    enum sch_event event =
        sch_reconcile_entry(s->facts, sch_word(s, tenant), run, &e, worker, &fact);

    arena_reset(s->arena);
    if (s->role >= ROLE_FILLING)
        act_on(s, event, run, fact);
}

static void on_journal_read(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    s->journal_read = true;
    log_info("journal read", KV("seq", bus_follow_seq(s->journal)),
             KV("n", sch_reconcile_count(s->facts)));
}

static void on_journal_anew(void *self)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);

    log_error("the journal was made anew: the runs in it are lost",
              KV("stream", STREAM_JOURNAL));
    sch_reconcile_clear(s->facts);
}

static void on_result(void *self, struct bus_msg **slot)
{
    struct sch *s = SELF(struct sch, SCH_MAGIC, self);
    char tenant[STR_NAME_SIZE], run[ID_SIZE];

    if (!str_token((*slot)->subject, 2, tenant, sizeof(tenant)) ||
        !str_token((*slot)->subject, 5, run, sizeof(run)) || !sch_mine(s, tenant))
        return;

    enum sch_event event = sch_reconcile_result(s->facts, run);

    if (s->role >= ROLE_FILLING)
        act_on(s, event, run, NULL);
}

static void on_results_read(void *self)
{
    SELF(struct sch, SCH_MAGIC, self)->results_read = true;
}

void sch_journal_follow(struct sch *s)
{
    sch_follow(s,
               &(struct bus_follow){.stream       = STREAM_JOURNAL,
                                    .filter       = SUBJECT_JOURNAL_ALL,
                                    .headers_only = true,
                                    .on_msg       = on_journal,
                                    .on_caught_up = on_journal_read,
                                    .on_anew      = on_journal_anew,
                                    .self         = s},
               &s->journal);
    sch_follow(s,
               &(struct bus_follow){.stream       = STREAM_RESULTS,
                                    .filter       = SUBJECT_RESULT_ALL,
                                    .headers_only = true,
                                    .on_msg       = on_result,
                                    .on_caught_up = on_results_read,
                                    .self         = s},
               &s->results);
}
