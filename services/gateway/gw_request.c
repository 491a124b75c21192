#include "gw_request.h"

#include <stdio.h>

#include "base/clk.h"
#include "base/mem.h"
#include "run/run_id.h"
#include "run/run_trace.h"
#include "run/run_view.h"
#include "wire/subject.h"
#include "wire/wire_json.h"
#include "wire/wire_text.h"

enum { ANSWER_MAX = 8 << 20, PROBLEM_MAX = 16 << 10 };

static struct err reject(struct problem *why, enum problem_code code, const char *pointer,
                         const char *detail)
{
    problem_set(why, code, pointer, "%s", detail);
    return err_of(ERR_REJECT, "read request");
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

/* The subject's end is the tenant, one token; what is more or not a name never reaches another subject. */
static struct err read_tenant(struct gw_request *r, struct problem *why)
{
    char fourth[8];

    r->tenant[0] = 0;
    if (str_token(r->msg->subject, 4, fourth, sizeof fourth) ||
        !str_token(r->msg->subject, 3, r->tenant, sizeof r->tenant) || !str_is_name(r->tenant))
        return reject(
            why, PROBLEM_INVALID_REQUEST, "",
            "the subject ends with the tenant: one token of 1 to 64 of A-Z a-z 0-9 _ -");
    return OK;
}

static struct err read_json(struct gw_request *r, struct bytes text, struct problem *why)
{
    char detail[JSON_WHY_SIZE];

    if (!failed(json_parse(&r->body, text, detail, sizeof detail)))
        return OK;
    problem_set(why, PROBLEM_INVALID_REQUEST, "", "the body is not valid JSON: %s", detail);
    return err_of(ERR_REJECT, "read request");
}

static struct err bad_field(const struct wire_text_fault *fault, struct problem *why)
{
    char pointer[96];

    str_format(pointer, sizeof pointer, "/%s", fault->field);
    problem_set(why, PROBLEM_INVALID_REQUEST, *fault->field ? pointer : "",
                "%s in the protobuf %s", *fault->field ? fault->field : "the body", fault->why);
    return err_of(ERR_REJECT, "read request");
}

static struct err read_protobuf(struct gw_request *r, const char *message, struct problem *why)
{
    struct wire_text_fault fault;
    char detail[JSON_WHY_SIZE];
    struct buf text;

    buf_init(&text, 4 << 20);
    struct err e = wire_json_of(message, r->msg->body, &text, detail, sizeof detail);
    if (failed(e))
        problem_set(why, PROBLEM_INVALID_REQUEST, "",
                    "the body is neither JSON nor protobuf: %s", detail);
    else if (!wire_text_good(message, r->msg->body, &fault))
        e = bad_field(&fault, why);
    else
        e = read_json(r, buf_bytes(&text), why);
    r->protobuf = !failed(e);
    buf_deinit(&text);
    return e;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Only for what is no protobuf: there a newline is the tag of field 1. */
static bool is_blank_json(struct bytes body)
{
    size_t at = 0;

    while (at < body.len && is_blank(body.at[at]))
        at++;
    return at > 0 && at < body.len && (body.at[at] == '{' || body.at[at] == '[');
}

static struct err read_body(struct gw_request *r, const char *message, struct problem *why)
{
    struct bytes body = r->msg->body;
    char id[ID_SIZE];

    if (!body.len)
        return OK;
    if (body.len > r->gw->config->body_max) {
        problem_set(why, PROBLEM_TOO_LARGE, "",
                    "the request has %zu bytes; at most %llu are taken (SLUICE_BODY_MAX)",
                    body.len, (unsigned long long)r->gw->config->body_max);
        return err_of(ERR_REJECT, "read request");
    }
    if (wire_is_json(body))
        return read_json(r, body, why);
    if (body.len == ID_LEN && str_copy_n(id, sizeof id, (const char *)body.at, body.len) &&
        id_valid(id)) {
        r->body = json_new_object();
        json_set(r->body, "run_id", json_new_str(id));
        return OK;
    }
    struct err e = read_protobuf(r, message, why);
    if (failed(e) && is_blank_json(body))
        return reject(why, PROBLEM_INVALID_REQUEST, "", "JSON must begin with {");
    return e;
}

struct err gw_request_read(struct gw_request *ret, struct gw *gw, struct bus_msg **msg,
                           const char *endpoint, const char *message, struct problem *why)
{
    *ret = (struct gw_request){
        .gw = gw, .msg = take(msg), .endpoint = endpoint, .since_us = clk_mono_us()};
    gw->metrics.requests++;
    struct err e = read_tenant(ret, why);
    if (!failed(e))
        e = read_body(ret, message, why);
    if (!failed(e) && ret->body && json_type(ret->body) != JSON_OBJECT)
        e = reject(why, PROBLEM_INVALID_REQUEST, "", "the body must be an object");
    return e;
}

struct err gw_request_fields(const struct json *body, const char *const *allowed,
                             struct problem *why)
{
    const char *unknown, *nearest;
    char pointer[96];

    if (!body || json_known(body, allowed, &unknown, &nearest))
        return OK;
    str_format(pointer, sizeof pointer, "/%s", unknown);
    problem_set(why, PROBLEM_INVALID_REQUEST, pointer,
                nearest ? "unknown field \"%.60s\"; did you mean \"%s\"?"
                        : "unknown field \"%.60s\"%s",
                unknown, nearest ? nearest : "");
    if (nearest)
        str_copy(why->attempt, sizeof why->attempt, nearest);
    return err_of(ERR_REJECT, "read request");
}

struct err gw_request_run(const struct gw_request *r, char ret_run[ID_SIZE],
                          struct problem *why)
{
    const struct json *id = json_get(r->body, "run_id"), *key = json_get(r->body, "key");

    if (!r->body || (!id && !key))
        return reject(
            why, PROBLEM_INVALID_REQUEST, "/run_id",
            "which run?  Send the 26-character run id, {\"run_id\":…} or {\"key\":…}");
    if (id && key)
        return reject(why, PROBLEM_INVALID_REQUEST, "/key", "say run_id or key, not both");
    if (key) {
        if (!json_str(key) || !*json_str(key))
            return reject(why, PROBLEM_INVALID_REQUEST, "/key",
                          "key must be a string that is not empty");
        run_id_for(r->tenant, json_str(key), 0, ret_run);
        return OK;
    }
    if (!json_str(id) || !id_valid(json_str(id)))
        return reject(why, PROBLEM_INVALID_REQUEST, "/run_id",
                      "run_id must be a 26-character run id");
    str_copy(ret_run, ID_SIZE, json_str(id));
    return OK;
}

void gw_request_unavailable(struct problem *why, const char *detail)
{
    problem_set(why, PROBLEM_UNAVAILABLE, "", "%s", detail);
    why->retry_after_ms = 1000;
}

/* ---- answering --------------------------------------------------------------------------------------------- */

static void finish(struct gw_request *r)
{
    json_free(&r->body);
    bus_msg_free(&r->msg);
}

/* In kind: who asked in protobuf is answered so. */
static struct bytes in_kind(const struct gw_request *r, const char *message, struct bytes json,
                            struct buf *protobuf)
{
    char why[JSON_WHY_SIZE];

    if (!r->protobuf || failed(wire_protobuf_of(message, json, protobuf, why, sizeof why)))
        return json;
    return buf_bytes(protobuf);
}

void gw_request_answer(struct gw_request *r, struct json *answer, const char *message)
{
    struct buf text, protobuf;

    buf_init(&text, ANSWER_MAX);
    buf_init(&protobuf, ANSWER_MAX);
    json_print(answer, &text);
    bus_answer(r->gw->bus, r->msg, in_kind(r, message, buf_bytes(&text), &protobuf), NULL, 0);
    svc_answered(r->gw->svc, r->endpoint, r->since_us, true);
    buf_deinit(&protobuf);
    buf_deinit(&text);
    json_free(&answer);
    finish(r);
}

void gw_request_problem(struct gw_request *r, const struct problem *why)
{
    const char *trace = bus_msg_header(r->msg, "traceparent");
    struct buf text, protobuf;

    r->gw->metrics.problems++;
    buf_init(&text, PROBLEM_MAX);
    buf_init(&protobuf, PROBLEM_MAX);
    problem_json(why, run_trace_valid(trace) ? trace : NULL, &text);
    svc_refuse(r->gw->svc, r->msg, r->endpoint, r->since_us, why,
               in_kind(r, "Problem", buf_bytes(&text), &protobuf));
    buf_deinit(&protobuf);
    buf_deinit(&text);
    finish(r);
}
