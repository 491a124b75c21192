#include "bw_driver.h"

#include "webdriver_rig.h"

/*
 * What the webdriver driver reads of real pages: typed rows, and not too much of anything.
 */

/* ---- retrieve --------------------------------------------------------------------------------------------- */

static void retrieves_typed_rows(void **state)
{
    (void)state;
    struct asked t =
        rig_ask(&rig, RETRIEVE(0),
                "{\"url\":\"SHOP/"
                "category\",\"schema\":{\"name\":\"string\",\"price\":\"number\",\"color\":"
                "\"string\",\"url\":\"url\","
                "\"image\":\"url\",\"since\":\"date\",\"isNew\":\"bool\",\"old\":\"number?\"},"
                "\"select\":{\"\":\"article.product\",\"name\":\"h3\",\"price\":\".price|"
                "number\",\"color\":\".colour\",\"url\":\"a@href\","
                "\"image\":\"img@src\",\"since\":\"time|date\",\"isNew\":\".new|bool\",\"old\":"
                "\".old|number\",\"sku\":\"@data-sku\","
                "\"link\":\"a h3|html\"}}");
    const struct json *rows = json_get(t.value, "rows");

    assert_int_equal(t.fate, CALL_DONE);
    assert_int_equal(json_count(rows), 24);
    assert_string_equal(json_str(json_get(json_at(rows, 0), "name")), "Linen shirt");
    assert_true(json_number(json_get(json_at(rows, 0), "price")) == 12.99);
    assert_true(json_number(json_get(json_at(rows, 1), "price")) == 1299);
    assert_true(str_starts(json_str(json_get(json_at(rows, 1), "url")), rig.shop));
    assert_true(str_ends(json_str(json_get(json_at(rows, 1), "url")), "/product?sku=TS-002"));
    assert_true(str_ends(json_str(json_get(json_at(rows, 0), "image")), ".svg"));
    assert_string_equal(json_str(json_get(json_at(rows, 1), "since")), "2026-02-04");
    assert_true(json_bool(json_get(json_at(rows, 0), "isNew")));
    assert_false(json_bool(json_get(json_at(rows, 1), "isNew")));
    assert_int_equal(json_type(json_get(json_at(rows, 0), "old")), JSON_NULL);
    assert_string_equal(json_str(json_get(json_at(rows, 23), "sku")), "TS-024");
    assert_string_equal(json_str(json_get(json_at(rows, 0), "link")), "Linen shirt");
    assert_true(str_ends(t.url, "/category"));
    asked_free(&t);
}

static size_t count_rows(const char *body)
{
    struct asked t = rig_ask(&rig, RETRIEVE(0), body);
    size_t count   = json_count(json_get(t.value, "rows"));

    assert_int_equal(t.fate, CALL_DONE);
    asked_free(&t);
    return count;
}

static void scrolls_until_all_rows_are_there_or_enough(void **state)
{
    (void)state;
    assert_int_equal(count_rows("{\"url\":\"SHOP/"
                                "category\",\"scroll_to_bottom\":true,\"select\":{\"\":\"."
                                "product\",\"name\":\"h3\"}}"),
                     44);
    assert_int_equal(count_rows("{\"url\":\"SHOP/"
                                "category\",\"scrollToBottom\":true,\"maxItems\":30,\"select\":"
                                "{\"\":\".product\",\"name\":\"h3\"}}"),
                     30);
    assert_int_equal(
        count_rows("{\"max_items\":0,\"select\":{\"\":\".product\",\"name\":\"h3\"}}"), 0);
}

static void a_page_is_one_row_and_an_array_is_all_of_a_kind(void **state)
{
    (void)state;
    assert_rows(
        "{\"url\":\"SHOP/"
        "product?sku=TS-002\",\"schema\":{\"name\":\"string\",\"sizes\":[\"string\"],\"price\":"
        "\"number\",\"none\":[\"string\"]},"
        "\"select\":{\"name\":\"#name\",\"sizes\":\"#sizes "
        "li\",\"price\":\".price\",\"none\":\".nothing\"}}",
        "[{\"name\":\"Cotton "
        "tee\",\"sizes\":[\"XS\",\"S\",\"M\",\"L\",\"XL\"],\"price\":1299,\"none\":[]}]");
}

static void numbers_are_read_as_the_world_writes_them(void **state)
{
    (void)state;
    assert_rows(
        "{\"url\":\"SHOP/strange\",\"select\":{\"\":\"#numbers li\",\"n\":\"|number\"}}",
        "[{\"n\":1299},{\"n\":12.99},{\"n\":1299},{\"n\":1299.5},{\"n\":12990.5},{\"n\":-5},{"
        "\"n\":-7.25},{\"n\":2},{\"n\":0.99},"
        "{\"n\":1299000},{\"n\":1299},{\"n\":12.5},{\"n\":null},{\"n\":4.5},{\"n\":7}]");
}

static void dates_are_days_or_instants_and_nothing_else(void **state)
{
    (void)state;
    assert_rows("{\"url\":\"SHOP/strange\",\"select\":{\"\":\"#dates li\",\"d\":\"|date\"}}",
                "[{\"d\":\"2026-11-21\"},{\"d\":\"2026-11-21\"},{\"d\":\"2026-11-21\"},{\"d\":"
                "\"2026-11-21T10:30:00.000Z\"},"
                "{\"d\":\"2026-11-21T08:30:00.000Z\"},{\"d\":null},{\"d\":null}]");
}

static void links_are_absolute(void **state)
{
    (void)state;
    AUTO(mem_free)
    char *rows = rig_rows(&rig, "{\"url\":\"SHOP/strange\",\"select\":{\"\":\"#links "
                                "li\",\"u\":\"a, img, span|url\"}}");

    assert_non_null(strstr(
        rows,
        "/deep/below/x?y=1\"},{\"u\":\"http://other.example/z\"},{\"u\":\"http://127.0.0.1:"));
    assert_non_null(
        strstr(rows, "/img/red.svg\"},{\"u\":\"https://said.example/\"},{\"u\":null}]"));
}

static void texts_are_folded_and_always_readable(void **state)
{
    (void)state;
    assert_rows("{\"url\":\"SHOP/"
                "strange\",\"select\":{\"f\":\"#folded\",\"h\":\"#half\",\"i\":\"#inside|"
                "html\",\"c\":\"#box@checked|bool\",\"x\":\"#box@hidden|bool\"}}",
                "[{\"f\":\"two lines and blanks\",\"h\":\"half a pair \xef\xbf\xbd and a zero "
                "\xef\xbf\xbd here\",\"i\":\"a <b>bold</b> word\",\"c\":true,\"x\":false}]");
}

static void a_row_that_does_not_fit_is_named(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, RETRIEVE(.shot = true),
        "{\"url\":\"SHOP/strange\",\"schema\":{\"n\":\"number\"},\"select\":{\"\":\"#numbers "
        "li\",\"n\":\"|number\"}}");

    assert_failed(&t, CALL_FAILED, "schema_mismatch",
                  "row 13: \"n\" must be a number, not null");
    assert_null(t.value);
    assert_int_equal(t.shot_count, 1);
    assert_true(str_ends(t.url, "/strange"));
    asked_free(&t);
}

static void css_that_is_none_is_refused_by_its_field(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, RETRIEVE(0),
                             "{\"url\":\"SHOP/cart\",\"select\":{\"a\":\"h1\",\"b\":\"p[\"}}");

    assert_failed(&t, CALL_REFUSED, "upstream_refused", "select.b: ");
    asked_free(&t);
    t = rig_ask(&rig, RETRIEVE(0),
                "{\"select\":{\"\":\"tr[\",\"b\":\"p\"},\"scroll_to_bottom\":true}");
    assert_failed(&t, CALL_REFUSED, "upstream_refused", "select.\"\": ");
    asked_free(&t);
}

/* ---- too much of it ------------------------------------------------------------------------------------------ */

static void a_page_that_grows_for_ever_is_cut(void **state)
{
    (void)state;
    struct asked t = rig_ask(
        &rig, RETRIEVE(.timeout_ms = 4000),
        "{\"url\":\"SHOP/"
        "forever\",\"scroll_to_bottom\":true,\"select\":{\"\":\".row\",\"n\":\"|number\"}}");

    assert_int_equal(t.fate,
                     CALL_DONE); /* in time: it grows faster than a second stands still */
    assert_true(json_count(json_get(t.value, "rows")) > 10);
    asked_free(&t);
}

static void a_page_larger_than_allowed_is_refused(void **state)
{
    (void)state;
    struct asked t = rig_ask(&rig, RETRIEVE(.page_max = 1 << 20),
                             "{\"url\":\"SHOP/big?mb=2\",\"select\":{\"all\":\"#text\"}}");

    assert_failed(&t, CALL_REFUSED, "response_too_large", "larger than 1048576 bytes");
    asked_free(&t);
    assert_says("title", "Big"); /* the session is none the worse */
}

/* Whether the driver gives up first or we do, the run reads the same. */
static void assert_ended_with_the_step(const struct asked *t, uint64_t timeout_ms)
{
    if (t->fate != CALL_FAILED && t->fate != CALL_UNANSWERED)
        fail_msg("fate %d: %s", t->fate, t->detail);
    assert_string_equal(t->code, "step_timeout");
    assert_true(t->ms < timeout_ms + RIG_SLACK_MS);
}

static void an_endless_page_takes_the_step_s_time_and_no_more(void **state)
{
    (void)state;
    static const char *const PAGES[] = {"{\"actions\":[{\"go\":{\"url\":\"SHOP/endless\"}}]}",
                                        "{\"actions\":[{\"go\":{\"url\":\"SHOP/huge\"}}]}"};

    char session[256];

    rig_open(&rig, session);
    for (size_t i = 0; i < 2; i++) {
        struct asked t =
            rig_ask(&rig, BROWSE(.session = session, .timeout_ms = 1500), PAGES[i]);
        assert_ended_with_the_step(&t, 1500);
        asked_free(&t);
    }
    rig_close(&rig, session);
}

static void a_download_is_not_kept(void **state)
{
    (void)state;
    char home[96], session[256];

    rig_open(&rig, session);
    struct asked t = rig_ask(&rig, BROWSE(.session = session),
                             "{\"url\":\"SHOP/cart\",\"actions\":[{\"go\":{\"url\":\"SHOP/"
                             "huge.bin\"}},{\"go\":{\"url\":\"SHOP/endless.bin\"}}]}");
    assert_int_equal(t.fate, CALL_DONE);
    assert_true(str_ends(t.url, "/cart"));
    asked_free(&t);
    rig_turn(&rig, NULL, 300);
    str_format(home, sizeof home, "%s/home/Downloads", rig.folder);
    DIR *folder = opendir(home);
    for (struct dirent *d; folder && (d = readdir(folder));)
        assert_true(d->d_name[0] == '.');
    if (folder)
        closedir(folder);
    rig_close(&rig, session);
}

static void a_script_that_never_ends_takes_the_step_s_time_and_no_more(void **state)
{
    (void)state;
    char session[256];

    rig_open(&rig, session);
    struct asked t =
        rig_ask(&rig, BROWSE(.session = session, .timeout_ms = 2000),
                "{\"url\":\"SHOP/loop\",\"actions\":[{\"wait\":{\"css\":\"#nowhere\"}}]}");
    assert_ended_with_the_step(&t, 2000);
    asked_free(&t);
    rig_close(&rig, session);
}

#define PROMISE(name) cmocka_unit_test_teardown(name, rig_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(retrieves_typed_rows),
        PROMISE(scrolls_until_all_rows_are_there_or_enough),
        PROMISE(a_page_is_one_row_and_an_array_is_all_of_a_kind),
        PROMISE(numbers_are_read_as_the_world_writes_them),
        PROMISE(dates_are_days_or_instants_and_nothing_else),
        PROMISE(links_are_absolute),
        PROMISE(texts_are_folded_and_always_readable),
        PROMISE(a_row_that_does_not_fit_is_named),
        PROMISE(css_that_is_none_is_refused_by_its_field),
        PROMISE(a_page_that_grows_for_ever_is_cut),
        PROMISE(a_page_larger_than_allowed_is_refused),
        PROMISE(an_endless_page_takes_the_step_s_time_and_no_more),
        PROMISE(a_download_is_not_kept),
        PROMISE(a_script_that_never_ends_takes_the_step_s_time_and_no_more),
    };
    return cmocka_run_group_tests_name("webdriver_read", tests, rig_set_up, rig_tear_down);
}
