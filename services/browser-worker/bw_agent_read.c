#include "bw_agent_read.h"

#include "base/mem.h"
#include "json/json_rows.h"
#include "problem/problem.h"

enum { REMOTE_ID_MAX = 200 }; /* what the session table has room for */

static const char *text_at(const struct json *doc, const char *field)
{
    const char *text = json_str(json_get(doc, field));

    return text ? text : "";
}

static void fail(struct bw_reading *r, enum call_fate fate, enum call_class call_class,
                 enum problem_code code, const char *text, const char *more)
{
    char detail[BW_DETAIL_SIZE];

    str_format(detail, sizeof detail, "%s%s%.180s", text, *more ? ": " : "", more);
    r->verdict = bw_agent_judge_own(fate, call_class, problem_word(code), detail);
}

static void garbage(struct bw_reading *r, const char *text, const char *more)
{
    fail(r, CALL_UNANSWERED, CALL_SERVER, PROBLEM_UPSTREAM_FAILED, text, more);
}

static void done(struct bw_reading *r, struct json *value)
{
    r->verdict = bw_agent_judge_own(CALL_DONE, CALL_OK, NULL, "");
    r->value   = value;
}

/* ---- open, list, screenshot -------------------------------------------------------------- */

static bool usable_id(const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)id[i] <= ' ' || id[i] == 0x7f)
            return false;
    return len > 0 && len <= REMOTE_ID_MAX;
}

/* Its status says nothing about any command. */
static void read_open(struct bw_reading *r)
{
    if (usable_id(r->remote_id)) {
        done(r, json_new_object());
        return;
    }
    r->remote_id = "";
    garbage(r, "the answer to an open names no session", "");
}

/* Half a list would make living sessions look gone, so it is whole or none. */
static void read_list(struct bw_reading *r, const struct bw_profile *p)
{
    const struct json *list = json_get(r->doc, p->list_field);
    bool whole              = json_type(list) == JSON_ARRAY;
    struct json *ids        = json_new_object();

    for (size_t i = 0; whole && i < json_count(list); i++) {
        const char *id = json_str(json_at(list, i));
        whole          = id != NULL;
        if (whole)
            json_set(ids, id, json_new_str("")); /* these APIs keep nothing of ours */
    }
    if (whole) {
        done(r, ids);
    } else {
        json_free(&ids);
        garbage(r, "the answer is no list of sessions", "");
    }
}

static void read_picture(struct bw_reading *r)
{
    if (*r->picture)
        done(r, json_new_object());
    else
        fail(r, CALL_FAILED, CALL_OK, PROBLEM_UPSTREAM_FAILED, "the answer names no picture",
             "");
}

/* ---- browse ------------------------------------------------------------------------------ */

static void read_browse(struct bw_reading *r, const struct bw_profile *p,
                        enum entry_effect effect)
{
    const char *status = text_at(r->doc, p->status_field);
    struct json *value = NULL;
    bool unsafe        = effect == EFFECT_UNSAFE;

    switch (bw_profile_said(p, status)) {
    case BW_SAID_DONE:
        value = json_new_object();
        json_set(value, "message", json_new_str(r->message));
        json_set(value, "status", json_new_str(status));
        done(r, value);
        return;
    case BW_SAID_CONTINUE:
        r->again = true;
        fail(r, CALL_FAILED, CALL_OK, PROBLEM_UPSTREAM_FAILED,
             "the agent did not come to an end", r->message);
        return;
    case BW_SAID_ASK:
        fail(r, CALL_REFUSED, CALL_OK, PROBLEM_UPSTREAM_REFUSED, "the agent asks", r->message);
        return;
    case BW_SAID_UNSURE:
        break;
    }
    /* It answered, and does not know what it did: after an unsafe command nobody does. */
    fail(r, unsafe ? CALL_UNANSWERED : CALL_FAILED, CALL_OK, PROBLEM_UPSTREAM_FAILED,
         "the agent cannot say whether it is done", *r->message ? r->message : status);
}

/* ---- retrieve ---------------------------------------------------------------------------- */

/* Some send more than was asked for. */
static struct json *rows_of(const struct json *data, const struct json *step)
{
    const struct json *most =
        json_get(step, "max_items") ? json_get(step, "max_items") : json_get(step, "maxItems");
    struct json *rows = json_new_array();

    for (size_t i = 0; i < json_count(data); i++)
        if (!json_is_number(most) || (double)i < json_number(most))
            json_add(rows, json_ref(json_at(data, i)));
    return rows;
}

static void read_rows(struct bw_reading *r, const struct json *data, const struct json *step)
{
    const struct json *schema = json_get(step, "schema");
    char why[JSON_WHY_SIZE];

    if (json_type(data) != JSON_ARRAY && !schema) {
        garbage(r, "the answer has no rows", "");
        return;
    }
    if (schema && failed(json_rows_fit(schema, data, why, sizeof why))) {
        fail(r, CALL_FAILED, CALL_OK, PROBLEM_SCHEMA_MISMATCH, "the rows do not fit the schema",
             why);
        return;
    }
    struct json *value = json_new_object();
    json_set(value, "rows", rows_of(data, step));
    json_set(value, "message", json_new_str(r->message));
    done(r, value);
}

/* NOT SURE of rows that fit is as good as DONE: they can be looked at. */
static void read_retrieve(struct bw_reading *r, const struct bw_profile *p,
                          const struct json *step)
{
    enum bw_said said = bw_profile_said(p, text_at(r->doc, p->status_field));

    if (said == BW_SAID_CONTINUE) {
        r->again = true;
        fail(r, CALL_FAILED, CALL_OK, PROBLEM_UPSTREAM_FAILED,
             "the agent did not come to an end", r->message);
    } else if (said == BW_SAID_ASK) {
        fail(r, CALL_REFUSED, CALL_OK, PROBLEM_UPSTREAM_REFUSED, "the agent asks", r->message);
    } else {
        read_rows(r, json_get(r->doc, p->rows_field), step);
    }
}

/* ---- the whole --------------------------------------------------------------------------- */

static void read_verb(struct bw_reading *r, const struct bw_profile *p, enum bw_verb verb,
                      enum entry_effect effect, const struct json *step)
{
    switch (verb) {
    case BW_OPEN:
        read_open(r);
        return;
    case BW_BROWSE:
        read_browse(r, p, effect);
        return;
    case BW_RETRIEVE:
        read_retrieve(r, p, step);
        return;
    case BW_LIST:
        read_list(r, p);
        return;
    case BW_SCREENSHOT:
        read_picture(r);
        return;
    case BW_CLOSE:
    case BW_TOUCH:
        break;
    }
    done(r, json_new_object());
}

/* False: it is no answer, and the verdict says why. */
static bool read_document(struct bw_reading *r, struct bytes body)
{
    char why[JSON_WHY_SIZE];
    struct err e = json_parse(&r->doc, body, why, sizeof why);

    if (e.kind == ERR_FULL)
        fail(r, CALL_UNANSWERED, CALL_SERVER, PROBLEM_RESPONSE_TOO_LARGE,
             "the answer holds too much", why);
    else if (failed(e))
        garbage(r, "the answer is no JSON", why);
    else if (json_type(r->doc) != JSON_OBJECT)
        garbage(r, "the answer is no object but", json_type_word(r->doc));
    return json_type(r->doc) == JSON_OBJECT;
}

void bw_agent_read(struct bw_reading *ret, const struct bw_profile *p, enum bw_verb verb,
                   enum entry_effect effect, struct bytes body, const struct json *step)
{
    struct bw_reading r = {.message = "", .url = "", .remote_id = "", .picture = ""};

    /* Of these the status said it all. */
    if (verb == BW_CLOSE || verb == BW_TOUCH) {
        done(&r, json_new_object());
    } else if (read_document(&r, body)) {
        r.message   = text_at(r.doc, p->message_field);
        r.url       = text_at(r.doc, p->url_field);
        r.remote_id = text_at(r.doc, p->session_field);
        r.picture   = text_at(r.doc, p->picture_field);
        read_verb(&r, p, verb, effect, step);
    }
    *ret = r;
}

void bw_agent_read_deinit(struct bw_reading *r)
{
    json_free(&r->doc);
    json_free(&r->value);
}
