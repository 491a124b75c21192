#include "bw_webdriver.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/http_guard.h"
#include "problem/problem.h"

enum { COMMAND_SLACK_MS = 2000, REQUEST_MAX = 1 << 20 };

uint64_t wd_now(const struct bw_call *c)
{
    (void)c;
    return clk_mono_ms();
}

uint64_t wd_left_ms(const struct bw_call *c)
{
    uint64_t now = clk_mono_ms();

    return now < c->deadline_ms ? c->deadline_ms - now : 0;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static void free_call(struct bw_call *c)
{
    for (size_t i = 0; i < c->shot_count; i++) {
        mem_free(&c->shots[i].png.at);
        mem_free(&c->shots[i].name);
    }
    json_free(&c->body);
    json_free(&c->spec);
    json_free(&c->value);
    mem_free(&c);
}

static void on_closed(uv_handle_t *handle)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, handle->data);

    c->over = true;
    if (!c->looking) /* else when the lookup comes back */
        free_call(c);
}

static void release(struct bw_call *c)
{
    if (c->sent)
        http_cancel(&c->sent);
    if (c->looking)
        (void)uv_cancel((uv_req_t *)&c->lookup);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void answer(struct bw_call *c)
{
    static const char *const paths[] = {
        [BW_OPEN] = "/session",         [BW_BROWSE] = "/actions", [BW_RETRIEVE] = "/execute",
        [BW_CLOSE] = "/session",        [BW_LIST] = "/sessions",  [BW_TOUCH] = "/timeouts",
        [BW_SCREENSHOT] = "/screenshot"};
    bool opened              = c->verb == BW_OPEN && *c->session;
    const struct bw_answer a = {.fate          = c->fate,
                                .call_class    = c->call_class,
                                .status        = c->status,
                                .ms            = clk_mono_ms() - c->started_ms,
                                .code          = c->code,
                                .detail        = c->detail,
                                .endpoint_path = paths[c->verb],
                                .url           = *c->url ? c->url : NULL,
                                .remote_id     = opened ? c->session : NULL,
                                .endpoint      = opened ? c->base : NULL,
                                .value         = c->value,
                                .shots         = c->shots,
                                .shot_count    = c->shot_count,
                                .session_gone  = c->session_gone};

    c->fn(c->self, &a);
    release(c);
}

void wd_done(struct bw_call *c, struct json *value)
{
    c->fate       = CALL_DONE;
    c->call_class = CALL_OK;
    c->value      = value;
    answer(c);
}

static void shot_of_failure(struct bw_call *c, const struct json *value)
{
    if (value)
        (void)wd_keep_shot(c, "failure", value);
    answer(c);
}

void wd_fail(struct bw_call *c, enum call_fate fate, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(c->detail, sizeof c->detail, format, args);
    va_end(args);
    bool page = c->verb == BW_BROWSE || c->verb == BW_RETRIEVE || c->verb == BW_OPEN;
    bool lost = fate == CALL_SESSION_LOST || fate == CALL_NOT_SENT || fate == CALL_UNANSWERED;
    /* In an unsafe step an earlier action may have been the one that counts: then nobody knows. */
    if (c->effect == EFFECT_UNSAFE && c->acted && fate != CALL_DONE)
        fate = CALL_UNANSWERED;
    c->fate       = fate;
    c->code       = code;
    c->call_class = fate == CALL_NOT_SENT             ? CALL_SERVER
                    : fate == CALL_UNANSWERED && lost ? CALL_TIMEOUT
                                                      : CALL_OK;
    bool wanted = c->shot_on_failure || str_equal(code, problem_word(PROBLEM_ELEMENT_MISSING));
    if (page && wanted && !lost && *c->session && !c->failing && wd_left_ms(c) > 0) {
        c->failing = true;
        wd_try(c, "screenshot", "GET", "/screenshot", NULL, shot_of_failure);
        return;
    }
    answer(c);
}

bool wd_keep_shot(struct bw_call *c, const char *name, const struct json *base64)
{
    const char *text = json_str(base64);
    size_t len = json_str_len(base64), png_len = 0;

    if (!text || c->shot_count == WD_SHOTS)
        return false;
    uint8_t *png = mem_zero(base64_decoded_max(len));
    if (!base64_decode(bytes_of(text, len), png, &png_len)) {
        mem_free(&png);
        return false;
    }
    c->shots[c->shot_count++] =
        (struct bw_shot){.name = mem_strdup(name), .png = bytes_of(png, png_len)};
    return true;
}

/* ---- what the remote end says --------------------------------------------------------------------------- */

static bool is_lost(const char *error, const char *message)
{
    static const char *const words[] = {"invalid session id",   "no such window",
                                        "chrome not reachable", "disconnected",
                                        "tab crashed",          NULL};
    static const char *const texts[] = {"not connected to DevTools",
                                        "session deleted",
                                        "chrome not reachable",
                                        "disconnected: ",
                                        "tab crashed",
                                        NULL};

    for (const char *const *w = words; *w; w++)
        if (str_equal(*w, error))
            return true;
    for (const char *const *t = texts; *t; t++)
        if (strstr(message, *t))
            return true;
    return false;
}

static void fail_by_error(struct bw_call *c)
{
    const char *upstream = problem_word(PROBLEM_UPSTREAM_FAILED);

    if (c->verb != BW_OPEN && is_lost(c->error, c->message)) {
        c->session_gone = true;
        if (c->verb == BW_CLOSE)
            wd_done(c, json_new_object());
        else
            wd_fail(c, CALL_SESSION_LOST, problem_word(PROBLEM_SESSION_LOST), "%s: %.180s",
                    c->error, c->message);
    } else if (str_equal(c->error, "invalid argument") ||
               str_equal(c->error, "invalid selector")) {
        wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED), "%s: %s: %.160s",
                c->command, c->error, c->message);
    } else if (str_equal(c->error, "timeout") || str_equal(c->error, "script timeout")) {
        wd_fail(c, CALL_FAILED, problem_word(PROBLEM_STEP_TIMEOUT), "%s took too long: %.160s",
                c->command, c->message);
    } else {
        wd_fail(c, CALL_FAILED, upstream, "%s: %s: %.160s", c->command, c->error, c->message);
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

static void no_answer(struct bw_call *c, const struct http_response *r)
{
    if (r->err.kind == ERR_FULL)
        wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_RESPONSE_TOO_LARGE),
                "%s: the answer is larger than %llu bytes (SLUICE_PAGE_MAX)", c->command,
                (unsigned long long)c->page_max);
    else if (r->stage == HTTP_BEFORE_SEND)
        wd_fail(c, c->acted ? CALL_UNANSWERED : CALL_NOT_SENT,
                problem_word(PROBLEM_UPSTREAM_FAILED), "%s: %.180s", c->command, r->text);
    else
        wd_fail(c, CALL_UNANSWERED,
                problem_word(wd_left_ms(c) ? PROBLEM_UPSTREAM_FAILED : PROBLEM_STEP_TIMEOUT),
                "%s: no answer: %.160s", c->command, r->text);
}

static void on_response(void *self, const struct http_response *r)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, self);
    struct json *doc  = NULL;
    char why[JSON_WHY_SIZE];

    c->sent   = NULL;
    c->status = r->status;
    if (failed(r->err)) {
        if (c->failing)
            answer(c);
        else
            no_answer(c, r);
        return;
    }
    bool readable =
        !failed(json_parse(&doc, r->body, why, sizeof why)) && json_type(doc) == JSON_OBJECT;
    const struct json *value = readable ? json_get(doc, "value") : NULL;
    c->error[0] = c->message[0] = 0;
    if (readable && r->status == 200) {
        c->next(c, value);
    } else {
        if (readable)
            read_error(c, value, r->status);
        else
            str_format(c->error, sizeof c->error, "not a WebDriver answer");
        if (c->tolerant && !is_lost(c->error, c->message))
            c->next(c, NULL);
        else
            fail_by_error(c);
    }
    json_free(&doc);
}

/* ---- commands ---------------------------------------------------------------------------------------------- */

static void send_command(struct bw_call *c, const char *method, const char *path,
                         struct json *args)
{
    static const struct http_header headers[] = {
        {"Content-Type", "application/json; charset=utf-8"}};
    AUTO(mem_free)
    char *url = *c->session && *path ? mem_printf("%s/session/%s%s", c->base, c->session, path)
                                     : mem_printf("%s%s", c->base, path);
    struct buf body;

    buf_init(&body, REQUEST_MAX);
    if (str_equal(method, "POST"))
        json_print(args, &body);
    const struct http_request request = {
        .method       = method,
        .url          = url,
        .headers      = headers,
        .header_count = 1,
        .body         = buf_bytes(&body),
        .timeout_ms   = wd_left_ms(c) + (c->verb == BW_CLOSE ? 0 : COMMAND_SLACK_MS),
        .body_max     = c->page_max,
        .unsafe       = true, /* never sent twice: even a click of a read step */
        .guard        = HTTP_GUARD_OPERATOR};
    c->sent = http_start(c->env->http, &request, on_response, c);
    buf_deinit(&body);
}

static void start(struct bw_call *c, const char *command, const char *method, const char *path,
                  struct json *args, wd_next_fn *next, bool tolerant)
{
    c->command  = command;
    c->next     = next;
    c->tolerant = tolerant;
    if (!args)
        args = json_new_object();
    if (!c->failing && (wd_left_ms(c) == 0 || !c->may(c->asker)))
        wd_fail(c, c->acted ? CALL_UNANSWERED : CALL_FAILED, problem_word(PROBLEM_STEP_TIMEOUT),
                "the step's time was over before %s", command);
    else
        send_command(c, method, path, args);
    json_free(&args);
}

void wd_command(struct bw_call *c, const char *command, const char *method, const char *path,
                struct json *args, wd_next_fn *next)
{
    start(c, command, method, path, args, next, false);
}

void wd_try(struct bw_call *c, const char *command, const char *method, const char *path,
            struct json *args, wd_next_fn *next)
{
    start(c, command, method, path, args, next, true);
}

static void on_timer(uv_timer_t *timer)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, timer->data);

    c->next(c, NULL);
}

void wd_later(struct bw_call *c, uint64_t ms, wd_next_fn *next)
{
    c->next = next;
    must(uv_timer_start(&c->timer, on_timer, ms, 0) == 0);
}

/* ---- where it may go ------------------------------------------------------------------------------------------ */

static void forbidden(struct bw_call *c, const char *why)
{
    wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_URL_FORBIDDEN), "%.100s: %.140s", c->guarded,
            why);
}

static enum http_guard_mode guard_mode(const struct bw_call *c)
{
    return c->private_net ? HTTP_GUARD_PRIVATE : HTTP_GUARD_PUBLIC;
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, request->data);
    char why[160]     = "";
    bool allowed      = true;

    c->looking = false;
    if (c->over) {
        uv_freeaddrinfo(found);
        free_call(c);
        return;
    }
    if (uv_is_closing((uv_handle_t *)&c->timer)) {
        uv_freeaddrinfo(found);
        return;
    }
    for (const struct addrinfo *a = found; a && allowed; a = a->ai_next)
        allowed = http_guard_address(guard_mode(c), a->ai_addr, why, sizeof why);
    uv_freeaddrinfo(found);
    if (status != 0)
        c->after_guard(c, NULL); /* the browser will say what it thinks of it */
    else if (allowed)
        c->after_guard(c, NULL);
    else
        forbidden(c, why);
}

void wd_guard(struct bw_call *c, const char *url, wd_next_fn *next)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char why[160], host[256];

    str_copy(c->guarded, sizeof c->guarded, url);
    c->after_guard = next;
    if (failed(http_guard_url(guard_mode(c), url, why, sizeof why))) {
        forbidden(c, why);
        return;
    }
    c->lookup.data = c;
    if (!http_guard_host(url, host, sizeof host) ||
        uv_getaddrinfo(c->env->loop, &c->lookup, on_lookup, host, NULL, &hints) != 0) {
        forbidden(c, "its host cannot be looked up");
        return;
    }
    c->looking = true;
}

/* ---- open, close, list, touch, screenshot ------------------------------------------------------------------------ */

static struct json *strings(const char *const *list)
{
    struct json *array = json_new_array();

    for (; *list; list++)
        json_add(array, json_new_str(*list));
    return array;
}

static struct json *capabilities(const struct bw_call *c)
{
    static const char *const args[] = {"--headless=new",
                                       "--disable-gpu",
                                       "--disable-dev-shm-usage",
                                       "--no-first-run",
                                       "--disable-quic",
                                       "--disable-background-networking",
                                       "--disable-component-update",
                                       "--disable-sync",
                                       "--mute-audio",
                                       NULL};
    struct json *options = json_new_object(), *always = json_new_object(),
                *caps = json_new_object(), *doc = json_new_object(), *list = strings(args),
                *first = json_new_array(), *timeouts = json_new_object();
    const struct json *size = json_get(c->body, "size");
    char window[64];

    if (getuid() ==
        0) /* Chromium's sandbox does not run as root: use the image's own user where it matters */
        json_add(list, json_new_str("--no-sandbox"));
    str_format(window, sizeof window, "--window-size=%lld,%lld",
               size ? (long long)json_int(json_get(size, "width")) : 1280,
               size ? (long long)json_int(json_get(size, "height")) : 900);
    json_add(list, json_new_str(window));
    json_set(options, "args", list);
    json_set(timeouts, "pageLoad", json_new_int((int64_t)c->timeout_ms));
    json_set(timeouts, "script", json_new_int(30000));
    json_set(always, "goog:chromeOptions", options);
    json_set(always, "timeouts", timeouts);
    json_set(always, "unhandledPromptBehavior", json_new_str("dismiss and notify"));
    json_add(first, json_new_object());
    json_set(caps, "alwaysMatch", always);
    json_set(caps, "firstMatch", first);
    json_set(doc, "capabilities", caps);
    return doc;
}

static void at_first_page(struct bw_call *c, const struct json *value)
{
    (void)value;
    wd_finish_page(c, json_new_object());
}

static void on_session(struct bw_call *c, const struct json *value)
{
    const char *id  = json_str(json_get(value, "sessionId"));
    const char *url = json_str(json_get(c->body, "url"));

    if (!id || strlen(id) >= sizeof c->session || strpbrk(id, "/?# ")) {
        wd_fail(c, CALL_UNANSWERED, problem_word(PROBLEM_UPSTREAM_FAILED),
                "the new session has no id");
        return;
    }
    str_copy(c->session, sizeof c->session, id);
    if (url)
        wd_navigate(c, url, at_first_page);
    else
        wd_done(c, json_new_object());
}

static void create(struct bw_call *c, const struct json *value)
{
    (void)value;
    wd_command(c, "new session", "POST", "/session", capabilities(c), on_session);
}

static void open_session(struct bw_call *c)
{
    const char *url = json_str(json_get(c->body, "url"));

    if (url)
        wd_guard(c, url, create);
    else
        create(c, NULL);
}

static void on_deleted(struct bw_call *c, const struct json *value)
{
    if (!value && *c->error && !is_lost(c->error, c->message) && c->status != 404)
        wd_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED), "close: %s: %.160s",
                c->error, c->message);
    else
        wd_done(c, json_new_object());
}

static void close_session(struct bw_call *c)
{
    AUTO(mem_free) char *path = mem_printf("/session/%s", c->session);

    c->session[0] = 0; /* the path says it whole */
    c->command    = "close";
    wd_try(c, "close", "DELETE", path, NULL, on_deleted);
}

static void on_list(struct bw_call *c, const struct json *value)
{
    struct json *ids = json_new_array();

    if (json_type(value) != JSON_ARRAY) {
        json_free(&ids);
        wd_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED),
                "this WebDriver does not list its sessions");
        return;
    }
    for (size_t i = 0; i < json_count(value); i++)
        json_add(ids, json_new_str(json_str(json_get(json_at(value, i), "id"))));
    wd_done(c, ids);
}

static void on_touched(struct bw_call *c, const struct json *value)
{
    (void)value;
    wd_done(c, json_new_object());
}

static void on_shot(struct bw_call *c, const struct json *value)
{
    if (wd_keep_shot(c, "", value))
        wd_done(c, json_new_object());
    else
        wd_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED),
                "the screenshot is no picture");
}

/* ---- the driver ---------------------------------------------------------------------------------------------------- */

static void begin(struct bw_call *c, const struct json *value)
{
    (void)value;
    switch (c->verb) {
    case BW_OPEN:
        open_session(c);
        return;
    case BW_BROWSE:
        wd_browse(c);
        return;
    case BW_RETRIEVE:
        wd_retrieve(c);
        return;
    case BW_CLOSE:
        close_session(c);
        return;
    case BW_LIST:
        wd_try(c, "list", "GET", "/sessions", NULL, on_list);
        return;
    case BW_TOUCH:
        wd_command(c, "touch", "GET", "/timeouts", NULL, on_touched);
        return;
    case BW_SCREENSHOT:
        wd_command(c, "screenshot", "GET", "/screenshot", NULL, on_shot);
        return;
    }
}

static struct err check(enum bw_verb verb, const struct json *body, char *why, size_t why_size)
{
    const char *wrong = NULL;

    if (verb == BW_BROWSE && !json_get(body, "actions"))
        wrong = "a webdriver needs \"actions\"; \"cmd\" is for agents";
    if (verb == BW_RETRIEVE && !json_get(body, "select"))
        wrong = "a webdriver needs \"select\": field -> css";
    if (verb == BW_OPEN && json_get(body, "headers"))
        wrong = "a webdriver cannot set \"headers\"";
    if (!wrong)
        return OK;
    str_copy(why, why_size, wrong);
    return err_of(ERR_REJECT, "check step");
}

static struct bw_call *start_call(const struct bw_drivers *env,
                                  const struct bw_request *request, bw_answer_fn *fn,
                                  void *self)
{
    struct bw_call *c = mem_new(struct bw_call);

    c->magic           = WD_MAGIC;
    c->env             = env;
    c->verb            = request->verb;
    c->effect          = request->effect;
    c->body            = request->body ? json_ref(request->body) : json_new_object();
    c->started_ms      = clk_mono_ms();
    c->timeout_ms      = request->timeout_ms;
    c->deadline_ms     = c->started_ms + request->timeout_ms;
    c->body_max        = request->body_max;
    c->page_max        = request->page_max;
    c->private_net     = request->private_net;
    c->shot_on_failure = request->shot_on_failure;
    c->may             = request->may;
    c->asker           = request->self;
    c->fn              = fn;
    c->self            = self;
    str_copy(c->base, sizeof c->base,
             *request->endpoint ? request->endpoint : request->upstream->url);
    str_copy(c->session, sizeof c->session, request->remote_id);
    must(uv_timer_init(env->loop, &c->timer) == 0);
    c->timer.data = c;
    wd_later(c, 0, begin);
    return c;
}

static void cancel(struct bw_call **slot)
{
    release(take(slot));
}

const struct bw_driver bw_webdriver = {"webdriver", check, start_call, cancel};
