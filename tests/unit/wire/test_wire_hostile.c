/* Bytes that somebody bent: every reader answers, none falls over (ASan and UBSan watch). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sample.h"
#include "wire/wire_journal.h"
#include "wire/wire_json.h"
#include "wire/wire_permit.h"
#include "wire/wire_ticket.h"

enum { MUTATIONS = 100000, SEED_MAX = 4096, SEEDS = 64 };

static struct {
    uint8_t at[SEED_MAX];
    size_t len;
} seeds[SEEDS];
static size_t seed_count;
static uint32_t message_count;

static uint64_t dice = 0x9e3779b97f4a7c15; /* the same throws in each run */

static uint32_t throw_below(uint32_t n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (uint32_t)(dice >> 32) % n;
}

static void keep_seed(const struct buf *body)
{
    assert_true(seed_count < SEEDS && body->len <= SEED_MAX);
    memcpy(seeds[seed_count].at, body->at, body->len);
    seeds[seed_count++].len = body->len;
}

/* Each message with all its fields, and those that our readers accept. */
static int make_seeds(void **state)
{
    const ProtobufCMessageDescriptor *d;
    char why[200];
    struct buf json, body;

    (void)state;
    buf_init(&json, SEED_MAX);
    buf_init(&body, SEED_MAX);
    for (; (d = wire_message_nth(message_count)); message_count++) {
        buf_clear(&json);
        buf_clear(&body);
        sample_message(d, &json);
        assert_false(
            failed(wire_protobuf_of(d->short_name, buf_bytes(&json), &body, why, 200)));
        keep_seed(&body);
    }
    for (enum entry_kind kind = ENTRY_PLAN; kind < ENTRY_KINDS; kind++) {
        struct entry e = {.kind   = kind,
                          .worker = "bw-1",
                          .token  = 7,
                          .job    = 8,
                          .plan = {.tenant = "acme", .run = SAMPLE_ID, .flow = bytes_str("{}")},
                          .step = {.step = "s", .value = bytes_str("[1]")},
                          .mail = {.child = SAMPLE_ID}};

        buf_clear(&body);
        assert_false(failed(wire_write_entry(&e, &body)));
        keep_seed(&body);
    }
    struct job job = {.ticket = {.run = SAMPLE_ID, .tenant = "acme", .pool = "eu"}, .slot = 1};

    buf_clear(&body);
    wire_write_job(&job, &body);
    keep_seed(&body);
    buf_clear(&body);
    wire_write_ticket(&job.ticket, &body);
    keep_seed(&body);
    struct grant_record records[2] = {{.op = GRANT_GRANT, .id = SAMPLE_ID, .name = "k"},
                                      {.op = GRANT_MODE}};
    struct grant_batch batch       = {.epoch = 1, .records = records, .count = 2};

    buf_clear(&body);
    wire_write_grant_batch(&batch, &body);
    keep_seed(&body);
    buf_deinit(&json);
    buf_deinit(&body);
    return 0;
}

/* A copy of exactly its size, so that a read behind its end is seen. */
static uint8_t *bent(const uint8_t *from, size_t *len)
{
    size_t room   = *len + 16;
    uint8_t *body = mem_zero(room);

    memcpy(body, from, *len);
    for (uint32_t times = 1 + throw_below(4); times > 0; times--) {
        uint32_t at = throw_below((uint32_t)*len + 1);

        switch (throw_below(5)) {
        case 0:
            body[at] = (uint8_t)throw_below(256);
            break;
        case 1:
            body[at] ^= (uint8_t)(1u << throw_below(8));
            break;
        case 2: /* cut */
            *len = at;
            break;
        case 3: /* one more byte */
            if (*len + 1 < room) {
                memmove(body + at + 1, body + at, *len - at);
                body[at] = (uint8_t)throw_below(256);
                ++*len;
            }
            break;
        default: /* one less */
            if (at < *len) {
                memmove(body + at, body + at + 1, *len - at - 1);
                --*len;
            }
            break;
        }
    }
    uint8_t *exact = mem_copy(body, *len);

    mem_free(&body);
    return exact;
}

static void assert_string(const char *s)
{
    assert_non_null(s);
    assert_true(strlen(s) < 1 << 20);
}

static const char *header_of(const void *self, const char *name)
{
    (void)name;
    return self;
}

/* An entry that was read can be written, shown and read from its headers. */
static void use_entry(const struct entry *e, struct arena *arena)
{
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct entry again;
    struct buf body;

    assert_string(e->worker);
    assert_string(e->plan.tenant);
    assert_string(e->step.note);
    assert_string(e->mail.child);
    if (e->kind == ENTRY_NONE)
        return;
    size_t count = wire_entry_headers(e, arena, headers);

    for (size_t i = 0; i < count; i++) {
        assert_string_not_equal(headers[i].value, "");
        assert_true(strlen(headers[i].value) <= ENTRY_HEADER_VALUE_MAX);
        for (const char *c = headers[i].value; *c; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    }
    buf_init(&body, ENTRY_BODY_MAX);
    assert_false(failed(wire_write_entry(e, &body)));
    assert_false(failed(wire_read_entry(&again, buf_bytes(&body), arena)));
    buf_deinit(&body);
}

static void read_all(struct bytes body, struct arena *arena)
{
    struct entry entry;
    struct ticket ticket;
    struct job job;
    struct worker_status status;
    struct holds_ask holds;
    struct permit_request request;
    struct permit_grant grant;
    struct grant_batch batch;
    struct buf to;
    bool alive;

    if (!failed(wire_read_entry(&entry, body, arena)))
        use_entry(&entry, arena);
    buf_init(&to, 1 << 16);
    if (!failed(wire_read_ticket(&ticket, body)))
        wire_write_ticket(&ticket, &to); /* must() sees that it could be read */
    if (!failed(wire_read_job(&job, body)))
        wire_write_job(&job, &to);
    if (!failed(wire_read_worker_status(&status, body)))
        wire_write_worker_status(&status, &to);
    if (!failed(wire_read_holds_ask(&holds, body)))
        wire_write_holds_ask(&holds, &to);
    if (!failed(wire_read_holds_answer(&alive, body)))
        wire_write_holds_answer(alive, &to);
    if (!failed(wire_read_permit_request(&request, body))) {
        if (request.what == PERMIT_ASK)
            wire_write_permit_ask(&request.ask, &to);
        else
            wire_write_permit_report(&request.report, &to);
    }
    if (!failed(wire_read_permit_grant(&grant, body)))
        wire_write_permit_grant(&grant, &to);
    if (!failed(wire_read_grant_batch(&batch, body, arena)))
        wire_write_grant_batch(&batch, &to);
    buf_deinit(&to);
}

static void bent_messages_do_no_harm(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < MUTATIONS; i++) {
        size_t which   = throw_below((uint32_t)seed_count);
        size_t len     = seeds[which].len;
        uint8_t *exact = bent(seeds[which].at, &len);

        read_all(bytes_of(exact, len), arena);
        mem_free(&exact);
        arena_reset(arena);
    }
}

static void bent_messages_are_shown_as_json_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MUTATIONS / 10; i++) {
        size_t which   = throw_below((uint32_t)seed_count);
        size_t len     = seeds[which].len;
        uint8_t *exact = bent(seeds[which].at, &len);
        size_t kind    = throw_below(message_count);
        char why[200];
        struct buf json, back;

        buf_init(&json, 1 << 16);
        buf_init(&back, 1 << 16);
        const char *name = wire_message_nth(kind)->short_name;

        if (!failed(wire_json_of(name, bytes_of(exact, len), &json, why, 200)))
            (void)!failed(wire_protobuf_of(name, buf_bytes(&json), &back, why, 200));
        wire_guess(bytes_of(exact, len));
        buf_deinit(&json);
        buf_deinit(&back);
        mem_free(&exact);
    }
}

static void bent_json_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MUTATIONS / 10; i++) {
        const ProtobufCMessageDescriptor *d = wire_message_nth(throw_below(message_count));
        struct buf json, body;
        char why[200] = "";

        buf_init(&json, 1 << 16);
        buf_init(&body, 1 << 16);
        sample_message(d, &json);
        size_t len     = json.len;
        uint8_t *exact = bent((const uint8_t *)json.at, &len);

        if (failed(wire_protobuf_of(d->short_name, bytes_of(exact, len), &body, why, 200)))
            assert_string_not_equal(why, "");
        buf_deinit(&json);
        buf_deinit(&body);
        mem_free(&exact);
    }
}

static void bent_headers_do_no_harm(void **state)
{
    static const char *const WORDS[]     = {"PLAN",    "LEASED", "OUTCOME",
                                            "WAITING", "END",    "SIGNAL"};
    AUTO(arena_free) struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < MUTATIONS / 10; i++) {
        const char *word = WORDS[throw_below(6)];
        size_t len       = strlen(word);
        uint8_t *exact   = bent((const uint8_t *)word, &len);
        char *value      = mem_strndup((const char *)exact, len);
        struct entry e;

        wire_entry_from_headers(&e, header_of, value, arena);
        entry_init(&e, ENTRY_SIGNAL);
        e.mail.by = e.mail.name = value;
        use_entry(&e, arena);
        mem_free(&value);
        mem_free(&exact);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bent_messages_do_no_harm),
        cmocka_unit_test(bent_messages_are_shown_as_json_or_refused),
        cmocka_unit_test(bent_json_is_read_or_refused),
        cmocka_unit_test(bent_headers_do_no_harm),
    };

    return cmocka_run_group_tests(tests, make_seeds, NULL);
}
