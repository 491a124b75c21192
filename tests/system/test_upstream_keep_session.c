/* upstream_keep_session - a session that a run leaves open is the next one's, and nobody's for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

static const int64_t KEPT_NS = 3000000000;

static void wait_done(struct world *w, const char *run)
{
    WORLD_WAIT(w, 30000, client_status_is(w->client, "acme", run, "done"));
}

/* The one command that holds these words. */
static const struct upstream_act *browse_of(const struct upstream_record *r, const char *words)
{
    for (size_t i = 0; i < r->calls.count; i++)
        if (strstr(r->calls.items[i].cmd, words))
            return &r->calls.items[i];
    world_fail(r->upstream->world, "nobody said \"%s\"", words);
}

static void the_next_run_goes_on_in_it(void **state)
{
    struct world *w                     = upstream_world(state, "upstream_keep_session", 2);
    struct upstream *sim                = upstream_start(w, "sim", NULL);
    const struct upstream_limits limits = {.per_s = 20, .burst = 4, .sessions = 2};
    char first[27], second[27], session[64], body[500];

    upstream_put(sim, "\"rate\":{\"per_s\":20,\"burst\":4},\"sessions\":2,\"timeout\":\"5s\"");
    client_submit(w->client, "acme",
                  "{\"keep_session\":\"60s\",\"flow\":{\"upstream\":\"sim\",\"steps\":["
                  "{\"id\":\"open\",\"open\":{\"url\":\"https://shop.example/\"}},"
                  "{\"id\":\"one\",\"browse\":{\"cmd\":\"the first\"}}]}}",
                  first);
    wait_done(w, first);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    snprintf(session, sizeof(session), "%s",
             record_header(record_entry(journal, first, "OPENED", 0), "Sluice-Session"));
    record_free(&journal);
    WORLD_MUST(w, *session);
    snprintf(
        body, sizeof(body),
        "{\"session\":\"%s\",\"keep_session\":\"3s\",\"flow\":{\"upstream\":\"sim\",\"steps\":["
        "{\"id\":\"two\",\"browse\":{\"cmd\":\"the second\"}}]}}",
        session);
    client_submit(w->client, "acme", body, second);
    wait_done(w, second);
    WORLD_MUST(w, upstream_now(sim, "sessions") == 1);

    /* Closed by the reaper, long before the upstream's ten minutes. */
    judge_all(w, NULL, 10000);
    upstream_judge(sim, &limits, 25000);
    struct upstream_record *r = upstream_read(sim);
    WORLD_MUST(w, r->sessions.count == 1 && !r->sessions.items[0].expired);
    WORLD_MUST(w, r->sessions.items[0].to_ns >= browse_of(r, "the second")->to_ns + KEPT_NS);
    assert_string_equal(browse_of(r, "the first")->session, r->sessions.items[0].what);
    assert_string_equal(browse_of(r, "the second")->session, r->sessions.items[0].what);
    upstream_record_free(&r);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_next_run_goes_on_in_it, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_keep_session", tests, NULL, NULL);
}
