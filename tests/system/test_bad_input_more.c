/*
 * bad_input_more - what bad_input leaves out: every verb, every name, bytes that were cut or turned, values written by hand,
 * and NATS away, as people see it: at the command line and at /readyz.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>
#include <cmocka.h>

#include "base/buf.h"
#include "support/free_port.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/world.h"
#include "wire/wire_json.h"

#define STEPS "\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}}]"
#define FLOW "\"flow\":{" STEPS "}"

enum { READY_MS = 15000, DEEP = 10000, BIG = 2 << 20, ALERT_MS = 10000 };

static const char *const VERBS[] = {"submit", "get", "wait", "cancel"};
enum { VERB_COUNT = sizeof(VERBS) / sizeof(*VERBS) };

static int group_up(void **state)
{
    struct world *w = world_new(state, "bad_input_more");

    world_start_all(w);
    struct proc *limiter = world_start(w, "limiter");
    WORLD_WAIT(w, READY_MS, proc_said(limiter, "msg=deciding"));
    client_put(w->client, "sluice_flows", "hn_titles",
               "{\"version\":3,\"flow\":{\"name\":\"hn_titles\"," STEPS "}}");
    client_put(
        w->client, "sluice_upstreams", "multion",
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://127.0.0.1:1/v1/web\"}");
    struct answer a;
    bool heard;
    WORLD_WAIT(w, READY_MS,
               (a     = client_ask_text(w->client, "sluice.api.submit.acme",
                                        "{\"flow\":\"hn_titles\",\"upstream\":\"multion\","
                                            "\"dry_run\":true}"),
                heard = strcmp(answer_text(&a, "status"), "valid") == 0, answer_deinit(&a),
                heard));
    return 0;
}

/* Body and headers say the same (surface 13).  NULL: any. */
static bool is_problem(const struct answer *a, const char *code, int status,
                       const char *pointer, const char *words)
{
    char number[16];

    snprintf(number, sizeof(number), "%d", status);
    return a->status == NATS_OK && strcmp(answer_text(a, "code"), code) == 0 &&
           answer_number(a, "status") == status &&
           strcmp(answer_header(a, "Nats-Service-Error-Code"), number) == 0 &&
           *answer_text(a, "title") &&
           strcmp(answer_header(a, "Nats-Service-Error"), answer_text(a, "title")) == 0 &&
           (!pointer || strcmp(answer_text(a, "errors.0.pointer"), pointer) == 0) &&
           (!words || strstr(answer_text(a, "detail"), words)) &&
           strstr(answer_text(a, "type"), "/docs/errors#") &&
           json_object_get(a->json, "run_id");
}

/* Prints what is wrong and counts it, so that all of a list is seen at once. */
static unsigned judge(struct answer *a, const char *what, const char *code, int status,
                      const char *pointer, const char *words)
{
    bool good = is_problem(a, code, status, pointer, words);

    if (!good)
        print_message("%s: wanted %s %d \"%s\" (%s), got %s: %.500s\n", what, code, status,
                      pointer ? pointer : "any", words ? words : "any",
                      natsStatus_GetText(a->status), answer_body(a, NULL));
    answer_deinit(a);
    return !good;
}

/* ---- every verb --------------------------------------------------------------------------------- */

static void every_verb_reads_with_care(void **state)
{
    static const char *const ADMIN[] = {"admin.tenant.acme", "admin.upstream.multion"};
    static const struct {
        const char *what, *body, *pointer, *words, *admin;
    } BODIES[] = {
        {"cut JSON", "{\"key\":", "", "not valid JSON", ""},
        {"more behind it", "{\"key\":\"a\"} x", "", "not valid JSON", ""},
        {"a field twice", "{\"key\":\"a\",\"key\":\"b\"}", "", "key", "key"},
        {"an array", "[{\"key\":\"a\"}]", "", "must be an object", "must be an object"},
        {"a number", "7", "", "neither JSON nor protobuf", ""},
        {"a word", "hello", "", "neither JSON nor protobuf", ""},
        {"a string", "\"01KAJ4T0Q8ZP9F4T4W6V2N8M1C\"", "", "neither JSON nor protobuf", ""},
        {"blank before JSON", " {\"key\":\"a\"}", "", "JSON must begin with {", NULL},
        {"a field nobody knows", "{\"kei\":\"a\"}", "/kei", "did you mean \"key\"?", NULL},
        {"a key that is a number", "{\"key\":7}", "/key", "string", NULL},
        {"a key that is a list", "{\"key\":[]}", "/key", "string", NULL},
    };
    struct world *w = *state;
    char subject[96], what[160];
    unsigned wrong = 0;

    for (size_t n = 0; n < sizeof(BODIES) / sizeof(*BODIES); n++) {
        for (size_t v = 0; v < VERB_COUNT; v++) {
            snprintf(subject, sizeof(subject), "sluice.api.%s.acme", VERBS[v]);
            snprintf(what, sizeof(what), "%s: %s", VERBS[v], BODIES[n].what);
            struct answer a = client_ask_text(w->client, subject, BODIES[n].body);
            wrong +=
                judge(&a, what, "invalid_request", 400, BODIES[n].pointer, BODIES[n].words);
        }
        for (size_t v = 0; v < 2 && BODIES[n].admin; v++) {
            snprintf(subject, sizeof(subject), "sluice.%s", ADMIN[v]);
            snprintf(what, sizeof(what), "%s: %s", ADMIN[v], BODIES[n].what);
            struct answer a = client_ask_text(w->client, subject, BODIES[n].body);
            wrong += judge(&a, what, "invalid_request", 400, NULL, BODIES[n].admin);
        }
    }
    if (wrong)
        world_fail(w, "%u answers are not what they should be", wrong);
}

/* {"key":[[[…]]]}, or {"a":{"a":…}}: more than any stack of ours is asked to hold. */
static char *deep(const char *open, const char *close, size_t *ret_len)
{
    size_t one = strlen(open), other = strlen(close);
    char *text = malloc(16 + DEEP * (one + other) + 2);
    size_t len = (size_t)sprintf(text, "{\"key\":");

    for (size_t n = 0; n < DEEP; n++, len += one)
        memcpy(text + len, open, one);
    text[len++] = '1';
    for (size_t n = 0; n < DEEP; n++, len += other)
        memcpy(text + len, close, other);
    text[len++] = '}';
    *ret_len    = len;
    return text;
}

static void nothing_is_too_deep_or_too_large(void **state)
{
    static const char *const SUBJECTS[] = {
        "sluice.api.submit.acme", "sluice.api.get.acme",      "sluice.api.wait.acme",
        "sluice.api.cancel.acme", "sluice.admin.tenant.acme", "sluice.admin.upstream.multion"};
    struct world *w = *state;
    unsigned wrong  = 0;
    size_t lens[2];
    char *deeps[] = {deep("[", "]", &lens[0]), deep("{\"a\":", "}", &lens[1])};
    char *big     = malloc(BIG + 1);

    memset(big, 'a', BIG);
    memcpy(big, "{\"key\":\"", 8);
    memcpy(big + BIG - 2, "\"}", 2);
    for (size_t n = 0; n < sizeof(SUBJECTS) / sizeof(*SUBJECTS); n++) {
        for (size_t i = 0; i < 2; i++) {
            struct answer a = client_ask(w->client, SUBJECTS[n], deeps[i], lens[i], 5000);
            wrong += judge(&a, SUBJECTS[n], "invalid_request", 400, NULL, "nested deeper than");
        }
        struct answer a = client_ask(w->client, SUBJECTS[n], big, BIG, 5000);
        wrong += judge(&a, SUBJECTS[n], "too_large", 413, "", NULL);
    }
    free(deeps[0]);
    free(deeps[1]);
    free(big);
    if (wrong)
        world_fail(w, "%u answers are not what they should be", wrong);
}

/* ---- protobuf that was cut or turned --------------------------------------------------------------- */

static void write_protobuf(struct world *w, const char *message, const char *json,
                           struct buf *to)
{
    char why[200];

    buf_init(to, 1 << 16);
    if (failed(wire_protobuf_of(message, bytes_str(json), to, why, sizeof(why))))
        world_fail(w, "%s", why);
}

/* A cut message is refused, or it is a whole one that says less: then the run ends as any other. */
static void every_cut_of_a_submit_is_answered(void **state)
{
    struct world *w  = *state;
    unsigned refused = 0, accepted = 0;
    struct buf body;

    write_protobuf(w, "Submit",
                   "{\"flow\":{" STEPS
                   "},\"input\":{\"n\":1},\"key\":\"cut\",\"lane\":\"bulk\","
                   "\"pool\":\"default\",\"labels\":{\"a\":\"b\"},\"timeout\":\"1h\"}",
                   &body);
    for (size_t len = 1; len < body.len; len++) {
        struct answer a =
            client_ask(w->client, "sluice.api.submit.cut", buf_bytes(&body).at, len, 5000);
        const char *header = answer_header(&a, "Nats-Service-Error-Code");
        if (a.status != NATS_OK || (*header && strcmp(header, "400") != 0 &&
                                    strcmp(header, "422") != 0 && strcmp(header, "404") != 0))
            world_fail(w, "cut at %zu of %zu: %s %.600s", len, body.len,
                       natsStatus_GetText(a.status), answer_body(&a, NULL));
        refused += *header != '\0';
        accepted += *header == '\0';
        answer_deinit(&a);
    }
    print_message("%zu bytes: %u cuts refused, %u accepted\n", body.len, refused, accepted);
    WORLD_MUST(w, refused > body.len / 2);
    buf_deinit(&body);
}

static void every_turned_bit_of_a_get_is_answered(void **state)
{
    static const char *const MESSAGES[] = {"{\"key\":\"nobody-has-this-key\"}",
                                           "{\"run_id\":\"01KAJ4T0Q8ZP9F4T4W6V2N8M1C\"}"};
    struct world *w                     = *state;
    uint8_t turned[256];

    for (size_t m = 0; m < 2; m++) {
        struct buf body;
        write_protobuf(w, "Which", MESSAGES[m], &body);
        assert_true(body.len <= sizeof(turned));
        for (size_t bit = 0; bit < 8 * body.len; bit++) {
            memcpy(turned, buf_bytes(&body).at, body.len);
            turned[bit / 8] ^= (uint8_t)(1U << bit % 8);
            struct answer a =
                client_ask(w->client, "sluice.api.get.acme", turned, body.len, 5000);
            const char *code = answer_header(&a, "Nats-Service-Error-Code");
            if (a.status != NATS_OK || (strcmp(code, "400") != 0 && strcmp(code, "404") != 0))
                world_fail(w, "bit %zu of %s: %s %.400s", bit, MESSAGES[m],
                           natsStatus_GetText(a.status), answer_body(&a, NULL));
            answer_deinit(&a);
        }
        buf_deinit(&body);
    }
}

static void malformed_protobuf_is_told_in_json(void **state)
{
    static const struct {
        const char *what, *bytes;
        size_t len;
        const char *words; /* then its field is named */
    } BODIES[] = {
        {"a length beyond its end", "\012\377\001a", 4, NULL},
        {"a length of 2^63", "\012\200\200\200\200\200\200\200\200\200\001", 11, NULL},
        {"a number without an end", "\010\377\377\377\377\377\377\377\377\377\377\377", 12,
         NULL},
        {"an end of a group", "\014", 1, NULL},
        {"wire type 6", "\016\001", 2, NULL},
        {"wire type 7", "\017\001", 2, NULL},
        {"field 0", "\002\000", 2, NULL},
        {"zeros", "\000\000\000\000", 4, NULL},
        {"a text that is not UTF-8", "\032\002\377\376", 4, "in the protobuf is not UTF-8"},
        {"a text with a zero in it", "\032\003a\000b", 5, "in the protobuf is not UTF-8"},
    };
    struct world *w = *state;
    char subject[64], what[120];
    unsigned wrong = 0;

    for (size_t n = 0; n < sizeof(BODIES) / sizeof(*BODIES); n++)
        for (size_t v = 0; v < VERB_COUNT; v++) {
            snprintf(subject, sizeof(subject), "sluice.api.%s.acme", VERBS[v]);
            snprintf(what, sizeof(what), "%s: %s", VERBS[v], BODIES[n].what);
            struct answer a =
                client_ask(w->client, subject, BODIES[n].bytes, BODIES[n].len, 5000);
            wrong += judge(&a, what, "invalid_request", 400, BODIES[n].words ? NULL : "",
                           BODIES[n].words);
        }
    if (wrong)
        world_fail(w, "%u answers are not what they should be", wrong);
}

/* {"flow": "greet", "input": …}: no run begins with what its client never meant, and the endpoint says what was wrong last. */
static void json_in_a_protobuf_is_json(void **state)
{
    static const char *const INPUTS[] = {"{\"a\":",           "nojson", "[1,2",
                                         "{\"a\":1,\"a\":2}", "1 2",    "\377\376"};
    struct world *w                   = *state;
    char body[64];
    unsigned wrong = 0;

    for (size_t n = 0; n < sizeof(INPUTS) / sizeof(*INPUTS); n++) {
        int len = snprintf(body, sizeof(body), "\012\005greet\022%c%s", (char)strlen(INPUTS[n]),
                           INPUTS[n]);
        struct answer a =
            client_ask(w->client, "sluice.api.submit.acme", body, (size_t)len, 5000);
        wrong += judge(&a, INPUTS[n], "invalid_request", 400, "/input",
                       "input in the protobuf is not JSON");
    }
    if (wrong)
        world_fail(w, "%u answers are not what they should be", wrong);
    struct answer stats = client_ask_text(w->client, "$SRV.STATS.sluice-gateway", "");
    WORLD_MUST(
        w, strstr(answer_body(&stats, NULL), "\"last_error\":\"400:Request is not valid\""));
    answer_deinit(&stats);
}

/* ---- names ---------------------------------------------------------------------------------------------- */

#define LONG_65 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* As they stand in JSON. */
static const char *const BAD_NAMES[] = {"a.b",     "*",       ">",        "a.*",      ".",
                                        "a\\nb",   "a\\r\\n", "a b",      "a\\tb",    "a/b",
                                        "../a",    "a$b",     "$KV",      "a\\u0007", "\\u00e9",
                                        "\\u2028", "a\\\\b",  "\\u202eb", LONG_65,    NULL};

/* Each name may become a token of a subject. */
static void a_name_is_a_name_wherever_it_stands(void **state)
{
    static const struct {
        const char *what, *body, *code;
        int status;
        const char *pointer;
    } PLACES[] = {
        {"pool", "{" FLOW ",\"pool\":\"%s\"}", "invalid_request", 400, "/pool"},
        {"lock", "{" FLOW ",\"lock\":\"%s\"}", "invalid_request", 400, "/lock"},
        {"upstream", "{" FLOW ",\"upstream\":\"%s\"}", "invalid_request", 400, "/upstream"},
        {"session", "{" FLOW ",\"session\":\"%s\"}", "invalid_request", 400, "/session"},
        {"lane", "{" FLOW ",\"lane\":\"%s\"}", "invalid_request", 400, "/lane"},
        {"step to begin at", "{" FLOW ",\"step\":\"%s\"}", "invalid_request", 400, "/step"},
        {"flow", "{\"flow\":\"%s\"}", "invalid_request", 400, "/flow"},
        {"flow and version", "{\"flow\":\"%s@3\"}", "invalid_request", 400, "/flow"},
        {"version", "{\"flow\":\"hn_titles@%s\"}", "invalid_request", 400, "/flow"},
        {"name of a flow", "{\"flow\":{\"name\":\"%s\"," STEPS "}}", "invalid_flow", 422,
         "/flow/name"},
        {"upstream of a flow", "{\"flow\":{\"upstream\":\"%s\"," STEPS "}}", "invalid_flow",
         422, "/flow/upstream"},
        {"id of a step", "{\"flow\":{\"steps\":[{\"id\":\"%s\",\"set\":{}}]}}", "invalid_flow",
         422, "/flow/steps/0/id"},
        {"subject of a call",
         "{\"flow\":{\"steps\":[{\"id\":\"a\",\"call\":{\"subject\":\"%s\",\"body\":{}}}]}}",
         "invalid_flow", 422, "/flow/steps/0/call/subject"},
    };
    struct world *w = *state;
    char body[400], what[200];
    unsigned wrong = 0;

    for (size_t p = 0; p < sizeof(PLACES) / sizeof(*PLACES); p++)
        for (size_t n = 0; BAD_NAMES[n]; n++) {
            const char *hole = strstr(PLACES[p].body, "%s");
            if (strcmp(PLACES[p].what, "subject of a call") == 0 &&
                strcmp(BAD_NAMES[n], "a.b") == 0)
                continue; /* name…: it may have more tokens than one */
            snprintf(body, sizeof(body), "%.*s%s%s", (int)(hole - PLACES[p].body),
                     PLACES[p].body, BAD_NAMES[n], hole + 2);
            snprintf(what, sizeof(what), "%s %s", PLACES[p].what, BAD_NAMES[n]);
            struct answer a = client_ask_text(w->client, "sluice.api.submit.named", body);
            wrong += judge(&a, what, PLACES[p].code, PLACES[p].status, PLACES[p].pointer, NULL);
        }
    if (wrong)
        world_fail(w, "%u names have not their problem", wrong);
    assert_int_equal(client_count_of(w->client, "SLUICE_JOURNAL", "sluice.journal.named.>"), 0);
}

/* As they stand in a subject; NATS carries all of these. */
static void a_tenant_is_a_name_in_every_subject(void **state)
{
    static const char *const BAD[]  = {"a.b", "a.b.c", "*",        ">",     "a$b",
                                       "$KV", "a/b",   "\303\251", "a\\b",  "a\"b",
                                       "{a}", "a%20b", "tier.pro", LONG_65, NULL};
    static const char *const NOUN[] = {"tenant", "upstream"};
    struct world *w                 = *state;
    char subject[160];
    unsigned wrong = 0;

    for (size_t n = 0; BAD[n]; n++) {
        for (size_t v = 0; v < VERB_COUNT; v++) {
            snprintf(subject, sizeof(subject), "sluice.api.%s.%s", VERBS[v], BAD[n]);
            struct answer a = client_ask_text(w->client, subject, "{" FLOW "}");
            wrong += judge(&a, subject, "invalid_request", 400, "", "the tenant");
        }
        for (size_t v = 0; v < 2; v++) {
            snprintf(subject, sizeof(subject), "sluice.admin.%s.%s", NOUN[v], BAD[n]);
            struct answer a = client_ask_text(w->client, subject, "{\"paused\":true}");
            if (strchr(BAD[n], '.') && a.status == NATS_NO_RESPONDERS)
                answer_deinit(&a); /* a subject that is nobody's: told at once, by NATS */
            else
                wrong += judge(&a, subject, "invalid_request", 400, "", NULL);
        }
    }
    if (wrong)
        world_fail(w, "%u subjects have not their problem", wrong);
}

/* ---- values written by hand ---------------------------------------------------------------------------- */

struct hand {
    const char *bucket, *value, *field; /* the field that the alert names */
};

#define AGENT "\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://127.0.0.1:1/v1\""

static const struct hand HANDS[] = {
    {"tenants", "{\"tier\":7}", "tier"},
    {"tenants", "{\"tier\":\"gold\"}", "tier"},
    {"tenants", "{\"cap\":\"many\"}", "cap"},
    {"tenants", "{\"cap\":0}", "cap"},
    {"tenants", "{\"cap\":1.5}", "cap"},
    {"tenants", "{\"weight\":-1}", "weight"},
    {"tenants", "{\"queue_max\":\"1\"}", "queue_max"},
    {"tenants", "{\"lanes\":\"bulk\"}", "lanes"},
    {"tenants", "{\"lanes\":[\"fast\"]}", "lanes"},
    {"tenants", "{\"sessions\":true}", "sessions"},
    {"tenants", "{\"runs_per_hour\":[]}", "runs_per_hour"},
    {"tenants", "{\"private_net\":\"yes\"}", "private_net"},
    {"tenants", "{\"paused\":1}", "paused"},
    {"tenants", "{\"reason\":{}}", "reason"},
    {"tenants", "{\"pausd\":true}", "pausd"},
    {"upstreams", "{\"driver\":\"agnt\",\"url\":\"http://a.example\"}", "driver"},
    {"upstreams", "{\"driver\":\"agent\",\"profile\":7}", "profile"},
    {"upstreams", "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"nowhere\"}", "url"},
    {"upstreams", "{" AGENT ",\"key\":\"s3cret\"}", "key"},
    {"upstreams", "{" AGENT ",\"key\":{\"envv\":\"K\"}}", "key"},
    {"upstreams", "{" AGENT ",\"rate\":500}", "rate"},
    {"upstreams", "{" AGENT ",\"rate\":{\"per_s\":\"5\"}}", "rate"},
    {"upstreams", "{" AGENT ",\"rate\":{\"per_s\":5,\"burst\":0}}", "burst"},
    {"upstreams", "{" AGENT ",\"in_flight\":0}", "in_flight"},
    {"upstreams", "{" AGENT ",\"sessions\":-3}", "sessions"},
    {"upstreams", "{" AGENT ",\"tenant_share\":2}", "tenant_share"},
    {"upstreams", "{" AGENT ",\"timeout\":30}", "timeout"},
    {"upstreams", "{" AGENT ",\"limited\":{\"factor\":7}}", "factor"},
    {"upstreams", "{" AGENT ",\"limited\":{\"probe\":\"soon\"}}", "probe"},
    {"upstreams", "{" AGENT ",\"paused\":\"no\"}", "paused"},
    {"upstreams", "{" AGENT ",\"session_idle\":\"10\"}", "session_idle"},
    {"upstreams", "{" AGENT ",\"feature_402\":\"(\"}", "feature_402"},
    {"upstreams", "{" AGENT ",\"ratte\":{}}", "ratte"},
    {"flows", "{\"version\":\"3\"," FLOW "}", "version"},
    {"flows", "{\"version\":0," FLOW "}", "version"},
    {"flows", "{\"version\":1}", "flow"},
    {"flows", "{\"version\":1,\"flow\":[]}", "flow"},
    {"flows", "{\"version\":1,\"flow\":{\"steps\":[{\"id\":\"a\",\"slep\":{}}]}}", "slep"},
    {"flows", "{\"version\":1," FLOW ",\"max_running\":\"2\"}", "max_running"},
    {"flows", "{\"version\":1," FLOW ",\"paused\":0}", "paused"},
    {"flows", "{\"version\":1," FLOW ",\"pause\":true}", "pause"},
    {"pools", "{\"paused\":\"true\"}", "paused"},
    {"pools", "{\"reason\":1}", "reason"},
    {"pools", "{\"runnable_age_sla\":30}", "runnable_age_sla"},
    {"pools", "{\"runnable_age\":\"30s\"}", "runnable_age"},
};
enum { HAND_COUNT = sizeof(HANDS) / sizeof(*HANDS) };

/* A good value of each bucket. */
static const char *good(const struct hand *h)
{
    return strcmp(h->bucket, "upstreams") == 0 ? "{" AGENT "}"
           : strcmp(h->bucket, "flows") == 0   ? "{\"version\":7," FLOW "}"
                                               : "{}";
}

static void write_all(struct world *w, bool bad)
{
    char bucket[64], key[32];

    for (size_t n = 0; n < HAND_COUNT; n++) {
        snprintf(bucket, sizeof(bucket), "sluice_%s", HANDS[n].bucket);
        snprintf(key, sizeof(key), "hand-%zu", n);
        client_put(w->client, bucket, key, bad ? HANDS[n].value : good(&HANDS[n]));
    }
}

/* The nth alert of a name: its body, to be let go of; NULL: there are not so many. */
static json_t *alert(const struct record *alerts, size_t hand, size_t nth)
{
    char subject[160];

    snprintf(subject, sizeof(subject), "sluice.alert.ConfigRefused.%s-hand-%zu",
             HANDS[hand].bucket, hand);
    for (size_t n = 0, of = 0; n < alerts->count; n++)
        if (strcmp(record_subject(&alerts->items[n]), subject) == 0 && of++ == nth)
            return json_loadb(natsMsg_GetData(alerts->items[n].msg),
                              (size_t)natsMsg_GetDataLength(alerts->items[n].msg), 0, NULL);
    return NULL;
}

static const char *word(const json_t *doc, const char *field)
{
    const char *text = json_string_value(json_object_get(doc, field));

    return text ? text : "";
}

static unsigned judge_alerts(struct world *w, size_t nth, const char *state)
{
    struct record *alerts = record_read(w, "SLUICE_ALERTS");
    unsigned wrong        = 0;

    for (size_t n = 0; n < HAND_COUNT; n++) {
        json_t *doc  = alert(alerts, n, nth);
        json_t *more = alert(alerts, n, nth + 1);
        bool names   = nth > 0 || strstr(word(doc, "summary"), HANDS[n].field);
        if (!doc || more || strcmp(word(doc, "state"), state) != 0 || !names ||
            !*word(doc, "since") || !*word(doc, "runbook") || !json_object_get(doc, "until")) {
            char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
            print_message("%s %s: wanted one alert, %s, that names %s: %s%s\n", HANDS[n].bucket,
                          HANDS[n].value, state, HANDS[n].field, text ? text : "none",
                          more ? ", and another" : "");
            free(text);
            wrong++;
        }
        json_decref(doc);
        json_decref(more);
    }
    record_free(&alerts);
    return wrong;
}

/* What is in force, asked of those who live by it. */
static void the_good_ones_stay(struct world *w)
{
    struct answer a = client_ask_text(w->client, "sluice.admin.tenant.kept", "");
    assert_int_equal(answer_number(&a, "cap"), 7);
    answer_deinit(&a);
    a = client_ask_text(w->client, "sluice.admin.upstream.kept", "");
    assert_int_equal(answer_number(&a, "in_flight.limit"), 7);
    answer_deinit(&a);
    a = client_ask_text(w->client, "sluice.admin.load.kept", "");
    WORLD_MUST(w, json_is_true(json_object_get(a.json, "paused")));
    answer_deinit(&a);
    a = client_ask_text(w->client, "sluice.api.submit.kept",
                        "{\"flow\":\"kept\",\"upstream\":\"kept\",\"dry_run\":true}");
    assert_string_equal(answer_text(&a, "flow"), "kept@7");
    answer_deinit(&a);
}

static void what_a_hand_writes_wrong_is_named(void **state)
{
    struct world *w = *state;

    client_put(w->client, "sluice_tenants", "kept", "{\"cap\":7}");
    client_put(w->client, "sluice_upstreams", "kept", "{" AGENT ",\"in_flight\":7}");
    client_put(w->client, "sluice_flows", "kept", "{\"version\":7," FLOW "}");
    client_put(w->client, "sluice_pools", "kept", "{\"paused\":true}");
    write_all(w, false);
    client_put(w->client, "sluice_tenants", "kept", "{\"cap\":\"8\"}");
    client_put(w->client, "sluice_upstreams", "kept", "{" AGENT ",\"in_flight\":\"8\"}");
    client_put(w->client, "sluice_flows", "kept", "{\"version\":8,\"flow\":{}}");
    client_put(w->client, "sluice_pools", "kept", "{\"paused\":\"false\"}");
    write_all(w, true);
    WORLD_WAIT(w, ALERT_MS,
               client_count_of(w->client, "SLUICE_ALERTS", "sluice.alert.ConfigRefused.*") >=
                   HAND_COUNT + 4);
    unsigned wrong = judge_alerts(w, 0, "firing");
    the_good_ones_stay(w);
    write_all(w, false);
    WORLD_WAIT(w, ALERT_MS,
               client_count_of(w->client, "SLUICE_ALERTS", "sluice.alert.ConfigRefused.*") >=
                   2 * HAND_COUNT + 4);
    wrong += judge_alerts(w, 1, "resolved");
    if (wrong)
        world_fail(w, "%u values have not their alert", wrong);
}

static void everything_that_ran_ended_once(void **state)
{
    struct world *w = *state;

    judge_all(w, NULL, 20000);
}

/* ---- NATS away ------------------------------------------------------------------------------------------ */

struct page {
    long status;
    char text[1024];
    size_t len;
};

static size_t on_data(char *data, size_t size, size_t count, void *self)
{
    struct page *p = self;
    size_t room    = sizeof(p->text) - 1 - p->len;
    size_t len     = size * count < room ? size * count : room;

    memcpy(p->text + p->len, data, len);
    p->len += len;
    p->text[p->len] = '\0';
    return size * count;
}

/* Status 0: no answer within two seconds. */
static struct page fetch(unsigned port, const char *path)
{
    struct page p = {0};
    char url[96];
    CURL *curl = curl_easy_init();

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &p);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &p.status);
    curl_easy_cleanup(curl);
    return p;
}

/* Where it listens, as it says itself. */
static unsigned port_of(struct world *w, const struct proc *p)
{
    static const char WORDS[] = " port=";
    unsigned port             = 0;
    char *said                = proc_log(p);

    for (const char *at = said; (at = strstr(at, WORDS)) != NULL; at += sizeof(WORDS) - 1)
        (void)sscanf(at + sizeof(WORDS) - 1, "%u", &port);
    free(said);
    if (port == 0)
        world_fail(w, "%s does not say where it listens", p->name);
    return port;
}

static bool is_ready(unsigned port)
{
    return fetch(port, "/readyz").status == 200;
}

static bool says_nats_is_away(unsigned port)
{
    struct page p = fetch(port, "/readyz");

    return p.status == 503 && strstr(p.text, "nats: not connected");
}

/* Exit 4 (unreachable) and the reason, at once. */
static void the_command_says_so(struct world *w, const char *command, int64_t within_ms)
{
    struct proc p = {.name = "sluice"};
    char line[PROC_LINE_MAX];

    snprintf(p.log, sizeof(p.log), "%s/command.out", w->folder);
    (void)remove(p.log);
    proc_arg(&p, "/bin/sh");
    proc_arg(&p, "-c");
    snprintf(line, sizeof(line), "exec '%s/sluice' --server %s %s", getenv("SLUICE_BIN"),
             w->url, command);
    proc_arg(&p, line);
    int64_t since = clock_ms();
    proc_start(&p);
    int status   = proc_wait(&p, 30000);
    int64_t took = clock_ms() - since;
    if (status != 4 || took > within_ms || !proc_said(&p, "cannot be reached")) {
        char *said = proc_log(&p);
        print_message("%s\n", said);
        free(said);
        world_fail(w, "sluice %s: exit %d after %lld ms", command, status, (long long)took);
    }
    proc_deinit(&p);
}

/* A service that begins meanwhile lives, is not ready, and says why; it needs no second start. */
static struct proc *begin_without_nats(struct world *w, unsigned *ret_port)
{
    char at[32];

    *ret_port = free_port();
    snprintf(at, sizeof(at), "127.0.0.1:%u", *ret_port);
    world_env(w, "SLUICE_HTTP", at);
    struct proc *p = world_begin(w, "gateway");
    WORLD_WAIT(w, READY_MS, says_nats_is_away(*ret_port));
    assert_int_equal(fetch(*ret_port, "/livez").status, 200);
    return p;
}

static void nats_away_is_said_at_once(void **state)
{
    static const char *const SERVICES[] = {"gateway", "scheduler", "limiter", "browser-worker"};
    static const char *const COMMANDS[] = {"run get --key k",
                                           "run cancel --key k",
                                           "run watch --key k",
                                           "run get --key k -o json",
                                           "tenant list",
                                           "tenant show acme",
                                           "tenant set acme --cap 3",
                                           "upstream list",
                                           "upstream resume multion",
                                           "session list",
                                           "pool list",
                                           NULL};
    enum { COUNT = 4, AT_ONCE_MS = 3000, FROZEN_MS = 8000 };
    struct world *w = world_new(state, "bad_input_away");
    struct proc *services[COUNT];
    unsigned ports[COUNT];

    world_env(w, "SLUICE_HTTP", "127.0.0.1:0");
    for (size_t n = 0; n < COUNT; n++)
        services[n] = world_start(w, SERVICES[n]);
    for (size_t n = 0; n < COUNT; n++) {
        ports[n] = port_of(w, services[n]);
        WORLD_WAIT(w, READY_MS, is_ready(ports[n]));
    }

    proc_kill(&w->nats);
    for (size_t n = 0; n < COUNT; n++) {
        WORLD_WAIT(w, READY_MS, says_nats_is_away(ports[n]));
        assert_int_equal(fetch(ports[n], "/livez").status, 200);
    }
    for (size_t n = 0; COMMANDS[n]; n++)
        the_command_says_so(w, COMMANDS[n], AT_ONCE_MS);
    unsigned late_port;
    struct proc *late = begin_without_nats(w, &late_port);
    world_nats_start(w);
    for (size_t n = 0; n < COUNT; n++)
        WORLD_WAIT(w, READY_MS, is_ready(ports[n]));
    WORLD_WAIT(w, READY_MS, is_ready(late_port) && proc_said(late, "msg=ready"));

    /* Who listens and says nothing is not waited for as long as somebody who answers. */
    proc_stop(&w->nats);
    the_command_says_so(w, "run get --key k", FROZEN_MS);
    the_command_says_so(w, "tenant list", FROZEN_MS);
    proc_continue(&w->nats);

    char run[27];
    client_submit(w->client, "acme", "{" FLOW "}", run);
    WORLD_WAIT(w, READY_MS, client_status_is(w->client, "acme", run, "done"));
    judge_all(w, NULL, READY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_reads_with_care),
        cmocka_unit_test(nothing_is_too_deep_or_too_large),
        cmocka_unit_test(every_cut_of_a_submit_is_answered),
        cmocka_unit_test(every_turned_bit_of_a_get_is_answered),
        cmocka_unit_test(malformed_protobuf_is_told_in_json),
        cmocka_unit_test(json_in_a_protobuf_is_json),
        cmocka_unit_test(a_name_is_a_name_wherever_it_stands),
        cmocka_unit_test(a_tenant_is_a_name_in_every_subject),
        cmocka_unit_test(what_a_hand_writes_wrong_is_named),
        cmocka_unit_test(everything_that_ran_ended_once),
    };
    const struct CMUnitTest away[] = {
        cmocka_unit_test_teardown(nats_away_is_said_at_once, world_teardown),
    };
    int failed = cmocka_run_group_tests_name("bad_input_more", tests, group_up, world_teardown);

    return failed + cmocka_run_group_tests_name("bad_input_away", away, NULL, NULL);
}
