#include "run/run_tenant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct run_tenants *book;
static struct problem why;
static char taken[64], text[64]; /* the last value that was taken later */
static unsigned times;

static void on_taken(void *self, const char *key, struct bytes value)
{
    assert_ptr_equal(self, &times);
    str_copy(taken, sizeof(taken), key);
    str_copy_n(text, sizeof(text), (const char *)value.at, value.len);
    times++;
}

static int setup(void **state)
{
    (void)state;
    times = 0;
    book  = run_tenant_new(on_taken, &times);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    run_tenant_free(&book);
    return 0;
}

static bool put(const char *key, const char *value)
{
    return !failed(run_tenant_put(book, key, bytes_str(value), &why));
}

static struct run_rule rule(const char *tenant)
{
    struct run_rule r;

    run_tenant_rule(book, tenant, &r);
    return r;
}

/* ---- a tenant before its tier ------------------------------------------------------------------------- */

static void refused_for_its_tier_it_is_taken_with_it(void **state)
{
    (void)state;
    assert_false(put("acme", "{\"tier\":\"bronze\",\"cap\":7}"));
    assert_string_equal(why.pointer, "/tier");
    assert_false(rule("acme").listed);
    assert_true(put("tier.silver", "{}"));
    assert_int_equal(times, 0);
    assert_true(put("tier.bronze", "{\"cap\":9,\"queue_max\":77}"));

    assert_int_equal(times, 1);
    assert_string_equal(taken, "acme");
    assert_string_equal(text, "{\"tier\":\"bronze\",\"cap\":7}");
    assert_string_equal(rule("acme").tier, "bronze");
    assert_int_equal(rule("acme").cap, 7);
    assert_int_equal(rule("acme").queue_max, 77);
    assert_true(put("tier.bronze", "{}")); /* once */
    assert_int_equal(times, 1);
}

static void until_then_what_held_holds(void **state)
{
    (void)state;
    assert_true(put("acme", "{\"cap\":3}"));
    assert_false(put("acme", "{\"tier\":\"bronze\",\"cap\":7}"));
    assert_int_equal(rule("acme").cap, 3);
    assert_true(put("tier.bronze", "{}"));
    assert_int_equal(rule("acme").cap, 7);
}

static void only_the_last_value_is_taken(void **state)
{
    static const char *const LATER[] = {"{\"cap\":3}", "no JSON", "{\"cap\":0}"};

    (void)state;
    for (size_t n = 0; n < sizeof(LATER) / sizeof(*LATER); n++) {
        run_tenant_clear(book);
        assert_false(put("acme", "{\"tier\":\"bronze\",\"cap\":7}"));
        (void)put("acme", LATER[n]);
        assert_true(put("tier.bronze", "{}"));
        assert_int_not_equal(rule("acme").cap, 7);
    }
    assert_int_equal(times, 0);
}

static void what_is_gone_is_not_taken(void **state)
{
    (void)state;
    assert_false(put("acme", "{\"tier\":\"bronze\"}"));
    run_tenant_remove(book, "acme");
    assert_false(put("globex", "{\"tier\":\"bronze\"}"));
    run_tenant_clear(book);
    assert_true(put("tier.bronze", "{}"));
    assert_int_equal(times, 0);
}

static void what_is_wrong_beside_its_tier_is_wrong(void **state)
{
    (void)state;
    assert_false(put("acme", "{\"tier\":\"bronze\",\"cap\":0}"));
    assert_true(put("tier.bronze", "{}"));
    assert_int_equal(times, 0);
    assert_false(rule("acme").listed);
}

/* ---- fields --------------------------------------------------------------------------------------------- */

static void no_limit_of_sessions_is_no_number(void **state)
{
    static const char *const BAD[] = {"{\"sessions\":0}", "{\"sessions\":1000001}",
                                      "{\"sessions\":\"5\"}"};

    (void)state;
    for (size_t n = 0; n < sizeof(BAD) / sizeof(*BAD); n++) {
        assert_false(put("acme", BAD[n]));
        assert_string_equal(why.pointer, "/sessions");
        assert_string_equal(why.detail, "sessions: must be a whole number from 1 to 1000000; "
                                        "leave it out for no limit");
    }
    assert_true(put("acme", "{\"sessions\":1000000}"));
    assert_true(put("acme", "{\"sessions\":1}"));
    assert_int_equal(rule("acme").sessions, 1);
    assert_true(put("acme", "{\"sessions\":null}"));
    assert_int_equal(rule("acme").sessions, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(refused_for_its_tier_it_is_taken_with_it),
        T(until_then_what_held_holds),
        T(only_the_last_value_is_taken),
        T(what_is_gone_is_not_taken),
        T(what_is_wrong_beside_its_tier_is_wrong),
        T(no_limit_of_sessions_is_no_number),
    };
    return cmocka_run_group_tests_name("run_tenant", tests, NULL, NULL);
}
