/* first_path - from a NATS subject to a result and back, seen with nothing but NATS and its CLI. */
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

static const char FLOW[] =
    "\"flow\":{\"name\":\"greet\",\"steps\":["
    "{\"id\":\"a\",\"set\":{\"n\":\"${.input.n}\"}},"
    "{\"id\":\"z\",\"end\":{\"status\":\"done\",\"result\":{\"n\":\"${.vars.n}\"}}}]}";

static const char NAPS[] =
    "{\"flow\":{\"steps\":[{\"id\":\"nap\",\"sleep\":{\"for\":\"60s\"}}]}}";

static int group_up(void **state)
{
    struct world *w = world_new(state, "first_path");

    world_start_all(w);
    return 0;
}

static struct answer submit(struct client *c, const char *key, int n)
{
    char body[600];

    snprintf(body, sizeof(body),
             "{%s,\"input\":{\"n\":%d},\"key\":\"%s\",\"labels\":{\"order\":\"123\"}}", FLOW, n,
             key);
    return client_ask_text(c, "sluice.api.submit.acme", body);
}

static bool is_ulid(const char *s)
{
    return strlen(s) == 26 && strspn(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == 26;
}

static bool is_time(const char *s)
{
    return strlen(s) == 24 && s[4] == '-' && s[10] == 'T' && s[19] == '.' && s[23] == 'Z';
}

/* surface 16: {"run_id","status":"queued","created":true,"watch"}; a repeat: created false. */
static void submit_is_answered_to_the_letter(void **state)
{
    struct world *w = *state;
    struct answer a = submit(w->client, "letter", 5);
    char watch[128], run[27];

    if (!is_ulid(answer_text(&a, "run_id")))
        world_fail(w, "no run id: %s", answer_body(&a, NULL));
    snprintf(run, sizeof(run), "%s", answer_text(&a, "run_id"));
    snprintf(watch, sizeof(watch), "sluice.watch.acme.%s", run);
    assert_string_equal(answer_text(&a, "watch"), watch);
    assert_string_equal(answer_text(&a, "status"), "queued");
    WORLD_MUST(w, json_is_true(json_object_get(a.json, "created")));
    assert_int_equal(json_object_size(a.json), 4);
    assert_string_equal(answer_header(&a, "Nats-Service-Error"), "");
    answer_deinit(&a);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "acme", run, "done"));

    struct answer again = submit(w->client, "letter", 5);
    assert_string_equal(answer_text(&again, "run_id"), run);
    assert_string_equal(answer_text(&again, "status"), "done");
    WORLD_MUST(w, json_is_false(json_object_get(again.json, "created")));
    answer_deinit(&again);
}

/* surface 3: what `nats sub --headers-only` shows of a run, in this order, gap-free. */
static void watch_shows_what_was_stored(void **state)
{
    static const struct {
        const char *kind, *headers[8];
    } wanted[] = {
        {"PLAN",
         {"Sluice-Flow", "Sluice-Lane", "Sluice-Pool", "Nats-Sequence", "Nats-Last-Sequence",
          NULL}},
        {"LEASED",
         {"Sluice-Worker", "Sluice-Lease", "Sluice-Wake", "Sluice-Job", "Sluice-Try", NULL}},
        {"OUTCOME",
         {"Sluice-Worker", "Sluice-Lease", "Sluice-Wake", "Sluice-Job", "Sluice-Step",
          "Sluice-Try", "Sluice-Result", NULL}},
        {"END",
         {"Sluice-Worker", "Sluice-Lease", "Sluice-Wake", "Sluice-Job", "Sluice-Result",
          "Nats-Sequence", NULL}},
    };
    struct world *w       = *state;
    natsSubscription *sub = NULL;
    const char *value, *last = "0";
    char before[32] = "0", run[27];

    assert_int_equal(natsConnection_SubscribeSync(&sub, w->client->nc, "sluice.watch.acme.>"),
                     NATS_OK);
    natsConnection_Flush(w->client->nc);
    struct answer a = submit(w->client, "watched", 1);
    snprintf(run, sizeof(run), "%s", answer_text(&a, "run_id"));
    answer_deinit(&a);
    for (size_t n = 0; n < sizeof(wanted) / sizeof(*wanted); n++) {
        natsMsg *msg = NULL;
        assert_int_equal(natsSubscription_NextMsg(&msg, sub, 5000), NATS_OK);
        WORLD_MUST(w, strstr(natsMsg_GetSubject(msg), run) != NULL);
        assert_int_equal(natsMsgHeader_Get(msg, "Sluice-Kind", &value), NATS_OK);
        assert_string_equal(value, wanted[n].kind);
        for (size_t h = 0; wanted[n].headers[h]; h++)
            if (natsMsgHeader_Get(msg, wanted[n].headers[h], &value) != NATS_OK || !*value)
                world_fail(w, "%s has no %s", wanted[n].kind, wanted[n].headers[h]);
        assert_int_equal(natsMsgHeader_Get(msg, "Nats-Last-Sequence", &last), NATS_OK);
        assert_string_equal(last, before);
        assert_int_equal(natsMsgHeader_Get(msg, "Nats-Sequence", &value), NATS_OK);
        snprintf(before, sizeof(before), "%s", value);
        if (n == 1) {
            assert_int_equal(natsMsgHeader_Get(msg, "Sluice-Lease", &value), NATS_OK);
            assert_int_equal(strlen(value), 16);
            assert_int_equal(strspn(value, "0123456789abcdef"), 16);
        }
        natsMsg_Destroy(msg);
    }
    natsSubscription_Destroy(sub);
}

/* surface 4, the message on sluice.result.<tenant>.<flow>.<status>.<run>. */
static void the_result_is_one_json_message(void **state)
{
    static const char *const fields[] = {
        "run_id", "key",       "flow", "status",       "reason",     "error",    "result",
        "labels", "parent",    "root", "submitted_at", "started_at", "ended_at", "ms",
        "tries",  "steps_run", "used", "artifacts",    "trace_id",   NULL};
    struct world *w = *state;
    char subject[128];
    natsMsg *msg = NULL;

    struct answer a = submit(w->client, "result", 7);
    snprintf(subject, sizeof(subject), "sluice.result.acme.greet.done.%s",
             answer_text(&a, "run_id"));
    answer_deinit(&a);
    WORLD_WAIT(w, 5000, client_count_of(w->client, "SLUICE_RESULTS", subject) == 1);
    assert_int_equal(js_GetLastMsg(&msg, w->client->js, "SLUICE_RESULTS", subject, NULL, NULL),
                     NATS_OK);
    json_t *doc = json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
    for (size_t i = 0; fields[i]; i++)
        if (!json_object_get(doc, fields[i]))
            world_fail(w, "a result has no %s: %s", fields[i], natsMsg_GetData(msg));
    assert_int_equal(json_integer_value(json_path(doc, "result.n")), 7);
    assert_string_equal(json_string_value(json_path(doc, "status")), "done");
    assert_string_equal(json_string_value(json_path(doc, "key")), "result");
    assert_string_equal(json_string_value(json_path(doc, "labels.order")), "123");
    WORLD_MUST(w,
               json_is_null(json_path(doc, "error")) && json_is_null(json_path(doc, "reason")));
    WORLD_MUST(w, json_is_null(json_path(doc, "parent")));
    assert_string_equal(json_string_value(json_path(doc, "root")),
                        json_string_value(json_path(doc, "run_id")));
    assert_int_equal(json_integer_value(json_path(doc, "tries")), 1);
    WORLD_MUST(w, is_time(json_string_value(json_path(doc, "submitted_at"))) &&
                      is_time(json_string_value(json_path(doc, "started_at"))) &&
                      is_time(json_string_value(json_path(doc, "ended_at"))));
    WORLD_MUST(w, json_is_integer(json_path(doc, "ms.queued")) &&
                      json_is_integer(json_path(doc, "ms.running")) &&
                      json_is_integer(json_path(doc, "ms.waiting")));
    json_decref(doc);
    natsMsg_Destroy(msg);
}

/* By id, by {"run_id"}, by {"key"}: the same document, 4 and 5 together. */
static void get_takes_id_document_or_key(void **state)
{
    static const char *const fields[] = {
        "run_id", "key",    "flow",  "status", "lane", "pool",      "tries", "milestones",
        "steps",  "result", "error", "ms",     "used", "artifacts", "root",  NULL};
    struct world *w = *state;
    char body[64], run[27];

    struct answer a = submit(w->client, "asked", 3);
    snprintf(run, sizeof(run), "%s", answer_text(&a, "run_id"));
    answer_deinit(&a);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "acme", run, "done"));
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\"}", run);
    const char *const asks[] = {run, body, "{\"key\":\"asked\"}"};
    for (size_t n = 0; n < 3; n++) {
        struct answer g = client_ask_text(w->client, "sluice.api.get.acme", asks[n]);
        assert_string_equal(answer_text(&g, "run_id"), run);
        assert_string_equal(answer_text(&g, "steps.a.status"), "ok");
        assert_string_equal(answer_text(&g, "lane"), "standard");
        assert_string_equal(answer_text(&g, "pool"), "default");
        assert_int_equal(answer_number(&g, "result.n"), 3);
        for (size_t i = 0; fields[i]; i++)
            if (!json_object_get(g.json, fields[i]))
                world_fail(w, "get has no %s: %s", fields[i], answer_body(&g, NULL));
        answer_deinit(&g);
    }
    /* Another tenant's run is none. */
    struct answer other = client_ask_text(w->client, "sluice.api.get.globex", run);
    assert_string_equal(answer_text(&other, "code"), "not_found");
    assert_string_equal(answer_header(&other, "Nats-Service-Error-Code"), "404");
    answer_deinit(&other);
}

static void wait_answers_at_the_end_of_the_run_or_of_the_time(void **state)
{
    struct world *w = *state;
    char body[128], run[27];

    client_submit(w->client, "acme",
                  "{\"flow\":{\"steps\":[{\"id\":\"nap\",\"sleep\":{\"for\":\"400ms\"}}]}}",
                  run);
    struct answer a = client_ask(w->client, "sluice.api.wait.acme", run, 26, 10000);
    assert_string_equal(answer_text(&a, "status"), "done");
    WORLD_MUST(w, a.ms < 4000);
    answer_deinit(&a);

    client_submit(w->client, "acme", NAPS, run);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "acme", run, "waiting"));
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\",\"timeout\":\"300ms\"}", run);
    struct answer b = client_ask(w->client, "sluice.api.wait.acme", body, strlen(body), 10000);
    assert_string_equal(answer_text(&b, "status"), "waiting");
    assert_string_equal(answer_text(&b, "waiting.on"), "timer");
    WORLD_MUST(w, is_time(answer_text(&b, "waiting.until")));
    WORLD_MUST(w, b.ms >= 300 && b.ms < 3000);
    answer_deinit(&b);

    /* A time that is over at once is answered at once, too. */
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\",\"timeout\":\"0s\"}", run);
    b = client_ask(w->client, "sluice.api.wait.acme", body, strlen(body), 10000);
    assert_string_equal(answer_text(&b, "status"), "waiting");
    answer_deinit(&b);

    snprintf(body, sizeof(body), "{\"run_id\":\"%s\",\"reason\":\"enough\"}", run);
    struct answer c = client_ask_text(w->client, "sluice.api.cancel.acme", body);
    WORLD_MUST(w, json_is_true(json_object_get(c.json, "accepted")));
    answer_deinit(&c);
    WORLD_WAIT(w, 3000, client_status_is(w->client, "acme", run, "cancelled"));
}

/* ---- the nats CLI ----------------------------------------------------------------------------------- */

static char *shell(struct world *w, const char *command)
{
    char whole[1600];
    static char out[65536];
    size_t len = 0, got;

    snprintf(whole, sizeof(whole), "NATS_URL=%s timeout 20 nats %s 2>&1", w->url, command);
    FILE *f = popen(whole, "r");
    assert_non_null(f);
    while ((got = fread(out + len, 1, sizeof(out) - 1 - len, f)) > 0)
        len += got;
    out[len] = '\0';
    (void)pclose(f);
    return out;
}

static void must_show(struct world *w, const char *out, const char *words)
{
    if (!strstr(out, words))
        world_fail(w, "the CLI does not show \"%s\":\n%s", words, out);
}

static void the_nats_cli_is_enough(void **state)
{
    struct world *w = *state;
    char command[1000];

    snprintf(command, sizeof(command),
             "req --raw sluice.api.submit.cli '{%s,\"input\":{\"n\":1},\"key\":\"cli-1\"}'",
             FLOW);
    const char *out = shell(w, command);
    must_show(w, out, "\"status\":\"queued\",\"created\":true,\"watch\":\"sluice.watch.cli.");
    out = shell(w, "req --raw --timeout 9s sluice.api.wait.cli '{\"key\":\"cli-1\"}'");
    must_show(w, out, "\"status\":\"done\"");
    out = shell(w, "req sluice.api.get.cli '{\"key\":\"nobody\"}'");
    must_show(w, out, "Nats-Service-Error: Not found");
    must_show(w, out, "Nats-Service-Error-Code: 404");
    must_show(w, out, "\"code\":\"not_found\"");
    out = shell(
        w, "sub --stream SLUICE_JOURNAL --all 'sluice.journal.cli.>' --headers-only --count 4");
    must_show(w, out, "Sluice-Kind: PLAN");
    must_show(w, out, "Sluice-Flow: greet");
    must_show(w, out, "Sluice-Kind: LEASED");
    must_show(w, out, "Sluice-Kind: OUTCOME");
    must_show(w, out, "Sluice-Kind: END");
    out = shell(
        w,
        "sub --stream SLUICE_RESULTS --all 'sluice.result.cli.greet.done.>' --raw --count 1");
    must_show(w, out, "\"result\":{\"n\":1}");
    out = shell(w, "stream subjects SLUICE_RESULTS");
    must_show(w, out, "sluice.result.cli.greet.done.");
    out = shell(w, "micro ls");
    must_show(w, out, "sluice-gateway");
    must_show(w, out, "sluice-scheduler");
    must_show(w, out, "sluice-browser-worker");
    out = shell(w, "micro stats sluice-gateway");
    must_show(w, out, "submit");
}

static void the_nats_cli_watches_live(void **state)
{
    struct world *w = *state;
    char command[PROC_LINE_MAX], path[PROC_PATH_MAX], run[27];

    snprintf(path, sizeof(path), "%s/sub.out", w->folder);
    snprintf(command, sizeof(command),
             "NATS_URL=%s timeout 20 nats sub 'sluice.watch.live.>' --headers-only --count 4 "
             ">'%s' 2>&1 & echo $! >'%s.pid'",
             w->url, path, path);
    assert_int_equal(system(command), 0);
    /* It says nothing when its subscription stands: runs are submitted until it has seen one. */
    snprintf(command, sizeof(command), "grep -q 'Sluice-Kind: END' '%s'", path);
    int64_t until = clock_ms() + 15000;
    do {
        client_submit(w->client, "live",
                      "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":1}}]}}", run);
        WORLD_WAIT(w, 5000, client_status_is(w->client, "live", run, "done"));
    } while (system(command) != 0 && clock_ms() < until);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "grep -q 'Nats-Last-Sequence' '%s'", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "kill $(cat '%s.pid') 2>/dev/null",
             path); /* if it has not seen four yet */
    (void)!system(command);
}

static void everything_ended_once(void **state)
{
    struct world *w = *state;

    judge_all(w, NULL, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submit_is_answered_to_the_letter),
        cmocka_unit_test(watch_shows_what_was_stored),
        cmocka_unit_test(the_result_is_one_json_message),
        cmocka_unit_test(get_takes_id_document_or_key),
        cmocka_unit_test(wait_answers_at_the_end_of_the_run_or_of_the_time),
        cmocka_unit_test(the_nats_cli_is_enough),
        cmocka_unit_test(the_nats_cli_watches_live),
        cmocka_unit_test(everything_ended_once),
    };
    return cmocka_run_group_tests_name("first_path", tests, group_up, world_teardown);
}
