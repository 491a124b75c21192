#include "cli_verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"

static const char *help_of(struct buf *text, const char *noun, const struct cli_verb *verb)
{
    buf_init(text, 1 << 20);
    cli_verbs_help(noun, verb, text);
    assert_false(text->full);
    return text->at;
}

static void every_id_has_one_row(void **state)
{
    bool seen[CLI_VERBS] = {false};

    (void)state;
    for (const struct cli_verb *v = cli_verbs_table.verbs; v->noun; v++) {
        assert_in_range(v->id, 0, CLI_VERBS - 1);
        assert_false(seen[v->id]);
        seen[v->id] = true;
        assert_true(v->places_max <= CLI_ARGS_PLACES_MAX && v->places_min <= v->places_max);
        assert_int_equal(*v->places == '\0', v->places_max == 0);
    }
    for (size_t i = 0; i < CLI_VERBS; i++)
        assert_true(seen[i]);
}

/* A flag of a verb that has a global one's name or letter would never be seen. */
static void no_flag_hides_another(void **state)
{
    (void)state;
    for (const struct cli_verb *v = cli_verbs_table.verbs; v->noun; v++)
        for (const struct cli_flag *f = v->flags; f && f->name; f++) {
            for (const struct cli_flag *g = cli_verbs_table.globals; g->name; g++)
                assert_false(str_equal(f->name, g->name) ||
                             (f->letter && f->letter == g->letter));
            for (const struct cli_flag *g = f + 1; g->name; g++)
                assert_string_not_equal(f->name, g->name);
        }
}

static void help_lists_each_verb_and_each_flag(void **state)
{
    struct buf all, one;

    (void)state;
    help_of(&all, NULL, NULL);
    for (const struct cli_verb *v = cli_verbs_table.verbs; v->noun; v++) {
        char name[64];

        str_format(name, sizeof(name), "  %s%s%s", v->noun, v->verb ? " " : "",
                   v->verb ? v->verb : "");
        assert_non_null(strstr(all.at, name));
        help_of(&one, v->noun, v);
        for (const struct cli_flag *f = v->flags; f && f->name; f++)
            assert_non_null(strstr(one.at, f->name));
        assert_non_null(strstr(one.at, "--server"));
        buf_deinit(&one);
    }
    buf_deinit(&all);
}

static void help_promises_nothing_for_later(void **state)
{
    struct buf text;

    (void)state;
    help_of(&text, NULL, NULL);
    assert_null(strstr(text.at, "doctor"));
    assert_null(strstr(text.at, "flow "));
    assert_null(strstr(text.at, "run list"));
    buf_deinit(&text);
    help_of(&text, "run", NULL);
    assert_non_null(strstr(text.at, "run submit"));
    assert_null(strstr(text.at, "tenant set"));
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_id_has_one_row),
        cmocka_unit_test(no_flag_hides_another),
        cmocka_unit_test(help_lists_each_verb_and_each_flag),
        cmocka_unit_test(help_promises_nothing_for_later),
    };
    return cmocka_run_group_tests_name("cli_verbs", tests, NULL, NULL);
}
