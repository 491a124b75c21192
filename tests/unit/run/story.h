/*
 * story - journals told in short lines, for tests of the fold and of what comes next.
 */
#ifndef STORY_H
#define STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "json/json.h"
#include "run/run_flow.h"
#include "run/run_fold.h"
#include "run/run_next.h"

struct story {
    struct run_fold fold;
    struct flow *flow;
    uint64_t seq, token;
    int64_t now;
    uint32_t wake;
};

/* A run of this flow, planned at 1,000,000 ms; deadline an hour. */
static inline void story_begin(struct story *s, const char *flow_text)
{
    struct json *doc = NULL;
    struct problem why;
    char text[160];

    *s = (struct story){.now = 1000000, .wake = 1};
    run_fold_init(&s->fold);
    if (failed(json_parse(&doc, bytes_str(flow_text), text, sizeof text)) ||
        failed(flow_read(&s->flow, doc, "/flow", &why)))
        must(!"the story's flow is not valid");
    json_free(&doc);
}

static inline void story_end(struct story *s)
{
    run_fold_deinit(&s->fold);
    flow_free(&s->flow);
}

static inline struct entry story_entry(struct story *s, enum entry_kind kind)
{
    struct entry e = {.kind      = kind,
                      .wake      = s->wake,
                      .token     = s->token,
                      .worker    = "w1",
                      .seq       = ++s->seq,
                      .stored_ms = s->now};

    e.session = (struct entry_session){
        .session = "", .upstream = "", .endpoint = "", .remote_id = "", .step = "", .why = ""};
    e.step = (struct entry_step){.step      = "",
                                 .code      = "",
                                 .note      = "",
                                 .upstream  = "",
                                 .endpoint  = "",
                                 .url       = "",
                                 .milestone = "",
                                 .go_to     = "",
                                 .branch    = "",
                                 .session   = "",
                                 .detail    = "",
                                 .key       = ""};
    e.end =
        (struct entry_end){.code = "", .reason = "", .detail = "", .step = "", .session = ""};
    e.waiting = (struct entry_waiting){.step = "", .upstream = "", .lock = "", .why = ""};
    e.mail    = (struct entry_mail){.by = "", .name = "", .id = "", .reason = "", .child = ""};
    e.lease.why = "";
    return e;
}

static inline void story_add(struct story *s, struct entry e)
{
    run_fold_add(&s->fold, &e);
}

static inline void story_plan(struct story *s)
{
    struct entry e = story_entry(s, ENTRY_PLAN);

    e.plan = (struct entry_plan){.tenant     = "acme",
                                 .run        = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                 .flow_name  = "f",
                                 .key        = "",
                                 .lane       = "standard",
                                 .pool       = "default",
                                 .lock       = "",
                                 .upstream   = "sim",
                                 .session    = "",
                                 .begin      = "",
                                 .parent     = "",
                                 .root       = "",
                                 .replay_of  = "",
                                 .body_sha   = "",
                                 .trace      = "",
                                 .timeout_ms = 3600000};
    story_add(s, e);
}

static inline void story_lease(struct story *s, uint64_t token)
{
    s->token = token;
    story_add(s, story_entry(s, ENTRY_LEASED));
}

static inline void story_open(struct story *s, const char *step)
{
    struct entry opening = story_entry(s, ENTRY_OPENING), opened;

    opening.session.session = "s01";
    opening.session.step    = step;
    story_add(s, opening);
    opened                   = story_entry(s, ENTRY_OPENED);
    opened.session.session   = "s01";
    opened.session.step      = step;
    opened.session.remote_id = "remote";
    opened.session.upstream  = "sim";
    story_add(s, opened);
}

static inline void story_close(struct story *s, enum entry_result result, const char *then)
{
    struct entry e = story_entry(s, ENTRY_CLOSED);

    e.session.session = "s01";
    e.session.result  = result;
    e.session.step    = then;
    story_add(s, e);
}

static inline void story_intent(struct story *s, const char *step)
{
    struct entry e = story_entry(s, ENTRY_INTENT);

    e.step.step    = step;
    e.step.attempt = 1;
    e.step.effect  = EFFECT_UNSAFE;
    story_add(s, e);
}

static inline void story_outcome(struct story *s, const char *step, enum entry_result result,
                                 bool final)
{
    struct entry e            = story_entry(s, ENTRY_OUTCOME);
    const struct flow_step *f = flow_find(s->flow, step);

    e.step.step    = step;
    e.step.attempt = 1;
    e.step.result  = result;
    e.step.final   = final;
    e.step.effect  = f ? f->effect : EFFECT_READ;
    story_add(s, e);
}

static inline void story_wait(struct story *s, enum entry_on on, uint64_t due_ms,
                              const char *step)
{
    struct entry e = story_entry(s, ENTRY_WAITING);

    e.waiting.on     = on;
    e.waiting.due_ms = due_ms;
    e.waiting.step   = step;
    story_add(s, e);
    s->wake++;
}

static inline struct run_move story_next(struct story *s)
{
    const struct run_hand hand = {.token = s->token, .now_wall_ms = s->now, .lost_max = 20};

    return run_next(s->flow, &s->fold, &hand);
}

#endif
