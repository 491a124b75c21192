#include "base/mem.h"
#include "base/str.h"
#include "bw_select.h"
#include "bw_webdriver.h"
#include "json/json_schema.h"
#include "problem/problem.h"

enum { ITEMS_MAX = 10000, ITEMS_PRESET = 1000, SCROLL_STANDS_MS = 1000, SCROLL_POLL_MS = 200 };

static int64_t option(const struct bw_call *c, const char *snake, const char *camel,
                      int64_t preset)
{
    const struct json *v = json_get(c->body, snake);

    if (!v)
        v = json_get(c->body, camel);
    return v && json_is_number(v) ? (int64_t)json_number(v) : preset;
}

static int64_t items_max(const struct bw_call *c)
{
    int64_t n = option(c, "max_items", "maxItems", ITEMS_PRESET);

    return n < 0 ? 0 : n > ITEMS_MAX ? ITEMS_MAX : n;
}

static bool wants_scroll(const struct bw_call *c)
{
    return json_bool(json_get(c->body, "scroll_to_bottom")) ||
           json_bool(json_get(c->body, "scrollToBottom"));
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

static void on_rows(struct bw_call *c, const struct json *rows)
{
    const struct json *schema = json_get(c->body, "schema");
    struct json *value;
    char why[JSON_WHY_SIZE];

    if (json_type(rows) != JSON_ARRAY) {
        wd_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED), "the page gave no rows");
        return;
    }
    if (schema && failed(json_rows_fit(schema, rows, why, sizeof why))) {
        wd_fail(c, CALL_FAILED, problem_word(PROBLEM_SCHEMA_MISMATCH), "%.220s", why);
        return;
    }
    value = json_new_object();
    json_set(value, "rows", json_copy(rows));
    wd_finish_page(c, value);
}

static void extract(struct bw_call *c)
{
    struct json *args = json_new_object(), *list = json_new_array();

    json_add(list, json_ref(c->spec));
    json_add(list, json_new_int(items_max(c)));
    json_set(args, "script", json_new_str(bw_select_script));
    json_set(args, "args", list);
    wd_command(c, "retrieve", "POST", "/execute/sync", args, on_rows);
}

/* ---- to the bottom ------------------------------------------------------------------------------------------ */

static void scroll(struct bw_call *c, const struct json *value);

/* Until the page's height stands for a second, or enough rows are there; a page that grows for ever is cut at half of the
   step's time. */
static void on_scrolled(struct bw_call *c, const struct json *value)
{
    int64_t height = json_int(json_at(value, 0)), rows = json_int(json_at(value, 1));
    uint64_t now = wd_now(c);

    if (height != c->height) {
        c->height       = height;
        c->height_since = now;
    }
    bool enough = rows >= items_max(c), stands = now - c->height_since >= SCROLL_STANDS_MS;
    bool late = wd_left_ms(c) < c->timeout_ms / 2;
    if (enough || stands || late)
        extract(c);
    else
        wd_later(c, SCROLL_POLL_MS, scroll);
}

static void scroll(struct bw_call *c, const struct json *value)
{
    static const char script[] =
        "var r=arguments[0];window.scrollTo(0,document.documentElement.scrollHeight);"
        "return "
        "[document.documentElement.scrollHeight,r===null?0:document.querySelectorAll(r).length]"
        ";";
    struct json *args = json_new_object(), *list = json_new_array();

    (void)value;
    json_add(list, json_ref(json_get(c->spec, "row")));
    json_set(args, "script", json_new_str(script));
    json_set(args, "args", list);
    wd_command(c, "scroll", "POST", "/execute/sync", args, on_scrolled);
}

static void on_page(struct bw_call *c, const struct json *value)
{
    (void)value;
    if (wants_scroll(c))
        scroll(c, NULL);
    else
        extract(c);
}

void wd_retrieve(struct bw_call *c)
{
    const char *url = json_str(json_get(c->body, "url"));
    char why[160];

    if (failed(bw_select_read(json_get(c->body, "select"), &c->spec, why, sizeof why)))
        wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED), "%s", why);
    else if (url)
        wd_navigate(c, url, on_page);
    else
        on_page(c, NULL);
}
