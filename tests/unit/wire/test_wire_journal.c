#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sluice/v1/journal.pb-c.h"
#include "wire/wire_journal.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static const char *const ARTIFACTS[] = {"7-review.png", "8-rows.json", ""};

/* Each part full; `kind` says which of them is written. */
static struct entry full(enum entry_kind kind)
{
    struct bytes json = bytes_str("{\"a\": 1.50}");

    return (struct entry){
        .kind    = kind,
        .wake    = 3,
        .token   = 0xfedcba9876543210,
        .job     = UINT64_MAX,
        .worker  = "bw-6f9c-x2",
        .plan    = {.tenant          = "acme",
                    .run             = RUN,
                    .flow_name       = "hn_titles@3",
                    .flow            = json,
                    .input           = json,
                    .key             = "nightly 42",
                    .labels          = bytes_str("{\"order\":\"123\"}"),
                    .lane            = "bulk",
                    .pool            = "eu",
                    .lock            = "cart",
                    .upstream        = "multion",
                    .session         = "s" RUN,
                    .begin           = "list",
                    .not_before_ms   = 1,
                    .start_within_ms = 2,
                    .timeout_ms      = 3,
                    .keep_session_ms = UINT64_MAX,
                    .parent          = RUN,
                    .root            = RUN,
                    .replay_of       = RUN,
                    .body_sha        = "00ff",
                    .trace           = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    .notify          = json,
                    .private_net     = true,
                    .hide_notes      = true},
        .lease   = {.tries = 2, .lost = 1, .why = "drain"},
        .session = {.session   = "s" RUN,
                    .upstream  = "chrome",
                    .endpoint  = "http://127.0.0.1:9515",
                    .remote_id = "abc",
                    .step      = "open",
                    .result    = RESULT_UNSENT,
                    .status    = 200,
                    .ms        = 400,
                    .why       = "fence",
                    .kept      = true,
                    .opened_at = 1795000000123},
        .step    = {.step           = "add_to_cart",
                    .attempt        = 1,
                    .effect         = EFFECT_UNSAFE,
                    .result         = RESULT_OK,
                    .final          = true,
                    .code           = "step_timeout",
                    .note           = "Added \"USB-C cable 2 m\"",
                    .value          = json,
                    .upstream       = "multion",
                    .endpoint       = "/web/browse",
                    .status         = 200,
                    .ms             = 8412,
                    .url            = "https://shop.example/",
                    .milestone      = "in the cart",
                    .go_to          = "check",
                    .branch         = "then",
                    .session        = "s" RUN,
                    .setup          = true,
                    .detail         = "what happened",
                    .artifacts      = (const char **)ARTIFACTS,
                    .artifact_count = 3,
                    .timeout_ms     = 60000,
                    .key            = "idem"},
        .waiting = {.on       = ON_LOCK,
                    .due_ms   = 90000,
                    .step     = "s1",
                    .upstream = "multion",
                    .lock     = "cart",
                    .why      = "held",
                    .hold_ms  = 7},
        .end     = {.status     = STATUS_INDETERMINATE,
                    .code       = "indeterminate",
                    .reason     = "r",
                    .detail     = "d",
                    .step       = "s",
                    .result     = json,
                    .replayable = true,
                    .calls      = 9,
                    .session    = "s" RUN,
                    .started_at = 1700000000001,
                    .ended_at   = 1700000000002,
                    .running_ms = 3,
                    .waiting_ms = 4},
        .mail    = {.by     = "ann",
                    .name   = "approve",
                    .id     = "1",
                    .data   = json,
                    .reason = "asked",
                    .child  = RUN,
                    .status = STATUS_EXPIRED},
    };
}

static void assert_bytes(struct bytes a, struct bytes b)
{
    assert_true(bytes_equal(a, b));
}

#define SAME_TEXT(part, name) assert_string_equal(a->part.name, b->part.name)
#define SAME(part, name) assert_true(a->part.name == b->part.name)
#define SAME_DATA(part, name) assert_bytes(a->part.name, b->part.name)

static void assert_same_plan(const struct entry *a, const struct entry *b)
{
    SAME_TEXT(plan, tenant), SAME_TEXT(plan, run), SAME_TEXT(plan, flow_name);
    SAME_DATA(plan, flow), SAME_DATA(plan, input), SAME_TEXT(plan, key),
        SAME_DATA(plan, labels);
    SAME_TEXT(plan, lane), SAME_TEXT(plan, pool), SAME_TEXT(plan, lock),
        SAME_TEXT(plan, upstream);
    SAME_TEXT(plan, session), SAME_TEXT(plan, begin), SAME(plan, not_before_ms);
    SAME(plan, start_within_ms), SAME(plan, timeout_ms), SAME(plan, keep_session_ms);
    SAME_TEXT(plan, parent), SAME_TEXT(plan, root), SAME_TEXT(plan, replay_of);
    SAME_TEXT(plan, body_sha), SAME_TEXT(plan, trace), SAME_DATA(plan, notify);
    SAME(plan, private_net), SAME(plan, hide_notes);
}

static void assert_same_session(const struct entry *a, const struct entry *b)
{
    SAME_TEXT(session, session), SAME_TEXT(session, upstream), SAME_TEXT(session, endpoint);
    SAME_TEXT(session, remote_id), SAME_TEXT(session, step), SAME(session, result);
    SAME(session, status), SAME(session, ms), SAME_TEXT(session, why), SAME(session, kept);
    SAME(session, opened_at);
}

static void assert_same_step(const struct entry *a, const struct entry *b)
{
    SAME_TEXT(step, step), SAME(step, attempt), SAME(step, effect), SAME(step, result);
    SAME(step, final), SAME_TEXT(step, code), SAME_TEXT(step, note), SAME_DATA(step, value);
    SAME_TEXT(step, upstream), SAME_TEXT(step, endpoint), SAME(step, status), SAME(step, ms);
    SAME_TEXT(step, url), SAME_TEXT(step, milestone), SAME_TEXT(step, go_to);
    SAME_TEXT(step, branch), SAME_TEXT(step, session), SAME(step, setup),
        SAME_TEXT(step, detail);
    SAME(step, timeout_ms), SAME_TEXT(step, key), SAME(step, artifact_count);
    for (size_t i = 0; i < a->step.artifact_count; i++)
        assert_string_equal(a->step.artifacts[i], b->step.artifacts[i]);
}

static void assert_same_rest(const struct entry *a, const struct entry *b)
{
    SAME(lease, tries), SAME(lease, lost), SAME_TEXT(lease, why);
    SAME(waiting, on), SAME(waiting, due_ms), SAME_TEXT(waiting, step);
    SAME_TEXT(waiting, upstream), SAME_TEXT(waiting, lock), SAME_TEXT(waiting, why);
    SAME(waiting, hold_ms);
    SAME(end, status), SAME_TEXT(end, code), SAME_TEXT(end, reason), SAME_TEXT(end, detail);
    SAME_TEXT(end, step), SAME_DATA(end, result), SAME(end, replayable), SAME(end, calls);
    SAME_TEXT(end, session), SAME(end, started_at), SAME(end, ended_at);
    SAME(end, running_ms), SAME(end, waiting_ms);
    SAME_TEXT(mail, by), SAME_TEXT(mail, name), SAME_TEXT(mail, id), SAME_DATA(mail, data);
    SAME_TEXT(mail, reason), SAME_TEXT(mail, child), SAME(mail, status);
}

static void assert_same_entry(const struct entry *a, const struct entry *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->wake == b->wake && a->token == b->token && a->job == b->job);
    assert_string_equal(a->worker, b->worker);
    assert_same_plan(a, b);
    assert_same_session(a, b);
    assert_same_step(a, b);
    assert_same_rest(a, b);
}

/* What must come back of full(kind): the one part that the kind has. */
static struct entry expected(enum entry_kind kind)
{
    struct entry all = full(kind), ret;

    entry_init(&ret, kind);
    ret.wake = all.wake, ret.token = all.token, ret.job = all.job, ret.worker = all.worker;
    if (kind == ENTRY_PLAN)
        ret.plan = all.plan;
    if (kind == ENTRY_LEASED || kind == ENTRY_RELEASED)
        ret.lease = all.lease;
    if (kind == ENTRY_OPENING || kind == ENTRY_OPENED || kind == ENTRY_CLOSED)
        ret.session = all.session;
    if (kind == ENTRY_INTENT || kind == ENTRY_OUTCOME || kind == ENTRY_SPAWNED)
        ret.step = all.step;
    if (kind == ENTRY_WAITING)
        ret.waiting = all.waiting;
    if (kind == ENTRY_END || kind == ENTRY_REJECTED)
        ret.end = all.end;
    if (kind >= ENTRY_COMMAND && kind <= ENTRY_CHILD_DONE)
        ret.mail = all.mail;
    return ret;
}

static void an_entry_of_each_kind_comes_back_with_the_part_it_has(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();

    (void)state;
    for (enum entry_kind kind = ENTRY_PLAN; kind < ENTRY_KINDS; kind++) {
        struct entry e = full(kind), want = expected(kind), back;
        struct buf body;

        buf_init(&body, ENTRY_BODY_MAX);
        assert_false(failed(wire_write_entry(&e, &body)));
        assert_false(failed(wire_read_entry(&back, buf_bytes(&body), arena)));
        buf_deinit(&body); /* the entry does not need it */
        assert_same_entry(&back, &want);
    }
}

static void an_empty_entry_of_each_kind_comes_back_without_a_null(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();

    (void)state;
    for (enum entry_kind kind = ENTRY_PLAN; kind < ENTRY_KINDS; kind++) {
        struct entry e = {.kind = kind}, want, back;
        struct buf body;

        entry_init(&want, kind);
        if (kind == ENTRY_PLAN) {
            want.plan.tenant = e.plan.tenant = "acme";
            want.plan.run = e.plan.run = RUN;
        }
        buf_init(&body, ENTRY_BODY_MAX);
        assert_false(failed(wire_write_entry(&e, &body)));
        assert_false(failed(wire_read_entry(&back, buf_bytes(&body), arena)));
        buf_deinit(&body);
        assert_same_entry(&back, &want);
    }
}

static struct err read_back(const Sluice__V1__Entry *m, struct entry *ret, struct arena *arena)
{
    uint8_t body[4096];

    assert_true(sluice__v1__entry__get_packed_size(m) <= sizeof(body));
    return wire_read_entry(ret, bytes_of(body, sluice__v1__entry__pack(m, body)), arena);
}

static void an_entry_of_another_schema_is_refused(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    Sluice__V1__Entry m                  = SLUICE__V1__ENTRY__INIT;
    struct entry e;

    (void)state;
    m.kind = SLUICE__V1__KIND__KIND_CANCEL;
    assert_int_equal(read_back(&m, &e, arena).kind, ERR_REJECT);
    m.schema = ENTRY_SCHEMA + 1;
    assert_int_equal(read_back(&m, &e, arena).kind, ERR_REJECT);
    m.schema = ENTRY_SCHEMA;
    assert_false(failed(read_back(&m, &e, arena)));
    assert_int_equal(wire_read_entry(&e, bytes_str(""), arena).kind, ERR_REJECT);
    assert_int_equal(wire_read_entry(&e, bytes_str("{}"), arena).kind, ERR_REJECT);
}

static void words_of_tomorrow_are_none_and_kept(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    Sluice__V1__Entry m                  = SLUICE__V1__ENTRY__INIT;
    Sluice__V1__Step step                = SLUICE__V1__STEP__INIT;
    struct entry e;

    (void)state;
    m.schema = 1;
    m.kind   = (Sluice__V1__Kind)77;
    m.wake   = 5;
    assert_false(failed(read_back(&m, &e, arena)));
    assert_int_equal(e.kind, ENTRY_NONE);
    assert_int_equal(e.wake, 5);
    m.kind = (Sluice__V1__Kind)-1;
    assert_false(failed(read_back(&m, &e, arena)));
    assert_int_equal(e.kind, ENTRY_NONE);
    m.kind      = SLUICE__V1__KIND__KIND_OUTCOME;
    m.step      = &step;
    step.step   = "s";
    step.result = (Sluice__V1__Result)99;
    step.effect = (Sluice__V1__Effect)-5;
    assert_false(failed(read_back(&m, &e, arena)));
    assert_string_equal(e.step.step, "s");
    assert_int_equal(e.step.result, RESULT_NONE);
    assert_int_equal(e.step.effect, EFFECT_NONE);
}

static void names_that_are_none_are_refused_both_ways(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct entry e, back;
    struct buf body;

    (void)state;
    buf_init(&body, ENTRY_BODY_MAX);
#define REFUSED(of_kind, change) \
    e = full(of_kind); \
    change; \
    assert_int_equal(wire_write_entry(&e, &body).kind, ERR_REJECT); \
    assert_int_equal(body.len, 0)
    REFUSED(ENTRY_PLAN, e.plan.tenant = NULL);
    REFUSED(ENTRY_PLAN, e.plan.tenant = "a.b");
    REFUSED(ENTRY_PLAN, e.plan.run = NULL);
    REFUSED(ENTRY_PLAN, e.plan.run = "r1");
    REFUSED(ENTRY_PLAN, e.plan.flow_name = "a.b@3");
    REFUSED(ENTRY_PLAN, e.plan.flow_name = "a@");
    REFUSED(ENTRY_PLAN, e.plan.lane = "fast");
    REFUSED(ENTRY_PLAN, e.plan.pool = "*");
    REFUSED(ENTRY_PLAN, e.plan.lock = "a b");
    REFUSED(ENTRY_PLAN, e.plan.upstream = ">");
    REFUSED(ENTRY_PLAN, e.plan.session = "a.b");
    REFUSED(ENTRY_PLAN, e.plan.parent = "p");
    REFUSED(ENTRY_PLAN, e.plan.root = "p");
    REFUSED(ENTRY_PLAN, e.plan.replay_of = "p");
    REFUSED(ENTRY_LEASED, e.worker = "pod.ns");
    REFUSED(ENTRY_OPENED, e.session.session = "a.b");
    REFUSED(ENTRY_OPENED, e.session.upstream = "a.b");
    REFUSED(ENTRY_OUTCOME, e.step.upstream = "a.b");
    REFUSED(ENTRY_OUTCOME, e.step.session = "a.b");
    REFUSED(ENTRY_WAITING, e.waiting.upstream = "a.b");
    REFUSED(ENTRY_WAITING, e.waiting.lock = "a.b");
    REFUSED(ENTRY_END, e.end.session = "a.b");
    REFUSED(ENTRY_CHILD_DONE, e.mail.child = "c");
#undef REFUSED
    buf_deinit(&body);

    Sluice__V1__Entry m = SLUICE__V1__ENTRY__INIT;

    m.schema = 1;
    m.kind   = SLUICE__V1__KIND__KIND_LEASED;
    m.worker = "a.b";
    assert_int_equal(read_back(&m, &back, arena).kind, ERR_REJECT);
    m.worker = "";
    m.kind   = SLUICE__V1__KIND__KIND_PLAN;
    assert_int_equal(read_back(&m, &back, arena).kind, ERR_REJECT); /* a plan of nobody */
}

static void an_entry_has_a_largest_size(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct entry e                       = full(ENTRY_OUTCOME), back;
    uint8_t *large                       = arena_zero(arena, ENTRY_BODY_MAX + 1);
    struct buf body;

    (void)state;
    buf_init(&body, 2 * ENTRY_BODY_MAX);
    e.step.value = bytes_of(large, ENTRY_BODY_MAX);
    assert_int_equal(wire_write_entry(&e, &body).kind, ERR_REJECT);
    assert_int_equal(body.len, 0);
    e.step.value.len = ENTRY_BODY_MAX - 1024;
    assert_false(failed(wire_write_entry(&e, &body)));
    assert_false(failed(wire_read_entry(&back, buf_bytes(&body), arena)));
    assert_int_equal(back.step.value.len, ENTRY_BODY_MAX - 1024);
    buf_deinit(&body);
    assert_int_equal(wire_read_entry(&back, bytes_of(large, ENTRY_BODY_MAX + 1), arena).kind,
                     ERR_REJECT);

    buf_init(&body, 100);
    assert_int_equal(wire_write_entry(&e, &body).kind, ERR_FULL);
    buf_deinit(&body);
}

static void words_name_each_kind_and_status(void **state)
{
    (void)state;
    for (enum entry_kind kind = ENTRY_NONE; kind < ENTRY_KINDS; kind++)
        assert_int_equal(entry_kind_of(entry_kind_word(kind)), kind);
    for (enum run_status status = STATUS_NONE; status < STATUSES; status++)
        assert_int_equal(run_status_of(run_status_word(status)), status);
    for (enum entry_result result = RESULT_NONE; result < RESULTS; result++)
        assert_int_equal(entry_result_of(entry_result_word(result)), result);
    for (enum entry_on on = ON_NONE; on < ONS; on++)
        assert_int_equal(entry_on_of(entry_on_word(on)), on);
    assert_string_equal(entry_effect_word(EFFECT_UNSAFE), "unsafe");
    assert_int_equal(entry_kind_of("plan"), ENTRY_NONE);
    assert_int_equal(entry_kind_of(NULL), ENTRY_NONE);
    assert_true(entry_by_holder(ENTRY_LEASED) && entry_by_holder(ENTRY_END));
    assert_false(entry_by_holder(ENTRY_PLAN) || entry_by_holder(ENTRY_REJECTED) ||
                 entry_by_holder(ENTRY_CANCEL));
    expect_assert_failure(entry_kind_word((enum entry_kind)ENTRY_KINDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_of_each_kind_comes_back_with_the_part_it_has),
        cmocka_unit_test(an_empty_entry_of_each_kind_comes_back_without_a_null),
        cmocka_unit_test(an_entry_of_another_schema_is_refused),
        cmocka_unit_test(words_of_tomorrow_are_none_and_kept),
        cmocka_unit_test(names_that_are_none_are_refused_both_ways),
        cmocka_unit_test(an_entry_has_a_largest_size),
        cmocka_unit_test(words_name_each_kind_and_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
