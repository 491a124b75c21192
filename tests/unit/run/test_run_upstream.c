#include "run/run_upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct run_upstream read_good(const char *value)
{
    struct run_upstream u;
    struct problem why;

    if (failed(run_upstream_read(&u, "multion", bytes_str(value), &why)))
        fail_msg("%s: %s", value, why.detail);
    return u;
}

static void the_value_of_the_documentation_is_read_whole(void **state)
{
    struct run_upstream u = read_good("{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":"
                                      "\"https://api.multion.ai/v1/web/\","
                                      "\"key\":{\"env\":\"MULTION_API_KEY\"},\"rate\":{\"per_"
                                      "s\":500,\"burst\":100},\"in_flight\":2000,"
                                      "\"sessions\":500,\"tenant_share\":0.5,\"timeout\":"
                                      "\"90s\",\"limited\":{\"factor\":0.1,\"probe\":\"30s\","
                                      "\"ramp\":\"2m\"},\"paused\":true,\"session_idle\":"
                                      "\"10m\",\"feature_402\":\"feature|not in your plan\"}");

    (void)state;
    assert_string_equal(u.name, "multion");
    assert_string_equal(u.driver, "agent");
    assert_string_equal(u.profile, "multion");
    assert_string_equal(u.url, "https://api.multion.ai/v1/web");
    assert_string_equal(u.key_env, "MULTION_API_KEY");
    assert_string_equal(u.key_file, "");
    assert_true(u.rate_per_s == 500 && u.rate_burst == 100);
    assert_int_equal(u.in_flight, 2000);
    assert_int_equal(u.sessions, 500);
    assert_true(u.tenant_share == 0.5 && u.limited_factor == 0.1);
    assert_int_equal(u.timeout_ms, 90000);
    assert_int_equal(u.limited_probe_ms, 30000);
    assert_int_equal(u.limited_ramp_ms, 120000);
    assert_true(u.paused);
    assert_int_equal(u.session_idle_ms, 600000);
    assert_string_equal(u.feature_402, "feature|not in your plan");
}

static void every_field_may_be_left_out(void **state)
{
    struct run_upstream u = read_good("{}");

    (void)state;
    assert_string_equal(u.driver, "agent");
    assert_string_equal(u.url, "https://api.multion.ai/v1/web");
    assert_true(u.rate_per_s == 0 && u.tenant_share == 1);
    assert_int_equal(u.in_flight, 0);
    assert_int_equal(u.timeout_ms, 120000);
    assert_false(u.paused);
    assert_string_equal(read_good("{\"key\":null,\"url\":null}").url, u.url);
}

/* The workers know where browsers are. */
static void a_webdriver_needs_no_url(void **state)
{
    (void)state;
    assert_string_equal(read_good("{\"driver\":\"webdriver\"}").url, "");
    assert_string_equal(read_good("{\"driver\":\"webdriver\",\"url\":\"http://a:9515/\"}").url,
                        "http://a:9515");
}

static void a_burst_is_a_tenth_and_at_least_one(void **state)
{
    (void)state;
    assert_int_equal(read_good("{\"rate\":{\"per_s\":500}}").rate_burst, 50);
    assert_int_equal(read_good("{\"rate\":{\"per_s\":15}}").rate_burst, 1);
    assert_int_equal(read_good("{\"rate\":{\"per_s\":0.5}}").rate_burst, 1);
}

static void a_wrong_value_names_its_field(void **state)
{
    static const struct {
        const char *value, *pointer, *detail, *attempt;
    } CASES[] = {
        {"{\"ratee\":1}", "/ratee", "is \"rate\" meant?", "rate"},
        {"{\"rate\":{\"per_sec\":1}}", "/rate/per_sec", "is \"per_s\" meant?", "per_s"},
        {"{\"rate\":{}}", "/rate/per_s", "number", ""},
        {"{\"rate\":10}", "/rate", "must be an object", "{\"per_s\":10}"},
        {"{\"rate\":{\"per_s\":0}}", "/rate/per_s", "number", ""},
        {"{\"rate\":{\"per_s\":1,\"burst\":0}}", "/rate/burst", "whole number", ""},
        {"{\"in_flight\":-1}", "/in_flight", "whole number", ""},
        {"{\"sessions\":\"5\"}", "/sessions", "whole number", ""},
        {"{\"tenant_share\":0}", "/tenant_share", "above 0", ""},
        {"{\"limited\":{\"factor\":2}}", "/limited/factor", "from 0 to 1", ""},
        {"{\"limited\":{\"probe\":\"1 minute\"}}", "/limited/probe", "duration", "60s"},
        {"{\"timeout\":5}", "/timeout", "duration", "120s"},
        {"{\"paused\":\"yes\"}", "/paused", "true or false", ""},
        {"{\"driver\":\"agnet\"}", "/driver", "not known", "agent"},
        {"{\"profile\":\"multon\"}", "/profile", "not known", "multion"},
        {"{\"driver\":\"webdriver\",\"url\":\"\"}", "/url", "not empty", ""},
        {"{\"driver\":\"webdriver\",\"url\":\"http://a\",\"profile\":\"multion\"}", "/profile",
         "agent", ""},
        {"{\"url\":\"ftp://a\"}", "/url", "http", ""},
        {"{\"url\":\"http://\"}", "/url", "http", ""},
        {"{\"url\":\"http://a b\"}", "/url", "http", ""},
        {"{\"url\":\"http://a?k=v\"}", "/url", "http", ""},
        {"{\"key\":\"secret\"}", "/key", "must be an object", "{\"env\":\"MULTION_API_KEY\"}"},
        {"{\"key\":{}}", "/key", "one of env and file", "{\"env\":\"MULTION_API_KEY\"}"},
        {"{\"key\":{\"env\":\"A\",\"file\":\"b\"}}", "/key", "one of env and file",
         "{\"env\":\"MULTION_API_KEY\"}"},
        {"{\"feature_402\":\"(\"}", "/feature_402", "regular expression",
         "feature|not in your plan"},
        {"[]", "", "an object", ""},
        {"{", "", "no JSON", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct run_upstream u = {.in_flight = 7};
        struct problem why;
        assert_true(failed(run_upstream_read(&u, "multion", bytes_str(CASES[i].value), &why)));
        if (strcmp(why.pointer, CASES[i].pointer) != 0 ||
            !strstr(why.detail, CASES[i].detail) || strcmp(why.attempt, CASES[i].attempt) != 0)
            fail_msg("%s: \"%s\" %s (%s)", CASES[i].value, why.pointer, why.detail,
                     why.attempt);
        assert_int_equal(u.in_flight, 7);
    }
}

static void a_key_that_is_no_name_is_refused(void **state)
{
    struct run_upstream u;
    struct problem why;

    (void)state;
    assert_true(failed(run_upstream_read(&u, "a.b", bytes_str("{}"), &why)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_of_the_documentation_is_read_whole),
        cmocka_unit_test(every_field_may_be_left_out),
        cmocka_unit_test(a_webdriver_needs_no_url),
        cmocka_unit_test(a_burst_is_a_tenth_and_at_least_one),
        cmocka_unit_test(a_wrong_value_names_its_field),
        cmocka_unit_test(a_key_that_is_no_name_is_refused),
    };
    return cmocka_run_group_tests_name("run_upstream", tests, NULL, NULL);
}
