#include "cli_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli_verbs.h"

/* The product's own table is what is read. */
static struct cli_args args;
static char why[240];

static struct err read_words(const char *const *words)
{
    size_t count = 0;

    while (words[count])
        count++;
    why[0] = '\0';
    return cli_args_read(&args, &cli_verbs_table, count, words, why, sizeof(why));
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

static void flags_stand_anywhere_and_in_both_forms(void **state)
{
    (void)state;
    assert_false(failed(READ("--tenant", "acme", "run", "-o", "json", "submit", "--key=k=1",
                             "hello", "-i", "a=1", "--in", "b=2", "-v")));
    assert_int_equal(args.verb->id, CLI_RUN_SUBMIT);
    assert_string_equal(args.places[0], "hello");
    assert_string_equal(cli_args_get(&args, "tenant"), "acme");
    assert_string_equal(cli_args_get(&args, "output"), "json");
    assert_string_equal(cli_args_get(&args, "key"), "k=1");
    assert_string_equal(cli_args_nth(&args, "in", 0), "a=1");
    assert_string_equal(cli_args_nth(&args, "in", 1), "b=2");
    assert_null(cli_args_nth(&args, "in", 2));
    assert_true(cli_args_has(&args, "verbose"));
    assert_false(cli_args_has(&args, "wait"));
}

static void two_dashes_end_the_flags(void **state)
{
    (void)state;
    assert_false(failed(READ("run", "submit", "--", "--wait")));
    assert_string_equal(args.places[0], "--wait");
    assert_false(cli_args_has(&args, "wait"));
}

static void one_dash_is_a_value(void **state)
{
    (void)state;
    assert_false(failed(READ("run", "submit", "f", "--input", "-")));
    assert_string_equal(cli_args_get(&args, "input"), "-");
    assert_false(failed(READ("tenant", "set", "t", "--cap", "-5")));
    assert_string_equal(cli_args_get(&args, "cap"), "-5");
}

static void what_is_wrong_is_a_sentence(void **state)
{
    static const struct {
        const char *words[8];
        const char *says;
    } CASES[] = {
        {{"rn", "get"}, "is \"run\" meant?"},
        {{"run", "sumbit"}, "is \"run submit\" meant?"},
        {{"run", "submit", "f", "--lan", "bulk"}, "is --lane meant?"},
        {{"run", "submit", "f", "--wait=yes"}, "--wait takes no value"},
        {{"run", "submit", "f", "--key"}, "--key needs a value"},
        {{"run", "submit", "f", "--key", "--wait"}, "--key needs a value"},
        {{"run", "submit", "f", "--key", "a", "--key", "b"}, "given twice"},
        {{"run", "submit"}, "run submit FLOW|FILE"},
        {{"run", "submit", "f", "g"}, "one word too many"},
        {{"run"}, "a verb is missing"},
        {{"-v"}, "a noun and a verb are missing"},
        {{"zzzzzzzzz"}, "sluice --help"},
        {{"run", "zzzzzzzzz"}, "sluice run --help"},
        {{"decode", "x"}, "one word too many"},
        {{"dev", "--pool", "x"}, "no flag --pool"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        assert_int_equal(read_words(CASES[i].words).kind, ERR_REJECT);
        if (!strstr(why, CASES[i].says))
            fail_msg("case %zu says: %s", i, why);
    }
}

static void what_comes_later_is_said_to(void **state)
{
    (void)state;
    for (const struct cli_later *l = cli_verbs_table.later; l->noun; l++) {
        char verb[64];

        str_copy_n(verb, sizeof(verb), l->verbs, strcspn(l->verbs, " "));
        assert_true(failed(*verb ? READ(l->noun, verb) : READ(l->noun)));
        if (!strstr(why, "not in this version"))
            fail_msg("%s %s: %s", l->noun, verb, why);
    }
}

static void help_and_version_need_nothing_else(void **state)
{
    (void)state;
    assert_false(failed(READ("--help")));
    assert_null(args.noun);
    assert_false(failed(READ("--version")));
    assert_false(failed(READ("run", "--help")));
    assert_string_equal(args.noun, "run");
    assert_null(args.verb);
    assert_false(failed(READ("run", "submit", "-h")));
    assert_int_equal(args.verb->id, CLI_RUN_SUBMIT);
}

static void endless_words_are_refused(void **state)
{
    const char *words[2 * CLI_ARGS_GIVEN_MAX + 8] = {"run", "submit", "f"};

    (void)state;
    for (size_t i = 3; i + 2 < sizeof(words) / sizeof(*words); i += 2) {
        words[i]     = "-i";
        words[i + 1] = "a=1";
    }
    words[sizeof(words) / sizeof(*words) - 1] = NULL;
    assert_true(failed(read_words(words)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_stand_anywhere_and_in_both_forms),
        cmocka_unit_test(two_dashes_end_the_flags),
        cmocka_unit_test(one_dash_is_a_value),
        cmocka_unit_test(what_is_wrong_is_a_sentence),
        cmocka_unit_test(what_comes_later_is_said_to),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(endless_words_are_refused),
    };
    return cmocka_run_group_tests_name("cli_args", tests, NULL, NULL);
}
