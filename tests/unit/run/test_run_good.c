#include "run/run_good.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "run/run_tenant.h"

static struct run_good *good;
static struct run_tenants *book;
static char value[256]; /* what came of the last patch */
static struct run_good_changed last;
static struct problem why;

static int setup(void **state)
{
    (void)state;
    good = run_good_new();
    book = run_tenant_new(NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    run_good_free(&good);
    run_tenant_free(&book);
    return 0;
}

static struct err check(void *self, const struct json *doc, struct problem *ret)
{
    return run_tenant_check(self, "acme", doc, true, ret);
}

/* stored NULL: nothing is. */
static struct err patch(const char *stored, const char *text, bool heard)
{
    AUTO(json_free) struct json *doc = NULL;
    char bad[JSON_WHY_SIZE];
    struct bytes bytes = bytes_str(stored);
    struct buf printed;

    assert_false(failed(json_parse(&doc, bytes_str(text), bad, sizeof(bad))));
    const struct run_good_change change = {.key    = "acme",
                                           .stored = stored ? &bytes : NULL,
                                           .heard  = heard,
                                           .patch  = doc,
                                           .check  = check,
                                           .self   = book};
    struct err e                        = run_good_patch(good, &change, &last, &why);

    value[0] = '\0';
    if (failed(e))
        return e;
    buf_init(&printed, sizeof(value));
    json_print(last.value, &printed);
    str_copy_n(value, sizeof(value), (const char *)buf_bytes(&printed).at,
               buf_bytes(&printed).len);
    buf_deinit(&printed);
    json_free(&last.value);
    return e;
}

static void becomes(const char *stored, const char *text, const char *want, bool anew)
{
    if (failed(patch(stored, text, true)))
        fail_msg("%s: %s", text, why.detail);
    assert_string_equal(value, want);
    assert_true(last.anew == anew);
}

static void was_good(const char *text)
{
    run_good_put(good, "acme", bytes_str(text));
}

static void a_patch_goes_into_what_is_stored(void **state)
{
    (void)state;
    was_good("{\"cap\":1}");
    becomes("{\"cap\":2}", "{\"weight\":3}", "{\"cap\":2,\"weight\":3}", false);
    assert_int_equal(last.broken.code, PROBLEM_NONE);
    becomes("{\"cap\":2}", "{\"cap\":null}", "{}", false);
    assert_int_equal(patch("{\"cap\":2}", "{\"cap\":0}", true).kind, ERR_REJECT);
    assert_non_null(strstr(why.detail, "cap"));
}

static void nothing_stored_is_made_anew(void **state)
{
    (void)state;
    was_good("{\"cap\":1}"); /* and is gone, which was not heard of yet */
    becomes(NULL, "{\"weight\":3}", "{\"weight\":3}", true);
}

static void behind_a_broken_value_it_goes_into_the_last_good_one(void **state)
{
    static const char *const BROKEN[] = {"{\"cap\":4,}", "{\"cap\":4,\"pausd\":true}", "[4]",
                                         "4", ""};

    (void)state;
    was_good("{\"cap\":1}");
    was_good("{\"cap\":2}");
    for (size_t n = 0; n < sizeof(BROKEN) / sizeof(*BROKEN); n++) {
        becomes(BROKEN[n], "{\"paused\":true}", "{\"cap\":2,\"paused\":true}", false);
        assert_int_equal(last.broken.code, PROBLEM_INVALID_REQUEST);
    }
    becomes("{\"cap\":\"4\"}", "{\"cap\":5}", "{\"cap\":5}", false);
}

static void what_was_good_may_not_be_known_yet(void **state)
{
    (void)state;
    was_good("{\"cap\":1}");
    assert_int_equal(patch("{\"cap\":4,}", "{\"paused\":true}", false).kind, ERR_RETRY);
    assert_false(failed(patch("{\"cap\":4}", "{\"paused\":true}", false)));
}

static void where_nothing_was_good_it_mends_or_stands_alone(void **state)
{
    (void)state;
    becomes("{\"cap\":\"4\",\"weight\":3}", "{\"cap\":4}", "{\"cap\":4,\"weight\":3}", true);
    becomes("{\"cap\":3,\"pausd\":true}", "{\"paused\":true}", "{\"paused\":true}", true);
    assert_string_equal(last.broken.pointer, "/pausd");
    becomes("{\"cap\":3,}", "{\"cap\":3}", "{\"cap\":3}", true);
    assert_non_null(strstr(last.broken.detail, "is no JSON"));
    assert_int_equal(patch("{\"cap\":3,}", "{\"capp\":3}", true).kind, ERR_REJECT);
    assert_string_equal(why.pointer, "/capp");
}

static void what_was_removed_is_not_the_last_good_one(void **state)
{
    (void)state;
    was_good("{\"cap\":1}");
    run_good_remove(good, "acme");
    run_good_remove(good, "acme");
    becomes("{\"cap\":3,}", "{\"weight\":3}", "{\"weight\":3}", true);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_patch_goes_into_what_is_stored),
        WITH(nothing_stored_is_made_anew),
        WITH(behind_a_broken_value_it_goes_into_the_last_good_one),
        WITH(what_was_good_may_not_be_known_yet),
        WITH(where_nothing_was_good_it_mends_or_stands_alone),
        WITH(what_was_removed_is_not_the_last_good_one),
    };

    return cmocka_run_group_tests_name("run_good", tests, NULL, NULL);
}
