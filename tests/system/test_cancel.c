/* cancel - in every state, also with the tenant at its cap; start_within and not_before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/callee.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/world.h"

#define SET "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}}]}"
#define NAP "\"flow\":{\"steps\":[{\"id\":\"nap\",\"sleep\":{\"for\":\"60s\"}}]}"
#define CALL(effect) \
    "\"flow\":{\"steps\":[{\"id\":\"ask\",\"effect\":\"" effect \
    "\",\"call\":{\"subject\":\"svc\",\"body\":{}},\"timeout\":\"30s\"},{\"id\":\"b\"," \
    "\"set\":{}}]}"

static struct callee *service;

static int group_up(void **state)
{
    struct world *w = world_new(state, "cancel");

    world_start_all(w);
    service = callee_new(w);
    callee_hold(service);
    client_put(w->client, "sluice_tenants", "halted", "{\"paused\":true}");
    client_put(w->client, "sluice_tenants", "one", "{\"cap\":1}");
    return 0;
}

static int group_down(void **state)
{
    callee_free(&service);
    return world_teardown(state);
}

static void cancel(struct world *w, const char *tenant, const char *run, char ret_status[32])
{
    char subject[100], body[100];

    snprintf(subject, sizeof(subject), "sluice.api.cancel.%s", tenant);
    snprintf(body, sizeof(body), "{\"run_id\":\"%s\",\"reason\":\"customer asked\"}", run);
    struct answer a = client_ask_text(w->client, subject, body);
    if (!json_is_true(json_object_get(a.json, "accepted")) ||
        strcmp(answer_text(&a, "run_id"), run) != 0)
        world_fail(w, "cancel was not accepted: %s", answer_body(&a, NULL));
    snprintf(ret_status, 32, "%s", answer_text(&a, "status"));
    answer_deinit(&a);
}

static void must_have_reason(struct world *w, const char *tenant, const char *run)
{
    struct answer a = client_get(w->client, tenant, run);

    assert_string_equal(answer_text(&a, "status"), "cancelled");
    if (strcmp(answer_text(&a, "reason"), "customer asked") != 0)
        world_fail(w, "the reason is lost: %s", answer_body(&a, NULL));
    answer_deinit(&a);
}

static void a_queued_run_is_cancelled_within_a_second_and_never_runs(void **state)
{
    struct world *w = *state;
    char run[27], status[32];

    client_submit(w->client, "halted", "{" SET "}", run);
    cancel(w, "halted", run, status);
    WORLD_WAIT(w, 1500, client_status_is(w->client, "halted", run, "cancelled"));
    must_have_reason(w, "halted", run);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    WORLD_MUST(w, record_entries(journal, run, "OUTCOME") == 0);
    record_free(&journal);
}

static void a_waiting_run_is_cancelled_at_once(void **state)
{
    struct world *w = *state;
    char run[27], status[32];

    client_submit(w->client, "acme", "{" NAP "}", run);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "acme", run, "waiting"));
    cancel(w, "acme", run, status);
    WORLD_WAIT(w, 1500, client_status_is(w->client, "acme", run, "cancelled"));
    must_have_reason(w, "acme", run);
}

/* A read in flight is dropped. */
static void a_running_read_is_dropped(void **state)
{
    struct world *w = *state;
    char run[27], status[32];

    client_submit(w->client, "acme", "{" CALL("read") "}", run);
    WORLD_WAIT(w, 5000, callee_calls_of(service, run, NULL) == 1);
    cancel(w, "acme", run, status);
    assert_string_equal(status, "running");
    WORLD_WAIT(w, 2000, client_status_is(w->client, "acme", run, "cancelled"));
    must_have_reason(w, "acme", run);
}

/* Any other call is awaited: whether it happened must be known. */
static void a_running_order_is_awaited(void **state)
{
    struct world *w = *state;
    char run[27], status[32];

    client_submit(w->client, "acme", "{" CALL("unsafe") "}", run);
    WORLD_WAIT(w, 5000, callee_calls_of(service, run, NULL) == 1);
    cancel(w, "acme", run, status);
    int64_t until = clock_ms() + 1000;
    WORLD_WAIT(w, 3000, clock_ms() >= until);
    WORLD_MUST(w, client_status_is(w->client, "acme", run, "running"));
    callee_release(service);
    WORLD_WAIT(w, 2000, client_status_is(w->client, "acme", run, "cancelled"));
    callee_hold(service);
    must_have_reason(w, "acme", run);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    WORLD_MUST(w, record_entries(journal, run, "OUTCOME") == 1);
    record_free(&journal);
}

/* c0: the long run at the cap keeps its slot, and the cancel does not wait for it. */
static void a_cancel_does_not_wait_for_the_run_at_the_cap(void **state)
{
    struct world *w = *state;
    char napping[27], running[27], queued[27], status[32];

    client_submit(w->client, "one", "{" NAP "}", napping);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "one", napping, "waiting"));
    client_submit(w->client, "one", "{" CALL("unsafe") "}", running);
    WORLD_WAIT(w, 5000, callee_calls_of(service, running, NULL) == 1);
    client_submit(w->client, "one", "{" SET "}", queued);

    cancel(w, "one", napping, status);
    WORLD_WAIT(w, 2000, client_status_is(w->client, "one", napping, "cancelled"));
    cancel(w, "one", queued, status);
    WORLD_WAIT(w, 2000, client_status_is(w->client, "one", queued, "cancelled"));
    WORLD_MUST(w, client_status_is(w->client, "one", running, "running"));
    callee_release(service);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "one", running, "done"));
    callee_hold(service);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    (void)judge_cap(w, journal, "one", 1, 1);
    record_free(&journal);
}

static void a_second_cancel_changes_nothing(void **state)
{
    struct world *w = *state;
    char run[27], status[32];

    client_submit(w->client, "acme", "{" CALL("unsafe") "}", run);
    WORLD_WAIT(w, 5000, callee_calls_of(service, run, NULL) == 1);
    cancel(w, "acme", run, status);
    cancel(w, "acme", run, status);
    callee_release(service);
    WORLD_WAIT(w, 3000, client_status_is(w->client, "acme", run, "cancelled"));
    callee_hold(service);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    WORLD_MUST(w, record_entries(journal, run, "CANCEL") == 1);
    record_free(&journal);
}

static void a_run_not_started_in_time_expires_unrun(void **state)
{
    struct world *w = *state;
    char run[27];

    client_submit(w->client, "halted", "{" SET ",\"start_within\":\"1s\"}", run);
    WORLD_WAIT(w, 4000, client_status_is(w->client, "halted", run, "expired"));
    struct answer a = client_get(w->client, "halted", run);
    assert_string_equal(answer_text(&a, "error.code"), "expired");
    answer_deinit(&a);
    struct record *journal         = record_read(w, "SLUICE_JOURNAL");
    const struct record_item *end  = record_entry(journal, run, "END", 0),
                             *plan = record_entry(journal, run, "PLAN", 0);
    WORLD_MUST(w, end && plan && end->at_ms - plan->at_ms >= 1000 &&
                      record_entries(journal, run, "OUTCOME") == 0);
    record_free(&journal);
}

static void a_run_does_not_begin_before_its_time(void **state)
{
    struct world *w = *state;
    char run[27];

    client_submit(w->client, "acme",
                  "{" SET ",\"not_before\":\"1500ms\",\"start_within\":\"5s\"}", run);
    WORLD_WAIT(w, 5000, client_status_is(w->client, "acme", run, "done"));
    struct record *journal          = record_read(w, "SLUICE_JOURNAL");
    const struct record_item *first = record_entry(journal, run, "LEASED", 0),
                             *plan  = record_entry(journal, run, "PLAN", 0);
    WORLD_MUST(w, first && plan && first->at_ms - plan->at_ms >= 1500 &&
                      first->at_ms - plan->at_ms < 3000);
    record_free(&journal);
}

static void a_run_past_its_timeout_ends(void **state)
{
    struct world *w = *state;
    char run[27];

    client_submit(w->client, "acme", "{" NAP ",\"timeout\":\"1s\"}", run);
    WORLD_WAIT(w, 4000, client_status_is(w->client, "acme", run, "failed"));
    struct answer a = client_get(w->client, "acme", run);
    assert_string_equal(answer_text(&a, "error.code"), "run_timeout");
    answer_deinit(&a);
}

static void everything_ended_once(void **state)
{
    judge_all(*state, NULL, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queued_run_is_cancelled_within_a_second_and_never_runs),
        cmocka_unit_test(a_waiting_run_is_cancelled_at_once),
        cmocka_unit_test(a_running_read_is_dropped),
        cmocka_unit_test(a_running_order_is_awaited),
        cmocka_unit_test(a_cancel_does_not_wait_for_the_run_at_the_cap),
        cmocka_unit_test(a_second_cancel_changes_nothing),
        cmocka_unit_test(a_run_not_started_in_time_expires_unrun),
        cmocka_unit_test(a_run_does_not_begin_before_its_time),
        cmocka_unit_test(a_run_past_its_timeout_ends),
        cmocka_unit_test(everything_ended_once),
    };
    return cmocka_run_group_tests_name("cancel", tests, group_up, group_down);
}
