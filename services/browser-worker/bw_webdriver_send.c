#include "bw_webdriver_send.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bw_webdriver_end.h"
#include "problem/problem.h"

enum { REQUEST_MAX = 1 << 20 };

/* The path is that below the session; %s is an element.  acts: it may change something. */
static const struct {
    const char *word, *method, *path;
    bool acts;
} COMMANDS[WD_COMMANDS] = {
    [WD_NEW_SESSION]    = {"new session", "POST", NULL, false},
    [WD_DELETE_SESSION] = {"close", "DELETE", "", false},
    [WD_SESSIONS]       = {"list", "GET", NULL, false},
    [WD_TIMEOUTS]       = {"touch", "GET", "/timeouts", false},
    [WD_SET_TIMEOUTS]   = {"timeouts", "POST", "/timeouts", false},
    [WD_GO]             = {"go", "POST", "/url", true},
    [WD_URL]            = {"url", "GET", "/url", false},
    [WD_FIND]           = {"find", "POST", "/elements", false},
    [WD_DISPLAYED]      = {"displayed", "GET", "/element/%s/displayed", false},
    [WD_CLICK]          = {"click", "POST", "/element/%s/click", true},
    [WD_CLEAR]          = {"clear", "POST", "/element/%s/clear", true},
    [WD_FOCUS]          = {"focus", "POST", "/execute/sync", false},
    [WD_KEYS]           = {"keys", "POST", "/actions", true},
    [WD_SELECT]         = {"select", "POST", "/execute/sync", true},
    [WD_SCROLL]         = {"scroll", "POST", "/execute/sync", false},
    [WD_RETRIEVE]       = {"retrieve", "POST", "/execute/sync", false},
    [WD_SCREENSHOT]     = {"screenshot", "GET", "/screenshot", false},
};

static char *url_of(const struct bw_call *c, enum wd_command command)
{
    const char *path = COMMANDS[command].path, *element = path ? strstr(path, "%s") : NULL;

    if (!path)
        return mem_printf("%s%s", c->base, command == WD_SESSIONS ? "/sessions" : "/session");
    if (!element)
        return mem_printf("%s/session/%s%s", c->base, c->session, path);
    return mem_printf("%s/session/%s%.*s%s%s", c->base, c->session, (int)(element - path), path,
                      c->element, element + 2);
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void no_answer(struct bw_call *c, const struct http_response *r)
{
    const char *failed_word = problem_word(PROBLEM_UPSTREAM_FAILED);

    if (r->err.kind == ERR_FULL) {
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_RESPONSE_TOO_LARGE),
                              "%s: the answer is larger than %llu bytes (SLUICE_PAGE_MAX)",
                              c->command, (unsigned long long)c->page_max);
    } else if (r->stage == HTTP_BEFORE_SEND) {
        c->acted      = c->acted_before;
        c->call_class = CALL_SERVER;
        bw_webdriver_end_fail(c, c->acted ? CALL_UNANSWERED : CALL_NOT_SENT, failed_word,
                              "%s: %.180s", c->command, r->text);
    } else if (bw_webdriver_left_ms(c) == 0) {
        c->call_class = CALL_TIMEOUT;
        bw_webdriver_end_fail(c, CALL_UNANSWERED, problem_word(PROBLEM_STEP_TIMEOUT),
                              "%s: no answer in the step's time", c->command);
    } else {
        c->call_class = CALL_SERVER;
        bw_webdriver_end_fail(c, CALL_UNANSWERED, failed_word, "%s: no answer: %.160s",
                              c->command, r->text);
    }
}

static void read_error(struct bw_call *c, const struct json *value, int status)
{
    const char *error   = json_str(json_get(value, "error")),
               *message = json_str(json_get(value, "message"));

    str_copy(c->error, sizeof c->error, error ? error : "unknown error");
    if (message)
        str_copy_n(c->message, sizeof c->message, message, strcspn(message, "\n"));
    else
        str_format(c->message, sizeof c->message, "status %d", status);
}

static void on_error(struct bw_call *c)
{
    enum wd_error means = bw_webdriver_error(c->error, c->message);
    bool lost           = means == WD_ERROR_LOST || means == WD_ERROR_GONE;

    if (means == WD_ERROR_HEALS)
        c->acted = c->acted_before;
    if (c->tolerant && !lost)
        c->next(c, NULL);
    else
        bw_webdriver_end_error(c);
}

static void on_response(void *self, const struct http_response *r)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, self);
    struct json *doc  = NULL;
    char why[JSON_WHY_SIZE];

    c->sent   = NULL;
    c->status = r->status;
    if (failed(r->err)) {
        no_answer(c, r);
        return;
    }
    struct err e  = json_parse(&doc, r->body, why, sizeof why);
    bool readable = json_type(doc) == JSON_OBJECT;
    if (e.kind == ERR_FULL) {
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_RESPONSE_TOO_LARGE),
                              "%s: the answer holds too much: %s", c->command, why);
    } else if (readable && r->status == 200) {
        c->next(c, json_get(doc, "value"));
    } else {
        if (readable)
            read_error(c, json_get(doc, "value"), r->status);
        else
            str_format(c->error, sizeof c->error, "not a WebDriver answer (status %d)",
                       r->status);
        on_error(c);
    }
    json_free(&doc);
}

/* ---- the command ---------------------------------------------------------------------------- */

static void out_of_time(struct bw_call *c)
{
    enum call_fate fate = c->acted      ? CALL_UNANSWERED
                          : c->anything ? CALL_FAILED
                                        : CALL_NOT_SENT;

    bw_webdriver_end_fail(c, fate, problem_word(PROBLEM_STEP_TIMEOUT),
                          "the step's time was over before %s", c->command);
}

/* Never sent twice, not even a click of a read step; a fresh connection, so that "not sent" can be told. */
static void post(struct bw_call *c, enum wd_command command, const struct json *args)
{
    static const struct http_header TYPE = {"Content-Type", "application/json; charset=utf-8"};
    AUTO(mem_free) char *url             = url_of(c, command);
    bool has_body                        = str_equal(COMMANDS[command].method, "POST");
    struct buf body;

    buf_init(&body, REQUEST_MAX);
    if (has_body)
        json_print(args, &body);
    uint64_t left                     = bw_webdriver_left_ms(c);
    const struct http_request request = {.method       = COMMANDS[command].method,
                                         .url          = url,
                                         .headers      = &TYPE,
                                         .header_count = 1,
                                         .body         = buf_bytes(&body),
                                         .timeout_ms =
                                             left ? left : 1, /* 0 would be a mistake */
                                         .body_max = c->page_max,
                                         .unsafe   = true,
                                         .guard    = HTTP_GUARD_OPERATOR};
    bool too_long                     = body.full;
    if (!too_long)
        c->sent = http_start(c->env->http, &request, on_response, c);
    buf_deinit(&body);
    if (too_long)
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED),
                              "%s: more than %d bytes to say", c->command, REQUEST_MAX);
}

static void start(struct bw_call *c, enum wd_command command, struct json *args,
                  wd_next_fn *next)
{
    if (!args)
        args = json_new_object();
    c->command  = COMMANDS[command].word;
    c->next     = next;
    c->error[0] = c->message[0] = '\0';
    if (bw_webdriver_left_ms(c) == 0 || !c->may(c->asker)) {
        out_of_time(c);
    } else {
        c->acted_before = c->acted;
        c->acted        = c->acted || COMMANDS[command].acts;
        c->anything     = true;
        post(c, command, args);
    }
    json_free(&args);
}

void bw_webdriver_send(struct bw_call *c, enum wd_command command, struct json *args,
                       wd_next_fn *next)
{
    c->tolerant = false;
    start(c, command, args, next);
}

void bw_webdriver_send_try(struct bw_call *c, enum wd_command command, struct json *args,
                           wd_next_fn *next)
{
    c->tolerant = true;
    start(c, command, args, next);
}

struct json *bw_webdriver_send_script(const char *script, struct json *list)
{
    struct json *args = json_new_object();

    json_set(args, "script", json_new_str(script));
    json_set(args, "args", list);
    return args;
}
