#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"
#include "run/run_flow.h"

static struct err read_flow(const char *text, struct problem *why)
{
    struct json *doc  = NULL;
    struct flow *flow = NULL;
    char words[JSON_WHY_SIZE];

    assert_false(failed(json_parse(&doc, bytes_str(text), words, sizeof words)));
    struct err e = flow_read(&flow, doc, "/flow", why);
    json_free(&doc);
    flow_free(&flow);
    return e;
}

static void assert_refused(const char *text, const char *pointer, const char *detail)
{
    struct problem why = {0};

    assert_true(failed(read_flow(text, &why)));
    assert_int_equal(why.code, PROBLEM_INVALID_FLOW);
    assert_string_equal(why.pointer, pointer);
    if (!strstr(why.detail, detail))
        fail_msg("wanted \"%s\", but it says \"%s\"", detail, why.detail);
}

/* What is accepted and then ignored is worse than what is refused. */
static void a_call_names_what_it_cannot_do_yet(void **state)
{
    struct problem why;

    (void)state;
    assert_false(failed(read_flow(
        "{\"steps\":[{\"id\":\"a\",\"call\":{\"subject\":\"till.pay\",\"body\":{}}}]}", &why)));
    assert_refused("{\"steps\":[{\"id\":\"a\",\"call\":{\"url\":\"https://x.example/\"}}]}",
                   "/flow/steps/0/call/url", "not available in this version");
    assert_refused(
        "{\"steps\":[{\"id\":\"a\",\"call\":{\"subject\":\"x\",\"upstream\":\"u\"}}]}",
        "/flow/steps/0/call/upstream", "not available in this version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_names_what_it_cannot_do_yet),
    };

    return cmocka_run_group_tests_name("run_flow", tests, NULL, NULL);
}
