#include "bw_agent_judge.h"

#include <string.h>

#include "base/mem.h"
#include "problem/problem.h"

enum {
    LOOK_MAX   = 4096, /* of an error's body that is looked at */
    SAID_MAX   = 160,  /* of its words that are repeated */
    CROWDED_MS = 1000, /* when the upstream does not say: somebody else's call must end first */
    BUSY_MS    = 2000, /* … a call of ours must */
};

/* ---- the words of an error --------------------------------------------------------------- */

/* {message} {detail} {error} {title}, texts or objects that hold one; {detail:[{loc,msg}]} of a
 * validation. */
static const char *words_in(const struct json *doc, unsigned depth)
{
    static const char *const PLACES[] = {"message", "msg", "detail", "error", "title", NULL};

    if (json_str(doc))
        return json_str(doc);
    if (depth == 0)
        return NULL;
    if (json_type(doc) == JSON_ARRAY)
        return words_in(json_at(doc, 0), depth - 1);
    for (size_t i = 0; json_type(doc) == JSON_OBJECT && PLACES[i]; i++) {
        const char *words = words_in(json_get(doc, PLACES[i]), depth - 1);
        if (words && *words)
            return words;
    }
    return NULL;
}

/* One line of it, cut; "" if the body is no JSON or says nothing. */
static void said(struct bytes body, char ret[SAID_MAX])
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    ret[0] = '\0';
    if (body.len > LOOK_MAX || failed(json_parse(&doc, body, why, sizeof why)))
        return;
    const char *words = words_in(doc, 3);
    if (words)
        str_copy(ret, SAID_MAX, words);
    for (char *c = ret; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    json_free(&doc);
}

/* The beginning of the body as a text for expressions. */
static void look(struct bytes body, char ret[LOOK_MAX + 1])
{
    size_t len = body.len < LOOK_MAX ? body.len : LOOK_MAX;

    for (size_t i = 0; i < len; i++)
        ret[i] = body.at[i] < ' ' ? ' ' : (char)body.at[i];
    ret[len] = '\0';
}

/* ---- verdicts ---------------------------------------------------------------------------- */

struct bw_verdict bw_agent_judge_own(enum call_fate fate, enum call_class call_class,
                                     const char *code, const char *detail)
{
    struct bw_verdict v = {.fate = fate, .call_class = call_class, .code = code};

    str_copy(v.detail, sizeof v.detail, detail);
    return v;
}

static struct bw_verdict verdict(enum call_fate fate, enum call_class call_class,
                                 enum problem_code code, const char *detail)
{
    return bw_agent_judge_own(fate, call_class, problem_word(code), detail);
}

/* Of RATE and PAYMENT the limiter is told no time but the upstream's: it has its own, and the
 * run asks it next. */
static struct bw_verdict defer(enum call_class call_class, uint64_t retry_after_ms,
                               uint64_t least_ms, const char *detail)
{
    struct bw_verdict v = verdict(CALL_DEFERRED, call_class, PROBLEM_UPSTREAM_REFUSED, detail);

    v.retry_after_ms = retry_after_ms > least_ms ? retry_after_ms : least_ms;
    return v;
}

static struct bw_verdict gone(const struct bw_heard *h, const char *detail)
{
    struct bw_verdict v = verdict(CALL_SESSION_LOST, CALL_CLIENT, PROBLEM_SESSION_LOST, detail);

    if (h->verb == BW_CLOSE) /* it is not there: closed */
        v = bw_agent_judge_own(CALL_DONE, CALL_OK, NULL, "");
    v.session_gone = true;
    return v;
}

static struct bw_verdict no_answer(const struct bw_heard *h)
{
    char detail[BW_DETAIL_SIZE];

    str_format(detail, sizeof detail, "the upstream %s%s%.160s",
               h->ending == BW_ENDED_UNSENT ? "cannot be reached"
               : h->ending == BW_ENDED_CUT  ? "broke off without a whole answer"
                                            : "may not be called so",
               *h->words ? ": " : "", h->words);
    if (h->ending == BW_ENDED_UNSENT)
        return verdict(CALL_NOT_SENT, CALL_SERVER, PROBLEM_UPSTREAM_FAILED, detail);
    if (h->ending == BW_ENDED_CUT)
        return verdict(CALL_UNANSWERED, CALL_SERVER, PROBLEM_UPSTREAM_FAILED, detail);
    return verdict(CALL_REFUSED, CALL_UNSENT, PROBLEM_UPSTREAM_REFUSED, detail);
}

/* ---- statuses ---------------------------------------------------------------------------- */

/* What an answer says of waiting: RFC 9110 before the drafts. */
static uint64_t wait_ms(const struct bw_heard *h)
{
    return h->has_retry_after ? h->retry_after_ms : h->reset_ms;
}

static struct bw_verdict judge_402(const struct bw_heard *h, const char *text,
                                   const char *detail)
{
    /* A feature that the plan lacks is this step's trouble; the account's credit is
     * everybody's. */
    if (*h->feature_402 && bw_profile_matches(h->feature_402, text))
        return verdict(CALL_REFUSED, CALL_CLIENT, PROBLEM_UPSTREAM_REFUSED, detail);
    if (h->has_retry_after)
        return defer(CALL_RATE, h->retry_after_ms, 0, detail);
    return defer(CALL_PAYMENT, 0, 0, detail);
}

/* One status, four things: the words tell them apart. */
static struct bw_verdict judge_429(const struct bw_profile *p, const struct bw_heard *h,
                                   const char *text, const char *detail)
{
    if (bw_profile_text(p, BW_TEXT_CONCURRENCY, text))
        return defer(CALL_CONCURRENCY, wait_ms(h), CROWDED_MS, detail);
    if (h->in_session && bw_profile_text(p, BW_TEXT_BUSY, text))
        return defer(CALL_CLIENT, wait_ms(h), BUSY_MS, detail);
    if (!h->has_retry_after && bw_profile_text(p, BW_TEXT_CREDIT, text))
        return defer(CALL_PAYMENT, 0, 0, detail);
    return defer(CALL_RATE, wait_ms(h), 0, detail);
}

/* It may have acted, also where it says when to come again.  A 503 that says so closes the upstream for all; whoever was
 * told waits with them at the gate, and has spent one try. */
static struct bw_verdict judge_5xx(const struct bw_heard *h, const char *detail)
{
    bool closed = h->status == 503 && h->has_retry_after && h->retry_after_ms > 0;
    struct bw_verdict v =
        verdict(CALL_FAILED, closed ? CALL_RATE : CALL_SERVER, PROBLEM_UPSTREAM_FAILED, detail);

    v.retry_after_ms = wait_ms(h);
    return v;
}

static bool lost(const struct bw_profile *p, const struct bw_heard *h, const char *text)
{
    if (!h->in_session)
        return false;
    if (h->status == 404 || h->status == 410)
        return true;
    return (h->status == 400 || h->status == 422 || h->status == 500) &&
           bw_profile_text(p, BW_TEXT_LOST, text);
}

static struct bw_verdict judge_status(const struct bw_profile *p, const struct bw_heard *h,
                                      const char *text, const char *detail)
{
    if (lost(p, h, text))
        return gone(h, detail);
    if (h->status == 402)
        return judge_402(h, text, detail);
    if (h->status == 429 || (h->status == 403 && bw_profile_text(p, BW_TEXT_RATE, text)))
        return judge_429(p, h, text, detail);
    if (h->status == 409 && h->in_session && bw_profile_text(p, BW_TEXT_BUSY, text))
        return defer(CALL_CLIENT, wait_ms(h), BUSY_MS, detail);
    if (h->status == 408) /* it gave up waiting for us: nobody knows what it had read */
        return verdict(CALL_FAILED, CALL_TIMEOUT, PROBLEM_UPSTREAM_FAILED, detail);
    if (h->status >= 500)
        return judge_5xx(h, detail);
    return verdict(CALL_REFUSED, CALL_CLIENT, PROBLEM_UPSTREAM_REFUSED, detail);
}

static struct bw_verdict judge_answer(const struct bw_profile *p, const struct bw_heard *h)
{
    char text[LOOK_MAX + 1], words[SAID_MAX], detail[BW_DETAIL_SIZE];

    if (h->status >= 200 && h->status <= 299)
        return bw_agent_judge_own(CALL_DONE, CALL_OK, NULL, "");
    look(h->body, text);
    said(h->body, words);
    str_format(detail, sizeof detail, "%s answered %d%s%s", p->calls[h->verb].label, h->status,
               *words ? ": " : "", words);
    return judge_status(p, h, text, detail);
}

struct bw_verdict bw_agent_judge(const struct bw_profile *p, const struct bw_heard *h)
{
    switch (h->ending) {
    case BW_ENDED_WHOLE:
        return judge_answer(p, h);
    case BW_ENDED_LATE:
        return verdict(CALL_UNANSWERED, CALL_TIMEOUT, PROBLEM_STEP_TIMEOUT,
                       "no answer within the step's timeout");
    case BW_ENDED_TOO_LARGE:
        return verdict(CALL_UNANSWERED, CALL_SERVER, PROBLEM_RESPONSE_TOO_LARGE,
                       "the answer is larger than SLUICE_RESPONSE_MAX");
    case BW_ENDED_UNSENT:
    case BW_ENDED_CUT:
    case BW_ENDED_FORBIDDEN:
        return no_answer(h);
    }
    must(!"unknown ending");
    return no_answer(h);
}

void bw_agent_judge_acted(struct bw_verdict *v, enum entry_effect effect)
{
    bool nothing =
        v->fate == CALL_REFUSED || v->fate == CALL_NOT_SENT || v->fate == CALL_DEFERRED;

    if (nothing && effect == EFFECT_UNSAFE)
        v->fate = CALL_UNANSWERED;
}
