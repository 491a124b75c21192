/* upstream_rows - rows that are too many for the journal: all of them are judged, all are kept, and none is fetched twice. */
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

enum { RUN_MS = 30000, ROWS = 3000, JUDGE_MS = 20000 };

/* The bytes of the rows in the bucket's chunks. */
static bool artifact_has(struct world *w, const char *words)
{
    struct record *bucket = record_read(w, "OBJ_sluice_artifacts");
    bool found            = false;

    for (size_t i = 0; i < bucket->count && !found; i++) {
        const natsMsg *m = bucket->items[i].msg;
        found =
            memmem(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m), words, strlen(words));
    }
    record_free(&bucket);
    return found;
}

static void expect_sees_all_and_later_steps_their_place(void **state)
{
    struct world *w      = upstream_world(state, "upstream_rows", 1);
    struct upstream *sim = upstream_start(w, "sim", "{\"rows\":{\"count\":3000}}");
    char run[27], last[32];

    upstream_put(sim, "\"sessions\":2");
    client_submit(
        w->client, "acme",
        "{\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"list\",\"retrieve\":{\"url\":"
        "\"https://shop.example/\",\"cmd\":\"all\",\"max_items\":3000,\"schema\":{\"title\":"
        "\"string\",\"url\":\"url\"}},\"expect\":\"${.rows | length == 3000}\"},"
        "{\"id\":\"then\",\"set\":{\"rows\":\"${.steps.list.rows}\",\"count\":\"${.steps."
        "list.count}\",\"where\":\"${.steps.list.artifact}\"}}],\"result\":\"${.vars}\"}}",
        run);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "acme", run, "done"));
    struct answer a = client_get(w->client, "acme", run);
    assert_int_equal(answer_number(&a, "tries"), 1);
    assert_int_equal(answer_number(&a, "result.count"), ROWS);
    WORLD_MUST(w, json_is_null(json_path(a.json, "result.rows")));
    assert_string_equal(answer_text(&a, "result.where"), answer_text(&a, "artifacts.0"));
    answer_deinit(&a);
    snprintf(last, sizeof(last), "title %d", ROWS - 1);
    WORLD_MUST(w, artifact_has(w, last));
    judge_all(w, NULL, JUDGE_MS);
    struct upstream_record *r = upstream_read(sim);
    assert_int_equal(r->calls.count, 1);
    upstream_record_free(&r);
    upstream_free(&sim);
}

/* The bucket takes no more than it has, and a little. */
static void fill_bucket(struct world *w)
{
    jsStreamInfo *info = NULL;
    jsErrCode code     = 0;

    assert_int_equal(
        js_GetStreamInfo(&info, w->client->js, "OBJ_sluice_artifacts", NULL, &code), NATS_OK);
    jsStreamConfig *config = info->Config;
    config->MaxBytes       = 2000;
    assert_int_equal(js_UpdateStream(NULL, w->client->js, config, NULL, &code), NATS_OK);
    jsStreamInfo_Destroy(info);
}

/* A run that went on without its rows would be done, and wrong. */
static void rows_that_cannot_be_stored_fail_their_step(void **state)
{
    struct world *w      = upstream_world(state, "upstream_rows_full", 1);
    struct upstream *sim = upstream_start(w, "sim", "{\"rows\":{\"count\":3000}}");
    char run[27];

    upstream_put(sim, "\"sessions\":2");
    fill_bucket(w);
    client_submit(
        w->client, "acme",
        "{\"flow\":{\"upstream\":\"sim\",\"steps\":[{\"id\":\"list\",\"retry\":{\"tries\":1},"
        "\"retrieve\":{\"url\":\"https://shop.example/\",\"cmd\":\"all\",\"max_items\":3000,"
        "\"schema\":{\"title\":\"string\",\"url\":\"url\"}}}]}}",
        run);
    WORLD_WAIT(w, RUN_MS, client_status_is(w->client, "acme", run, "failed"));
    struct answer a = client_get(w->client, "acme", run);
    WORLD_MUST(w, strstr(answer_text(&a, "error.detail"), "the rows could not be stored"));
    assert_int_equal(json_array_size(json_path(a.json, "artifacts")), 0);
    answer_deinit(&a);
    judge_all(w, NULL, JUDGE_MS);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rows_that_cannot_be_stored_fail_their_step, world_teardown),
        cmocka_unit_test_teardown(expect_sees_all_and_later_steps_their_place, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_rows", tests, NULL, NULL);
}
