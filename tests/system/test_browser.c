/* browser - the whole path to a real Chromium and back: rows, pictures, places that are forbidden, a chromedriver that dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/browser.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/world.h"

enum { RUN_MS = 60000, SETTLE_MS = 30000 };

static struct browser *one_browser(void **state, const char *name)
{
    struct world *w   = browser_world(state, name, 1);
    struct browser *b = browser_start(w);

    browser_put(b, "{\"driver\":\"webdriver\",\"url\":\"CHROME\",\"sessions\":4}");
    return b;
}

static bool has_ended(struct world *w, const char *tenant, const char *run, char ret[32])
{
    client_status(w->client, tenant, run, ret);
    return *ret && strcmp(ret, "queued") != 0 && strcmp(ret, "running") != 0 &&
           strcmp(ret, "waiting") != 0;
}

static void wait_for(struct browser *b, const char *tenant, const char *run, const char *status)
{
    char end[32] = "";

    WORLD_WAIT(b->world, RUN_MS, has_ended(b->world, tenant, run, end));
    if (strcmp(end, status) != 0) {
        struct answer a = client_get(b->world->client, tenant, run);
        world_fail(b->world, "%s is %s, not %s: %s", run, end, status, answer_body(&a, NULL));
    }
}

/* Every run has one end and one result, and no browser is open. */
static void settle(struct browser *b)
{
    judge_all(b->world, NULL, SETTLE_MS);
    WORLD_WAIT(b->world, SETTLE_MS, browser_sessions(b) == 0);
    WORLD_WAIT(b->world, SETTLE_MS, browser_processes(b) == 0);
}

/* ---- what it does -------------------------------------------------------------------------------- */

static const char SCRAPE[] =
    "{\"flow\":{\"upstream\":\"chrome\",\"steps\":["
    "{\"id\":\"open\",\"open\":{\"url\":\"SHOP/login\"}},"
    "{\"id\":\"login\",\"effect\":\"idempotent\",\"expect\":\"${.url | "
    "endswith(\\\"/account\\\")}\","
    "\"browse\":{\"actions\":[{\"type\":{\"css\":\"#user\",\"text\":\"ada\",\"clear\":true}},"
    "{\"type\":{\"css\":\"#pass\",\"text\":\"secret\"}},{\"click\":{\"css\":\"button[type="
    "submit]\"}},"
    "{\"wait\":{\"css\":\"#account\"}},{\"screenshot\":{\"name\":\"account\"}}]}},"
    "{\"id\":\"size\",\"effect\":\"read\",\"browse\":{\"actions\":[{\"go\":{\"url\":\"SHOP/"
    "product?sku=TS-001\"}},{\"select\":{\"css\":\"#size\",\"value\":\"M\"}},{\"wait\":{"
    "\"text\":"
    "\"chosen: M\"}}]}},"
    "{\"id\":\"list\",\"retrieve\":{\"url\":\"SHOP/"
    "category\",\"scroll_to_bottom\":true,\"max_items\":"
    "44,\"select\":{\"\":\"article.product\",\"name\":\"h3\",\"price\":\".price|number\","
    "\"url\":"
    "\"a@href\",\"since\":\"time|date\",\"new\":\".new|bool\"},\"schema\":{\"name\":\"string\","
    "\"price\":\"number\",\"url\":\"url\",\"since\":\"date\",\"new\":\"bool\"}}},"
    "{\"id\":\"close\",\"close\":{}}],"
    "\"result\":{\"count\":\"${.steps.list.rows | "
    "length}\",\"first\":\"${.steps.list.rows[0]}\"}}}";

/* A chunk of the bucket's stream is a picture. */
static unsigned pictures(struct world *w)
{
    static const char PNG[] = "\x89PNG\r\n\x1a\n";
    struct record *bucket   = record_read(w, "OBJ_sluice_artifacts");
    unsigned count          = 0;

    for (size_t i = 0; i < bucket->count; i++) {
        const natsMsg *m = bucket->items[i].msg;
        count += natsMsg_GetDataLength(m) > 1000 && memcmp(natsMsg_GetData(m), PNG, 8) == 0;
    }
    record_free(&bucket);
    return count;
}

static void a_shop_becomes_typed_rows_and_a_picture(void **state)
{
    struct browser *b = one_browser(state, "browser");
    struct world *w   = b->world;
    char run[27], url[64];

    browser_submit(b, "dev", SCRAPE, run);
    wait_for(b, "dev", run, "done");
    struct answer a = client_get(w->client, "dev", run);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/product?sku=TS-001", b->shop_port);
    assert_int_equal(answer_number(&a, "result.count"), 44);
    assert_string_equal(answer_text(&a, "result.first.name"), "Linen shirt");
    assert_string_equal(answer_text(&a, "result.first.url"), url);
    WORLD_MUST(w, json_number_value(json_path(a.json, "result.first.price")) == 12.99);
    WORLD_MUST(w, json_is_true(json_path(a.json, "result.first.new")));
    WORLD_MUST(w, strlen(answer_text(&a, "result.first.since")) == 10);
    assert_string_equal(answer_text(&a, "artifacts.0"), "1-account.png");
    answer_deinit(&a);
    assert_int_equal(pictures(w), 1);
    settle(b);
    browser_free(&b);
}

/* A tenant that may not go to loopback, by a public address that redirects there, and by a link. */
static void where_it_may_not_stand_a_run_ends(void **state)
{
    static const char *const STEPS[] = {
        "{\"id\":\"open\",\"open\":{\"url\":\"http://93.184.216.34/redirect?to=SHOP/cart\"}}",
        "{\"id\":\"open\",\"open\":{\"url\":\"http://93.184.216.34/leave?to=SHOP/cart\"}},"
        "{\"id\":\"click\",\"effect\":\"read\",\"browse\":{\"actions\":[{\"click\":{\"css\":\"#"
        "leave\"}},"
        "{\"screenshot\":{}}]}}",
    };
    struct browser *b = one_browser(state, "browser_forbidden");
    struct world *w   = b->world;
    char run[27], body[1024];

    for (size_t i = 0; i < 2; i++) {
        snprintf(
            body, sizeof(body),
            "{\"flow\":{\"upstream\":\"chrome\",\"screenshot\":\"on_failure\",\"steps\":[%s,"
            "{\"id\":\"read\",\"retrieve\":{\"select\":{\"a\":\"h1\"}}}]}}",
            STEPS[i]);
        browser_submit(b, "acme", body, run);
        wait_for(b, "acme", run, "failed");
        struct answer a = client_get(w->client, "acme", run);
        if (strcmp(answer_text(&a, "error.code"), "url_forbidden") != 0 ||
            !strstr(answer_text(&a, "error.detail"), "127.0.0.1 is loopback"))
            world_fail(w, "%s: %s", STEPS[i], answer_body(&a, NULL));
        WORLD_MUST(w, json_path(a.json, "artifacts.0") == NULL);
        answer_deinit(&a);
    }
    WORLD_MUST(w, browser_visits(b, "/redirect") > 0 && browser_visits(b, "/leave") > 0);
    settle(b);
    browser_free(&b);
}

/* ---- chromedriver dies --------------------------------------------------------------------------------- */

/* Under a step that only reads: the session is lost, the run begins again where it opened. */
static void a_run_outlives_its_chromedriver(void **state)
{
    struct browser *b = one_browser(state, "browser_dies");
    struct world *w   = b->world;
    char run[27];

    browser_submit(
        b, "dev",
        "{\"flow\":{\"upstream\":\"chrome\",\"steps\":["
        "{\"id\":\"open\",\"open\":{\"url\":\"SHOP/login\"}},"
        "{\"id\":\"slow\",\"effect\":\"read\",\"timeout\":\"20s\",\"retry\":{\"tries\":20},"
        "\"browse\":{\"actions\":["
        "{\"go\":{\"url\":\"SHOP/cart?delay=4000\"}}]}},"
        "{\"id\":\"read\",\"retrieve\":{\"select\":{\"h\":\"h1\"}}}],"
        "\"result\":{\"h\":\"${.steps.read.rows[0].h}\"}}}",
        run);
    WORLD_WAIT(w, RUN_MS, browser_visits(b, "/cart") == 1);
    browser_kill(b);
    wait_for(b, "dev", run, "done");
    struct answer a = client_get(w->client, "dev", run);
    assert_string_equal(answer_text(&a, "result.h"), "Cart");
    WORLD_MUST(w, answer_number(&a, "tries") > 1);
    answer_deinit(&a);
    WORLD_MUST(w, browser_visits(b, "/login") == 2);
    settle(b);
    browser_free(&b);
}

/* Under an order: whether it was placed the run cannot know, and does not try. */
static void an_order_under_which_chromedriver_dies_is_indeterminate(void **state)
{
    struct browser *b = one_browser(state, "browser_order");
    struct world *w   = b->world;
    char run[27];

    browser_submit(
        b, "dev",
        "{\"flow\":{\"upstream\":\"chrome\",\"steps\":["
        "{\"id\":\"open\",\"open\":{\"url\":\"SHOP/order?sku=TS-001&key=once&slow=3000\"}},"
        "{\"id\":\"place\",\"effect\":\"unsafe\",\"timeout\":\"20s\",\"browse\":{\"actions\":["
        "{\"click\":{\"css\":\"#place-order\"}},{\"wait\":{\"css\":\"#thanks\"}}]}}]}}",
        run);
    WORLD_WAIT(w, RUN_MS, browser_visits(b, "/order") == 2); /* the page, and the order */
    browser_kill(b);
    wait_for(b, "dev", run, "indeterminate");
    WORLD_WAIT(w, RUN_MS, browser_orders(b, "once") == 1);
    settle(b);
    assert_int_equal(browser_orders(b, "once"), 1);
    browser_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_shop_becomes_typed_rows_and_a_picture, world_teardown),
        cmocka_unit_test_teardown(where_it_may_not_stand_a_run_ends, world_teardown),
        cmocka_unit_test_teardown(a_run_outlives_its_chromedriver, world_teardown),
        cmocka_unit_test_teardown(an_order_under_which_chromedriver_dies_is_indeterminate,
                                  world_teardown),
    };
    return cmocka_run_group_tests_name("browser", tests, NULL, NULL);
}
