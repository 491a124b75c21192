#include "bw_webdriver.h"

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw_select.h"
#include "bw_webdriver_act.h"
#include "bw_webdriver_end.h"
#include "bw_webdriver_go.h"
#include "bw_webdriver_open.h"
#include "bw_webdriver_read.h"
#include "bw_webdriver_send.h"
#include "problem/problem.h"

/* ---- the life of a call ----------------------------------------------------------------------- */

uint64_t bw_webdriver_left_ms(const struct bw_call *c)
{
    uint64_t now = clk_mono_ms();

    return now < c->deadline_ms ? c->deadline_ms - now : 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, timer->data);

    c->error[0] = c->message[0] = '\0';
    c->next(c, NULL);
}

void bw_webdriver_later(struct bw_call *c, uint64_t ms, wd_next_fn *next)
{
    c->next = next;
    must(uv_timer_start(&c->timer, on_timer, ms, 0) == 0);
}

static void free_call(struct bw_call *c)
{
    for (size_t i = 0; i < c->shot_count; i++) {
        mem_free(&c->shots[i].png.at);
        mem_free(&c->shots[i].name);
    }
    bw_webdriver_action_deinit(&c->action);
    json_free(&c->found);
    json_free(&c->body);
    json_free(&c->spec);
    json_free(&c->value);
    mem_free(&c->target);
    mem_free(&c);
}

static void on_closed(uv_handle_t *handle)
{
    struct bw_call *c = SELF(struct bw_call, WD_MAGIC, handle->data);

    c->closed = true;
    bw_webdriver_release(c);
}

/* The timer's handle and the lookup are both in it: the last of them to come back frees. */
void bw_webdriver_release(struct bw_call *c)
{
    if (c->sent)
        http_cancel(&c->sent);
    if (!uv_is_closing((uv_handle_t *)&c->timer)) {
        if (c->looking)
            (void)uv_cancel((uv_req_t *)&c->lookup);
        uv_close((uv_handle_t *)&c->timer, on_closed);
    } else if (c->closed && !c->looking) {
        free_call(c);
    }
}

/* ---- close, list, touch, screenshot ------------------------------------------------------------ */

/* (That it is not there is how it should be, and ends the call as well.) */
static void on_deleted(struct bw_call *c, const struct json *value)
{
    (void)value;
    if (*c->error)
        bw_webdriver_end_error(c);
    else
        bw_webdriver_end_done(c, json_new_object());
}

static void on_list(struct bw_call *c, const struct json *value)
{
    struct json *stamps;

    if (json_type(value) != JSON_ARRAY) {
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED),
                              "this WebDriver does not list its sessions");
        return;
    }
    stamps = json_new_object();
    for (size_t i = 0; i < json_count(value); i++) {
        const struct json *one = json_at(value, i);
        const char *id         = json_str(json_get(one, "id"));
        if (id)
            json_set(stamps, id,
                     json_new_str(bw_webdriver_open_stamp(json_get(one, "capabilities"))));
    }
    bw_webdriver_end_done(c, stamps);
}

static void on_touched(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_end_done(c, json_new_object());
}

static void on_shot(struct bw_call *c, const struct json *value)
{
    if (bw_webdriver_end_shot(c, "", value))
        bw_webdriver_end_done(c, json_new_object());
    else
        bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_UPSTREAM_FAILED),
                              "the screenshot is no picture");
}

static void shoot(struct bw_call *c, const struct json *value)
{
    (void)value;
    bw_webdriver_send(c, WD_SCREENSHOT, NULL, on_shot);
}

/* ---- what a driver can do ------------------------------------------------------------------------- */

static struct err check_actions(const struct json *actions, char *why, size_t why_size)
{
    size_t shots = 0, count = json_count(actions);
    char wrong[160];

    if (count > WD_ACTIONS_MAX) {
        str_format(why, why_size, "a step has at most %d actions", WD_ACTIONS_MAX);
        return err_of(ERR_REJECT, "check step");
    }
    for (size_t i = 0; i < count; i++) {
        AUTO(bw_webdriver_action_deinit) struct wd_action action = {0};
        struct err e =
            bw_webdriver_action_read(json_at(actions, i), &action, wrong, sizeof wrong);
        if (!failed(e) && action.act == WD_ACT_SHOT && ++shots > WD_ACTION_SHOTS) {
            str_format(wrong, sizeof wrong, "a step takes at most %d screenshots",
                       WD_ACTION_SHOTS);
            e = err_of(ERR_REJECT, "check step");
        }
        if (failed(e)) {
            str_format(why, why_size, "actions[%zu]: %s", i, wrong);
            return e;
        }
    }
    return OK;
}

static struct err check_select(const struct json *body, char *why, size_t why_size)
{
    AUTO(json_free) struct json *spec = NULL;

    return bw_select_read(json_get(body, "select"), json_get(body, "schema"), &spec, why,
                          why_size);
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
    if (verb == BW_OPEN && json_get(body, "profile"))
        wrong = "a webdriver has no \"profile\": each session has a fresh one";
    if (wrong) {
        str_copy(why, why_size, wrong);
        return err_of(ERR_REJECT, "check step");
    }
    if (verb == BW_BROWSE)
        return check_actions(json_get(body, "actions"), why, why_size);
    return verb == BW_RETRIEVE ? check_select(body, why, why_size) : OK;
}

/* ---- the driver -------------------------------------------------------------------------------------- */

static void begin_verb(struct bw_call *c)
{
    switch (c->verb) {
    case BW_OPEN:
        bw_webdriver_open(c);
        return;
    case BW_BROWSE:
        bw_webdriver_act(c);
        return;
    case BW_RETRIEVE:
        bw_webdriver_read(c);
        return;
    case BW_CLOSE:
        bw_webdriver_send_try(c, WD_DELETE_SESSION, NULL, on_deleted);
        return;
    case BW_LIST:
        bw_webdriver_send_try(c, WD_SESSIONS, NULL, on_list);
        return;
    case BW_TOUCH:
        bw_webdriver_send(c, WD_TIMEOUTS, NULL, on_touched);
        return;
    case BW_SCREENSHOT:
        bw_webdriver_go_look(c, shoot);
        return;
    }
}

static void begin(struct bw_call *c, const struct json *value)
{
    char why[WD_WHY_SIZE];

    (void)value;
    if (failed(check(c->verb, c->body, why, sizeof why)))
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED), "%s",
                              why);
    else
        begin_verb(c);
}

static struct bw_call *start(const struct bw_drivers *env, const struct bw_request *request,
                             bw_answer_fn *fn, void *self)
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
    str_copy(c->stamp, sizeof c->stamp, request->stamp ? request->stamp : "");
    must(uv_timer_init(env->loop, &c->timer) == 0);
    c->timer.data = c;
    bw_webdriver_later(c, 0, begin);
    return c;
}

static bool nothing_more(void *self)
{
    (void)self;
    return false;
}

/* It ends where it would send the next command. */
static void leave(struct bw_call *c, bw_answer_fn *fn, void *self)
{
    c->may  = nothing_more;
    c->fn   = fn;
    c->self = self;
}

static void cancel(struct bw_call **slot)
{
    bw_webdriver_release(take(slot));
}

const struct bw_driver bw_webdriver = {.name   = "webdriver",
                                       .stamps = true,
                                       .check  = check,
                                       .start  = start,
                                       .leave  = leave,
                                       .cancel = cancel};
