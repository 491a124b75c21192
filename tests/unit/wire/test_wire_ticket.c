#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "sluice/v1/ticket.pb-c.h"
#include "sluice/v1/worker.pb-c.h"
#include "wire/wire_ticket.h"

/* The product's codec is nanopb; the witness is protobuf-c. */

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"
#define LONGEST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static const struct ticket FULL = {
    .run               = RUN,
    .tenant            = LONGEST,
    .flow              = LONGEST,
    .pool              = LONGEST,
    .lane              = LANE_BULK,
    .wake              = UINT32_MAX,
    .cause             = CAUSE_LOCK,
    .cause_seq         = UINT64_MAX,
    .plan_seq          = UINT64_MAX - 1,
    .due_after_ms      = UINT64_MAX - 2,
    .start_within_ms   = UINT64_MAX - 3,
    .deadline_after_ms = UINT64_MAX - 4,
    .lock              = LONGEST,
    .upstream          = LONGEST,
    .session           = "s" RUN,
    .parent_run        = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
};
static const struct ticket LEAST = {.run = RUN, .tenant = "a", .pool = "p"};

static void assert_same_ticket(const struct ticket *a, const struct ticket *b)
{
    assert_string_equal(a->run, b->run);
    assert_string_equal(a->tenant, b->tenant);
    assert_string_equal(a->flow, b->flow);
    assert_string_equal(a->pool, b->pool);
    assert_int_equal(a->lane, b->lane);
    assert_int_equal(a->wake, b->wake);
    assert_int_equal(a->cause, b->cause);
    assert_true(a->cause_seq == b->cause_seq && a->plan_seq == b->plan_seq);
    assert_true(a->due_after_ms == b->due_after_ms);
    assert_true(a->start_within_ms == b->start_within_ms);
    assert_true(a->deadline_after_ms == b->deadline_after_ms);
    assert_string_equal(a->lock, b->lock);
    assert_string_equal(a->upstream, b->upstream);
    assert_string_equal(a->session, b->session);
    assert_string_equal(a->parent_run, b->parent_run);
}

static void a_ticket_comes_back_as_it_was(void **state)
{
    const struct ticket *const TICKETS[] = {&FULL, &LEAST};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf body;
        struct ticket back;

        buf_init(&body, 1024);
        wire_write_ticket(TICKETS[i], &body);
        assert_false(failed(wire_read_ticket(&back, buf_bytes(&body))));
        assert_same_ticket(&back, TICKETS[i]);
        buf_deinit(&body);
    }
}

static void a_job_comes_back_as_it_was(void **state)
{
    struct job job = {.ticket = FULL, .slot = UINT32_MAX, .ticket_seq = UINT64_MAX}, back;
    struct buf body;

    (void)state;
    buf_init(&body, 1024);
    wire_write_job(&job, &body);
    assert_false(failed(wire_read_job(&back, buf_bytes(&body))));
    assert_same_ticket(&back.ticket, &FULL);
    assert_true(back.slot == job.slot && back.ticket_seq == job.ticket_seq);
    buf_deinit(&body);
}

static void the_witness_reads_what_we_write(void **state)
{
    struct job job = {.ticket = FULL, .slot = 7, .ticket_seq = 8};
    struct buf body;

    (void)state;
    buf_init(&body, 1024);
    wire_write_job(&job, &body);
    Sluice__V1__Job *m = sluice__v1__job__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_non_null(m);
    assert_non_null(m->ticket);
    assert_int_equal(m->slot, 7);
    assert_int_equal(m->ticket_seq, 8);
    assert_int_equal(m->ticket->schema, 1);
    assert_string_equal(m->ticket->run, RUN);
    assert_string_equal(m->ticket->tenant, LONGEST);
    assert_string_equal(m->ticket->flow, LONGEST);
    assert_string_equal(m->ticket->pool, LONGEST);
    assert_string_equal(m->ticket->lane, "bulk");
    assert_true(m->ticket->wake == UINT32_MAX);
    assert_int_equal(m->ticket->cause, SLUICE__V1__CAUSE__CAUSE_LOCK);
    assert_true(m->ticket->cause_seq == UINT64_MAX);
    assert_true(m->ticket->plan_seq == UINT64_MAX - 1);
    assert_true(m->ticket->due_after_ms == UINT64_MAX - 2);
    assert_true(m->ticket->start_within_ms == UINT64_MAX - 3);
    assert_true(m->ticket->deadline_after_ms == UINT64_MAX - 4);
    assert_string_equal(m->ticket->lock, LONGEST);
    assert_string_equal(m->ticket->upstream, LONGEST);
    assert_string_equal(m->ticket->session, FULL.session);
    assert_string_equal(m->ticket->parent_run, FULL.parent_run);
    sluice__v1__job__free_unpacked(m, NULL);
    buf_deinit(&body);
}

/* A ticket by the witness, as a reader may meet it. */
static struct err read_from_witness(struct ticket *ret, const Sluice__V1__Ticket *m)
{
    uint8_t body[2048];

    assert_true(sluice__v1__ticket__get_packed_size(m) <= sizeof(body));
    return wire_read_ticket(ret, bytes_of(body, sluice__v1__ticket__pack(m, body)));
}

static Sluice__V1__Ticket good(void)
{
    Sluice__V1__Ticket m = SLUICE__V1__TICKET__INIT;

    m.schema = 1;
    m.run    = RUN;
    m.tenant = "acme";
    m.pool   = "eu";
    m.lane   = "standard";
    m.cause  = SLUICE__V1__CAUSE__CAUSE_TIMER;
    m.wake   = 2;
    return m;
}

static void we_read_what_the_witness_writes(void **state)
{
    Sluice__V1__Ticket m = good();
    struct ticket t;

    (void)state;
    assert_false(failed(read_from_witness(&t, &m)));
    assert_string_equal(t.run, RUN);
    assert_string_equal(t.tenant, "acme");
    assert_string_equal(t.pool, "eu");
    assert_int_equal(t.lane, LANE_STANDARD);
    assert_int_equal(t.cause, CAUSE_TIMER);
    assert_int_equal(t.wake, 2);
}

static void a_ticket_that_may_not_stand_in_subjects_is_refused(void **state)
{
    struct ticket t = LEAST;
    Sluice__V1__Ticket m;

    (void)state;
#define REFUSED(change) \
    m = good(); \
    change; \
    assert_int_equal(read_from_witness(&t, &m).kind, ERR_REJECT)
    REFUSED(m.schema = 0);
    REFUSED(m.schema = 2);
    REFUSED(m.run = "");
    REFUSED(m.run = "run");
    REFUSED(m.run = "8ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    REFUSED(m.run = RUN "X");
    REFUSED(m.tenant = "");
    REFUSED(m.tenant = "a.b");
    REFUSED(m.tenant = ">");
    REFUSED(m.tenant = LONGEST "x");
    REFUSED(m.pool = "");
    REFUSED(m.pool = "*");
    REFUSED(m.lane = "");
    REFUSED(m.lane = "again");
    REFUSED(m.flow = "f@3");
    REFUSED(m.lock = "a b");
    REFUSED(m.upstream = "a.b");
    REFUSED(m.session = "s.1");
    REFUSED(m.parent_run = "x");
#undef REFUSED
    assert_same_ticket(&t, &LEAST); /* untouched */
}

static void a_cause_of_tomorrow_is_none(void **state)
{
    Sluice__V1__Ticket m = good();
    struct ticket t;

    (void)state;
    m.cause = (Sluice__V1__Cause)99;
    assert_false(failed(read_from_witness(&t, &m)));
    assert_int_equal(t.cause, CAUSE_NONE);
}

static void fields_of_tomorrow_are_skipped(void **state)
{
    struct buf body;
    struct ticket t;

    (void)state;
    buf_init(&body, 1024);
    wire_write_ticket(&FULL, &body);
    buf_add(&body, "\xba\x06\x03xyz\xc0\x06\x07", 9); /* 103: a string, 104: a number */
    assert_false(failed(wire_read_ticket(&t, buf_bytes(&body))));
    assert_same_ticket(&t, &FULL);
    buf_deinit(&body);
}

static void what_cannot_be_read_is_not_written(void **state)
{
    struct ticket bad = LEAST;
    struct buf body;

    (void)state;
    buf_init(&body, 1024);
    strcpy(bad.tenant, "a.b");
    expect_assert_failure(wire_write_ticket(&bad, &body));
    bad      = LEAST;
    bad.lane = LANE_NONE;
    expect_assert_failure(wire_write_ticket(&bad, &body));
    assert_int_equal(body.len, 0);
}

static void a_worker_status_comes_back_and_the_witness_reads_it(void **state)
{
    struct worker_status s = {.worker   = LONGEST,
                              .pool     = "eu",
                              .version  = "1.2.3-rc.4+abcdef012345",
                              .slots    = 500,
                              .busy     = UINT32_MAX,
                              .draining = true};
    struct worker_status back;
    struct buf body;

    (void)state;
    buf_init(&body, 1024);
    wire_write_worker_status(&s, &body);
    assert_false(failed(wire_read_worker_status(&back, buf_bytes(&body))));
    assert_string_equal(back.worker, s.worker);
    assert_string_equal(back.pool, s.pool);
    assert_string_equal(back.version, s.version);
    assert_true(back.slots == 500 && back.busy == UINT32_MAX && back.draining);

    Sluice__V1__WorkerStatus *m =
        sluice__v1__worker_status__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_non_null(m);
    assert_string_equal(m->worker, LONGEST);
    assert_true(m->draining && m->busy == UINT32_MAX && m->schema == 1);
    sluice__v1__worker_status__free_unpacked(m, NULL);
    buf_deinit(&body);
    assert_int_equal(wire_read_worker_status(&back, bytes_str("")).kind, ERR_REJECT);
}

static void who_holds_is_asked_and_answered(void **state)
{
    struct holds_ask ask = {.run = RUN, .token = 0xfedcba9876543210, .job = UINT64_MAX}, back;
    struct buf body;
    bool alive = false;

    (void)state;
    buf_init(&body, 1024);
    wire_write_holds_ask(&ask, &body);
    assert_false(failed(wire_read_holds_ask(&back, buf_bytes(&body))));
    assert_string_equal(back.run, RUN);
    assert_true(back.token == ask.token && back.job == ask.job);
    Sluice__V1__HoldsAsk *m =
        sluice__v1__holds_ask__unpack(NULL, body.len, (const uint8_t *)body.at);
    assert_non_null(m);
    assert_true(m->token == ask.token && m->job == ask.job);
    sluice__v1__holds_ask__free_unpacked(m, NULL);

    buf_clear(&body);
    wire_write_holds_answer(true, &body);
    assert_false(failed(wire_read_holds_answer(&alive, buf_bytes(&body))));
    assert_true(alive);
    buf_clear(&body);
    wire_write_holds_answer(false, &body);
    assert_int_equal(body.len, 0); /* absent is false */
    assert_false(failed(wire_read_holds_answer(&alive, buf_bytes(&body))));
    assert_false(alive);
    buf_deinit(&body);
    assert_int_equal(wire_read_holds_answer(&alive, bytes_str("\x08")).kind, ERR_REJECT);
    assert_int_equal(wire_read_holds_ask(&back, bytes_str("")).kind, ERR_REJECT);
}

static void words_name_each_lane_and_cause(void **state)
{
    (void)state;
    for (enum lane lane = 0; lane < LANES; lane++)
        assert_int_equal(lane_of(lane_word(lane)), lane);
    assert_int_equal(lane_of(""), LANE_NONE);
    assert_int_equal(lane_of(NULL), LANE_NONE);
    assert_int_equal(lane_of("Bulk"), LANE_NONE);
    assert_string_equal(lane_word(LANE_NONE), "");
    assert_string_equal(ticket_cause_word(CAUSE_RECONCILE), "reconcile");
}

static void a_full_buf_says_so(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, 40);
    wire_write_ticket(&FULL, &body);
    assert_true(body.full);
    buf_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_comes_back_as_it_was),
        cmocka_unit_test(a_job_comes_back_as_it_was),
        cmocka_unit_test(the_witness_reads_what_we_write),
        cmocka_unit_test(we_read_what_the_witness_writes),
        cmocka_unit_test(a_ticket_that_may_not_stand_in_subjects_is_refused),
        cmocka_unit_test(a_cause_of_tomorrow_is_none),
        cmocka_unit_test(fields_of_tomorrow_are_skipped),
        cmocka_unit_test(what_cannot_be_read_is_not_written),
        cmocka_unit_test(a_worker_status_comes_back_and_the_witness_reads_it),
        cmocka_unit_test(who_holds_is_asked_and_answered),
        cmocka_unit_test(words_name_each_lane_and_cause),
        cmocka_unit_test(a_full_buf_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
