#include "bw_agent_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

struct heard {
    int status;
    const char *body;
    bool in_session;
    int64_t retry_after_ms; /* -1: not told */
};

struct verdict {
    enum call_fate fate;
    enum call_class call_class;
    uint64_t retry_after_ms;
    const char *code;
    bool gone;
};

static struct bw_verdict judge(enum bw_verb verb, enum bw_ending ending, const struct heard *h)
{
    const struct bw_heard heard = {
        .verb            = verb,
        .ending          = ending,
        .status          = h->status,
        .in_session      = h->in_session,
        .body            = bytes_str(h->body),
        .has_retry_after = h->retry_after_ms >= 0,
        .retry_after_ms  = h->retry_after_ms > 0 ? (uint64_t)h->retry_after_ms : 0,
        .feature_402     = "feature|not in your plan",
        .words           = "why",
    };

    return bw_agent_judge(bw_profile_find("multion"), &heard);
}

static void assert_verdict(size_t n, const struct bw_verdict *v, const struct verdict *w)
{
    bool same = v->fate == w->fate && v->call_class == w->call_class &&
                v->retry_after_ms == w->retry_after_ms && v->session_gone == w->gone &&
                str_equal(v->code, w->code);

    if (!same)
        fail_msg("case %zu: fate %d class %d retry_after %d code %s gone %d: %s", n, v->fate,
                 v->call_class, (int)v->retry_after_ms, v->code ? v->code : "-",
                 v->session_gone, v->detail);
}

#define REFUSED "upstream_refused"
#define FAILED "upstream_failed"
#define LOST "session_lost"

static void every_status_has_one_fate_and_one_class(void **state)
{
    static const struct {
        struct heard heard;
        struct verdict verdict;
    } CASES[] = {
        {{200, "{}", true, -1}, {CALL_DONE, CALL_OK, 0, NULL, false}},
        {{200, "{}", true, 5000}, {CALL_DONE, CALL_OK, 0, NULL, false}},
        {{204, "", true, -1}, {CALL_DONE, CALL_OK, 0, NULL, false}},
        {{302, "", true, -1}, {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        {{400, "{\"message\":\"bad\"}", true, -1},
         {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        {{401, "", true, -1}, {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        {{403, "", true, -1}, {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        {{403, "secondary rate limit", true, 3000},
         {CALL_DEFERRED, CALL_RATE, 3000, REFUSED, false}},
        {{422,
          "{\"detail\":[{\"loc\":[\"body\",\"session_id\"],\"msg\":\"str type expected\"}]}",
          true, -1},
         {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        /* 402: of the account, for a while, of a feature. */
        {{402, "Payment required: the credit of this account is exhausted.", true, -1},
         {CALL_DEFERRED, CALL_PAYMENT, 0, REFUSED, false}},
        {{402, "", true, -1}, {CALL_DEFERRED, CALL_PAYMENT, 0, REFUSED, false}},
        {{402, "Payment required", true, 7000},
         {CALL_DEFERRED, CALL_RATE, 7000, REFUSED, false}},
        {{402, "this FEATURE is not in your plan", true, -1},
         {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        {{402, "this feature is not in your plan", true, 7000},
         {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        /* 429: four different things. */
        {{429, "Rate limit exceeded.", true, -1},
         {CALL_DEFERRED, CALL_RATE, 0, REFUSED, false}},
        {{429, "Rate limit exceeded.", true, 3000},
         {CALL_DEFERRED, CALL_RATE, 3000, REFUSED, false}},
        {{429, "", true, 0}, {CALL_DEFERRED, CALL_RATE, 0, REFUSED, false}},
        {{429, "<html>Too Many Requests</html>", true, -1},
         {CALL_DEFERRED, CALL_RATE, 0, REFUSED, false}},
        {{429, "Too many concurrent requests for this account.", true, -1},
         {CALL_DEFERRED, CALL_CONCURRENCY, 1000, REFUSED, false}},
        {{429, "Too many concurrent sessions for this account.", true, 9000},
         {CALL_DEFERRED, CALL_CONCURRENCY, 9000, REFUSED, false}},
        {{429, "you are out of credits", true, -1},
         {CALL_DEFERRED, CALL_PAYMENT, 0, REFUSED, false}},
        {{429, "the queue of this session is full", true, -1},
         {CALL_DEFERRED, CALL_CLIENT, 2000, REFUSED, false}},
        {{409, "session already has an active run", true, -1},
         {CALL_DEFERRED, CALL_CLIENT, 2000, REFUSED, false}},
        {{409, "conflict", true, -1}, {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        /* Lost: by status, or by words; never without a session. */
        {{404, "", true, -1}, {CALL_SESSION_LOST, CALL_CLIENT, 0, LOST, true}},
        {{404, "", false, -1}, {CALL_REFUSED, CALL_CLIENT, 0, REFUSED, false}},
        {{400, "Session not found or expired", true, -1},
         {CALL_SESSION_LOST, CALL_CLIENT, 0, LOST, true}},
        {{422, "Session not found or expired", true, -1},
         {CALL_SESSION_LOST, CALL_CLIENT, 0, LOST, true}},
        {{500, "Session not found or expired", true, -1},
         {CALL_SESSION_LOST, CALL_CLIENT, 0, LOST, true}},
        {{500, "Session not found or expired", false, -1},
         {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        {{503, "Session not found or expired", true, -1},
         {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        /* It answered, and may have acted. */
        {{408, "", true, -1}, {CALL_FAILED, CALL_TIMEOUT, 0, FAILED, false}},
        {{500, "{\"statusCode\":500}", true, -1}, {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        {{502, "<html>Bad Gateway</html>", true, -1},
         {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        {{500, "", true, 4000}, {CALL_FAILED, CALL_SERVER, 4000, FAILED, false}},
        {{503, "", true, -1}, {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        {{503, "", true, 0}, {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        /* It says when it opens: closed for all, but this one call may have acted. */
        {{503, "", true, 4000}, {CALL_FAILED, CALL_RATE, 4000, FAILED, false}},
        {{504, "", true, -1}, {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
        {{529, "", true, -1}, {CALL_FAILED, CALL_SERVER, 0, FAILED, false}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct bw_verdict v = judge(BW_BROWSE, BW_ENDED_WHOLE, &CASES[i].heard);
        assert_verdict(i, &v, &CASES[i].verdict);
    }
}

static void without_an_answer_it_counts_what_left(void **state)
{
    static const struct heard NOTHING = {0, "", true, -1};
    static const struct {
        enum bw_ending ending;
        struct verdict verdict;
    } CASES[] = {
        {BW_ENDED_UNSENT, {CALL_NOT_SENT, CALL_SERVER, 0, FAILED, false}},
        {BW_ENDED_CUT, {CALL_UNANSWERED, CALL_SERVER, 0, FAILED, false}},
        {BW_ENDED_LATE, {CALL_UNANSWERED, CALL_TIMEOUT, 0, "step_timeout", false}},
        {BW_ENDED_TOO_LARGE, {CALL_UNANSWERED, CALL_SERVER, 0, "response_too_large", false}},
        {BW_ENDED_FORBIDDEN, {CALL_REFUSED, CALL_UNSENT, 0, REFUSED, false}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct bw_verdict v = judge(BW_BROWSE, CASES[i].ending, &NOTHING);
        assert_verdict(i, &v, &CASES[i].verdict);
        assert_true(*v.detail);
    }
}

static void a_session_that_is_not_there_is_closed(void **state)
{
    static const struct heard CASES[] = {{404, "", true, -1},
                                         {410, "", true, -1},
                                         {400, "session expired", true, -1},
                                         {500, "no such session", true, -1}};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct bw_verdict v = judge(BW_CLOSE, BW_ENDED_WHOLE, &CASES[i]);
        assert_verdict(i, &v, &(struct verdict){CALL_DONE, CALL_OK, 0, NULL, true});
    }
}

static void a_close_that_was_not_answered_is_none(void **state)
{
    static const struct heard NOTHING = {0, "", true, -1}, BROKEN = {502, "", true, -1};
    struct bw_verdict cut      = judge(BW_CLOSE, BW_ENDED_CUT, &NOTHING),
                      answered = judge(BW_CLOSE, BW_ENDED_WHOLE, &BROKEN);

    (void)state;
    assert_int_equal(cut.fate, CALL_UNANSWERED);
    assert_int_equal(answered.fate, CALL_FAILED);
    assert_false(cut.session_gone || answered.session_gone);
}

static void the_words_of_the_upstream_are_repeated_on_one_line(void **state)
{
    static const struct {
        const char *body, *detail;
    } CASES[] = {
        {"{\"message\":\"no\\nsuch thing\"}", "/web/browse answered 400: no such thing"},
        {"{\"detail\":\"text\"}", "/web/browse answered 400: text"},
        {"{\"detail\":[{\"loc\":[\"body\",0],\"msg\":\"field required\"}]}",
         "/web/browse answered 400: field required"},
        {"{\"error\":{\"message\":\"deep\"}}", "/web/browse answered 400: deep"},
        {"<html>words</html>", "/web/browse answered 400"},
        {"", "/web/browse answered 400"},
        {"[[[[[[\"x\"]]]]]]", "/web/browse answered 400"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct heard h = {400, CASES[i].body, true, -1};
        struct bw_verdict v  = judge(BW_BROWSE, BW_ENDED_WHOLE, &h);
        assert_string_equal(v.detail, CASES[i].detail);
    }
}

/* The second request of a command that went on is refused: the first was not. */
static void after_an_answer_an_unsafe_command_is_never_unsent(void **state)
{
    static const enum call_fate NOTHING[] = {CALL_REFUSED, CALL_NOT_SENT, CALL_DEFERRED};

    (void)state;
    for (size_t i = 0; i < sizeof NOTHING / sizeof *NOTHING; i++) {
        struct bw_verdict unsafe = bw_agent_judge_own(NOTHING[i], CALL_RATE, REFUSED, ""),
                          read   = unsafe;
        bw_agent_judge_acted(&unsafe, EFFECT_UNSAFE);
        bw_agent_judge_acted(&read, EFFECT_READ);
        assert_int_equal(unsafe.fate, CALL_UNANSWERED);
        assert_int_equal(unsafe.call_class, CALL_RATE);
        assert_int_equal(read.fate, NOTHING[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_one_fate_and_one_class),
        cmocka_unit_test(without_an_answer_it_counts_what_left),
        cmocka_unit_test(a_session_that_is_not_there_is_closed),
        cmocka_unit_test(a_close_that_was_not_answered_is_none),
        cmocka_unit_test(the_words_of_the_upstream_are_repeated_on_one_line),
        cmocka_unit_test(after_an_answer_an_unsafe_command_is_never_unsent),
    };
    return cmocka_run_group_tests_name("bw_agent_judge", tests, NULL, NULL);
}
