#include "bw_profile.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* ---- multion
 * --------------------------------------------------------------------------------------------
 *
 * The API as its last SDKs speak it (MULTI-ON/multion-python 1.3.6, multion-typescript 1.3.12).
 * Fields of a step that are not in a call's list are not for it: `actions` and `select` are for
 * webdriver, `local` would drive the user's own browser, `stream` answers in events. */

static const char *const OPEN_TAKES[] = {
    "url",
    "agent_id",
    "mode",
    "use_proxy",
    "browser_params",
    "include_screenshot",
    "optional_params",
    NULL,
};
static const char *const BROWSE_TAKES[] = {
    "cmd",      "url",  "max_steps", "include_screenshot", "temperature",
    "agent_id", "mode", "use_proxy", "optional_params",    NULL,
};
static const char *const RETRIEVE_TAKES[] = {
    "cmd",
    "url",
    "fields",
    "format",
    "max_items",
    "full_page",
    "render_js",
    "scroll_to_bottom",
    "include_screenshot",
    "mode",
    "optional_params",
    NULL,
};

static const struct bw_profile_alias MULTION_ALIASES[] = {
    {"renderJs", "render_js"},
    {"scrollToBottom", "scroll_to_bottom"},
    {"maxItems", "max_items"},
    {"fullPage", "full_page"},
    {"includeScreenshot", "include_screenshot"},
    {"maxSteps", "max_steps"},
    {"agentId", "agent_id"},
    {"useProxy", "use_proxy"},
    {"browserParams", "browser_params"},
    {"optionalParams", "optional_params"},
    {NULL, NULL},
};

static const struct bw_profile_status MULTION_STATUSES[] = {
    {"DONE", BW_SAID_DONE},       {"CONTINUE", BW_SAID_CONTINUE}, {"ASK_USER", BW_SAID_ASK},
    {"NOT_SURE", BW_SAID_UNSURE}, {NULL, BW_SAID_UNSURE},
};

static const struct bw_profile PROFILES[] = {
    {
        .name       = "multion",
        .key_header = "X_MULTION_API_KEY", /* with underscores: an nginx on the way drops it
                                              unless told otherwise */
        .start_url  = "https://www.google.com/", /* where a browse without url begins there */
        .calls =
            {
                [BW_OPEN]       = {"POST", "/session", "/web/session", OPEN_TAKES, false},
                [BW_BROWSE]     = {"POST", "/browse", "/web/browse", BROWSE_TAKES, true},
                [BW_RETRIEVE]   = {"POST", "/retrieve", "/web/retrieve", RETRIEVE_TAKES, true},
                [BW_CLOSE]      = {"DELETE", "/session/{id}", "/web/session", NULL, false},
                [BW_LIST]       = {"GET", "/sessions", "/web/sessions", NULL, false},
                [BW_TOUCH]      = {"GET", "/screenshot/{id}", "/web/screenshot", NULL, false},
                [BW_SCREENSHOT] = {"GET", "/screenshot/{id}", "/web/screenshot", NULL, false},
            },
        .aliases       = MULTION_ALIASES,
        .statuses      = MULTION_STATUSES,
        .session_field = "session_id",
        .message_field = "message",
        .status_field  = "status",
        .url_field     = "url",
        .rows_field    = "data",
        .list_field    = "session_ids",
        .picture_field = "screenshot",
        .texts =
            {
                /* Undocumented there: any words for a session that is not to be had. */
                [BW_TEXT_LOST] = "session[^.]{0,80}(not found|expired|closed|does not exist|no "
                                 "longer|terminated)|"
                                 "session (is |was )?missing|(no "
                                 "such|unknown|invalid|expired|missing) session",
                [BW_TEXT_BUSY] =
                    "session.*(busy|in use|already (has|running|active)|queue)|queue.*full",
                [BW_TEXT_CREDIT] = "credit|billing|payment|insufficient "
                                   "(funds|balance)|(monthly|daily) (quota|limit)|out of quota",
                [BW_TEXT_CONCURRENCY] =
                    "concurren|too many (open |active )?(sessions|browsers)|system_busy",
                [BW_TEXT_RATE] = "rate.?limit|too many requests|secondary limit|throttl",
            },
        .again_max = 50,
    },
};

const struct bw_profile *bw_profile_find(const char *name)
{
    for (size_t i = 0; i < sizeof PROFILES / sizeof *PROFILES; i++)
        if (str_equal(PROFILES[i].name, name))
            return &PROFILES[i];
    return NULL;
}

/* ---- may this step be asked? ------------------------------------------------------------- */

static struct err refuse(char *why, size_t why_size, const char *text)
{
    str_copy(why, why_size, text);
    return err_of(ERR_REJECT, "check step");
}

static bool has_text(const struct json *body, const char *field)
{
    const char *text = json_str(json_get(body, field));

    return text && *text;
}

/* Both spellings of one option, and they differ. */
static const char *contradiction(const struct bw_profile *p, const struct json *body)
{
    for (const struct bw_profile_alias *a = p->aliases; a->alias; a++) {
        const struct json *one = json_get(body, a->alias), *other = json_get(body, a->wire);
        if (one && other && !json_equal(one, other))
            return a->wire;
    }
    return NULL;
}

static bool names_fields(const struct json *body)
{
    const struct json *select = json_get(body, "select");

    return json_count(json_get(body, "schema")) > 0 ||
           json_count(select) > (json_get(select, "") ? 1u : 0u);
}

struct err bw_profile_check(const struct bw_profile *p, enum bw_verb verb,
                            const struct json *body, char *why, size_t why_size)
{
    const char *twice = contradiction(p, body);

    if (twice) {
        str_format(why, why_size, "\"%s\" is said in both its spellings, with different values",
                   twice);
        return err_of(ERR_REJECT, "check step");
    }
    if (verb == BW_BROWSE && !has_text(body, "cmd"))
        return refuse(
            why, why_size,
            "an agent needs \"cmd\": what to do, in words (\"actions\" are for webdriver)");
    if (verb == BW_RETRIEVE && !has_text(body, "cmd") && !names_fields(body))
        return refuse(why, why_size, "an agent needs \"cmd\" or \"schema\": what to retrieve");
    if (verb == BW_OPEN && json_count(json_get(body, "headers")) > 0)
        return refuse(
            why, why_size,
            "an agent's browser takes no \"headers\"; leave them out, or use webdriver");
    if (verb == BW_OPEN && json_get(body, "profile") &&
        json_type(json_get(body, "profile")) != JSON_NULL)
        return refuse(
            why, why_size,
            "an agent's browser takes no \"profile\"; leave it out, or use webdriver");
    return OK;
}

/* ---- the request ------------------------------------------------------------------------- */

/* An id came from over there: whatever stands in it stays one piece of the path. */
static void add_escaped(struct buf *to, const char *text)
{
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
            buf_char(to, *text);
        else
            buf_printf(to, "%%%02X", (unsigned char)*text);
    }
}

void bw_profile_url(const struct bw_profile *p, enum bw_verb verb, const char *base,
                    const char *remote_id, struct buf *to)
{
    const char *path = p->calls[verb].path;
    const char *id   = strstr(path, "{id}");

    buf_str(to, base);
    if (!id) {
        buf_str(to, path);
        return;
    }
    buf_add(to, path, (size_t)(id - path));
    add_escaped(to, remote_id);
    buf_str(to, id + strlen("{id}"));
}

static const char *wire_name(const struct bw_profile *p, const char *name)
{
    for (const struct bw_profile_alias *a = p->aliases; a->alias; a++)
        if (str_equal(a->alias, name))
            return a->wire;
    return name;
}

static bool taken(const struct bw_profile_call *call, const char *wire)
{
    for (size_t i = 0; call->takes[i]; i++)
        if (str_equal(call->takes[i], wire))
            return true;
    return false;
}

/* "1280x800" or {"width","height"}. */
static struct json *browser_params(const struct json *size)
{
    struct json *params = NULL;
    int64_t width       = json_int(json_get(size, "width")),
            height      = json_int(json_get(size, "height"));
    const char *text = json_str(size), *x = text ? strchr(text, 'x') : NULL;
    char number[16];
    uint64_t n = 0;

    if (x && str_copy_n(number, sizeof number, text, (size_t)(x - text)) &&
        !failed(str_u64(number, &n)) && n < 100000)
        width = (int64_t)n;
    if (x && !failed(str_u64(x + 1, &n)) && n < 100000)
        height = (int64_t)n;
    if (width <= 0 || height <= 0)
        return NULL;
    params = json_new_object();
    json_set(params, "width", json_new_int(width));
    json_set(params, "height", json_new_int(height));
    return params;
}

/* The names of the fields that are wanted: of the schema, else of the selectors ("" is the
 * row). */
static struct json *field_names(const struct json *body)
{
    const struct json *from = json_count(json_get(body, "schema")) ? json_get(body, "schema")
                                                                   : json_get(body, "select");
    struct json *names      = json_new_array();
    const char *name        = NULL;
    const struct json *value;

    for (size_t it = 0; json_each(from, &it, &name, &value);)
        if (*name)
            json_add(names, json_new_str(name));
    return names;
}

static void add_fields(struct json *to, const struct json *body)
{
    struct json *names = field_names(body);
    struct buf cmd;

    buf_init(&cmd, 8192);
    if (!has_text(body, "cmd")) {
        buf_str(&cmd, "Retrieve ");
        for (size_t i = 0; i < json_count(names); i++)
            buf_printf(&cmd, "%s%s", i ? ", " : "", json_str(json_at(names, i)));
        json_set(to, "cmd", json_new_str_n(cmd.at, cmd.len));
    }
    buf_deinit(&cmd);
    if (json_count(names))
        json_set(to, "fields", names);
    else
        json_free(&names);
}

struct json *bw_profile_body(const struct bw_profile *p, enum bw_verb verb,
                             const char *remote_id, const struct json *body)
{
    const struct bw_profile_call *call = &p->calls[verb];
    const char *name                   = NULL;
    const struct json *value           = NULL;

    if (!call->takes)
        return NULL;
    struct json *to = json_new_object();
    for (size_t it = 0; json_each(body, &it, &name, &value);)
        if (json_type(value) != JSON_NULL && taken(call, wire_name(p, name)))
            json_set(to, wire_name(p, name), json_copy(value));
    if (call->session && *remote_id)
        json_set(to, p->session_field, json_new_str(remote_id));
    if (verb == BW_RETRIEVE)
        add_fields(to, body);
    if (verb == BW_OPEN && !has_text(body, "url"))
        json_set(to, "url", json_new_str(p->start_url));
    struct json *params = verb == BW_OPEN ? browser_params(json_get(body, "size")) : NULL;
    if (params)
        json_set(to, "browser_params", params);
    return to;
}

/* ---- words ------------------------------------------------------------------------------- */

enum bw_said bw_profile_said(const struct bw_profile *p, const char *status)
{
    char word[64];
    size_t len = 0;

    status += strspn(status, " \t\r\n");
    for (; *status && len < sizeof word - 1; status++)
        word[len++] =
            (char)(*status == ' ' || *status == '-' ? '_' : toupper((unsigned char)*status));
    while (len && strchr("_\t\r\n", word[len - 1]))
        len--;
    word[len] = '\0';
    for (const struct bw_profile_status *s = p->statuses; s->word; s++)
        if (str_equal(s->word, word))
            return s->said;
    return BW_SAID_UNSURE;
}

bool bw_profile_matches(const char *expression, const char *error)
{
    regex_t pattern;

    if (regcomp(&pattern, expression, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        return false;
    bool yes = regexec(&pattern, error, 0, NULL, 0) == 0;
    regfree(&pattern);
    return yes;
}

bool bw_profile_text(const struct bw_profile *p, enum bw_text text, const char *error)
{
    return bw_profile_matches(p->texts[text], error);
}
