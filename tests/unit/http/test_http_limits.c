#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "http/http_limits.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the date of all three forms in RFC 9110. */
static const int64_t NOON = INT64_C(784111777000);

struct answer {
    const char *lines[12]; /* "Name: value" */
};

static const char *get(const void *self, const char *name, unsigned n)
{
    const struct answer *a = self;
    size_t len             = strlen(name);

    for (size_t i = 0; a->lines[i]; i++)
        if (strncasecmp(a->lines[i], name, len) == 0 && a->lines[i][len] == ':' && n-- == 0)
            return a->lines[i] + len + (a->lines[i][len + 1] == ' ' ? 2 : 1);
    return NULL;
}

static struct http_limits read_at(int64_t wall_ms, struct answer a)
{
    return http_limits_read(get, &a, wall_ms);
}

#define READ(...) read_at(NOON, (struct answer){{__VA_ARGS__, NULL}})

enum { DAY = HTTP_LIMITS_MAX_MS };

/* ---- Retry-After ------------------------------------------------------------------------------ */

static void retry_after_is_read_in_all_its_forms(void **state)
{
    static const struct {
        const char *line;
        uint64_t ms;
    } CASES[] = {
        {"Retry-After: 0", 0},
        {"Retry-After: 1", 1000},
        {"Retry-After: 120", 120000},
        {"Retry-After:  7 ", 7000},
        {"Retry-After: 007", 7000},
        {"Retry-After: 1.5", 1500},
        {"retry-after: 3", 3000},
        {"Retry-After: 99999999999999999999", DAY},
        {"Retry-After: 86401", DAY},
        {"Retry-After: 60, 120", 120000},
        {"Retry-After: Sun, 06 Nov 1994 08:50:37 GMT", 60000},
        {"Retry-After: Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Retry-After: Sun Nov  6 08:50:37 1994", 60000},
        {"Retry-After: Sun, 06 Nov 1994 08:48:37 GMT", 0}, /* past */
        {"Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", DAY},
        {"retry-after-ms: 250", 250},
        {"retry-after-ms: 250.7", 250},
        {"retry-after-ms: 999999999999", DAY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct http_limits l = READ(CASES[i].line);

        if (!l.has_retry_after || l.retry_after_ms != CASES[i].ms)
            fail_msg("%s: %d %lu", CASES[i].line, l.has_retry_after,
                     (unsigned long)l.retry_after_ms);
        assert_false(l.exhausted);
        assert_int_equal(l.reset_ms, 0);
    }
}

static void unreadable_retry_after_is_ignored(void **state)
{
    static const char *const LINES[] = {
        "Retry-After: -1",
        "Retry-After: +1",
        "Retry-After:",
        "Retry-After: soon",
        "Retry-After: 1e9",
        "Retry-After: 0x10",
        "Retry-After: 12 apples",
        "Retry-After: 1,",
        "Retry-After: .5",
        "Retry-After: 5.",
        "Retry-After: inf",
        "Retry-After: nan",
        "Retry-After: 6 Nov 1994",
        "Retry-After: Sun, 06 Foo 1994 08:49:37 GMT",
        "Retry-After: Sun, 99 Nov 1994 08:49:37 GMT",
        "Retry-After: Sun, 06 Nov 1994 28:49:37 GMT",
        "Retry-After: Sun, 06 Nov 1994 08:49:37 PST",
        "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT and more",
        "X-Retry: 5",
        "retry-after-ms: -5",
        "retry-after-ms: later",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(*LINES); i++)
        if (READ(LINES[i]).has_retry_after)
            fail_msg("%s was read", LINES[i]);
}

static void the_larger_of_two_retry_afters_counts(void **state)
{
    (void)state;
    assert_int_equal(READ("Retry-After: 5", "Retry-After: 30").retry_after_ms, 30000);
    assert_int_equal(READ("Retry-After: 30", "Retry-After: 5").retry_after_ms, 30000);
    assert_int_equal(READ("Retry-After: x", "Retry-After: 5").retry_after_ms, 5000);
}

static void milliseconds_go_before_seconds(void **state)
{
    (void)state;
    assert_int_equal(READ("Retry-After: 5", "retry-after-ms: 4200").retry_after_ms, 4200);
    assert_int_equal(READ("Retry-After: 5", "retry-after-ms: x").retry_after_ms, 5000);
}

static void dates_are_compared_with_the_answers_own_date(void **state)
{
    (void)state;
    struct answer a = {{"Date: Sun, 06 Nov 1994 08:49:37 GMT",
                        "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT", NULL}};

    assert_int_equal(http_limits_read(get, &a, NOON + 3600000).retry_after_ms, 60000);
    assert_int_equal(
        READ("Date: nonsense", "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT").retry_after_ms,
        60000);
}

static void dates_of_all_kinds_of_years_are_right(void **state)
{
    static const struct {
        const char *text;
        int64_t s;
    } CASES[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
        {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800},
        {"Sun, 28 Feb 2100 00:00:00 GMT", 4107456000},
        {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400},
        {"Thu, 31 Dec 2026 12:00:00 GMT", 1798718400},
        {"Sun, 01 Jan 1950 00:00:00 GMT", -631152000},
    };
    int64_t at;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        assert_true(http_limits_date(CASES[i].text, NOON, &at));
        assert_int_equal(at, CASES[i].s * 1000);
    }
}

static void two_digits_of_a_year_are_of_the_nearer_century(void **state)
{
    const int64_t in_2026 = INT64_C(1795000000000);
    int64_t at            = 0;

    (void)state;
    assert_true(http_limits_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2026, &at));
    assert_int_equal(at, NOON);
    assert_true(http_limits_date("Saturday, 21-Nov-26 00:00:00 GMT", in_2026, &at));
    assert_int_equal(at, INT64_C(1795219200000));
}

/* ---- RateLimit -------------------------------------------------------------------------------- */

struct rate_case {
    const char *lines[6];
    bool exhausted;
    uint64_t reset_ms;
};

static void check_rates(const struct rate_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct answer a = {{NULL}};

        memcpy(a.lines, cases[i].lines, sizeof(cases[i].lines));

        struct http_limits l = http_limits_read(get, &a, NOON);

        if (l.exhausted != cases[i].exhausted || l.reset_ms != cases[i].reset_ms)
            fail_msg("%s: exhausted %d, reset %lu", a.lines[0], l.exhausted,
                     (unsigned long)l.reset_ms);
        assert_false(l.has_retry_after);
    }
}

static void rate_limit_says_whether_nothing_is_left_and_until_when(void **state)
{
    static const struct rate_case CASES[] = {
        {{"RateLimit: \"default\";r=0;t=30"}, true, 30000},
        {{"RateLimit: \"default\";r=50;t=30"}, false, 0},
        {{"RateLimit: \"default\";r=0"}, true, 0},
        {{"RateLimit: \"default\";t=30;r=0"}, true, 30000},
        {{"RateLimit: default;r=0;t=30"}, true, 30000},
        {{"RateLimit: \"a\";r=9;t=60, \"b\";r=0;t=5"}, true, 5000},
        {{"RateLimit: \"a\";r=0;t=60, \"b\";r=0;t=5"}, true, 60000},
        {{"RateLimit: \"a\";r=9;t=60", "RateLimit: \"b\";r=0;t=5"}, true, 5000},
        {{"RateLimit: \"a\\\"b\\\\,;\";r=0;t=1"}, true, 1000},
        {{"RateLimit: \"a\";r=0;t=5;pk=:cHsdsRa894==:;x;y=?1;z=tok/en"}, true, 5000},
        {{"RateLimit: \"a\" ; r=0; t=5"}, false, 0}, /* no blank before ; */
        {{"RateLimit: \"a\";r=0;t=99999999999999999999"}, true, DAY},
        {{"RateLimit: \"a\";r=0;t=-4"}, true, 0},
        {{"RateLimit: \"a\";r=-1;t=4"}, true, 4000},
        {{"RateLimit: limit=100, remaining=0, reset=30"}, true, 30000}, /* draft 7 */
        {{"RateLimit: limit=100, remaining=3, reset=30"}, false, 0},
        {{"RateLimit-Policy: \"a\";q=100;w=60"}, false, 0},
    };

    (void)state;
    check_rates(CASES, sizeof(CASES) / sizeof(*CASES));
}

static void malformed_rate_limit_is_ignored(void **state)
{
    static const struct rate_case CASES[] = {
        {{"RateLimit:"}, false, 0},
        {{"RateLimit: \"a;r=0;t=5"}, false, 0},
        {{"RateLimit: \"a\";r=0;t=5,"}, false, 0},
        {{"RateLimit: \"a\";r=0;t="}, false, 0},
        {{"RateLimit: \"a\";R=0;t=5"}, false, 0},
        {{"RateLimit: \"a\";r=0;t=5 junk"}, false, 0},
        {{"RateLimit: ;;;"}, false, 0},
        {{"RateLimit: \"a\";r=zero;t=5"}, false, 0},
        {{"RateLimit: \"a\";r=0;t=:abc"}, false, 0},
        {{"RateLimit: \"\\x\";r=0"}, false, 0},
        {{"RateLimit: \"a\";r=0;t=5\x01"}, false, 0},
        {{"RateLimit: (\"a\" \"b\");r=0"}, false, 0},
    };

    (void)state;
    check_rates(CASES, sizeof(CASES) / sizeof(*CASES));
}

static void older_headers_are_read_in_their_dialects(void **state)
{
    static const struct rate_case CASES[] = {
        {{"RateLimit-Remaining: 0", "RateLimit-Reset: 30"}, true, 30000},
        {{"RateLimit-Limit: 9", "RateLimit-Remaining: 4", "RateLimit-Reset: 30"}, false, 0},
        {{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 30"}, true, 30000},
        {{"X-RateLimit-Reset: 12"}, false, 12000},
        {{"X-RateLimit-Reset: 0.25"}, false, 250},
        {{"X-RateLimit-Reset: Sun, 06 Nov 1994 08:50:37 GMT"}, false, 60000},
        {{"X-RateLimit-Reset: 1994-11-06T08:50:37Z"}, false, 60000},
        {{"X-RateLimit-Reset: -5"}, false, 0},
        {{"X-RateLimit-Reset:"}, false, 0},
        {{"X-RateLimit-Reset: tomorrow"}, false, 0},
        {{"X-RateLimit-Remaining: 0", "RateLimit-Reset: 5", "X-RateLimit-Reset: 9"},
         true,
         5000},
        {{"X-Rate-Limit-Remaining: 0", "X-Rate-Limit-Reset: 8"}, true, 8000},
        {{"X-RateLimit-Remaining: -3", "X-RateLimit-Reset: 8"}, false, 8000},
    };

    (void)state;
    check_rates(CASES, sizeof(CASES) / sizeof(*CASES));
}

static void epochs_are_told_from_seconds_by_their_size(void **state)
{
    const int64_t now = INT64_C(1795000000000);
    struct answer s   = {{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795000030", NULL}};
    struct answer ms = {{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795000030500", NULL}};
    struct answer old = {{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1794999999", NULL}};

    (void)state;
    assert_int_equal(http_limits_read(get, &s, now).reset_ms, 30000);
    assert_int_equal(http_limits_read(get, &ms, now).reset_ms, 30500);
    assert_int_equal(http_limits_read(get, &old, now).reset_ms, 0);
}

static void the_newer_form_goes_before_the_older(void **state)
{
    static const struct rate_case CASES[] = {
        {{"RateLimit: \"a\";r=0;t=7", "RateLimit-Remaining: 5", "RateLimit-Reset: 99"},
         true,
         7000},
        {{"RateLimit: \"a\";r=4;t=7", "RateLimit-Remaining: 0", "RateLimit-Reset: 99"},
         false,
         0},
        {{"RateLimit: \"a\";r=0", "RateLimit-Reset: 9"}, true, 9000},
        {{"RateLimit: garbage here", "RateLimit-Remaining: 0", "RateLimit-Reset: 9"},
         true,
         9000},
    };

    (void)state;
    check_rates(CASES, sizeof(CASES) / sizeof(*CASES));
}

static void retry_after_and_rate_limit_are_told_apart(void **state)
{
    struct http_limits l = READ("Retry-After: 3", "RateLimit: \"a\";r=0;t=30");

    (void)state;
    assert_true(l.has_retry_after);
    assert_int_equal(l.retry_after_ms, 3000);
    assert_true(l.exhausted);
    assert_int_equal(l.reset_ms, 30000);
}

static void an_answer_that_says_nothing_says_nothing(void **state)
{
    struct http_limits l = READ("Content-Type: text/html");

    (void)state;
    assert_false(l.has_retry_after || l.exhausted);
    assert_int_equal(l.retry_after_ms + l.reset_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_read_in_all_its_forms),
        cmocka_unit_test(unreadable_retry_after_is_ignored),
        cmocka_unit_test(the_larger_of_two_retry_afters_counts),
        cmocka_unit_test(milliseconds_go_before_seconds),
        cmocka_unit_test(dates_are_compared_with_the_answers_own_date),
        cmocka_unit_test(dates_of_all_kinds_of_years_are_right),
        cmocka_unit_test(two_digits_of_a_year_are_of_the_nearer_century),
        cmocka_unit_test(rate_limit_says_whether_nothing_is_left_and_until_when),
        cmocka_unit_test(malformed_rate_limit_is_ignored),
        cmocka_unit_test(older_headers_are_read_in_their_dialects),
        cmocka_unit_test(epochs_are_told_from_seconds_by_their_size),
        cmocka_unit_test(the_newer_form_goes_before_the_older),
        cmocka_unit_test(retry_after_and_rate_limit_are_told_apart),
        cmocka_unit_test(an_answer_that_says_nothing_says_nothing),
    };

    return cmocka_run_group_tests_name("http_limits", tests, NULL, NULL);
}
