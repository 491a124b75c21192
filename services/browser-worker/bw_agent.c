#include "bw_agent.h"

#include <string.h>
#include <uv.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw_agent_judge.h"
#include "bw_agent_read.h"
#include "bw_profile.h"
#include "http/http_guard.h"
#include "http/http_limits.h"
#include "problem/problem.h"

enum {
    CALL_MAGIC    = 0x6277616c,
    BODY_MAX      = 4 << 20, /* of a request */
    NOTE_SIZE     = 201,     /* surface 3 */
    LATE_SLACK_MS = 20,      /* libcurl's clock and ours */
};

struct bw_call {
    uint32_t magic;
    uv_timer_t later; /* for what is answered without a request */
    struct http *http;
    struct http_call *sent;
    const struct bw_profile *profile; /* NULL: not known */
    enum bw_verb verb;
    enum entry_effect effect;
    struct bw_upstream upstream;
    char *remote_id;
    struct json *body;
    struct json *step; /* what was asked of us */
    uint64_t started_ms, deadline_ms, request_timeout_ms;
    uint64_t body_max, page_max;
    bool private_net;
    unsigned requests;       /* sent so far */
    bool acted;              /* one of them was answered well */
    bool unreported;         /* the permit in hand is for a request that was not sent yet */
    struct bw_verdict early; /* what `later` says */
    int status;              /* of the last answer */
    bool (*may)(void *self);
    bw_more_fn *more;
    void *asker;
    bw_answer_fn *fn;
    void *self;
};

static void send_request(struct bw_call *c);

/* ---- the end ----------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct bw_call *c = SELF(struct bw_call, CALL_MAGIC, handle->data);

    explicit_bzero(c->upstream.key, sizeof c->upstream.key);
    json_free(&c->body);
    json_free(&c->step);
    mem_free(&c->remote_id);
    mem_free(&c);
}

static void release(struct bw_call *c)
{
    if (c->sent)
        http_cancel(&c->sent);
    uv_close((uv_handle_t *)&c->later, on_closed);
}

/* What an upstream says may repeat the key, or the id of a session, which is a capability. */
static void hide(char *text, const char *secret)
{
    size_t len = strlen(secret);

    for (char *at = text; len >= 4 && (at = strstr(at, secret));) {
        memset(at, '*', 3);
        memmove(at + 3, at + len, strlen(at + len) + 1);
        at += 3;
    }
}

static const char *hidden(const struct bw_call *c, char *text)
{
    hide(text, c->upstream.key);
    hide(text, c->remote_id);
    return text;
}

static struct bw_answer answer_of(const struct bw_call *c, const struct bw_verdict *v)
{
    return (struct bw_answer){.fate           = v->fate,
                              .call_class     = v->call_class,
                              .retry_after_ms = v->retry_after_ms,
                              .status         = c->status,
                              .ms             = clk_mono_ms() - c->started_ms,
                              .code           = v->code,
                              .detail         = v->detail,
                              .endpoint_path =
                                  c->profile ? c->profile->calls[c->verb].label : "",
                              .session_gone = v->session_gone};
}

/* r and shot may be NULL. */
static void finish(struct bw_call *c, struct bw_verdict v, const struct bw_reading *r,
                   const struct bw_shot *shot)
{
    char note[NOTE_SIZE];

    if (c->acted)
        bw_agent_judge_acted(&v, c->effect);
    if (c->unreported)
        v.call_class = CALL_UNSENT;
    (void)hidden(c, v.detail);
    struct bw_answer a = answer_of(c, &v);
    if (r && *r->message) {
        str_copy(note, sizeof note, r->message);
        for (char *at = note; *at; at++)
            if ((unsigned char)*at < ' ')
                *at = ' ';
        a.note = hidden(c, note);
    }
    if (r) {
        a.url       = *r->url ? r->url : NULL;
        a.value     = r->value;
        a.remote_id = c->verb == BW_OPEN && v.fate == CALL_DONE ? r->remote_id : NULL;
        a.endpoint  = a.remote_id ? "" : NULL;
    }
    if (shot) {
        a.shots      = shot;
        a.shot_count = 1;
    }
    c->fn(c->self, &a);
    release(c);
}

static void on_later(uv_timer_t *timer)
{
    struct bw_call *c = SELF(struct bw_call, CALL_MAGIC, timer->data);

    finish(c, c->early, NULL, NULL);
}

static void finish_later(struct bw_call *c, enum call_fate fate, enum call_class call_class,
                         enum problem_code code, const char *detail)
{
    c->early = bw_agent_judge_own(fate, call_class, problem_word(code), detail);
    must(uv_timer_start(&c->later, on_later, 0, 0) == 0);
}

/* ---- what came --------------------------------------------------------------------------- */

static const char *header_of(const void *self, const char *name, unsigned n)
{
    return http_response_header(self, name, n);
}

static enum bw_ending ending_of(const struct bw_call *c, const struct http_response *r)
{
    if (!failed(r->err))
        return BW_ENDED_WHOLE;
    if (r->err.kind == ERR_FULL)
        return BW_ENDED_TOO_LARGE;
    if (r->stage == HTTP_BEFORE_SEND)
        return r->err.kind == ERR_REJECT ? BW_ENDED_FORBIDDEN : BW_ENDED_UNSENT;
    return r->ms + LATE_SLACK_MS >= c->request_timeout_ms ? BW_ENDED_LATE : BW_ENDED_CUT;
}

static struct bw_verdict judge(const struct bw_call *c, const struct http_response *r)
{
    const struct http_limits limits = http_limits_read(header_of, r, clk_wall_ms());
    const struct bw_heard heard     = {.verb            = c->verb,
                                       .ending          = ending_of(c, r),
                                       .status          = r->status,
                                       .in_session      = *c->remote_id != 0,
                                       .body            = r->body,
                                       .has_retry_after = limits.has_retry_after,
                                       .retry_after_ms  = limits.retry_after_ms,
                                       .reset_ms        = limits.reset_ms,
                                       .feature_402     = c->upstream.feature_402,
                                       .words           = r->text};

    return bw_agent_judge(c->profile, &heard);
}

/* ---- going on ---------------------------------------------------------------------------- */

static uint64_t left_ms(const struct bw_call *c)
{
    uint64_t now = clk_mono_ms();

    return now < c->deadline_ms ? c->deadline_ms - now : 0;
}

static struct bw_verdict too_late(void)
{
    return bw_agent_judge_own(CALL_UNANSWERED, CALL_OK, problem_word(PROBLEM_STEP_TIMEOUT),
                              "the agent did not come to an end within the step's timeout");
}

static void go(struct bw_call *c, bool granted)
{
    must(c->magic == CALL_MAGIC && !c->sent);
    if (granted && left_ms(c) > 0 && c->may(c->asker)) {
        send_request(c);
    } else if (granted || left_ms(c) == 0) {
        finish(c, too_late(), NULL, NULL);
    } else {
        struct bw_verdict v = bw_agent_judge_own(CALL_DEFERRED, CALL_UNSENT,
                                                 problem_word(PROBLEM_UPSTREAM_REFUSED),
                                                 "no permit to let the agent go on");
        v.retry_after_ms    = 1000;
        finish(c, v, NULL, NULL);
    }
}

/* What became of the last request; the next one needs a permit of its own. */
static void ask_for_more(struct bw_call *c, const struct bw_verdict *v)
{
    const struct bw_answer sofar = answer_of(c, v);

    c->unreported = true;
    c->more(c->asker, &sofar, go, c);
}

/* The same command, in the same session, from where it stands. */
static void send_again(struct bw_call *c, const struct bw_reading *r)
{
    c->acted = true;
    json_unset(c->body, "url");
    if (!*c->remote_id && *r->remote_id) {
        mem_free(&c->remote_id);
        c->remote_id = mem_strdup(r->remote_id);
        json_set(c->body, c->profile->session_field, json_new_str(c->remote_id));
    }
    if (c->more) {
        const struct bw_verdict well = bw_agent_judge_own(CALL_DONE, CALL_OK, NULL, "");
        ask_for_more(c, &well);
    } else {
        go(c, true);
    }
}

/* Deferred on its way: this request did nothing, those before it did.  It is sent again rather than given up halfway. */
static bool may_be_sent_again(const struct bw_call *c, const struct bw_verdict *v)
{
    return v->fate == CALL_DEFERRED && c->acted && c->effect == EFFECT_UNSAFE && c->more &&
           c->requests <= c->profile->again_max && left_ms(c) > 0;
}

/* ---- a picture --------------------------------------------------------------------------- */

static bool is_picture(struct bytes b)
{
    return b.len > 8 &&
           (memcmp(b.at, "\x89PNG\r\n\x1a\n", 8) == 0 || memcmp(b.at, "\xff\xd8\xff", 3) == 0);
}

static void on_picture(void *self, const struct http_response *r)
{
    struct bw_call *c         = SELF(struct bw_call, CALL_MAGIC, self);
    const struct bw_shot shot = {.name = "", .png = r->body};
    bool good                 = !failed(r->err) && r->status == 200 && is_picture(r->body);
    enum problem_code code    = r->err.kind == ERR_FULL     ? PROBLEM_RESPONSE_TOO_LARGE
                                : r->err.kind == ERR_REJECT ? PROBLEM_URL_FORBIDDEN
                                                            : PROBLEM_UPSTREAM_FAILED;
    char detail[BW_DETAIL_SIZE];

    c->sent = NULL;
    if (good) {
        finish(c, bw_agent_judge_own(CALL_DONE, CALL_OK, NULL, ""), NULL, &shot);
        return;
    }
    str_format(detail, sizeof detail, "the screenshot cannot be fetched%s%.160s",
               *r->text ? ": " : "", r->text);
    finish(c, bw_agent_judge_own(CALL_FAILED, CALL_OK, problem_word(code), detail), NULL, NULL);
}

/* Up to the path. */
static size_t origin_len(const char *url)
{
    const char *host = strstr(url, "://");

    return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

/* The upstream's own host is the operator's word; any other is judged like a page.  It never
 * sees the key. */
static enum http_guard_mode picture_guard(const struct bw_call *c, const char *url)
{
    size_t len = origin_len(url);

    if (len && len == origin_len(c->upstream.url) && memcmp(url, c->upstream.url, len) == 0)
        return HTTP_GUARD_OPERATOR;
    return c->private_net ? HTTP_GUARD_PRIVATE : HTTP_GUARD_PUBLIC;
}

static void fetch_picture(struct bw_call *c, const char *url)
{
    const struct http_request request = {.method     = "GET",
                                         .url        = url,
                                         .timeout_ms = left_ms(c),
                                         .body_max   = c->page_max,
                                         .follow     = true,
                                         .guard      = picture_guard(c, url)};

    if (request.timeout_ms == 0 || !c->may(c->asker))
        finish(c, too_late(), NULL, NULL);
    else
        c->sent = http_start(c->http, &request, on_picture, c);
}

/* ---- the request ------------------------------------------------------------------------- */

static void read_answer(struct bw_call *c, const struct http_response *response)
{
    struct bw_reading r;

    bw_agent_read(&r, c->profile, c->verb, c->effect, response->body, c->step);
    if (r.again && c->requests <= c->profile->again_max)
        send_again(c, &r);
    else if (c->verb == BW_SCREENSHOT && r.verdict.fate == CALL_DONE)
        fetch_picture(c, r.picture);
    else
        finish(c, r.verdict, &r, NULL);
    bw_agent_read_deinit(&r);
}

static void on_response(void *self, const struct http_response *response)
{
    struct bw_call *c = SELF(struct bw_call, CALL_MAGIC, self);

    c->sent             = NULL;
    c->status           = response->status;
    struct bw_verdict v = judge(c, response);
    if (v.fate == CALL_DONE && !v.session_gone)
        read_answer(c, response);
    else if (may_be_sent_again(c, &v))
        ask_for_more(c, &v);
    else
        finish(c, v, NULL, NULL);
}

static void send_request(struct bw_call *c)
{
    const struct bw_profile_call *call = &c->profile->calls[c->verb];
    struct http_header headers[3]      = {{"Accept", "application/json"}};
    size_t header_count                = 1;
    struct buf url, body;

    if (c->body)
        headers[header_count++] = (struct http_header){"Content-Type", "application/json"};
    if (*c->upstream.key)
        headers[header_count++] = (struct http_header){c->profile->key_header, c->upstream.key};
    buf_init(&url, 4096);
    buf_init(&body, BODY_MAX);
    bw_profile_url(c->profile, c->verb, c->upstream.url, c->remote_id, &url);
    if (c->body)
        json_print(c->body, &body);
    c->request_timeout_ms             = left_ms(c);
    const struct http_request request = {.method       = call->method,
                                         .url          = url.at,
                                         .headers      = headers,
                                         .header_count = header_count,
                                         .body         = buf_bytes(&body),
                                         .timeout_ms   = c->request_timeout_ms,
                                         .body_max     = c->body_max,
                                         .unsafe       = c->effect == EFFECT_UNSAFE,
                                         .guard        = HTTP_GUARD_OPERATOR};
    if (url.full || body.full) {
        finish_later(c, CALL_REFUSED, CALL_UNSENT, PROBLEM_UPSTREAM_REFUSED,
                     "the request is larger than 4 MiB");
    } else {
        c->requests++;
        c->unreported = false;
        c->sent       = http_start(c->http, &request, on_response, c);
    }
    buf_deinit(&url);
    buf_deinit(&body);
}

/* ---- the driver -------------------------------------------------------------------------- */

static struct err check(enum bw_verb verb, const struct json *body, char *why, size_t why_size)
{
    return bw_profile_check(bw_profile_find("multion"), verb, body, why, why_size);
}

static void begin(struct bw_call *c, const struct bw_request *request)
{
    char why[160];

    if (!c->profile || !c->profile->calls[c->verb].method) {
        str_format(why, sizeof why, "upstream %s: its profile \"%s\" cannot do that",
                   c->upstream.name, c->upstream.profile);
        finish_later(c, CALL_REFUSED, CALL_UNSENT, PROBLEM_UPSTREAM_REFUSED, why);
        return;
    }
    if (failed(bw_profile_check(c->profile, c->verb, request->body, why, sizeof why))) {
        finish_later(c, CALL_REFUSED, CALL_UNSENT, PROBLEM_UPSTREAM_REFUSED, why);
        return;
    }
    if (left_ms(c) == 0 || !c->may(c->asker)) {
        finish_later(c, CALL_NOT_SENT, CALL_UNSENT, PROBLEM_STEP_TIMEOUT,
                     "the step's deadline was over before it was sent");
        return;
    }
    c->body = bw_profile_body(c->profile, c->verb, c->remote_id, request->body);
    send_request(c);
}

static struct bw_call *start(const struct bw_drivers *env, const struct bw_request *request,
                             bw_answer_fn *fn, void *self)
{
    struct bw_call *c = mem_new(struct bw_call);

    c->magic       = CALL_MAGIC;
    c->http        = env->http;
    c->profile     = bw_profile_find(request->upstream->profile);
    c->verb        = request->verb;
    c->effect      = request->effect;
    c->upstream    = *request->upstream;
    c->remote_id   = mem_strdup(request->remote_id);
    c->step        = request->body ? json_ref(request->body) : NULL;
    c->started_ms  = clk_mono_ms();
    c->deadline_ms = c->started_ms + request->timeout_ms;
    c->body_max    = request->body_max;
    c->page_max    = request->page_max;
    c->private_net = request->private_net;
    c->may         = request->may;
    c->more        = request->more;
    c->asker       = request->self;
    c->fn          = fn;
    c->self        = self;
    must(uv_timer_init(env->loop, &c->later) == 0);
    c->later.data = c;
    begin(c, request);
    return c;
}

static bool nothing_more(void *self)
{
    (void)self;
    return false;
}

static void leave(struct bw_call *c, bw_answer_fn *fn, void *self)
{
    c->may  = nothing_more;
    c->more = NULL;
    c->fn   = fn;
    c->self = self;
    if (c->unreported) /* it waits for its next permit, and for nothing over there */
        finish_later(c, CALL_NOT_SENT, CALL_UNSENT, PROBLEM_UPSTREAM_FAILED,
                     "nobody waits for it any more");
}

static void cancel(struct bw_call **slot)
{
    struct bw_call *c = take(slot);

    if (c)
        release(c);
}

const struct bw_driver bw_agent = {
    .name = "agent", .check = check, .start = start, .leave = leave, .cancel = cancel};
