#include "cli_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_verbs.h"

static char why[CLI_INPUT_WHY_SIZE];

/* The request these words make, sorted; or what is wrong. */
static char *submit(const char *const *words, const char *flow_text, const char *input_text)
{
    struct bytes flow = bytes_str(flow_text), more = bytes_str(input_text);
    struct cli_input input = {.flow       = "hello",
                              .flow_text  = flow_text ? &flow : NULL,
                              .input_text = input_text ? &more : NULL};
    struct json *doc       = NULL;
    struct cli_args args;
    struct buf text;
    size_t count = 0;

    while (words[count])
        count++;
    assert_false(
        failed(cli_args_read(&args, &cli_verbs_table, count, words, why, sizeof(why))));
    if (failed(cli_input_submit(&doc, &args, &input, why, sizeof(why))))
        return mem_strdup(why);
    buf_init(&text, 1 << 16);
    json_print_sorted(doc, &text);
    json_free(&doc);
    return buf_take(&text);
}

#define SUBMIT(flow, input, ...) \
    submit((const char *const[]){"run", "submit", "hello", __VA_ARGS__, NULL}, flow, input)

static void says(char *got, const char *wanted)
{
    if (!strstr(got, wanted))
        fail_msg("%s\n  lacks %s", got, wanted);
    mem_free(&got);
}

static void a_value_is_json_if_it_parses_else_text(void **state)
{
    (void)state;
    says(SUBMIT(NULL, NULL, "-i", "n=5", "-i", "s=usb-c cable", "-i", "q=\"5\"", "-i",
                "l=[1,2]", "-i", "t=true", "-i", "e=", "-i", "u=a=b", "-i", "x={no"),
         "{\"flow\":\"hello\",\"input\":{\"e\":\"\",\"l\":[1,2],\"n\":5,\"q\":\"5\",\"s\":"
         "\"usb-c "
         "cable\",\"t\":true,\"u\":\"a=b\",\"x\":\"{no\"}}");
}

static void fields_of_a_submit_are_those_of_the_flags(void **state)
{
    (void)state;
    says(SUBMIT(NULL, NULL, "--key", "k", "--lane", "bulk", "--start-within", "30s",
                "--keep-session", "5m", "--label", "n=5", "--dry-run"),
         "{\"dry_run\":true,\"flow\":\"hello\",\"keep_session\":\"5m\",\"key\":\"k\","
         "\"labels\":{"
         "\"n\":\"5\"},\"lane\":\"bulk\",\"start_within\":\"30s\"}");
}

static void pairs_are_added_to_the_input_file(void **state)
{
    (void)state;
    says(SUBMIT("{\"steps\":[]}", "{\"a\":1}\n", "-i", "b=2"),
         "{\"flow\":{\"steps\":[]},\"input\":{\"a\":1,\"b\":2}}");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    says(SUBMIT(NULL, NULL, "-i", "novalue"), "\"novalue\" is not k=v");
    says(SUBMIT(NULL, NULL, "-i", "=v"), "is not k=v");
    says(SUBMIT(NULL, NULL, "-i", "a=1", "-i", "a=2"), "\"a\" is given twice");
    says(SUBMIT(NULL, NULL, "-i", "a=\xff"), "is not UTF-8");
    says(SUBMIT("{", NULL, "--wait"), "the flow is not valid JSON");
    says(SUBMIT(NULL, "[1]", "--wait"), "the input is an array; it must be an object");
    says(SUBMIT(NULL, "nonsense", "--wait"), "the input is not valid JSON");
    says(SUBMIT(NULL, NULL, "--label", "x"), "\"x\" is not k=v");
}

static void hostile_input_is_refused_and_not_followed(void **state)
{
    struct buf deep;

    (void)state;
    buf_init(&deep, 1 << 20);
    buf_str(&deep, "a=");
    for (int i = 0; i < 10000; i++)
        buf_char(&deep, '[');
    says(SUBMIT(NULL, NULL, "-i", deep.at), "\"input\":{\"a\":\"[[[["); /* it is text, then */
    says(SUBMIT(deep.at + 2, NULL, "--wait"), "the flow is not valid JSON");
    buf_deinit(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_json_if_it_parses_else_text),
        cmocka_unit_test(fields_of_a_submit_are_those_of_the_flags),
        cmocka_unit_test(pairs_are_added_to_the_input_file),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(hostile_input_is_refused_and_not_followed),
    };
    return cmocka_run_group_tests_name("cli_input", tests, NULL, NULL);
}
