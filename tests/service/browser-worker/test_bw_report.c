/* What a worker owes the limiter: reports that are said until somebody has heard them. */
#include "bw_permit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "support/fake/fake.h"
#include "wire/subject.h"

enum { HOUR_MS = 3600 * 1000 };

static struct bus *worker, *limiter;
static struct bus_sub *hears;
static struct bw_permits *permits;
static unsigned closed;

static void no_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)level, (void)message, (void)line;
}

static int anew(void **state)
{
    (void)state;
    closed = 0;
    fake_begin();
    fake_step(500);
    log_sink(no_log, NULL);
    assert_false(failed(bus_open(&worker, NULL, &(struct bus_config){.name = "worker"})));
    assert_false(failed(bus_open(&limiter, NULL, &(struct bus_config){.name = "limiter"})));
    fake_settle();
    permits = bw_permit_new(worker);
    return 0;
}

static int over(void **state)
{
    (void)state;
    bus_unsubscribe(&hears);
    bw_permit_free(&permits);
    bus_free(&worker);
    bus_free(&limiter);
    fake_end();
    return 0;
}

static void on_request(void *self, struct bus_msg **msg)
{
    struct permit_grant confirmed = {.ok = true};
    struct permit_request request;
    struct buf body;

    (void)self;
    assert_false(failed(wire_read_permit_request(&request, (*msg)->body)));
    assert_int_equal(request.what, PERMIT_REPORT);
    closed += request.report.session_closed;
    str_copy(confirmed.id, sizeof confirmed.id, request.report.id);
    buf_init(&body, 1024);
    wire_write_permit_grant(&confirmed, &body);
    bus_answer(limiter, *msg, buf_bytes(&body), NULL, 0);
    buf_deinit(&body);
}

static void a_limiter_comes(void)
{
    char subject[SUBJECT_SIZE];

    assert_false(failed(bus_subscribe(limiter, subject_permit(subject, "sim"), NULL, on_request,
                                      NULL, &hears)));
}

static struct bw_permit permit(void)
{
    struct bw_permit p = {.granted = true};

    str_copy(p.id, sizeof p.id, "01KAJ4T0Q8ZP9F4T4W6V2N8M1C");
    str_copy(p.upstream, sizeof p.upstream, "sim");
    str_copy(p.session, sizeof p.session, "s01KAJ4T0Q8ZP9F4T4W6V2N8M1C");
    return p;
}

/* Nobody says it again: else its place stays taken until session_idle. */
static void a_closed_session_is_told_to_the_limiter_that_comes_after_an_hour(void **state)
{
    const struct bw_permit_done done = {
        .status = 200, .call_class = CALL_OK, .session_closed = true};
    struct bw_permit p = permit();

    (void)state;
    bw_permit_report(permits, &p, &done);
    bw_permit_session_gone(permits, "sim", "s01KAJ4T0Q8ZP9F4T4W6V2N8M1D");
    fake_advance(HOUR_MS);
    assert_int_equal(bw_permit_pending(permits), 2);

    a_limiter_comes();
    fake_advance(5000);

    assert_int_equal(closed, 2);
    assert_int_equal(bw_permit_pending(permits), 0);
}

/* It ends by itself in the limiter, with the call's lifetime. */
static void a_permit_that_was_not_used_is_given_back_no_longer_than_it_counts(void **state)
{
    struct bw_permit p = permit();

    (void)state;
    bw_permit_return(permits, &p);
    assert_int_equal(bw_permit_pending(permits), 1);

    fake_advance(60000);

    assert_int_equal(bw_permit_pending(permits), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, anew, over)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_closed_session_is_told_to_the_limiter_that_comes_after_an_hour),
        TEST(a_permit_that_was_not_used_is_given_back_no_longer_than_it_counts),
    };
    return cmocka_run_group_tests_name("bw_report", tests, NULL, NULL);
}
