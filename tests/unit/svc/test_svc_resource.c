#include "svc/svc_resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_labels(const char *text, const char *labels)
{
    struct buf to;

    buf_init(&to, 1024);
    assert_true(svc_resource_valid(text));
    svc_resource_labels(text, &to);
    assert_string_equal(to.at, labels);
    buf_deinit(&to);
}

static void attributes_become_labels(void **state)
{
    (void)state;
    assert_labels("region=eu", "region=\"eu\"");
    assert_labels("deployment.environment=prod,team=",
                  "deployment_environment=\"prod\",team=\"\"");
    assert_labels("9lives=a=b", "_9lives=\"a=b\"");
}

static void a_value_is_decoded_and_then_safe_in_a_label(void **state)
{
    (void)state;
    assert_labels("a=x%2Cy%3dz", "a=\"x,y=z\"");
    assert_labels("a=%22%5C%0A", "a=\"\\\"\\\\\\n\"");
}

/* Prometheus refuses the whole page for a label that stands twice. */
static void two_keys_that_become_one_label_stand_once(void **state)
{
    (void)state;
    assert_labels("service.name=a,service_name=b", "service_name=\"a\"");
    assert_labels("a.b=1,c=2,a-b=3,d=4,c=5", "a_b=\"1\",c=\"2\",d=\"4\"");
    assert_labels("_9=a,9=b,_9x=c", "_9=\"a\",_9x=\"c\"");
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const BAD[] = {"region", "=eu",  "a=b,",  ",a=b",  "a=b,c",
                                      "a=%",    "a=%2", "a=%zz", "a=b c", "a=b\n"};

    (void)state;
    for (size_t n = 0; n < sizeof(BAD) / sizeof(*BAD); n++)
        assert_false(svc_resource_valid(BAD[n]));
    assert_true(svc_resource_valid(NULL));
    assert_true(svc_resource_valid(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_become_labels),
        cmocka_unit_test(a_value_is_decoded_and_then_safe_in_a_label),
        cmocka_unit_test(two_keys_that_become_one_label_stand_once),
        cmocka_unit_test(what_is_no_list_is_refused),
    };
    return cmocka_run_group_tests_name("svc_resource", tests, NULL, NULL);
}
