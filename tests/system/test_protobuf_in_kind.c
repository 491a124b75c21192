/* protobuf_in_kind - who asks in protobuf is answered in protobuf, with the same words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/world.h"
#include "wire/wire_json.h"

static int group_up(void **state)
{
    struct world *w = world_new(state, "protobuf_in_kind");

    world_start_all(w);
    return 0;
}

/* Asks with the protobuf of `json`; the answer's JSON is that of its protobuf. */
static struct answer ask(struct world *w, const char *verb, const char *message,
                         const char *json, const char *answer)
{
    char subject[64], why[200];
    struct buf body, text;
    size_t len;

    buf_init(&body, 1 << 20);
    buf_init(&text, 1 << 20);
    if (failed(wire_protobuf_of(message, bytes_str(json), &body, why, sizeof(why))))
        world_fail(w, "%s", why);
    snprintf(subject, sizeof(subject), "sluice.api.%s.acme", verb);
    struct answer a = client_ask(w->client, subject, buf_bytes(&body).at, body.len, 5000);
    if (a.status != NATS_OK)
        world_fail(w, "no answer to %s", json);
    const char *got = answer_body(&a, &len);
    if (wire_is_json(bytes_of(got, len)))
        world_fail(w, "asked in protobuf, answered in JSON: %s", got);
    if (failed(wire_json_of(answer, bytes_of(got, len), &text, why, sizeof(why))))
        world_fail(w, "the answer is no %s: %s", answer, why);
    json_decref(a.json);
    a.json = json_loadb((const char *)buf_bytes(&text).at, text.len, 0, NULL);
    WORLD_MUST(w, a.json != NULL);
    buf_deinit(&body);
    buf_deinit(&text);
    return a;
}

static const char SUBMIT[] =
    "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}},{\"id\":\"z\",\"end\":{\"status\":"
    "\"done\",\"result\":{\"x\":\"${.vars.x}\"}}}]},"
    "\"input\":{\"n\":1},\"key\":\"pb\"}";

static void a_submit_a_wait_and_a_get(void **state)
{
    struct world *w = *state;
    char run[27], body[80];

    struct answer a = ask(w, "submit", "Submit", SUBMIT, "SubmitAnswer");
    assert_string_equal(answer_text(&a, "status"), "queued");
    snprintf(run, sizeof(run), "%s", answer_text(&a, "run_id"));
    assert_int_equal(strlen(run), 26);
    WORLD_MUST(w, json_is_true(json_object_get(a.json, "created")));
    answer_deinit(&a);

    snprintf(body, sizeof(body), "{\"run_id\":\"%s\",\"timeout\":\"5s\"}", run);
    struct answer b = ask(w, "wait", "Which", body, "Run");
    assert_string_equal(answer_text(&b, "status"), "done");
    answer_deinit(&b);

    struct answer c = ask(w, "get", "Which", "{\"key\":\"pb\"}", "Run");
    assert_string_equal(answer_text(&c, "run_id"), run);
    assert_int_equal(answer_number(&c, "result.x"), 1);
    assert_int_equal(strlen(answer_text(&c, "submitted_at")), 24);
    answer_deinit(&c);

    /* JSON finds the same run: the kind is the answer's, not the run's. */
    struct answer d = client_ask_text(w->client, "sluice.api.submit.acme", SUBMIT);
    assert_string_equal(answer_text(&d, "run_id"), run);
    WORLD_MUST(w, json_is_false(json_object_get(d.json, "created")));
    answer_deinit(&d);
}

static void a_problem_too(void **state)
{
    struct world *w = *state;

    struct answer a = ask(w, "submit", "Submit", "{\"flow\":\"nobodys\"}", "Problem");
    assert_string_equal(answer_text(&a, "code"), "not_found");
    assert_int_equal(answer_number(&a, "status"), 404);
    assert_string_equal(answer_text(&a, "errors.0.pointer"), "/flow");
    assert_string_equal(answer_header(&a, "Nats-Service-Error-Code"), "404");
    answer_deinit(&a);
}

/* The lengths at which the first bytes of a protobuf look like blanks and a brace. */
static void any_length_of_the_first_field(void **state)
{
    struct world *w = *state;
    char body[400], spaces[160];

    for (size_t n = 0; n < 100; n++) {
        memset(spaces, 'x', n + 1);
        spaces[n + 1] = '\0';
        snprintf(body, sizeof(body),
                 "{\"flow\":{\"name\":\"%.60s\",\"steps\":[{\"id\":\"%.40s\",\"set\":{}}]},"
                 "\"dry_run\":true}",
                 spaces, n > 60 ? spaces + 60 : "a");
        struct answer a = ask(w, "submit", "Submit", body, "SubmitAnswer");
        assert_string_equal(answer_text(&a, "status"), "valid");
        answer_deinit(&a);
    }
}

static void everything_ended_once(void **state)
{
    judge_all(*state, NULL, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submit_a_wait_and_a_get),
        cmocka_unit_test(a_problem_too),
        cmocka_unit_test(any_length_of_the_first_field),
        cmocka_unit_test(everything_ended_once),
    };
    return cmocka_run_group_tests_name("protobuf_in_kind", tests, group_up, world_teardown);
}
