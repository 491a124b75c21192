#include "base/must.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "child.h"

static void keep_a_promise(void *with)
{
    (void)with;
    must(1 + 1 == 2);
}

static void break_a_promise(void *with)
{
    (void)with;
    must(1 + 1 == 3);
}

static void die_of_configuration(void *with)
{
    die(2, "%s is %d", (const char *)with, 7);
}

static void kept_promise_is_silent(void **state)
{
    (void)state;
    struct child c = child_run(keep_a_promise, NULL, STDERR_FILENO);

    assert_int_equal(WEXITSTATUS(c.status), 99);
    assert_string_equal(c.text, "");
}

static void broken_promise_aborts(void **state)
{
    (void)state;
    struct child c = child_run(break_a_promise, NULL, STDERR_FILENO);

    assert_true(WIFSIGNALED(c.status));
    assert_int_equal(WTERMSIG(c.status), SIGABRT);
}

static void broken_promise_is_logged_with_its_place(void **state)
{
    (void)state;
    struct child c = child_run(break_a_promise, NULL, STDERR_FILENO);

    assert_non_null(strstr(c.text, "level=error"));
    assert_non_null(strstr(c.text, "why=\"1 + 1 == 3\""));
    assert_non_null(strstr(c.text, "test_must.c:"));
}

static void die_says_one_line_and_exits_with_its_status(void **state)
{
    (void)state;
    struct child c = child_run(die_of_configuration, "SLUICE_SLOTS", STDERR_FILENO);

    assert_true(WIFEXITED(c.status));
    assert_int_equal(WEXITSTATUS(c.status), 2);
    assert_non_null(strstr(c.text, ": SLUICE_SLOTS is 7\n"));
    assert_ptr_equal(strchr(c.text, '\n') + 1, c.text + strlen(c.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_promise_is_silent),
        cmocka_unit_test(broken_promise_aborts),
        cmocka_unit_test(broken_promise_is_logged_with_its_place),
        cmocka_unit_test(die_says_one_line_and_exits_with_its_status),
    };
    return cmocka_run_group_tests_name("must", tests, NULL, NULL);
}
