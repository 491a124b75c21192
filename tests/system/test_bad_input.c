/* bad_input - what people and programs get wrong: each with its exact problem, and nothing that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/world.h"

#define STEPS "\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}}]"
#define FLOW "\"flow\":{" STEPS "}"

static int group_up(void **state)
{
    struct world *w = world_new(state, "bad_input");

    world_start_all(w);
    client_put(w->client, "sluice_flows", "hn_titles",
               "{\"version\":3,\"flow\":{\"name\":\"hn_titles\"," STEPS "}}");
    client_put(
        w->client, "sluice_upstreams", "multion",
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://127.0.0.1:1/v1/web\"}");
    client_put(w->client, "sluice_tenants", "nobulk",
               "{\"lanes\":[\"realtime\",\"standard\"]}");
    /* The buckets are followed: wait until the gateway has heard. */
    struct answer a;
    bool heard;
    WORLD_WAIT(w, 5000,
               (a     = client_ask_text(w->client, "sluice.api.submit.nobulk",
                                        "{\"flow\":\"hn_titles\",\"lane\":\"bulk\",\"upstream\":"
                                            "\"multion\",\"dry_run\":true}"),
                heard = strcmp(answer_text(&a, "code"), "lane_not_allowed") == 0,
                answer_deinit(&a), heard));
    return 0;
}

/* Body and headers must say the same (surface 13). */
static void must_be_problem(struct world *w, const char *what, struct answer *a,
                            const char *code, int status, const char *pointer,
                            const char *words)
{
    char number[16];

    if (a->status != NATS_OK)
        world_fail(w, "%s: no answer: %s", what, natsStatus_GetText(a->status));
    if (strcmp(answer_text(a, "code"), code) != 0)
        world_fail(w, "%s: code should be %s: %.900s", what, code, answer_body(a, NULL));
    snprintf(number, sizeof(number), "%d", status);
    if (strcmp(answer_header(a, "Nats-Service-Error-Code"), number) != 0 ||
        answer_number(a, "status") != status)
        world_fail(w, "%s: status should be %d: header \"%s\", %.900s", what, status,
                   answer_header(a, "Nats-Service-Error-Code"), answer_body(a, NULL));
    if (!*answer_text(a, "title") ||
        strcmp(answer_header(a, "Nats-Service-Error"), answer_text(a, "title")) != 0)
        world_fail(w, "%s: header and title differ: \"%s\", %.900s", what,
                   answer_header(a, "Nats-Service-Error"), answer_body(a, NULL));
    if (strcmp(answer_text(a, "errors.0.pointer"), pointer) != 0)
        world_fail(w, "%s: pointer should be \"%s\": %.900s", what, pointer,
                   answer_body(a, NULL));
    if (words && !strstr(answer_text(a, "detail"), words))
        world_fail(w, "%s: detail should say \"%s\": %.900s", what, words,
                   answer_body(a, NULL));
    if (!strstr(answer_text(a, "type"), "/docs/errors#") ||
        !json_object_get(a->json, "run_id") || !json_object_get(a->json, "trace_id"))
        world_fail(w, "%s: not the one shape: %.900s", what, answer_body(a, NULL));
}

struct bad {
    const char *what, *subject, *body, *code;
    int status;
    const char *pointer, *words;
};

static const struct bad BAD[] = {
    {"not JSON", "submit.acme", "{\"flow\":", "invalid_request", 400, "", "not valid JSON"},
    {"JSON with more behind it", "submit.acme", "{" FLOW "} x", "invalid_request", 400, "",
     "not valid JSON"},
    {"a field twice", "submit.acme", "{" FLOW ",\"key\":\"a\",\"key\":\"b\"}",
     "invalid_request", 400, "", "key"},
    {"an array", "submit.acme", "[1]", "invalid_request", 400, "", "object"},
    {"an empty body", "submit.acme", "", "invalid_request", 400, "", "empty"},
    {"blank before JSON", "submit.acme", " {" FLOW "}", "invalid_request", 400, "",
     "JSON must begin with {"},
    {"newline before JSON", "submit.acme", "\n{" FLOW "}", "invalid_request", 400, "",
     "JSON must begin with {"},
    {"a bare word", "submit.acme", "hello", "invalid_request", 400, "",
     "neither JSON nor protobuf"},
    {"unknown field", "submit.acme", "{" FLOW ",\"imput\":{}}", "invalid_request", 400,
     "/imput", "did you mean \"input\"?"},
    {"unknown field, nothing near", "submit.acme", "{" FLOW ",\"zzzzzzzzzzzz\":1}",
     "invalid_request", 400, "/zzzzzzzzzzzz", "unknown field"},
    {"no flow", "submit.acme", "{}", "invalid_request", 400, "/flow", NULL},
    {"flow a number", "submit.acme", "{\"flow\":7}", NULL, 0, "/flow", NULL},
    {"key a number", "submit.acme", "{" FLOW ",\"key\":7}", "invalid_request", 400, "/key",
     "a string is needed"},
    {"lane of no kind", "submit.acme", "{" FLOW ",\"lane\":\"fast\"}", "invalid_request", 400,
     "/lane", "realtime, standard or bulk"},
    {"labels an array", "submit.acme", "{" FLOW ",\"labels\":[]}", "invalid_request", 400,
     "/labels", NULL},
    {"a label a number", "submit.acme", "{" FLOW ",\"labels\":{\"a\":1}}", "invalid_request",
     400, "/labels/a", NULL},
    {"a wrong duration", "submit.acme", "{" FLOW ",\"timeout\":\"5 min\"}", "invalid_request",
     400, "/timeout", "is not a duration"},
    {"a wrong time", "submit.acme", "{" FLOW ",\"not_before\":\"tomorrow\"}", "invalid_request",
     400, "/not_before", NULL},
    {"a time that outlasts its journal", "submit.acme", "{" FLOW ",\"timeout\":\"8d\"}",
     "invalid_request", 400, "/timeout", "SLUICE_RETENTION"},
    {"a beginning beyond the journal", "submit.acme",
     "{" FLOW ",\"not_before\":\"2999-01-01T00:00:00Z\"}", "invalid_request", 400,
     "/not_before", "SLUICE_RETENTION"},
    {"a beginning and a time that together are too long", "submit.acme",
     "{" FLOW ",\"not_before\":\"6d\",\"timeout\":\"25h\"}", "invalid_request", 400,
     "/not_before", "SLUICE_RETENTION"},
    {"a flow's time that outlasts its journal", "submit.acme",
     "{\"flow\":{\"timeout\":\"8d\"," STEPS "}}", "invalid_flow", 422, "/flow/timeout",
     "SLUICE_RETENTION"},
    {"a duration of ages", "submit.acme",
     "{" FLOW ",\"start_within\":\"9223372036854775807ms\"}", "invalid_request", 400,
     "/start_within", "is not a duration"},
    {"a priority of no kind", "submit.acme", "{" FLOW ",\"priority\":\"high\"}",
     "invalid_request", 400, "/priority", "realtime, standard or bulk"},
    {"key and job_id differ", "submit.acme", "{" FLOW ",\"key\":\"a\",\"job_id\":\"b\"}",
     "invalid_request", 400, "/key", "different things"},
    {"a dot in a name", "submit.acme", "{" FLOW ",\"pool\":\"eu.west\"}", "invalid_request",
     400, "/pool", "is not a name"},
    {"a wildcard in a name", "submit.acme", "{" FLOW ",\"lock\":\"*\"}", "invalid_request", 400,
     "/lock", "is not a name"},
    {"a greater wildcard in a name", "submit.acme", "{" FLOW ",\"pool\":\">\"}",
     "invalid_request", 400, "/pool", "is not a name"},
    {"a newline in a name", "submit.acme", "{" FLOW ",\"lock\":\"a\\nb\"}", "invalid_request",
     400, "/lock", "is not a name"},
    {"a name too long", "submit.acme",
     "{" FLOW
     ",\"lock\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
     "invalid_request", 400, "/lock", "is not a name"},
    {"session of no kind", "submit.acme", "{" FLOW ",\"session\":\"x\"}", "invalid_request",
     400, "/session", NULL},
    {"unknown flow", "submit.acme", "{\"flow\":\"hn_title\"}", "not_found", 404, "/flow",
     "hn_titles"},
    {"flow name with a dot", "submit.acme", "{\"flow\":\"hn.titles\"}", "invalid_request", 400,
     "/flow", NULL},
    {"flow name with a wildcard", "submit.acme", "{\"flow\":\"hn*\"}", "invalid_request", 400,
     "/flow", NULL},
    {"a dry run in words", "submit.acme", "{" FLOW ",\"dry_run\":\"true\"}", "invalid_request",
     400, "/dry_run", "true or false"},
    {"a dry run in numbers", "submit.acme", "{" FLOW ",\"dry_run\":1}", "invalid_request", 400,
     "/dry_run", "true or false"},
    {"an empty key", "submit.acme", "{" FLOW ",\"key\":\"\"}", "invalid_request", 400, "/key",
     "is empty"},
    {"an empty key in the essay's words", "submit.acme", "{" FLOW ",\"job_id\":\"\"}",
     "invalid_request", 400, "/job_id", "is empty"},
    {"an empty lock", "submit.acme", "{" FLOW ",\"lock\":\"\"}", "invalid_request", 400,
     "/lock", "is empty"},
    {"no time at all", "submit.acme", "{" FLOW ",\"timeout\":\"0s\"}", "invalid_request", 400,
     "/timeout", "some time"},
    {"no time to begin", "submit.acme", "{" FLOW ",\"start_within\":\"0s\"}", "invalid_request",
     400, "/start_within", "some time"},
    {"a secret", "submit.acme",
     "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":\"${secret.shop.password}\"}}]}}",
     "invalid_flow", 422, "/flow/steps/0", "secrets are not available"},
    {"a secret in the result", "submit.acme",
     "{\"flow\":{" STEPS ",\"result\":{\"x\":\"${ secret.a.b }\"}}}", "invalid_flow", 422,
     "/flow/result", "secrets are not available"},
    {"an expression that is not closed, in expect", "submit.acme",
     "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1},\"expect\":\"${.x\"}]}}",
     "invalid_flow", 422, "/flow/steps/0/expect", NULL},
    {"nothing like a flow", "submit.acme", "{\"flow\":\"catalogue_of_all\"}", "not_found", 404,
     "/flow", "put it into the bucket sluice_flows"},
    {"nothing like an upstream", "submit.acme", "{" FLOW ",\"upstream\":\"qwertyuiop\"}",
     "not_found", 404, "/upstream", "sluice upstream set qwertyuiop"},
    {"unknown upstream", "submit.acme", "{" FLOW ",\"upstream\":\"multon\"}", "not_found", 404,
     "/upstream", "multion"},
    {"unknown upstream of the flow", "submit.acme",
     "{\"flow\":{\"upstream\":\"multon\"," STEPS "}}", "not_found", 404, "/flow/upstream",
     "multion"},
    {"unknown step to begin at", "submit.acme", "{" FLOW ",\"step\":\"b\"}", "invalid_request",
     400, "/step", NULL},
    {"unknown field of a flow", "submit.acme", "{\"flow\":{\"stepz\":[]}}", "invalid_flow", 422,
     "/flow/stepz", "steps"},
    {"flow without steps", "submit.acme", "{\"flow\":{}}", "invalid_flow", 422, "/flow/steps",
     NULL},
    {"step without a verb", "submit.acme", "{\"flow\":{\"steps\":[{\"id\":\"a\"}]}}",
     "invalid_flow", 422, "/flow/steps/0", NULL},
    {"unknown verb", "submit.acme",
     "{\"flow\":{\"steps\":[{\"id\":\"a\",\"slep\":{\"for\":\"1s\"}}]}}", "invalid_flow", 422,
     "/flow/steps/0/slep", "sleep"},
    {"wrong duration in a step", "submit.acme",
     "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{},\"timeout\":\"5 min\"}]}}", "invalid_flow",
     422, "/flow/steps/0/timeout", "write \"5m\""},
    {"same step id twice", "submit.acme",
     "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}},{\"id\":\"a\",\"set\":{}}]}}",
     "invalid_flow", 422, "/flow/steps/1/id", NULL},
    {"a later step's outcome", "submit.acme",
     "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":\"${.steps.b.ok}\"}},{\"id\":\"b\","
     "\"set\":{}}]}}",
     "invalid_flow", 422, NULL, "b"},
    {"input against its schema", "submit.acme",
     "{\"flow\":{\"input\":{\"type\":\"object\",\"required\":[\"u\"],\"properties\":{\"u\":{"
     "\"type\":\"string\"}}}," STEPS "},\"input\":{\"u\":1}}",
     "invalid_request", 400, "/input/u", NULL},
    {"a private URL", "submit.acme",
     "{\"flow\":{\"upstream\":\"multion\",\"steps\":[{\"id\":\"a\",\"open\":{\"url\":\"http://"
     "127.0.0.1/\"}}]}}",
     "url_forbidden", 422, NULL, NULL},
    {"the metadata address", "submit.acme",
     "{\"flow\":{\"upstream\":\"multion\",\"steps\":[{\"id\":\"a\",\"open\":{\"url\":\"http://"
     "169.254.169.254/latest\"}}]}}",
     "url_forbidden", 422, NULL, NULL},
    {"a URL of a file", "submit.acme",
     "{\"flow\":{\"upstream\":\"multion\",\"steps\":[{\"id\":\"a\",\"open\":{\"url\":\"file:///"
     "etc/passwd\"}}]}}",
     "url_forbidden", 422, NULL, NULL},
    {"a dot in the tenant", "submit.a.b", "{" FLOW "}", "invalid_request", 400, "", "tenant"},
    {"a tenant of odd characters", "submit.a$b", "{" FLOW "}", "invalid_request", 400, "",
     "tenant"},
    {"a get of nothing", "get.acme", "", "invalid_request", 400, "/run_id", NULL},
    {"a get of no run id", "get.acme", "{\"run_id\":\"x\"}", "invalid_request", 400, "/run_id",
     "26-character"},
    {"a get of an unknown run", "get.acme", "01KAJ4T0Q8ZP9F4T4W6V2N8M1C", "not_found", 404, "",
     NULL},
    {"a get of an unknown key", "get.acme", "{\"key\":\"nobody\"}", "not_found", 404, "", NULL},
    {"a get of both", "get.acme", "{\"key\":\"a\",\"run_id\":\"01KAJ4T0Q8ZP9F4T4W6V2N8M1C\"}",
     "invalid_request", 400, "/key", NULL},
    {"a get with another field", "get.acme", "{\"kei\":\"a\"}", "invalid_request", 400, "/kei",
     "did you mean \"key\"?"},
    {"a wait with a wrong time", "wait.acme", "{\"key\":\"a\",\"timeout\":5}",
     "invalid_request", 400, "/timeout", NULL},
    {"a cancel of an unknown run", "cancel.acme", "{\"run_id\":\"01KAJ4T0Q8ZP9F4T4W6V2N8M1C\"}",
     "not_found", 404, "", NULL},
    {"a cancel with a number", "cancel.acme", "{\"key\":\"a\",\"reason\":5}", "invalid_request",
     400, "/reason", NULL},
    {"a lane that is not allowed", "submit.nobulk", "{" FLOW ",\"lane\":\"bulk\"}",
     "lane_not_allowed", 403, "/lane", NULL},
    {"control characters in JSON", "submit.acme", "{\"flow\":\"a\x01\"}", "invalid_request",
     400, "", "not valid JSON"},
    {"a zero in a string", "submit.acme", "{" FLOW ",\"key\":\"a\\u0000b\"}", "invalid_request",
     400, "", NULL},
    {"text that is not UTF-8", "submit.acme", "{" FLOW ",\"key\":\"\xff\xfe\"}",
     "invalid_request", 400, "", NULL},
    {"a number beyond 64 bits", "submit.acme",
     "{" FLOW ",\"input\":{\"n\":99999999999999999999}}", "invalid_request", 400, "", NULL},
};

/* All are asked, and all that is wrong is said at once. */
static void each_mistake_has_its_problem(void **state)
{
    struct world *w = *state;
    char subject[128];
    int wrong = 0;

    for (size_t n = 0; n < sizeof(BAD) / sizeof(*BAD); n++) {
        const struct bad *b = &BAD[n];
        snprintf(subject, sizeof(subject), "sluice.api.%s", b->subject);
        struct answer a = client_ask_text(w->client, subject, b->body);
        char number[16];
        snprintf(number, sizeof(number), "%d", b->status);
        bool good =
            a.status == NATS_OK &&
            (!b->code || strcmp(answer_text(&a, "code"), b->code) == 0) &&
            *answer_text(&a, "code") &&
            (!b->status || (strcmp(answer_header(&a, "Nats-Service-Error-Code"), number) == 0 &&
                            answer_number(&a, "status") == b->status)) &&
            strcmp(answer_header(&a, "Nats-Service-Error"), answer_text(&a, "title")) == 0 &&
            (!b->pointer || strcmp(answer_text(&a, "errors.0.pointer"), b->pointer) == 0) &&
            (!b->words || strstr(answer_text(&a, "detail"), b->words)) &&
            json_object_get(a.json, "run_id") && json_object_get(a.json, "trace_id") &&
            strstr(answer_text(&a, "type"), "/docs/errors#");
        if (!good) {
            print_message("%s: wanted %s %d \"%s\" (%s), got %s: header %s: %.700s\n", b->what,
                          b->code ? b->code : "any", b->status, b->pointer ? b->pointer : "any",
                          b->words ? b->words : "", natsStatus_GetText(a.status),
                          answer_header(&a, "Nats-Service-Error-Code"), answer_body(&a, NULL));
            wrong++;
        }
        answer_deinit(&a);
    }
    if (wrong)
        world_fail(w, "%d of %zu mistakes have not their problem", wrong,
                   sizeof(BAD) / sizeof(*BAD));
}

static void ten_thousand_brackets_are_refused(void **state)
{
    enum { DEEP = 10000 };
    struct world *w = *state;
    char *body      = malloc(2 * DEEP + 64);
    size_t len      = (size_t)snprintf(body, 64, "{\"flow\":\"hn_titles\",\"input\":");

    memset(body + len, '[', DEEP);
    memset(body + len + DEEP, ']', DEEP);
    body[len + 2 * DEEP] = '}';
    struct answer a =
        client_ask(w->client, "sluice.api.submit.acme", body, len + 2 * DEEP + 1, 5000);
    must_be_problem(w, "10,000 brackets", &a, "invalid_request", 400, "", "nested deeper than");
    answer_deinit(&a);
    free(body);
}

static void two_megabytes_are_too_large(void **state)
{
    enum { SIZE = 2 << 20 };
    struct world *w = *state;
    char *body      = malloc(SIZE + 1);

    memset(body, 'a', SIZE);
    memcpy(body, "{\"key\":\"", 8);
    memcpy(body + SIZE - 2, "\"}", 2);
    struct answer a = client_ask(w->client, "sluice.api.submit.acme", body, SIZE, 5000);
    must_be_problem(w, "2 MB", &a, "too_large", 413, "", "1048576");
    answer_deinit(&a);

    /* An input above SLUICE_INPUT_MAX in a body that is not. */
    size_t len = (size_t)snprintf(body, 200, "{" FLOW ",\"input\":{\"s\":\"");
    memset(body + len, 'a', 300000);
    snprintf(body + len + 300000, 8, "\"}}");
    struct answer b = client_ask_text(w->client, "sluice.api.submit.acme", body);
    must_be_problem(w, "300 KB of input", &b, "too_large", 413, "/input", "SLUICE_INPUT_MAX");
    answer_deinit(&b);
    free(body);
}

static void malformed_protobuf_is_said_to_be_neither(void **state)
{
    static const unsigned char cut[] = {0x0a, 0xff, 0x01, 'a'}, group[] = {0x0b, 0x01},
                               zero[] = {0, 0, 0, 0};
    static const struct {
        const char *what;
        const unsigned char *at;
        size_t len;
    } bodies[]      = {{"a length beyond its end", cut, sizeof(cut)},
                       {"a group", group, sizeof(group)},
                       {"zeros", zero, sizeof(zero)}};
    struct world *w = *state;

    for (size_t n = 0; n < 3; n++) {
        struct answer a =
            client_ask(w->client, "sluice.api.submit.acme", bodies[n].at, bodies[n].len, 5000);
        must_be_problem(w, bodies[n].what, &a, "invalid_request", 400, "",
                        "neither JSON nor protobuf");
        answer_deinit(&a);
    }
}

static void the_same_key_with_another_body_is_a_conflict(void **state)
{
    struct world *w = *state;
    char run[27];

    client_submit(w->client, "acme", "{" FLOW ",\"key\":\"same\",\"input\":{\"a\":1,\"b\":2}}",
                  run);
    struct answer a =
        client_ask_text(w->client, "sluice.api.submit.acme",
                        "{" FLOW ",\"key\":\"same\",\"input\":{\"a\":1,\"b\":3}}");
    must_be_problem(w, "another body", &a, "key_conflict", 422, "/key", "same");
    assert_string_equal(answer_text(&a, "run_id"), run);
    answer_deinit(&a);
    /* The order of fields is no difference, nor is another tenant's key one. */
    struct answer b =
        client_ask_text(w->client, "sluice.api.submit.acme",
                        "{\"input\":{\"b\":2,\"a\":1},\"key\":\"same\"," FLOW "}");
    assert_string_equal(answer_text(&b, "run_id"), run);
    WORLD_MUST(w, json_is_false(json_object_get(b.json, "created")));
    answer_deinit(&b);
    char other[27];
    client_submit(w->client, "globex",
                  "{" FLOW ",\"key\":\"same\",\"input\":{\"a\":1,\"b\":3}}", other);
    WORLD_MUST(w, strcmp(run, other) != 0);
}

static void an_ended_run_cannot_be_cancelled(void **state)
{
    struct world *w = *state;
    char run[27], body[80];

    client_submit(w->client, "acme", "{" FLOW "}", run);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "acme", run, "done"));
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\"}", run);
    struct answer a = client_ask_text(w->client, "sluice.api.cancel.acme", body);
    must_be_problem(w, "too late", &a, "run_finished", 409, "", "done");
    assert_string_equal(answer_text(&a, "run_id"), run);
    answer_deinit(&a);
}

/* Verbs of later issues are answered, too. */
static void what_is_not_there_is_said(void **state)
{
    struct world *w                  = *state;
    static const char *const verbs[] = {"list",   "signal",      "step", "explain",
                                        "replay", "submit_many", NULL};
    char subject[64];

    for (size_t n = 0; verbs[n]; n++) {
        snprintf(subject, sizeof(subject), "sluice.api.%s.acme", verbs[n]);
        struct answer a = client_ask_text(w->client, subject, "{}");
        must_be_problem(w, verbs[n], &a, "invalid_request", 400, "", NULL);
        answer_deinit(&a);
    }
    struct answer typo = client_ask_text(w->client, "sluice.api.sumbit.acme", "{}");
    must_be_problem(w, "a verb with a typo", &typo, "invalid_request", 400, "",
                    "\"sumbit\" is no verb; is \"submit\" meant?");
    answer_deinit(&typo);
    struct answer bare = client_ask_text(w->client, "sluice.api.get", "{}");
    must_be_problem(w, "no tenant", &bare, "invalid_request", 400, "", NULL);
    answer_deinit(&bare);
}

static bool has_job_of(struct world *w, const char *tenant)
{
    char filter[100];

    snprintf(filter, sizeof(filter), "sluice.jobs.%s.>", tenant);
    return client_count_of(w->client, "SLUICE_JOBS", filter) > 0;
}

/* A value that does not validate is ignored, the last good one stays, one alert names the field. */
static void a_wrong_value_leaves_the_last_good_one(void **state)
{
    static const char *const wrong[] = {
        "{\"cap\":\"many\"}", "{\"capp\":3}", "{\"cap\":-1}", "not JSON", "[1]", "", NULL};
    struct world *w = *state;
    char run[27];

    client_put(w->client, "sluice_tenants", "halted",
               "{\"paused\":true,\"reason\":\"by ann\"}");
    for (size_t n = 0; wrong[n]; n++)
        client_put(w->client, "sluice_tenants", "halted", wrong[n]);
    client_put(w->client, "sluice_tenants", "next", "{\"cap\":1}");
    client_submit(w->client, "halted", "{" FLOW "}", run);
    for (int n = 0; n < 5; n++) { /* runs of others come and go meanwhile */
        char other[27];
        client_submit(w->client, "next", "{" FLOW "}", other);
        WORLD_WAIT(w, 5000, client_status_is(w->client, "next", other, "done"));
    }
    WORLD_MUST(w, client_status_is(w->client, "halted", run, "queued") &&
                      !has_job_of(w, "halted"));
    client_put(w->client, "sluice_tenants", "halted", "{\"paused\":false}");
    WORLD_WAIT(w, 5000, client_status_is(w->client, "halted", run, "done"));

    client_put(w->client, "sluice_upstreams", "multion", "{\"driver\":\"agnt\"}");
    client_put(w->client, "sluice_flows", "hn_titles", "{\"version\":4,\"flw\":{}}");
    client_submit(w->client, "next", "{\"flow\":\"hn_titles\",\"upstream\":\"multion\"}", run);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "next", run, "done"));
    struct answer a = client_get(w->client, "next", run);
    assert_string_equal(answer_text(&a, "flow"), "hn_titles@3");
    answer_deinit(&a);
}

static bool is_flow(struct world *w, const char *wanted, const char *name)
{
    char body[100];

    snprintf(body, sizeof(body), "{\"flow\":\"%s\",\"dry_run\":true}", wanted);
    struct answer a = client_ask_text(w->client, "sluice.api.submit.acme", body);
    bool yes        = strcmp(answer_text(&a, "flow"), name) == 0;
    answer_deinit(&a);
    return yes;
}

static void older_versions_of_a_flow_stay(void **state)
{
    struct world *w = *state;

    client_put(w->client, "sluice_flows", "grown", "{\"version\":1," FLOW "}");
    client_put(w->client, "sluice_flows", "grown", "{\"version\":2," FLOW "}");
    WORLD_WAIT(w, 5000, is_flow(w, "grown", "grown@2"));
    WORLD_MUST(w, is_flow(w, "grown@2", "grown@2") && is_flow(w, "grown@1", "grown@1"));
    WORLD_MUST(w, !is_flow(w, "grown@3", "grown@3"));
}

static uint64_t alerts_of(struct world *w, const char *name)
{
    char subject[128];

    snprintf(subject, sizeof subject, "sluice.alert.ConfigRefused.%s", name);
    return client_count_of(w->client, "SLUICE_ALERTS", subject);
}

static bool alert_says(struct world *w, size_t nth, const char *name, const char *word)
{
    struct record *alerts = record_read(w, "SLUICE_ALERTS");
    bool says             = false;

    for (size_t n = 0, of = 0; n < alerts->count; n++)
        if (strstr(record_subject(&alerts->items[n]), name) && of++ == nth)
            says = memmem(natsMsg_GetData(alerts->items[n].msg),
                          (size_t)natsMsg_GetDataLength(alerts->items[n].msg), word,
                          strlen(word)) != NULL;
    record_free(&alerts);
    return says;
}

/* One alert names the field, one says that it is over; also with two gateways, of which one begins later. */
static void a_wrong_value_is_alerted_once(void **state)
{
    struct world *w = *state;

    client_put(w->client, "sluice_tenants", "alerted", "{\"capp\":3}");
    WORLD_WAIT(w, 5000, alerts_of(w, "tenants-alerted") == 1);
    WORLD_MUST(w, alert_says(w, 0, "tenants-alerted", "firing") &&
                      alert_says(w, 0, "tenants-alerted", "capp"));
    (void)world_start(w, "gateway");
    client_put(w->client, "sluice_upstreams", "odd", "{\"in_flight\":\"many\"}");
    WORLD_WAIT(w, 5000, alerts_of(w, "upstreams-odd") == 1);
    client_put(w->client, "sluice_tenants", "alerted", "{\"cap\":3}");
    WORLD_WAIT(w, 5000, alerts_of(w, "tenants-alerted") == 2);
    WORLD_MUST(w, alert_says(w, 1, "tenants-alerted", "resolved"));
    for (int n = 0; n < 10;
         n++) { /* the second began behind a refused value, and has the good one */
        char run[27];
        client_submit(w->client, "next", "{\"flow\":\"hn_titles\",\"upstream\":\"multion\"}",
                      run);
    }
    client_put(w->client, "sluice_pools", "default", "{\"pausd\":true}");
    client_put(w->client, "sluice_flows", "hn_titles",
               "{\"version\":4,\"flow\":{\"steps\":1}}");
    WORLD_WAIT(w, 5000, alerts_of(w, "pools-default") >= 1);
    WORLD_WAIT(w, 5000, alerts_of(w, "flows-hn_titles") >= 1);
    WORLD_MUST(w, alerts_of(w, "tenants-alerted") == 2 && alerts_of(w, "upstreams-odd") == 1);
}

static void nothing_refused_left_anything(void **state)
{
    struct world *w = *state;

    judge_all(w, NULL, 10000);
}

/* With SLUICE_TENANTS=listed, the services' default. */
static void a_tenant_that_is_not_listed_is_refused(void **state)
{
    struct world *w = world_new(state, "bad_input_listed");

    world_env(w, "SLUICE_TENANTS", "listed");
    world_start_all(w);
    struct answer a = client_ask_text(w->client, "sluice.api.submit.acme", "{" FLOW "}");
    must_be_problem(w, "a tenant nobody knows", &a, "not_found", 404, "",
                    "tenant acme is not known: sluice tenant set acme --tier free");
    answer_deinit(&a);
    assert_int_equal(client_count(w->client, "SLUICE_JOURNAL"), 0);
    client_put(w->client, "sluice_tenants", "acme", "{}");
    struct answer b;
    bool taken;
    WORLD_WAIT(w, 3000,
               (b     = client_ask_text(w->client, "sluice.api.submit.acme", "{" FLOW "}"),
                taken = *answer_text(&b, "run_id") != '\0', answer_deinit(&b), taken));
    judge_all(w, NULL, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_has_its_problem),
        cmocka_unit_test(ten_thousand_brackets_are_refused),
        cmocka_unit_test(two_megabytes_are_too_large),
        cmocka_unit_test(malformed_protobuf_is_said_to_be_neither),
        cmocka_unit_test(the_same_key_with_another_body_is_a_conflict),
        cmocka_unit_test(an_ended_run_cannot_be_cancelled),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(a_wrong_value_leaves_the_last_good_one),
        cmocka_unit_test(older_versions_of_a_flow_stay),
        cmocka_unit_test(a_wrong_value_is_alerted_once),
        cmocka_unit_test(nothing_refused_left_anything),
    };
    const struct CMUnitTest listed[] = {
        cmocka_unit_test_teardown(a_tenant_that_is_not_listed_is_refused, world_teardown),
    };
    int failed = cmocka_run_group_tests_name("bad_input", tests, group_up, world_teardown);
    return failed + cmocka_run_group_tests_name("bad_input listed", listed, NULL, NULL);
}
