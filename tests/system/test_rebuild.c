/* rebuild - queues deleted, workers killed around the end: the journal alone brings everything back. */
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
#include "support/system/load.h"
#include "support/system/world.h"
#include "wire/wire_ticket.h"

#define SET "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}}]}"
#define NAP "\"flow\":{\"steps\":[{\"id\":\"nap\",\"sleep\":{\"for\":\"6s\"}}]}"
#define CALL \
    "\"flow\":{\"steps\":[{\"id\":\"ask\",\"call\":{\"subject\":\"svc\",\"body\":{}}," \
    "\"timeout\":\"30s\"},{\"id\":\"b\",\"set\":{}}]}"

enum { EACH = 10, SMALL = 2 };

static void runs_in_every_state_end_without_their_queues(void **state)
{
    static const struct {
        const char *tenant, *body;
    } kinds[] = {
        {"halted", "{" SET "}"},                         /* queued, its tenant paused */
        {"halted", "{" SET ",\"start_within\":\"9s\"}"}, /* to expire */
        {"acme", "{" SET ",\"not_before\":\"6s\"}"},     /* not due */
        {"acme", "{" NAP "}"},                           /* waiting */
        {"acme", "{" CALL "}"},                          /* running */
        {"acme", "{" SET "}"},                           /* ended */
        {"small", "{" CALL "}"}, /* two run, the others are at the cap */
    };
    struct world *w = world_new(state, "rebuild");
    char run[27], waiting[27] = "";

    world_start_all(w);
    struct callee *service = callee_new(w);
    callee_hold(service);
    client_put(w->client, "sluice_tenants", "halted", "{\"paused\":true}");
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":50}");
    client_put(w->client, "sluice_tenants", "small", "{\"cap\":2}");
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
        for (int n = 0; n < EACH; n++) {
            client_submit(w->client, kinds[k].tenant, kinds[k].body, run);
            if (k == 3)
                snprintf(waiting, sizeof(waiting), "%s", run);
        }
    WORLD_WAIT(w, 10000,
               callee_held(service) == EACH + SMALL &&
                   client_status_is(w->client, "acme", waiting, "waiting") &&
                   client_count(w->client, "SLUICE_RESULTS") >= EACH);
    client_delete_stream(w->client, "SLUICE_PENDING");
    client_delete_stream(w->client, "SLUICE_JOBS");
    WORLD_WAIT(w, 15000,
               client_count(w->client, "SLUICE_PENDING") > 0 &&
                   client_count(w->client, "SLUICE_JOBS") > 0);
    callee_release(service);
    client_put(w->client, "sluice_tenants", "halted", "{}");

    WORLD_WAIT(w, 40000,
               client_count(w->client, "SLUICE_RESULTS") ==
                   (int64_t)(sizeof(kinds) / sizeof(*kinds)) * EACH);
    judge_all(w, NULL, 30000);
    WORLD_MUST(w, callee_most(service) == 1);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    /* The slots were the deleted stream: those that run go on beside those that are admitted anew. */
    (void)judge_cap(w, journal, "small", SMALL, SMALL);
    record_free(&journal);
    callee_free(&service);
}

static void limit_results(struct world *w, int size)
{
    jsStreamInfo *info = NULL;

    assert_int_equal(js_GetStreamInfo(&info, w->client->js, "SLUICE_RESULTS", NULL, NULL),
                     NATS_OK);
    info->Config->MaxMsgSize = size;
    natsStatus s             = js_UpdateStream(NULL, w->client->js, info->Config, NULL, NULL);
    jsStreamInfo_Destroy(info);
    if (s != NATS_OK)
        world_fail(w, "cannot change SLUICE_RESULTS: %s", natsStatus_GetText(s));
}

static const char *const TENANTS[]  = {"acme", NULL};
static const struct load_spec SHORT = {.tenants = TENANTS, .runs = 50, .body = SET};

/* No result can be stored: every run stands exactly there when the worker is killed. */
static void killed_between_end_and_result(void **state)
{
    struct world *w = world_new(state, "rebuild_end");

    world_start_all(w);
    struct proc *worker = w->procs[2];
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":50}");
    limit_results(w, 1);
    struct load *load = load_start(w, &SHORT);
    WORLD_WAIT(w, 10000, load_done(load) && proc_said_times(worker, "run ended") == SHORT.runs);
    assert_int_equal(client_count(w->client, "SLUICE_RESULTS"), 0);
    proc_kill(worker);
    limit_results(w, -1);
    world_restart(w, worker);

    judge_all(w, load, 30000);
}

static const struct load_spec STREAMING = {
    .tenants = TENANTS, .runs = 4000, .window = 512, .body = SET};

/* Jobs whose run has its result already: killed between the two. */
static size_t jobs_with_result(struct world *w)
{
    struct record *jobs = record_read(w, "SLUICE_JOBS");
    char filter[100];
    size_t count = 0;

    for (size_t n = 0; n < jobs->count; n++) {
        natsMsg *msg = jobs->items[n].msg;
        struct job job;
        if (failed(wire_read_job(
                &job, bytes_of(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)))))
            world_fail(w, "a job cannot be read");
        snprintf(filter, sizeof(filter), "sluice.result.*.*.*.%s", job.ticket.run);
        count += client_count_of(w->client, "SLUICE_RESULTS", filter) == 1;
    }
    record_free(&jobs);
    return count;
}

static void killed_between_result_and_ack(void **state)
{
    struct world *w = world_new(state, "rebuild_ack");
    size_t hits = 0, kills = 0;

    world_start_all(w);
    struct proc *worker = w->procs[2];
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":200}");
    struct load *load = load_start(w, &STREAMING);
    while (hits == 0 && kills < 12 &&
           client_count(w->client, "SLUICE_RESULTS") < (int64_t)STREAMING.runs - 300) {
        int64_t ended = client_count(w->client, "SLUICE_RESULTS");
        WORLD_WAIT(w, 20000, client_count(w->client, "SLUICE_RESULTS") >= ended + 150);
        proc_kill(worker);
        kills++;
        hits += jobs_with_result(w);
        world_restart(w, worker);
    }
    print_message("rebuild_ack: %zu kills, %zu runs between result and ack\n", kills, hits);

    judge_all(w, load, 60000);
    WORLD_MUST(w, hits >= 1); /* a dose not reached proves nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(runs_in_every_state_end_without_their_queues, world_teardown),
        cmocka_unit_test_teardown(killed_between_end_and_result, world_teardown),
        cmocka_unit_test_teardown(killed_between_result_and_ack, world_teardown),
    };
    return cmocka_run_group_tests_name("rebuild", tests, NULL, NULL);
}
