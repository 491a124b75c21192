/* journal_edited - entries, or the whole journal, are removed by hand while a run is held: what was done is not done again. */
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
#include "support/system/upstream.h"
#include "support/system/world.h"

enum { RUN_MS = 60000, JUDGE_MS = 20000, ORDER_MS = 3000 };

static const char ORDER[] =
    "{\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"open\",\"open\":{\"url\":"
    "\"https://shop.example/\"}},{\"id\":\"buy\",\"browse\":{\"cmd\":\"sim:order=once\"}},"
    "{\"id\":\"close\",\"close\":{}}]}}";

static void remove_intent(struct world *w, const char *run)
{
    struct record *journal           = record_read(w, "SLUICE_JOURNAL");
    const struct record_item *intent = record_entry(journal, run, "INTENT", 0);
    char body[64];

    WORLD_MUST(w, intent != NULL);
    snprintf(body, sizeof(body), "{\"seq\":%llu,\"no_erase\":true}",
             (unsigned long long)intent->seq);
    struct answer a =
        client_ask_text(w->client, "$JS.API.STREAM.MSG.DELETE.SLUICE_JOURNAL", body);
    if (!json_is_true(json_path(a.json, "success"))) {
        record_print(journal, run);
        world_fail(w, "%s: %s", body, answer_body(&a, NULL));
    }
    answer_deinit(&a);
    record_free(&journal);
}

static bool has_intent(struct world *w, const char *run)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    bool yes               = record_entry(journal, run, "INTENT", 0) != NULL;

    record_free(&journal);
    return yes;
}

static bool has_result(struct world *w, const char *run)
{
    struct record *results = record_read(w, "SLUICE_RESULTS");
    bool yes               = false;

    for (size_t n = 0; n < results->count; n++)
        yes = yes || strstr(record_subject(&results->items[n]), run) != NULL;
    record_free(&results);
    return yes;
}

static void an_order_whose_intent_was_removed_is_placed_once(void **state)
{
    struct world *w      = upstream_world(state, "journal_edited", 2);
    struct upstream *sim = upstream_start(w, "sim",
                                          "{\"latency\":{\"default\":{\"min\":5,\"max\":15},"
                                          "\"browse\":{\"min\":3000,\"max\":3000}}}");
    char run[27];

    world_expects_log(w, "entries were removed from a journal");
    upstream_put(sim, "\"sessions\":4,\"timeout\":\"10s\"");
    client_submit(w->client, "acme", ORDER, run);
    WORLD_WAIT(w, RUN_MS, has_intent(w, run));
    remove_intent(w, run);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "acme", run, "done"));
    struct answer a = client_get(w->client, "acme", run);
    assert_int_equal(answer_number(&a, "tries"), 1);
    answer_deinit(&a);
    struct upstream_record *r = upstream_read(sim);
    assert_int_equal(r->orders.count, 1);
    assert_int_equal(r->orders.items[0].acts, 1);
    upstream_record_free(&r);
    judge_all(w, NULL, JUDGE_MS);
    upstream_free(&sim);
}

/* As an operator would who thinks that it is in his way: it comes back empty, and counts from 1 again. */
static void delete_journal(struct world *w)
{
    struct answer a = client_ask_text(w->client, "$JS.API.STREAM.DELETE.SLUICE_JOURNAL", "");

    WORLD_MUST(w, json_is_true(json_path(a.json, "success")));
    answer_deinit(&a);
}

static void an_order_under_which_the_journal_is_deleted_is_placed_once(void **state)
{
    struct world *w      = upstream_world(state, "journal_deleted", 2);
    struct upstream *sim = upstream_start(w, "sim",
                                          "{\"latency\":{\"default\":{\"min\":5,\"max\":15},"
                                          "\"browse\":{\"min\":3000,\"max\":3000}}}");
    char run[27];

    world_expects_log(w, "the journal was made anew");
    world_expects_log(w, "entries were removed from a journal");
    upstream_put(sim, "\"sessions\":4,\"timeout\":\"10s\"");
    for (unsigned n = 0; n < 20; n++) { /* so that the new numbers are lower ones */
        client_submit(w->client, "acme", "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]}}",
                      run);
        WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "acme", run, "done"));
    }
    client_submit(w->client, "acme", ORDER, run);
    WORLD_WAIT(w, RUN_MS, has_intent(w, run));
    delete_journal(w);
    WORLD_WAIT(w, RUN_MS, has_result(w, run));
    struct upstream_record *r = upstream_read(sim);
    assert_int_equal(r->orders.count, 1);
    assert_int_equal(r->orders.items[0].acts, 1);
    upstream_record_free(&r);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_order_under_which_the_journal_is_deleted_is_placed_once,
                                  world_teardown),
        cmocka_unit_test_teardown(an_order_whose_intent_was_removed_is_placed_once,
                                  world_teardown),
    };
    return cmocka_run_group_tests_name("journal_edited", tests, NULL, NULL);
}
