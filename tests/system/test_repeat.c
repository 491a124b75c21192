/* repeat - the same submit again: it meets its run, whatever was changed meanwhile; and whose trace the run is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/world.h"

enum { READY_MS = 20000, RUN_MS = 30000, ASK_MS = 5000 };

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static int group_up(void **state)
{
    world_start_all(world_new(state, "repeat"));
    return 0;
}

static struct answer submit(struct world *w, const char *body)
{
    return client_ask_text(w->client, "sluice.api.submit.acme", body);
}

static void forget_flow(struct world *w, const char *name)
{
    char subject[96];
    natsMsg *m = NULL;

    snprintf(subject, sizeof(subject), "$KV.sluice_flows.%s", name);
    assert_int_equal(natsMsg_Create(&m, subject, NULL, NULL, 0), NATS_OK);
    assert_int_equal(natsMsgHeader_Set(m, "KV-Operation", "DEL"), NATS_OK);
    assert_int_equal(natsConnection_PublishMsg(w->client->nc, m), NATS_OK);
    natsMsg_Destroy(m);
}

static bool is_refused(struct world *w, const char *body, const char *code)
{
    struct answer a = submit(w, body);
    bool yes        = strcmp(answer_text(&a, "code"), code) == 0;

    answer_deinit(&a);
    return yes;
}

static bool is_accepted(struct world *w, const char *body)
{
    struct answer a = submit(w, body);
    bool yes        = strcmp(answer_text(&a, "status"), "valid") == 0;

    answer_deinit(&a);
    return yes;
}

/* It meets the run that there is; with another body it is a conflict; as a new run it is refused. */
static void must_meet(struct world *w, const char *body, const char *run)
{
    struct answer a = submit(w, body);

    if (strcmp(answer_text(&a, "run_id"), run) != 0 ||
        !json_is_false(json_path(a.json, "created")))
        world_fail(w, "%s does not meet %s: %s", body, run, answer_body(&a, NULL));
    answer_deinit(&a);
}

static void a_repeat_meets_its_run_whatever_was_changed(void **state)
{
    static const char PAY[] = "{\"flow\":\"pay\",\"key\":\"p1\",\"lane\":\"realtime\"}";
    struct world *w         = *state;
    char run[27];

    client_put(w->client, "sluice_flows", "pay",
               "{\"version\":1,\"flow\":{\"steps\":[{\"id\":\"s\",\"set\":{\"x\":1}}]}}");
    WORLD_WAIT(w, READY_MS, is_accepted(w, "{\"flow\":\"pay\",\"dry_run\":true}"));
    client_submit(w->client, "acme", PAY, run);

    client_put(w->client, "sluice_tenants", "acme", "{\"lanes\":[\"bulk\"]}");
    WORLD_WAIT(w, READY_MS,
               is_refused(w, "{\"flow\":\"pay\",\"lane\":\"realtime\"}", "lane_not_allowed"));
    must_meet(w, PAY, run);
    forget_flow(w, "pay");
    WORLD_WAIT(w, READY_MS, is_refused(w, "{\"flow\":\"pay\",\"lane\":\"bulk\"}", "not_found"));
    must_meet(w, PAY, run);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "acme", run, "done"));
    must_meet(w, PAY, run);
    WORLD_MUST(w, is_refused(w, "{\"flow\":\"pay\",\"key\":\"p1\",\"lane\":\"bulk\"}",
                             "key_conflict"));
    WORLD_MUST(
        w, is_refused(w, "{\"flow\":\"pay\",\"key\":\"p2\",\"lane\":\"bulk\"}", "not_found"));
    struct answer a = client_ask_text(w->client, "sluice.api.get.acme", "{\"key\":\"p2\"}");
    assert_string_equal(answer_text(&a, "code"),
                        "not_found"); /* a refused submit leaves nothing */
    answer_deinit(&a);
}

/* ---- wait -------------------------------------------------------------------------------------- */

static void a_wait_that_is_over_says_how_it_is_by_then(void **state)
{
    struct world *w = *state;
    char run[27], body[96];

    client_submit(
        w->client, "dev",
        "{\"flow\":{\"steps\":[{\"id\":\"a\",\"sleep\":{\"for\":\"500ms\"}},{\"id\":\"b\","
        "\"sleep\":{\"for\":\"20s\"}}]}}",
        run);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "dev", run, "waiting"));
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\",\"timeout\":\"4s\"}", run);
    struct answer a = client_ask(w->client, "sluice.api.wait.dev", body, strlen(body), RUN_MS);
    assert_string_equal(answer_text(&a, "status"), "waiting");
    assert_string_equal(answer_text(&a, "step"), "b");
    assert_string_equal(answer_text(&a, "steps.a.status"), "ok");
    answer_deinit(&a);
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\"}", run);
    a = client_ask_text(w->client, "sluice.api.cancel.dev", body);
    answer_deinit(&a);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "dev", run, "cancelled"));
}

/* ---- traces ------------------------------------------------------------------------------------- */

static struct answer submit_traced(struct world *w, const char *body)
{
    struct answer a = {0};
    natsMsg *m      = NULL;

    assert_int_equal(natsMsg_Create(&m, "sluice.api.submit.dev", NULL, body, (int)strlen(body)),
                     NATS_OK);
    assert_int_equal(natsMsgHeader_Set(m, "traceparent", "00-" TRACE "-" SPAN "-01"), NATS_OK);
    a.status = natsConnection_RequestMsg(&a.msg, w->client->nc, m, ASK_MS);
    natsMsg_Destroy(m);
    assert_int_equal(a.status, NATS_OK);
    a.json = json_loadb(natsMsg_GetData(a.msg), (size_t)natsMsg_GetDataLength(a.msg), 0, NULL);
    return a;
}

static void a_run_is_in_the_trace_of_its_submit(void **state)
{
    struct world *w = *state;
    char run[27];

    struct answer a =
        submit_traced(w, "{\"flow\":{\"steps\":[{\"id\":\"s\",\"set\":{\"x\":1}}]}}");
    snprintf(run, sizeof(run), "%s", answer_text(&a, "run_id"));
    answer_deinit(&a);
    a = client_get(w->client, "dev", run); /* ended or not */
    assert_string_equal(answer_text(&a, "trace_id"), TRACE);
    answer_deinit(&a);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "dev", run, "done"));
    a = submit_traced(w, "{\"flow\":{\"steps\":[]}}");
    assert_string_equal(answer_text(&a, "code"), "invalid_flow");
    assert_string_equal(answer_text(&a, "trace_id"), TRACE);
    answer_deinit(&a);
}

static void everything_that_ran_ended_once(void **state)
{
    judge_all(*state, NULL, RUN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_meets_its_run_whatever_was_changed),
        cmocka_unit_test(a_wait_that_is_over_says_how_it_is_by_then),
        cmocka_unit_test(a_run_is_in_the_trace_of_its_submit),
        cmocka_unit_test(everything_that_ran_ended_once),
    };
    return cmocka_run_group_tests_name("repeat", tests, group_up, world_teardown);
}
