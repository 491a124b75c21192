#include "bw_webdriver_read.h"

#include "base/clk.h"
#include "base/mem.h"
#include "bw_select.h"
#include "bw_webdriver_end.h"
#include "bw_webdriver_go.h"
#include "bw_webdriver_send.h"
#include "json/json_rows.h"
#include "problem/problem.h"

enum { ITEMS_MAX = 10000, ITEMS_PRESET = 1000, SCROLL_STANDS_MS = 1000, SCROLL_POLL_MS = 200 };

static const struct json *option(const struct bw_call *c, const char *snake, const char *camel)
{
    const struct json *v = json_get(c->body, snake);

    return v ? v : json_get(c->body, camel);
}

static int64_t items_max(const struct bw_call *c)
{
    const struct json *v = option(c, "max_items", "maxItems");
    double n             = json_is_number(v) ? json_number(v) : ITEMS_PRESET;

    return n < 0 ? 0 : n > ITEMS_MAX ? ITEMS_MAX : (int64_t)n;
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* Judged only now that it is known where they are from: what does not fit is quoted. */
static void judge_rows(struct bw_call *c, const struct json *value)
{
    const struct json *schema = json_get(c->body, "schema"), *rows = json_get(c->value, "rows");
    char why[JSON_WHY_SIZE];

    (void)value;
    if (schema && failed(json_rows_fit(schema, rows, why, sizeof why)))
        bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_SCHEMA_MISMATCH), "%s", why);
    else
        bw_webdriver_end_done(c, take(&c->value));
}

static void on_rows(struct bw_call *c, const struct json *value)
{
    const char *wrong       = json_str(json_get(value, "wrong"));
    const struct json *rows = json_get(value, "rows");

    if (wrong) {
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED),
                              "select.%.200s", wrong);
        return;
    }
    if (json_type(rows) != JSON_ARRAY) {
        bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED),
                              "the page gave no rows");
        return;
    }
    c->value = json_new_object();
    json_set(c->value, "rows", bw_select_rows(c->spec, rows));
    bw_webdriver_go_look(c, judge_rows);
}

static void extract(struct bw_call *c)
{
    struct json *list = json_new_array();

    json_add(list, json_ref(c->spec));
    json_add(list, json_new_int(items_max(c)));
    bw_webdriver_send(c, WD_RETRIEVE, bw_webdriver_send_script(bw_select_script, list),
                      on_rows);
}

/* ---- to the bottom -------------------------------------------------------------------------------- */

static void scroll(struct bw_call *c, const struct json *value);

/* Until the page's height stands for a second, or enough rows are there; a page that grows for ever is cut at half of
   the step's time. */
static void on_scrolled(struct bw_call *c, const struct json *value)
{
    int64_t height = json_int(json_at(value, 0)), rows = json_int(json_at(value, 1));
    uint64_t now = clk_mono_ms();

    if (height != c->height) {
        c->height       = height;
        c->height_since = now;
    }
    bool enough = rows >= items_max(c), stands = now - c->height_since >= SCROLL_STANDS_MS;
    bool late = bw_webdriver_left_ms(c) < c->timeout_ms / 2;
    if (enough || stands || late)
        extract(c);
    else
        bw_webdriver_later(c, SCROLL_POLL_MS, scroll);
}

static void scroll(struct bw_call *c, const struct json *value)
{
    static const char SCRIPT[] = "var "
                                 "r=arguments[0],h=Math.max(document.documentElement."
                                 "scrollHeight,"
                                 "document.body?document.body.scrollHeight:0),n=0;"
                                 "window.scrollTo(0,h);"
                                 "try{if(r!==null)n=document.querySelectorAll(r).length;}catch("
                                 "x){}" /* extract says so */
                                 "return [h,n];";
    struct json *list = json_new_array();

    (void)value;
    json_add(list, json_ref(json_get(c->spec, "row")));
    bw_webdriver_send(c, WD_SCROLL, bw_webdriver_send_script(SCRIPT, list), on_scrolled);
}

static void on_page(struct bw_call *c, const struct json *value)
{
    (void)value;
    if (json_bool(option(c, "scroll_to_bottom", "scrollToBottom")))
        scroll(c, NULL);
    else
        extract(c);
}

static void look_first(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_go_look(c, on_page);
}

void bw_webdriver_read(struct bw_call *c)
{
    const char *url = json_str(json_get(c->body, "url"));
    char why[160];
    struct err e = bw_select_read(json_get(c->body, "select"), json_get(c->body, "schema"),
                                  &c->spec, why, sizeof why);

    must(!failed(e)); /* it was checked */
    if (url)
        bw_webdriver_go(c, url, on_page);
    else
        bw_webdriver_go_limit(c, look_first);
}
