#include "bw_webdriver_end.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw_webdriver_go.h"
#include "bw_webdriver_send.h"
#include "problem/problem.h"

/* ---- the answer ----------------------------------------------------------------------------- */

static void answer(struct bw_call *c)
{
    static const char *const PATHS[] = {
        [BW_OPEN] = "/session",          [BW_BROWSE] = "/actions", [BW_RETRIEVE] = "/execute",
        [BW_CLOSE] = "/session",         [BW_LIST] = "/sessions",  [BW_TOUCH] = "/timeouts",
        [BW_SCREENSHOT] = "/screenshot",
    };
    bool opened              = c->verb == BW_OPEN && *c->session;
    const struct bw_answer a = {.fate          = c->fate,
                                .call_class    = c->call_class,
                                .status        = c->failing ? c->failed_status : c->status,
                                .ms            = clk_mono_ms() - c->started_ms,
                                .code          = c->code,
                                .detail        = c->failing ? c->detail : NULL,
                                .endpoint_path = PATHS[c->verb],
                                .url           = *c->url ? c->url : NULL,
                                .remote_id     = opened ? c->session : NULL,
                                .endpoint      = opened ? c->base : NULL,
                                .value         = c->value,
                                .shots         = c->shots,
                                .shot_count    = c->shot_count,
                                .session_gone  = c->session_gone};

    c->fn(c->self, &a);
    bw_webdriver_release(c);
}

void bw_webdriver_end_done(struct bw_call *c, struct json *value)
{
    json_free(&c->value);
    c->value      = value;
    c->fate       = CALL_DONE;
    c->call_class = CALL_OK;
    answer(c);
}

/* ---- where it failed, and how that looks ------------------------------------------------------ */

bool bw_webdriver_end_shot(struct bw_call *c, const char *name, const struct json *base64)
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

static void on_picture(struct bw_call *c, const struct json *value)
{
    (void)bw_webdriver_end_shot(c, "failure", value);
    answer(c);
}

/* A text of the page's that was cut between two bytes of a character. */
static void mend_detail(struct bw_call *c)
{
    AUTO(json_free) struct json *mended = json_new_str(c->detail);

    str_copy(c->detail, sizeof c->detail, json_str(mended));
}

static void on_place(struct bw_call *c, const struct json *value)
{
    size_t len = strlen(c->detail);

    (void)value;
    str_format(c->detail + len, sizeof c->detail - len, ", at %.160s", c->url);
    mend_detail(c);
    if (c->shot_on_failure || str_equal(c->code, problem_word(PROBLEM_ELEMENT_MISSING)))
        bw_webdriver_send(c, WD_SCREENSHOT, NULL, on_picture);
    else
        answer(c);
}

static bool may_look(const struct bw_call *c, enum call_fate fate)
{
    bool page = c->verb == BW_BROWSE || c->verb == BW_RETRIEVE || c->verb == BW_OPEN;
    bool told = fate == CALL_FAILED || fate == CALL_REFUSED;

    return page && told && c->anything && *c->session && !c->looking &&
           bw_webdriver_left_ms(c) > 0 && c->may(c->asker);
}

/* ---- what it means -------------------------------------------------------------------------------- */

/* Of a step that may not be repeated: once anything was done nobody knows; before that, certainly nothing was. */
static enum call_fate told_honestly(const struct bw_call *c, enum call_fate fate)
{
    if (c->effect != EFFECT_UNSAFE || (c->verb != BW_BROWSE && c->verb != BW_RETRIEVE))
        return fate;
    if (c->acted)
        return CALL_UNANSWERED;
    return fate == CALL_NOT_SENT ? CALL_NOT_SENT : CALL_REFUSED;
}

void bw_webdriver_end_fail(struct bw_call *c, enum call_fate fate, const char *code,
                           const char *format, ...)
{
    bool again     = c->failing;
    bool forbidden = str_equal(code, problem_word(PROBLEM_URL_FORBIDDEN));
    va_list args;

    if (again)
        c->call_class = c->failed_class;
    if (again && !forbidden) {
        answer(c);
        return;
    }
    va_start(args, format);
    (void)vsnprintf(c->detail, sizeof c->detail, format, args);
    va_end(args);
    mend_detail(c);
    c->failing       = true;
    c->fate          = told_honestly(c, fate);
    c->code          = code;
    c->failed_status = c->status;
    if (c->call_class == CALL_NONE)
        c->call_class = c->anything ? CALL_OK : CALL_UNSENT;
    c->failed_class = c->call_class;
    json_free(&c->value);
    /* No picture of a place that is nobody's business. */
    if (!again && !forbidden && may_look(c, fate))
        bw_webdriver_go_look(c, on_place);
    else
        answer(c);
}

static void end_lost(struct bw_call *c, bool gone)
{
    c->session_gone = gone;
    c->call_class   = CALL_CLIENT;
    if (c->verb == BW_CLOSE)
        bw_webdriver_end_done(c, json_new_object());
    else
        bw_webdriver_end_fail(c, CALL_SESSION_LOST, problem_word(PROBLEM_SESSION_LOST),
                              "%s: %.180s", c->command, *c->message ? c->message : c->error);
}

static void end_not_created(struct bw_call *c)
{
    c->call_class = CALL_SERVER;
    bw_webdriver_end_fail(c, CALL_NOT_SENT, problem_word(PROBLEM_UPSTREAM_FAILED),
                          "no session was created: %.180s", c->message);
}

void bw_webdriver_end_error(struct bw_call *c)
{
    enum wd_error means = bw_webdriver_error(c->error, c->message);
    const char *failed  = problem_word(PROBLEM_UPSTREAM_FAILED);

    switch (means) {
    case WD_ERROR_LOST:
    case WD_ERROR_GONE:
        end_lost(c, means == WD_ERROR_GONE);
        return;
    case WD_ERROR_NOT_CREATED:
        end_not_created(c);
        return;
    case WD_ERROR_LATE:
        bw_webdriver_end_fail(c, CALL_FAILED, problem_word(PROBLEM_STEP_TIMEOUT),
                              "%s took too long: %.160s", c->command, c->message);
        return;
    case WD_ERROR_DIALOG:
        bw_webdriver_end_fail(c, CALL_FAILED, failed,
                              "%s: the page opened a dialog, and was told no: %.160s",
                              c->command, c->message);
        return;
    case WD_ERROR_SITE:
        bw_webdriver_end_fail(c, CALL_FAILED, failed, "%.140s: %.120s",
                              c->target ? c->target : c->command, c->message);
        return;
    case WD_ERROR_REFUSED:
        bw_webdriver_end_fail(c, CALL_REFUSED, problem_word(PROBLEM_UPSTREAM_REFUSED),
                              "%s: %.200s", c->command, c->message);
        return;
    case WD_ERROR_HEALS:
    case WD_ERROR_OTHER:
        bw_webdriver_end_fail(c, CALL_FAILED, failed, "%s: %s: %.180s", c->command, c->error,
                              c->message);
        return;
    }
}
