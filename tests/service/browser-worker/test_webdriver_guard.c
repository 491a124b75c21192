#include "bw_driver.h"

#include "webdriver_rig.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>

/*
 * Where a real browser may go, and what is done when it stands where it may not.
 */

/* ---- names ------------------------------------------------------------------------------------ */

/* In place of libc's, for libuv too: names that lead where the tests want.  ".example" is in no DNS. */
static const struct {
    const char *name, *address;
} NAMES[] = {
    {"public.example", "93.184.216.34"}, /* the browser reaches it through the shop */
    {"inside.example", "10.1.2.3"},
    {"rebound.example", "127.0.0.1"},
    {"meta.example", "169.254.169.254"},
};

/* The answer for "slow.example" comes when the test says so. */
static atomic_bool slow_is_over;

static void wait_until_slow_is_over(void)
{
    for (int i = 0; i < 3000 && !atomic_load(&slow_is_over); i++)
        usleep(10 * 1000);
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

    memcpy(&real, &symbol, sizeof real);
    for (size_t i = 0; node && i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_equal(NAMES[i].name, node))
            return real(NAMES[i].address, service, hints, ret);
    if (node && str_equal(node, "slow.example"))
        wait_until_slow_is_over();
    return node && str_ends(node, ".example") ? EAI_NONAME : real(node, service, hints, ret);
}

/* ---- where it may go ------------------------------------------------------------------------------------------- */

static void forbidden_addresses_are_not_gone_to(void **state)
{
    static const struct {
        bool is_public;
        const char *url, *why;
    } CASES[] = {
        {true, "http://127.0.0.1/", "127.0.0.1 is loopback"},
        {true, "http://2130706433/", "127.0.0.1 is loopback"},
        {true, "http://localhost/", "localhost is a local name"},
        {true, "http://10.0.0.1/", "10.0.0.1 is private"},
        {true, "http://[::1]/", "::1 is loopback"},
        {true, "http://inside.example/", "inside.example: 10.1.2.3 is private"},
        {true, "http://rebound.example/", "rebound.example: 127.0.0.1 is loopback"},
        {true, "http://meta.example/", "a metadata address"},
        {false, "http://meta.example/", "a metadata address"},
        {false, "http://169.254.169.254/latest/", "169.254.169.254 is a metadata address"},
        {false, "http://metadata.google.internal/", "a metadata name"},
        {false, "file:///etc/passwd", "is not http:// or https://"},
        {false, "javascript:alert(1)", "is not http:// or https://"},
        {false, "chrome://version", "is not http:// or https://"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        AUTO(mem_free) char *open = mem_printf("{\"url\":\"%s\"}", CASES[i].url);
        AUTO(mem_free)
        char *browse   = mem_printf("{\"actions\":[{\"go\":{\"url\":\"%s\"}}]}", CASES[i].url);
        struct asked t = rig_ask(&rig, OPEN(.is_public = CASES[i].is_public), open);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        assert_int_equal(t.call_class, CALL_UNSENT); /* nothing was asked of the upstream */
        assert_string_equal(t.remote_id, "");
        asked_free(&t);
        rig_browse(&rig, "{\"actions\":[{\"go\":{\"url\":\"SHOP/cart\"}}]}");
        t = rig_ask(&rig, BROWSE(.is_public = CASES[i].is_public), browse);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        asked_free(&t);
        assert_says("h1", "Cart"); /* it still stands where it stood */
    }
}

static void a_public_tenant_goes_to_public_addresses(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, BROWSE(.is_public = true),
                             "{\"url\":\"http://public.example/"
                             "cart\",\"actions\":[{\"wait\":{\"css\":\"#checkout\"}}]}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_string_equal(t.url, "http://public.example/cart");
    asked_free(&t);
}

/* Chromium would first try https:// there, by itself: another server than the one that was named may answer. */
static void a_url_is_gone_to_as_it_is_written(void **state)
{
    (void)state;
    unsigned tries = rig_visits(&rig, "93.184.216.34:443"), visits = rig_visits(&rig, "/cart");
    struct asked t = rig_ask(&rig, BROWSE(.is_public = true),
                             "{\"url\":\"http://93.184.216.34/"
                             "cart\",\"actions\":[{\"wait\":{\"css\":\"#checkout\"}}]}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_string_equal(t.url, "http://93.184.216.34/cart");
    assert_int_equal(rig_visits(&rig, "/cart"), visits + 1);
    assert_int_equal(rig_visits(&rig, "93.184.216.34:443"), tries);
    asked_free(&t);
}

static void a_name_that_cannot_be_resolved_is_not_gone_to(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, OPEN(.is_public = true), "{\"url\":\"http://nowhere.example/\"}");

    assert_failed(&t, CALL_FAILED, "upstream_failed", "nowhere.example cannot be resolved");
    assert_int_equal(t.call_class, CALL_UNSENT);
    asked_free(&t);
    atomic_store(&slow_is_over, false);
    t = rig_ask(&rig, OPEN(.is_public = true, .timeout_ms = 300),
                "{\"url\":\"http://slow.example/\"}");
    atomic_store(&slow_is_over, true);
    assert_failed(&t, CALL_FAILED, "upstream_failed",
                  "slow.example cannot be resolved: no answer in the step's time");
    asked_free(&t);
}

static void a_call_that_is_cancelled_in_a_lookup_answers_nothing(void **state)
{
    (void)state;
    struct asked t = {0};

    atomic_store(&slow_is_over, false);
    rig_start(&rig, &t, BROWSE(.is_public = true),
              "{\"url\":\"http://slow.example/\",\"actions\":[{\"wait\":{\"css\":\"p\"}}]}");
    rig_turn(&rig, NULL, 50);
    bw_webdriver.cancel(&t.call);
    atomic_store(&slow_is_over, true);
    rig_turn(&rig, NULL, 200);
    assert_int_equal(t.answers, 0);
}

/* Nothing of such a place comes out: no rows, no picture, no quotation. */
static void a_redirect_to_a_forbidden_address_is_seen(void **state)
{
    static const struct {
        bool is_public;
        const char *from, *why;
    } CASES[] = {
        {true, "http://public.example/redirect?to=SHOP/cart", "127.0.0.1 is loopback"},
        {true, "http://public.example/redirect?to=http://inside.example/cart",
         "10.1.2.3 is private"},
        {false, "SHOP/redirect?to=http://100.100.100.200/cart",
         "100.100.100.200 is a metadata address"},
        {false, "SHOP/away", "100.100.100.200 is a metadata address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        AUTO(mem_free)
        char *retrieve = mem_printf(
            "{\"url\":\"%s\",\"schema\":{\"a\":\"number\"},\"select\":{\"a\":\"h1|text\"}}",
            CASES[i].from);
        AUTO(mem_free)
        char *browse = mem_printf("{\"url\":\"%s\",\"actions\":[{\"wait\":{\"css\":\"#"
                                  "nowhere\",\"timeout\":\"1s\"}},{\"screenshot\":{}}]}",
                                  CASES[i].from);
        struct asked t =
            rig_ask(&rig, RETRIEVE(.is_public = CASES[i].is_public, .shot = true), retrieve);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        assert_null(t.value);
        assert_int_equal(t.shot_count, 0);
        asked_free(&t);
        t = rig_ask(&rig, BROWSE(.is_public = CASES[i].is_public, .shot = true), browse);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", CASES[i].why);
        assert_int_equal(t.shot_count, 0);
        asked_free(&t);
    }
    struct asked t = rig_ask(&rig, OPEN(0), "{\"url\":\"SHOP/away\"}");
    assert_failed(&t, CALL_REFUSED, "url_forbidden", "metadata");
    assert_true(*t.remote_id);
    rig_close(&rig, t.remote_id);
    asked_free(&t);
    t = rig_ask(&rig, (struct want){.verb = BW_SCREENSHOT}, NULL);
    assert_failed(&t, CALL_REFUSED, "url_forbidden", "metadata");
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
}

/* The last action of a step, and one before others: what stands behind it is not done there. */
static void a_click_to_a_forbidden_address_is_seen(void **state)
{
    static const char *const THEN[] = {"", ",{\"screenshot\":{}}",
                                       ",{\"click\":{\"css\":\"a\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof THEN / sizeof *THEN; i++) {
        AUTO(mem_free)
        char *browse   = mem_printf("{\"url\":\"http://public.example/leave?to=SHOP/cart\","
                                      "\"actions\":[{\"click\":{\"css\":\"#leave\"}}%s]}",
                                    THEN[i]);
        struct asked t = rig_ask(&rig, BROWSE(.is_public = true, .shot = true), browse);
        assert_failed(&t, CALL_REFUSED, "url_forbidden", "127.0.0.1 is loopback");
        assert_int_equal(t.shot_count, 0);
        asked_free(&t);
    }
    struct asked t = rig_ask(&rig, RETRIEVE(.is_public = true, .shot = true),
                             "{\"select\":{\"a\":\"h1\"}}"); /* and no later step reads there */
    assert_failed(&t, CALL_REFUSED, "url_forbidden", "127.0.0.1 is loopback");
    assert_null(t.value);
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
}

/* The page moves by itself, while it is scrolled: the rows are of another place than where it stood before. */
static void rows_of_a_forbidden_address_are_not_told(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, RETRIEVE(.is_public = true, .shot = true),
                             "{\"url\":\"http://public.example/away?after=300&to=SHOP/cart\","
                             "\"scroll_to_bottom\":true,\"select\":{\"a\":\"h1\"}}");

    assert_failed(&t, CALL_REFUSED, "url_forbidden", "127.0.0.1 is loopback");
    assert_null(t.value);
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
}

/* The page moves by itself, while an element is waited for. */
static void a_failure_that_came_out_at_a_forbidden_address_is_that(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, BROWSE(.effect = EFFECT_UNSAFE, .shot = true),
        "{\"url\":\"SHOP/away?to=http://100.100.100.200/"
        "cart\",\"actions\":[{\"click\":{\"css\":\"#nowhere\",\"timeout\":\"500ms\"}}]}");

    assert_failed(&t, CALL_UNANSWERED, "url_forbidden", "metadata");
    assert_int_equal(t.shot_count, 0);
    asked_free(&t);
}

#define PROMISE(name) cmocka_unit_test_teardown(name, rig_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(forbidden_addresses_are_not_gone_to),
        PROMISE(a_public_tenant_goes_to_public_addresses),
        PROMISE(a_url_is_gone_to_as_it_is_written),
        PROMISE(a_name_that_cannot_be_resolved_is_not_gone_to),
        PROMISE(a_redirect_to_a_forbidden_address_is_seen),
        PROMISE(a_click_to_a_forbidden_address_is_seen),
        PROMISE(rows_of_a_forbidden_address_are_not_told),
        PROMISE(a_failure_that_came_out_at_a_forbidden_address_is_that),
        PROMISE(a_call_that_is_cancelled_in_a_lookup_answers_nothing),
    };
    return cmocka_run_group_tests_name("webdriver_guard", tests, rig_set_up, rig_tear_down);
}
