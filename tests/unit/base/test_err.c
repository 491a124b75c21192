#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static void only_none_is_no_failure(void **state)
{
    (void)state;

    assert_false(failed(OK));
    for (enum err_kind kind = ERR_RETRY; kind <= ERR_FATAL; kind++)
        assert_true(failed(err_of(kind, "do it")));
}

static void errno_becomes_the_kind_that_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum err_kind kind;
    } CASES[] = {
        {ENOENT, ERR_ABSENT}, {EAGAIN, ERR_RETRY},  {EINTR, ERR_RETRY},   {EBUSY, ERR_RETRY},
        {ENOMEM, ERR_FATAL},  {EMFILE, ERR_FATAL},  {ENFILE, ERR_FATAL},  {ENOSPC, ERR_FATAL},
        {EACCES, ERR_REJECT}, {EINVAL, ERR_REJECT}, {123456, ERR_REJECT}, {0, ERR_REJECT},
    };

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct err e = err_errno(CASES[i].number, "open");

        assert_int_equal(e.kind, CASES[i].kind);
        assert_int_equal(e.from, ERR_FROM_ERRNO);
        assert_int_equal(e.code, CASES[i].number);
    }
}

static void text_names_what_kind_and_whose_number(void **state)
{
    (void)state;
    const struct {
        struct err e;
        const char *text;
    } cases[] = {
        {OK, "ok"},
        {err_of(ERR_REJECT, "read plan"), "read plan: reject"},
        {err_of(ERR_LOST, NULL), "lost"},
        {err_from(ERR_RETRY, "publish", ERR_FROM_JETSTREAM, 10071),
         "publish: retry (jetstream 10071)"},
        {err_from(ERR_UNKNOWN, "fetch", ERR_FROM_CURL, 28), "fetch: unknown (curl 28)"},
        {err_from(ERR_FULL, "call", ERR_FROM_HTTP, 429), "call: full (http 429)"},
        {err_from(ERR_FATAL, "spawn", ERR_FROM_UV, -12), "spawn: fatal (uv -12)"},
        {err_from(ERR_CONFLICT, "put", ERR_FROM_NATS, INT32_MIN),
         "put: conflict (nats -2147483648)"},
        {err_errno(ENOENT, "open"), "open: absent (errno 2)"},
    };
    char text[96];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(err_text(cases[i].e, text, sizeof(text)), cases[i].text);
}

static void text_that_does_not_fit_is_cut_and_terminated(void **state)
{
    (void)state;
    char text[8] = "#######";

    err_text(err_of(ERR_REJECT, "read plan"), text, 5);
    assert_string_equal(text, "read");
    assert_int_equal(text[5], '#');
}

static void kind_names_differ_from_each_other(void **state)
{
    (void)state;

    for (enum err_kind a = ERR_NONE; a <= ERR_FATAL; a++)
        for (enum err_kind b = ERR_NONE; b < a; b++)
            assert_string_not_equal(err_kind_name(a), err_kind_name(b));
}

static void kind_that_does_not_exist_is_a_bug(void **state)
{
    (void)state;

    expect_assert_failure(err_kind_name((enum err_kind)77));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_none_is_no_failure),
        cmocka_unit_test(errno_becomes_the_kind_that_says_what_to_do),
        cmocka_unit_test(text_names_what_kind_and_whose_number),
        cmocka_unit_test(text_that_does_not_fit_is_cut_and_terminated),
        cmocka_unit_test(kind_names_differ_from_each_other),
        cmocka_unit_test(kind_that_does_not_exist_is_a_bug),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
