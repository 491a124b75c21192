#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "child.h"

static const char *what_is(int fd)
{
    char path[64], at[64] = "";

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, at, sizeof(at) - 1) < 0)
        return "closed";
    return strcmp(at, "/dev/null") == 0 ? "null" : "own";
}

/* All three are the pipe that is watched, those of `with`, digits, are closed. */
static void close_and_look(void *with)
{
    int says = fcntl(STDOUT_FILENO, F_DUPFD, 10);

    dup2(says, STDIN_FILENO);
    dup2(says, STDERR_FILENO);
    for (const char *digit = with; *digit; digit++)
        close(*digit - '0');
    fd_take_standard();
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dprintf(says, "%s ", what_is(fd));
    dprintf(says, "%s", open("/", O_RDONLY) > STDERR_FILENO ? "above" : "below");
}

static void assert_found(const char *closed, const char *wanted)
{
    char digits[4];

    snprintf(digits, sizeof(digits), "%s", closed);
    struct child c = child_run(close_and_look, digits, STDOUT_FILENO);

    assert_int_equal(WEXITSTATUS(c.status), 99);
    assert_string_equal(c.text, wanted);
}

static void what_is_closed_becomes_null(void **state)
{
    (void)state;
    assert_found("0", "null own own above");
    assert_found("1", "own null own above");
    assert_found("2", "own own null above");
    assert_found("02", "null own null above");
    assert_found("012", "null null null above");
}

static void what_is_open_stays(void **state)
{
    (void)state;
    assert_found("", "own own own above");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_becomes_null),
        cmocka_unit_test(what_is_open_stays),
    };
    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
