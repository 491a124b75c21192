#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sluice/v1/permit.pb-c.h"
#include "wire/wire_permit.h"

/* The product's codec is nanopb; the witness is protobuf-c. */

#define ID "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static void an_ask_comes_back_and_the_witness_reads_it(void **state)
{
    struct permit_ask ask = {
        .id          = ID,
        .tenant      = "acme",
        .run         = ID,
        .step        = "add to cart",
        .session     = "s" ID,
        .lane        = LANE_REALTIME,
        .key_count   = PERMIT_KEYS_MAX,
        .wait_ms     = 5000,
        .lifetime_ms = UINT32_MAX,
        .keys        = {{.name = "multion", .rate = true, .in_flight = true},
                        {.name = "site:shop.example", .in_flight = true},
                        {.name = "c", .session_open = true, .session_use = true},
                        {.close = true}},
    };
    struct permit_request request;
    struct buf body;

    (void)state;
    memset(ask.keys[3].name, 'k', sizeof(ask.keys[3].name) - 1);
    buf_init(&body, 4096);
    wire_write_permit_ask(&ask, &body);
    assert_false(failed(wire_read_permit_request(&request, buf_bytes(&body))));
    assert_int_equal(request.what, PERMIT_ASK);
    struct permit_ask back = request.ask;
    assert_string_equal(back.id, ID);
    assert_string_equal(back.tenant, "acme");
    assert_string_equal(back.run, ID);
    assert_string_equal(back.step, "add to cart");
    assert_string_equal(back.session, ask.session);
    assert_true(back.lane == LANE_REALTIME && back.key_count == PERMIT_KEYS_MAX);
    assert_true(back.wait_ms == 5000 && back.lifetime_ms == UINT32_MAX);
    for (size_t i = 0; i < back.key_count; i++) {
        const struct permit_key *a = &back.keys[i], *b = &ask.keys[i];

        assert_string_equal(a->name, b->name);
        assert_true(a->rate == b->rate && a->in_flight == b->in_flight && a->close == b->close);
        assert_true(a->session_open == b->session_open && a->session_use == b->session_use);
    }

    Sluice__V1__PermitRequest *envelope =
        sluice__v1__permit_request__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_non_null(envelope);
    assert_null(envelope->report);
    Sluice__V1__PermitAsk *m = envelope->ask;
    assert_non_null(m);
    assert_string_equal(m->lane, "realtime");
    assert_string_equal(m->step, "add to cart");
    assert_int_equal(m->n_keys, 4);
    assert_string_equal(m->keys[1]->name, "site:shop.example");
    assert_true(m->keys[0]->rate && m->keys[0]->in_flight && !m->keys[0]->session_open);
    assert_true(m->keys[2]->session_open && m->keys[2]->session_use && m->keys[3]->close);
    assert_int_equal(strlen(m->keys[3]->name), 127);
    sluice__v1__permit_request__free_unpacked(envelope, NULL);
    buf_deinit(&body);
}

static Sluice__V1__PermitKey key      = SLUICE__V1__PERMIT_KEY__INIT;
static Sluice__V1__PermitKey *keys[5] = {&key, &key, &key, &key, &key};

static struct err read_ask_of(Sluice__V1__PermitAsk *m)
{
    Sluice__V1__PermitRequest envelope = SLUICE__V1__PERMIT_REQUEST__INIT;
    uint8_t body[2048];
    struct permit_request request;

    envelope.ask = m;
    return wire_read_permit_request(
        &request, bytes_of(body, sluice__v1__permit_request__pack(&envelope, body)));
}

static void an_ask_that_is_none_is_refused(void **state)
{
    Sluice__V1__PermitAsk m = SLUICE__V1__PERMIT_ASK__INIT;

    (void)state;
    key.name = "multion";
    m.id     = ID;
    m.keys   = keys;
    m.n_keys = 4;
    assert_false(failed(read_ask_of(&m)));
    m.n_keys = 5;
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
    m.n_keys = 1;
    key.name = "";
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
    key.name = "k";
    m.tenant = "a.b";
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
    m.tenant = "";
    m.lane   = "fast";
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
    m.lane = "";
    m.run  = "x";
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
    m.run     = "";
    m.session = "$KV";
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
    m.session = "";
    m.id      = "";
    assert_int_equal(read_ask_of(&m).kind, ERR_REJECT);
}

static void a_grant_comes_back_and_the_witness_reads_it(void **state)
{
    struct permit_grant g = {.id             = ID,
                             .why            = "upstream_limited",
                             .ok             = true,
                             .probe          = true,
                             .waited_ms      = 1,
                             .retry_after_ms = UINT32_MAX,
                             .log_seq        = UINT64_MAX};
    struct permit_grant back;
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    wire_write_permit_grant(&g, &body);
    assert_false(failed(wire_read_permit_grant(&back, buf_bytes(&body))));
    assert_string_equal(back.id, ID);
    assert_string_equal(back.why, g.why);
    assert_true(back.ok && back.probe && back.waited_ms == 1);
    assert_true(back.retry_after_ms == UINT32_MAX && back.log_seq == UINT64_MAX);

    Sluice__V1__PermitGrant *m =
        sluice__v1__permit_grant__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_non_null(m);
    assert_true(m->ok && m->probe && m->log_seq == UINT64_MAX);
    sluice__v1__permit_grant__free_unpacked(m, NULL);
    buf_deinit(&body);
    assert_int_equal(wire_read_permit_grant(&back, bytes_str("")).kind, ERR_REJECT);
}

static void a_report_comes_back_and_the_witness_reads_it(void **state)
{
    struct permit_report r = {.id             = ID,
                              .name           = "multion",
                              .session        = "s" ID,
                              .status         = 429,
                              .retry_after_ms = 30000,
                              .ms             = 12,
                              .call_class     = CALL_UNSENT,
                              .session_opened = true,
                              .session_closed = true};
    struct permit_request request;
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    wire_write_permit_report(&r, &body);
    assert_false(failed(wire_read_permit_request(&request, buf_bytes(&body))));
    assert_int_equal(request.what, PERMIT_REPORT);
    struct permit_report back = request.report;
    assert_string_equal(back.name, "multion");
    assert_string_equal(back.session, r.session);
    assert_true(back.status == 429 && back.ms == 12 && back.retry_after_ms == 30000);
    assert_true(back.call_class == CALL_UNSENT && back.session_opened && back.session_closed);

    Sluice__V1__PermitRequest *m =
        sluice__v1__permit_request__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_true(m && m->report && !m->ask);
    assert_int_equal(m->report->call_class, SLUICE__V1__CALL_CLASS__CALL_CLASS_UNSENT);
    sluice__v1__permit_request__free_unpacked(m, NULL);
    buf_deinit(&body);
}

static void a_grant_batch_comes_back_and_the_witness_reads_it(void **state)
{
    struct grant_record records[20];
    struct grant_batch batch = {.snapshot = true,
                                .epoch    = UINT64_MAX,
                                .part     = 2,
                                .parts    = 3,
                                .records  = records,
                                .count    = 20};
    struct grant_batch back;
    AUTO(arena_free) struct arena *arena = arena_new();
    struct buf body;

    (void)state;
    memset(records, 0, sizeof(records));
    for (size_t i = 0; i < batch.count; i++) {
        struct grant_record *r = &records[i];

        r->op = i % 2 ? GRANT_MODE : GRANT_GRANT;
        strcpy(r->id, ID);
        strcpy(r->name, "site:shop.example");
        strcpy(r->tenant, "acme");
        strcpy(r->session, "s" ID);
        strcpy(r->why, "402 Payment Required: \"credit\"");
        r->in_flight = r->session_open = r->session_use = r->rate = true;
        r->lifetime_ms                                            = (uint32_t)i + 1;
        r->mode                                                   = PERMIT_MODE_RAMP;
        r->until_ms                                               = UINT64_MAX;
        r->at_ms                                                  = 1;
        r->since_ms                                               = 2;
    }
    buf_init(&body, 1 << 20);
    wire_write_grant_batch(&batch, &body);
    assert_false(failed(wire_read_grant_batch(&back, buf_bytes(&body), arena)));
    assert_true(back.snapshot && back.epoch == UINT64_MAX && back.part == 2 && back.parts == 3);
    assert_int_equal(back.count, 20);
    for (size_t i = 0; i < back.count; i++) {
        const struct grant_record *r = &back.records[i];

        assert_int_equal(r->op, records[i].op);
        assert_string_equal(r->id, ID);
        assert_string_equal(r->name, records[i].name);
        assert_string_equal(r->tenant, "acme");
        assert_string_equal(r->session, records[i].session);
        assert_string_equal(r->why, records[i].why);
        assert_true(r->in_flight && r->session_open && r->session_use && r->rate);
        assert_int_equal(r->lifetime_ms, i + 1);
        assert_int_equal(r->mode, PERMIT_MODE_RAMP);
        assert_true(r->until_ms == UINT64_MAX && r->at_ms == 1 && r->since_ms == 2);
    }

    Sluice__V1__GrantBatch *m =
        sluice__v1__grant_batch__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_non_null(m);
    assert_int_equal(m->n_records, 20);
    assert_int_equal(m->schema, 1);
    assert_string_equal(m->records[19]->why, records[19].why);
    assert_true(m->records[0]->op == SLUICE__V1__GRANT_OP__GRANT_OP_GRANT);

    /* And the other way: bytes of the witness. */
    uint8_t packed[16384];
    size_t len = sluice__v1__grant_batch__pack(m, packed);

    assert_int_equal(len, body.len);
    assert_memory_equal(packed, body.at, len);
    sluice__v1__grant_batch__free_unpacked(m, NULL);
    buf_deinit(&body);
}

static void an_empty_batch_is_one(void **state)
{
    struct grant_batch batch             = {.epoch = 1}, back;
    AUTO(arena_free) struct arena *arena = arena_new();
    struct buf body;

    (void)state;
    buf_init(&body, 64);
    wire_write_grant_batch(&batch, &body);
    assert_false(failed(wire_read_grant_batch(&back, buf_bytes(&body), arena)));
    assert_true(back.epoch == 1 && back.count == 0 && !back.snapshot);
    buf_deinit(&body);
    assert_int_equal(wire_read_grant_batch(&back, bytes_str(""), arena).kind, ERR_REJECT);
    assert_int_equal(wire_read_grant_batch(&back, bytes_str("\x08\x02"), arena).kind,
                     ERR_REJECT);
}

static void a_batch_has_an_end(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct grant_batch back;
    struct buf body;

    (void)state;
    buf_init(&body, 1 << 20);
    buf_add(&body, "\x08\x01", 2);
    for (size_t i = 0; i < GRANT_RECORDS_MAX; i++)
        buf_add(&body, "\x32\x00", 2);
    assert_false(failed(wire_read_grant_batch(&back, buf_bytes(&body), arena)));
    assert_int_equal(back.count, GRANT_RECORDS_MAX);
    buf_add(&body, "\x32\x00", 2);
    assert_int_equal(wire_read_grant_batch(&back, buf_bytes(&body), arena).kind, ERR_REJECT);
    buf_deinit(&body);
}

static void a_record_of_tomorrow_has_no_op(void **state)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    struct grant_batch back;

    (void)state;
    assert_false(failed(
        wire_read_grant_batch(&back, bytes_of("\x08\x01\x32\x04\x08\x63\x58\x63", 8), arena)));
    assert_int_equal(back.count, 1);
    assert_int_equal(back.records[0].op, GRANT_NONE);
    assert_int_equal(back.records[0].mode, PERMIT_MODE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ask_comes_back_and_the_witness_reads_it),
        cmocka_unit_test(an_ask_that_is_none_is_refused),
        cmocka_unit_test(a_grant_comes_back_and_the_witness_reads_it),
        cmocka_unit_test(a_report_comes_back_and_the_witness_reads_it),
        cmocka_unit_test(a_grant_batch_comes_back_and_the_witness_reads_it),
        cmocka_unit_test(an_empty_batch_is_one),
        cmocka_unit_test(a_batch_has_an_end),
        cmocka_unit_test(a_record_of_tomorrow_has_no_op),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
