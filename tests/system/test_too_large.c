/* too_large - what does not fit is said or cut, wherever a flow can make it so: nobody dies of it, and nothing is lost unsaid. */
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

enum { RUN_MS = 30000, JUDGE_MS = 20000, TEXT_LEN = 200000, BODY_SIZE = TEXT_LEN + 2000 };

static int group_up(void **state)
{
    struct world *w = world_new(state, "too_large");

    world_start_all(w);
    return 0;
}

/* A flow of these steps, with an input `x` of 200,000 letters; the run when it has ended. */
static struct answer run_it(struct world *w, const char *steps, char letter, char ret_run[27])
{
    char *body = malloc(BODY_SIZE);
    int len =
        snprintf(body, BODY_SIZE, "{\"flow\":{\"steps\":[%s]},\"input\":{\"x\":\"", steps);
    char end[32] = "";

    memset(body + len, letter, TEXT_LEN);
    snprintf(body + len + TEXT_LEN, 16, "\"}}");
    client_submit(w->client, "dev", body, ret_run);
    free(body);
    WORLD_WAIT(w, RUN_MS,
               (client_status(w->client, "dev", ret_run, end),
                *end && strcmp(end, "queued") != 0 && strcmp(end, "running") != 0 &&
                    strcmp(end, "waiting") != 0));
    return client_get(w->client, "dev", ret_run);
}

static void must_fail(struct world *w, const char *steps, const char *code, const char *words)
{
    char run[27];
    struct answer a = run_it(w, steps, 'a', run);

    if (strcmp(answer_text(&a, "error.code"), code) != 0 ||
        !strstr(answer_text(&a, "error.detail"), words) || answer_number(&a, "tries") != 1)
        world_fail(w, "%s: %.2000s", steps, answer_body(&a, NULL));
    answer_deinit(&a);
}

static void a_large_result_is_an_artifact(void **state)
{
    struct world *w = *state;
    char run[27];
    struct answer a =
        run_it(w,
               "{\"id\":\"e\",\"end\":{\"status\":\"done\",\"result\":{\"a\":\"${.input.x}\","
               "\"b\":\"${.input.x}\"}}}",
               'q', run);

    assert_string_equal(answer_text(&a, "status"), "done");
    assert_string_equal(answer_text(&a, "result.artifact"), "result.json");
    answer_deinit(&a);
    /* All of it is there: letters, and little else. */
    struct record *bucket = record_read(w, "OBJ_sluice_artifacts");
    size_t letters        = 0;
    for (size_t i = 0; i < bucket->count; i++) {
        const char *at = natsMsg_GetData(bucket->items[i].msg);
        for (int n = 0; n < natsMsg_GetDataLength(bucket->items[i].msg); n++)
            letters += at[n] == 'q';
    }
    record_free(&bucket);
    WORLD_MUST(w, letters >= 2 * TEXT_LEN && letters < 2 * TEXT_LEN + 100);
}

static void what_a_step_made_and_no_entry_holds_fails_it(void **state)
{
    struct world *w = *state;

    must_fail(w,
              "{\"id\":\"s\",\"set\":{\"a\":\"${.input.x}\",\"b\":\"${.input.x}\",\"c\":\"${."
              "input.x}\","
              "\"d\":\"${.input.x}\",\"e\":\"${.input.x}\"}},{\"id\":\"then\",\"end\":{"
              "\"status\":\"done\"}}",
              "response_too_large", "larger than 860 KiB");
}

static void a_call_that_is_too_large_is_not_sent(void **state)
{
    struct world *w = *state;
    char run[27];

    must_fail(w,
              "{\"id\":\"c\",\"call\":{\"subject\":\"orders\",\"body\":{\"a\":\"${.input.x}${."
              "input.x}"
              "${.input.x}\"}}}",
              "upstream_refused", "nothing was sent");
    struct answer a = run_it(
        w, "{\"id\":\"c\",\"call\":{\"subject\":\"orders\",\"body\":{\"a\":\"${.input.x}\"}}}",
        'a', run);
    assert_string_equal(answer_text(&a, "error.code"), "upstream_failed"); /* nobody is there */
    answer_deinit(&a);
}

/* Words for people are cut; the run and its result are whole. */
static void long_words_are_cut(void **state)
{
    static const char *const FLOWS[] = {
        "{\"id\":\"e\",\"end\":{\"status\":\"cancelled\",\"reason\":\"${.input.x}\"}}",
        "{\"id\":\"m\",\"milestone\":\"${.input.x}${.input.x}${.input.x}${.input.x}${.input.x}"
        "\",\"set\":"
        "{\"y\":1}},{\"id\":\"e\",\"end\":{\"status\":\"cancelled\",\"reason\":\"r\"}}",
    };
    struct world *w = *state;
    char run[27];

    for (size_t i = 0; i < 2; i++) {
        struct answer a = run_it(w, FLOWS[i], 'w', run);
        size_t len;
        assert_string_equal(answer_text(&a, "status"), "cancelled");
        assert_int_equal(answer_number(&a, "tries"), 1);
        (void)answer_body(&a, &len);
        WORLD_MUST(w, len < 10000);
        answer_deinit(&a);
    }
}

static void every_result_is_json(void **state)
{
    struct world *w        = *state;
    struct record *results = record_read(w, "SLUICE_RESULTS");

    WORLD_MUST(w, results->count >= 6);
    for (size_t i = 0; i < results->count; i++) {
        const natsMsg *m = results->items[i].msg;
        json_t *doc = json_loadb(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m), 0, NULL);
        WORLD_MUST(w, json_is_object(doc));
        json_decref(doc);
    }
    record_free(&results);
    judge_all(w, NULL, JUDGE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_result_is_an_artifact),
        cmocka_unit_test(what_a_step_made_and_no_entry_holds_fails_it),
        cmocka_unit_test(a_call_that_is_too_large_is_not_sent),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(every_result_is_json),
    };
    return cmocka_run_group_tests_name("too_large", tests, group_up, world_teardown);
}
