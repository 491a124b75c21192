#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_journal.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

struct made {
    struct arena *arena;
    struct entry_header at[ENTRY_HEADERS_MAX];
    size_t count;
};

static const char *get(const void *self, const char *name)
{
    const struct made *m = self;

    for (size_t i = 0; i < m->count; i++)
        if (str_equal(m->at[i].name, name))
            return m->at[i].value;
    return NULL;
}

static struct made made_of(const struct entry *e)
{
    struct made m = {.arena = arena_new()};

    m.count = wire_entry_headers(e, m.arena, m.at);
    return m;
}

/* "Name: value" lines, in the order they are sent. */
static void assert_headers(const struct entry *e, const char *expected)
{
    struct made m = made_of(e);
    struct buf text;

    buf_init(&text, 65536);
    for (size_t i = 0; i < m.count; i++)
        buf_printf(&text, "%s: %s\n", m.at[i].name, m.at[i].value);
    assert_string_equal(text.at, expected);
    buf_deinit(&text);
    arena_free(&m.arena);
}

#define HOLDER \
    "Sluice-Worker: bw-6f9c-x2\nSluice-Lease: 00000000deadbeef\nSluice-Wake: 0\nSluice-Job: " \
    "184\n"
#define OF_HOLDER .worker = "bw-6f9c-x2", .token = 0xdeadbeef, .job = 184

static void each_kind_says_what_the_protocol_says(void **state)
{
    (void)state;
    assert_headers(
        &(struct entry){.kind = ENTRY_PLAN,
                        .plan = {.tenant          = "acme",
                                 .run             = RUN,
                                 .flow_name       = "hn@3",
                                 .lane            = "bulk",
                                 .pool            = "eu",
                                 .key             = "nightly 42",
                                 .lock            = "cart",
                                 .upstream        = "multion",
                                 .not_before_ms   = 250,
                                 .start_within_ms = 90000,
                                 .timeout_ms      = 7200000,
                                 .parent          = RUN,
                                 .root            = RUN,
                                 .labels = bytes_str("{\"order\":\"123\", \"who\":\"ann\"}"),
                                 .trace  = "00-4bf9-01"}},
        "Sluice-Kind: PLAN\nSluice-Flow: hn@3\nSluice-Lane: bulk\nSluice-Pool: eu\n"
        "Sluice-Key: nightly 42\nSluice-Lock: cart\nSluice-Upstream: multion\n"
        "Sluice-Not-Before: 250ms\nSluice-Start-Within: 90s\nSluice-Deadline: 2h\n"
        "Sluice-Parent: " RUN "\nSluice-Root: " RUN "\nSluice-Labels: order=123;who=ann\n"
        "traceparent: 00-4bf9-01\n");
    assert_headers(&(struct entry){.kind = ENTRY_ACCEPTED}, "Sluice-Kind: ACCEPTED\n");
    assert_headers(&(struct entry){.kind = ENTRY_REJECTED,
                                   .end  = {.status = STATUS_FAILED, .code = "queue_full"}},
                   "Sluice-Kind: REJECTED\nSluice-Result: failed\nSluice-Code: queue_full\n");
    assert_headers(&(struct entry){.kind = ENTRY_LEASED, OF_HOLDER, .lease = {.tries = 2}},
                   "Sluice-Kind: LEASED\n" HOLDER "Sluice-Try: 2\n");
    assert_headers(
        &(struct entry){.kind = ENTRY_RELEASED, OF_HOLDER, .lease = {.why = "drain"}},
        "Sluice-Kind: RELEASED\n" HOLDER);
    assert_headers(&(struct entry){.kind = ENTRY_OPENED,
                                   OF_HOLDER,
                                   .session = {.session   = "s" RUN,
                                               .upstream  = "chrome",
                                               .remote_id = "secret",
                                               .endpoint  = "http://x",
                                               .status    = 200,
                                               .ms        = 400}},
                   "Sluice-Kind: OPENED\n" HOLDER "Sluice-Session: s" RUN
                   "\nSluice-Upstream: chrome\nSluice-Status: 200\nSluice-Ms: 400\n");
    assert_headers(&(struct entry){.kind = ENTRY_OUTCOME,
                                   OF_HOLDER,
                                   .step = {.step     = "add_to_cart",
                                            .attempt  = 1,
                                            .result   = RESULT_OK,
                                            .upstream = "multion",
                                            .endpoint = "/web/browse",
                                            .status   = 200,
                                            .ms       = 8412,
                                            .session  = "s" RUN,
                                            .note = "Added \"USB-C cable 2 m\" to the cart"}},
                   "Sluice-Kind: OUTCOME\n" HOLDER "Sluice-Step: add_to_cart\nSluice-Try: 1\n"
                   "Sluice-Result: ok\nSluice-Upstream: multion\nSluice-Endpoint: /web/browse\n"
                   "Sluice-Status: 200\nSluice-Ms: 8412\nSluice-Session: s" RUN
                   "\nSluice-Note: Added \"USB-C cable 2 m\" to the cart\n");
    assert_headers(
        &(struct entry){.kind = ENTRY_WAITING,
                        OF_HOLDER,
                        .waiting = {.on = ON_UPSTREAM, .due_ms = 60000, .upstream = "m"}},
        "Sluice-Kind: WAITING\n" HOLDER
        "Sluice-On: upstream\nSluice-Due: 1m\nSluice-Upstream: m\n");
    assert_headers(&(struct entry){.kind = ENTRY_END,
                                   OF_HOLDER,
                                   .end = {.status = STATUS_FAILED, .code = "step_timeout"}},
                   "Sluice-Kind: END\n" HOLDER
                   "Sluice-Result: failed\nSluice-Code: step_timeout\n");
    assert_headers(&(struct entry){.kind = ENTRY_END, .end = {.status = STATUS_EXPIRED}},
                   "Sluice-Kind: END\nSluice-Result: expired\n"); /* nobody ever held it */
    assert_headers(
        &(struct entry){.kind = ENTRY_SIGNAL, .mail = {.by = "ann", .name = "approve"}},
        "Sluice-Kind: SIGNAL\nSluice-By: ann\nSluice-Signal: approve\n");
    assert_headers(
        &(struct entry){.kind = ENTRY_COMMAND, .mail = {.by = "ann", .name = "step"}},
        "Sluice-Kind: COMMAND\nSluice-By: ann\nSluice-Command: step\n");
    assert_headers(&(struct entry){.kind = ENTRY_CANCEL, .mail = {.by = "ann"}},
                   "Sluice-Kind: CANCEL\nSluice-By: ann\n");
    assert_headers(&(struct entry){.kind = ENTRY_CHILD_DONE, .mail = {.child = RUN}},
                   "Sluice-Kind: CHILD_DONE\n");
}

/* What one header makes of a value that somebody else wrote. */
static void assert_note(const char *note, const char *expected)
{
    struct entry e = {.kind = ENTRY_OUTCOME, .step = {.note = note}};
    struct made m  = made_of(&e);
    const char *is = get(&m, "Sluice-Note");

    if (expected)
        assert_string_equal(is, expected);
    else
        assert_null(is);
    arena_free(&m.arena);
}

static void nothing_in_a_value_breaks_a_header(void **state)
{
    (void)state;
    assert_note("one\r\nNats-Rollup: all\r\n\r\nbody", "one  Nats-Rollup: all    body");
    assert_note("a\x1b[31mred\x07", "a [31mred");
    assert_note("\t tab \t", "tab");
    assert_note("del\x7f"
                "ete",
                "del ete");
    assert_note("c1 \xc2\x9b"
                "31m",
                "c1  31m"); /* CSI in one character */
    assert_note("line\xe2\x80\xa8paragraph\xe2\x80\xa9.", "line paragraph .");
    assert_note("bad \xff\xc3, \xed\xa0\x80", "bad ??, ???"); /* never UTF-8 */
    assert_note("cut \xe2\x82", "cut ??");
    assert_note("Größe 2 m, 5 €, 🛒", "Größe 2 m, 5 €, 🛒");
    assert_note("", NULL);
    assert_note(" \r\n ", NULL);
    assert_note(NULL, NULL);
}

static void a_note_is_cut_at_a_whole_character(void **state)
{
    char note[ENTRY_NOTE_MAX + 100], cut[ENTRY_NOTE_MAX + 1];

    (void)state;
    memset(note, 'n', sizeof(note));
    note[sizeof(note) - 1] = '\0';
    memset(cut, 'n', sizeof(cut));
    cut[ENTRY_NOTE_MAX] = '\0';
    assert_note(note, cut);
    memcpy(note + ENTRY_NOTE_MAX - 1, "\xf0\x9f\x9b\x92", 4); /* begins within, ends without */
    cut[ENTRY_NOTE_MAX - 1] = '\0';
    assert_note(note, cut);
    memcpy(note + ENTRY_NOTE_MAX - 4, "\xf0\x9f\x9b\x92", 4); /* the last that fits */
    memcpy(cut + ENTRY_NOTE_MAX - 4, "\xf0\x9f\x9b\x92", 5);
    cut[ENTRY_NOTE_MAX] = '\0';
    assert_note(note, cut);
}

static void every_value_has_a_largest_size(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    char *huge                           = arena_zero(arena, 100001);

    (void)state;
    memset(huge, 'x', 100000);
    struct entry e = {.kind = ENTRY_PLAN,
                      .plan = {.flow_name = huge, .key = huge, .trace = huge, .lock = huge}};
    struct made m  = made_of(&e);

    for (size_t i = 0; i < m.count; i++)
        assert_true(strlen(m.at[i].value) <= ENTRY_HEADER_VALUE_MAX);
    arena_free(&m.arena);
}

static const char *labels_of(const char *json, struct made *ret)
{
    struct entry e = {.kind = ENTRY_PLAN, .plan = {.labels = bytes_str(json)}};

    *ret = made_of(&e);
    return get(ret, "Sluice-Labels");
}

static void labels_keep_their_form(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"a\":\"1\",\"b\":\"2\"}", "a=1;b=2"},
        {"{\"a\":\"x=y;z\",\"b;=\":\"\"}", "a=x=y_z;b__="},
        {"{\"a\":\"two\\r\\nlines\"}", "a=two  lines"},
        {"{\"n\":1,\"a\":\"1\",\"o\":{}}", "a=1"},
        {"{\"\":\"1\"}", NULL},
        {"{}", NULL},
        {"[\"a\"]", NULL},
        {"not json", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct made m;
        const char *is = labels_of(CASES[i][0], &m);

        if (CASES[i][1])
            assert_string_equal(is, CASES[i][1]);
        else
            assert_null(is);
        arena_free(&m.arena);
    }
}

static void too_many_labels_are_cut_at_a_whole_one(void **state)
{
    struct buf json;
    struct made m;

    (void)state;
    buf_init(&json, 1 << 20);
    for (int i = 10; i < 99; i++)
        buf_printf(&json, "%s\"label%d\":\"0123456789012345678\"", i == 10 ? "{" : ",", i);
    buf_char(&json, '}');
    const char *labels = labels_of(json.at, &m);

    /* Pairs of 27 and a semicolon: 36 of them are 1007. */
    assert_int_equal(strlen(labels), 36 * 27 + 35);
    assert_true(str_ends(labels, ";label45=0123456789012345678"));
    buf_deinit(&json);
    arena_free(&m.arena);
}

static const uint64_t LONGEST_MS = UINT64_C(3652500) * 86400000; /* what a duration can be */

static void headers_give_back_what_they_hold(void **state)
{
    struct entry e = {
        .kind = ENTRY_PLAN,
        .plan = {.flow_name       = "hn@3",
                 .lane            = "bulk",
                 .pool            = "eu",
                 .key             = "k",
                 .lock            = "cart",
                 .upstream        = "multion",
                 .not_before_ms   = 250,
                 .start_within_ms = 90000,
                 .timeout_ms      = LONGEST_MS,
                 .parent          = RUN,
                 .root            = RUN,
                 .labels = bytes_str("{\"order\":\"a \\\"b\\\" \\\\\",\"empty\":\"\"}"),
                 .trace  = "t"}};
    struct entry back;
    struct made m = made_of(&e);

    (void)state;
    wire_entry_from_headers(&back, get, &m, m.arena);
    assert_int_equal(back.kind, ENTRY_PLAN);
    assert_string_equal(back.plan.flow_name, "hn@3");
    assert_string_equal(back.plan.lane, "bulk");
    assert_string_equal(back.plan.pool, "eu");
    assert_string_equal(back.plan.key, "k");
    assert_string_equal(back.plan.lock, "cart");
    assert_string_equal(back.plan.upstream, "multion");
    assert_true(back.plan.not_before_ms == 250 && back.plan.start_within_ms == 90000);
    assert_true(back.plan.timeout_ms == LONGEST_MS);
    assert_string_equal(back.plan.parent, RUN);
    assert_string_equal(back.plan.root, RUN);
    assert_string_equal(back.plan.trace, "t");
    assert_true(bytes_equal(back.plan.labels, e.plan.labels));
    assert_string_equal(back.plan.tenant, "");
    arena_free(&m.arena);

    e = (struct entry){.kind = ENTRY_OUTCOME,
                       OF_HOLDER,
                       .wake = 4,
                       .step = {.step     = "a",
                                .attempt  = 2,
                                .result   = RESULT_INDETERMINATE,
                                .code     = "c",
                                .upstream = "u",
                                .endpoint = "/e",
                                .status   = 500,
                                .ms       = 9,
                                .session  = "s1",
                                .note     = "n"}};
    m = made_of(&e);
    wire_entry_from_headers(&back, get, &m, m.arena);
    assert_int_equal(back.kind, ENTRY_OUTCOME);
    assert_true(back.token == 0xdeadbeef && back.job == 184 && back.wake == 4);
    assert_string_equal(back.worker, "bw-6f9c-x2");
    assert_string_equal(back.step.step, "a");
    assert_true(back.step.attempt == 2 && back.step.result == RESULT_INDETERMINATE);
    assert_string_equal(back.step.code, "c");
    assert_string_equal(back.step.upstream, "u");
    assert_string_equal(back.step.endpoint, "/e");
    assert_true(back.step.status == 500 && back.step.ms == 9);
    assert_string_equal(back.step.session, "s1");
    assert_string_equal(back.step.note, "n");
    arena_free(&m.arena);

    e = (struct entry){.kind = ENTRY_WAITING,
                       OF_HOLDER,
                       .waiting = {.on = ON_SIGNAL, .due_ms = 1, .upstream = "u"}};
    m = made_of(&e);
    wire_entry_from_headers(&back, get, &m, m.arena);
    assert_true(back.waiting.on == ON_SIGNAL && back.waiting.due_ms == 1);
    arena_free(&m.arena);

    e = (struct entry){.kind = ENTRY_END,
                       .end  = {.status = STATUS_CANCELLED, .code = "cancelled"}};
    m = made_of(&e);
    wire_entry_from_headers(&back, get, &m, m.arena);
    assert_true(back.end.status == STATUS_CANCELLED && back.token == 0);
    assert_string_equal(back.end.code, "cancelled");
    arena_free(&m.arena);

    e = (struct entry){.kind = ENTRY_SIGNAL, .mail = {.by = "ann", .name = "approve"}};
    m = made_of(&e);
    wire_entry_from_headers(&back, get, &m, m.arena);
    assert_string_equal(back.mail.by, "ann");
    assert_string_equal(back.mail.name, "approve");
    arena_free(&m.arena);
}

static void headers_of_a_stranger_are_taken_for_little(void **state)
{
    struct made m = {.arena = arena_new(),
                     .count = 9,
                     .at    = {{"Sluice-Kind", "PLAN"},
                               {"Sluice-Pool", "a.b"},
                               {"Sluice-Lane", "fast"},
                               {"Sluice-Flow", "> *"},
                               {"Sluice-Parent", "p"},
                               {"Sluice-Deadline", "soon"},
                               {"Sluice-Labels", ";;=x;a;b=1;=;c="},
                               {"Nats-Sequence", "184467"},
                               {"Nats-Time-Stamp", "2026-11-21T09:09:42.833610479Z"}}};
    struct entry e;

    (void)state;
    wire_entry_from_headers(&e, get, &m, m.arena);
    assert_int_equal(e.kind, ENTRY_PLAN);
    assert_string_equal(e.plan.pool, "");
    assert_string_equal(e.plan.lane, "");
    assert_string_equal(e.plan.flow_name, "");
    assert_string_equal(e.plan.parent, "");
    assert_true(e.plan.timeout_ms == 0);
    assert_true(bytes_equal(e.plan.labels, bytes_str("{\"b\":\"1\",\"c\":\"\"}")));
    assert_true(e.seq == 184467);
    assert_true(e.stored_ms == 1795252182833);

    m.count = 5;
    m.at[0] = (struct entry_header){"Sluice-Kind", "LEASED"};
    m.at[1] = (struct entry_header){"Sluice-Lease", "xyz"};
    m.at[2] = (struct entry_header){"Sluice-Wake", "99999999999"};
    m.at[3] = (struct entry_header){"Sluice-Job", "-1"};
    m.at[4] = (struct entry_header){"Sluice-Worker", "a b"};
    wire_entry_from_headers(&e, get, &m, m.arena);
    assert_int_equal(e.kind, ENTRY_LEASED);
    assert_true(e.token == 0 && e.wake == 0 && e.job == 0);
    assert_string_equal(e.worker, "");

    m.count = 0;
    wire_entry_from_headers(&e, get, &m, m.arena);
    assert_int_equal(e.kind, ENTRY_NONE);
    assert_string_equal(e.plan.key, "");
    arena_free(&m.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_says_what_the_protocol_says),
        cmocka_unit_test(nothing_in_a_value_breaks_a_header),
        cmocka_unit_test(a_note_is_cut_at_a_whole_character),
        cmocka_unit_test(every_value_has_a_largest_size),
        cmocka_unit_test(labels_keep_their_form),
        cmocka_unit_test(too_many_labels_are_cut_at_a_whole_one),
        cmocka_unit_test(headers_give_back_what_they_hold),
        cmocka_unit_test(headers_of_a_stranger_are_taken_for_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
