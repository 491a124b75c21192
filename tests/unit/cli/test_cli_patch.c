#include "cli_patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli_verbs.h"

static const struct cli_patch_field FIELDS[] = {
    {"url", "url", CLI_PATCH_TEXT},
    {"rate", "rate/per_s", CLI_PATCH_NUMBER},
    {"burst", "rate/burst", CLI_PATCH_NUMBER},
    {"cap", "cap", CLI_PATCH_NUMBER},
    {"lanes", "lanes", CLI_PATCH_LIST},
    {"paused", "paused", CLI_PATCH_BOOL},
    {NULL, NULL, CLI_PATCH_TEXT},
};

static void patch_is(const char *const *words, const char *wanted)
{
    struct json *patch = json_new_object();
    struct cli_args args;
    struct buf text;
    char why[160] = "";
    size_t count  = 0;

    while (words[count])
        count++;
    assert_false(
        failed(cli_args_read(&args, &cli_verbs_table, count, words, why, sizeof(why))));
    buf_init(&text, 4096);
    if (failed(cli_patch_read(patch, FIELDS, &args, why, sizeof(why))))
        buf_str(&text, why);
    else
        json_print_sorted(patch, &text);
    assert_string_equal(text.at, wanted);
    buf_deinit(&text);
    json_free(&patch);
}

#define TENANT(wanted, ...) \
    patch_is((const char *const[]){"tenant", "set", "t", __VA_ARGS__, NULL}, wanted)
#define UPSTREAM(wanted, ...) \
    patch_is((const char *const[]){"upstream", "set", "u", __VA_ARGS__, NULL}, wanted)

static void flags_become_fields_of_their_type(void **state)
{
    (void)state;
    TENANT("{\"cap\":30,\"lanes\":[\"bulk\",\"standard\"],\"paused\":true}", "--cap", "30",
           "--lanes", "bulk,standard", "--paused", "true");
    UPSTREAM("{\"rate\":{\"burst\":2,\"per_s\":0.5},\"url\":\"http://x\"}", "--rate", "0.5",
             "--burst", "2", "--url", "http://x");
    UPSTREAM("{\"rate\":{\"burst\":2}}", "--burst", "2");
}

static void null_takes_a_field_away(void **state)
{
    (void)state;
    TENANT("{\"cap\":null,\"lanes\":null}", "--cap", "null", "--lanes", "null");
}

static void a_wrong_value_is_named(void **state)
{
    (void)state;
    TENANT("--cap \"many\" is not a number, or null", "--cap", "many");
    TENANT("--cap \"\"1\"\" is not a number, or null", "--cap", "\"1\"");
    TENANT("--paused \"yes\" is not true or false", "--paused", "yes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_become_fields_of_their_type),
        cmocka_unit_test(null_takes_a_field_away),
        cmocka_unit_test(a_wrong_value_is_named),
    };
    return cmocka_run_group_tests_name("cli_patch", tests, NULL, NULL);
}
