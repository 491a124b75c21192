#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "wire/subject.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"
#define LONGEST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* A broken promise ends the test function, not the process. */
void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static void each_subject_reads_as_the_protocol_says(void **state)
{
    char at[SUBJECT_SIZE];

    (void)state;
    assert_string_equal(subject_journal(at, "acme", RUN), "sluice.journal.acme." RUN);
    assert_string_equal(subject_watch(at, "acme", RUN), "sluice.watch.acme." RUN);
    assert_string_equal(subject_pending(at, 0, "bulk", "acme"), "sluice.pending.0.bulk.acme");
    assert_string_equal(subject_again(at, 3, "acme", RUN), "sluice.pending.3.again.acme." RUN);
    assert_string_equal(subject_job(at, "acme", 7, "eu"), "sluice.jobs.acme.7.eu");
    assert_string_equal(subject_job(at, "acme", 0, "eu"), "sluice.jobs.acme.c0.eu");
    assert_string_equal(subject_slot(at, "acme", 7), "sluice.jobs.acme.7.*");
    assert_string_equal(subject_jobs_pool(at, "eu"), "sluice.jobs.*.*.eu");
    assert_string_equal(subject_freed(at, "acme", 0, UINT64_MAX),
                        "sluice.freed.acme.c0.18446744073709551615");
    assert_string_equal(subject_result(at, "acme", "f", "done", RUN),
                        "sluice.result.acme.f.done." RUN);
    assert_string_equal(subject_dead_run(at, "acme", RUN), "sluice.dead.acme.run-" RUN);
    assert_string_equal(subject_dead_ticket(at, "acme", 7), "sluice.dead.acme.ticket-7");
    assert_string_equal(subject_dead_job(at, "acme", 7), "sluice.dead.acme.job-7");
    assert_string_equal(subject_grants(at, 0), "sluice.grants.0");
    assert_string_equal(subject_permit(at, "chrome"), "sluice.permit.chrome");
    assert_string_equal(subject_holds(at, "bw-x2"), "sluice.worker.bw-x2.holds");
    assert_string_equal(subject_status(at, "bw-x2"), "sluice.worker.bw-x2.status");
    assert_string_equal(subject_state_depth(at, 1), "sluice.state.depth.1");
    assert_string_equal(subject_state_load(at, "eu"), "sluice.state.load.eu");
    assert_string_equal(subject_state_upstream(at, 1), "sluice.state.upstream.1");
    assert_string_equal(subject_alert(at, "Upstream402", "multion"),
                        "sluice.alert.Upstream402.multion");
    assert_string_equal(subject_call(at, "acme", "planner.next"),
                        "sluice.call.acme.planner.next");
    assert_string_equal(subject_api(at, "submit", "acme"), "sluice.api.submit.acme");
    assert_string_equal(subject_admin(at, "load", NULL), "sluice.admin.load");
    assert_string_equal(subject_admin(at, "load", "eu"), "sluice.admin.load.eu");
}

static void the_longest_names_fit(void **state)
{
    char at[SUBJECT_SIZE], call[SUBJECT_CALL_MAX + 2] = LONGEST "." LONGEST ".";

    (void)state;
    subject_result(at, LONGEST, LONGEST, "indeterminate", RUN);
    assert_int_equal(strlen(at), 14 + 64 + 1 + 64 + 1 + 13 + 1 + 26);
    memset(call + 130, 'x', SUBJECT_CALL_MAX - 130);
    subject_call(at, LONGEST, call);
    assert_int_equal(strlen(at), 12 + 64 + 1 + SUBJECT_CALL_MAX);
    call[SUBJECT_CALL_MAX] = 'x';
    expect_assert_failure(subject_call(at, LONGEST, call));
}

static void what_is_no_name_stands_in_no_subject(void **state)
{
    static const char *const BAD[] = {"",    "a.b",       "*", ">", "a b",
                                      "a\n", LONGEST "x", "ä", NULL};
    static size_t i; /* outlives the jumps */
    char at[SUBJECT_SIZE];

    (void)state;
    for (i = 0; BAD[i]; i++) {
        expect_assert_failure(subject_journal(at, BAD[i], RUN));
        expect_assert_failure(subject_permit(at, BAD[i]));
        expect_assert_failure(subject_admin(at, "load", BAD[i]));
        if (strcmp(BAD[i], "a.b") != 0)
            expect_assert_failure(subject_call(at, "acme", BAD[i]));
    }
    expect_assert_failure(subject_call(at, "acme", ".a"));
    expect_assert_failure(subject_call(at, "acme", "a."));
    expect_assert_failure(subject_call(at, "acme", "a..b"));
    expect_assert_failure(subject_call(at, "acme", "a.>"));
    expect_assert_failure(subject_pending(at, 0, "again", "acme"));
}

static void a_slot_is_read_from_jobs_and_freed_only(void **state)
{
    char at[SUBJECT_SIZE];

    (void)state;
    assert_int_equal(subject_slot_of(subject_job(at, "acme", 0, "eu")), 0);
    assert_int_equal(subject_slot_of(subject_job(at, "acme", 12, "eu")), 12);
    assert_int_equal(subject_slot_of(subject_freed(at, "acme", 2000000000, 9)), 2000000000);
    assert_int_equal(subject_slot_of("sluice.jobs.acme.0.eu"), -1);
    assert_int_equal(subject_slot_of("sluice.jobs.acme.07.eu"), -1);
    assert_int_equal(subject_slot_of("sluice.jobs.acme.c1.eu"), -1);
    assert_int_equal(subject_slot_of("sluice.jobs.acme.4294967296.eu"), -1);
    assert_int_equal(subject_slot_of("sluice.jobs.acme.99999999999999999999.eu"), -1);
    assert_int_equal(subject_slot_of("sluice.jobs.acme"), -1);
    assert_int_equal(subject_slot_of("sluice.jobs.acme..eu"), -1);
    assert_int_equal(subject_slot_of("sluice.pending.0.1.7"), -1);
    assert_int_equal(subject_slot_of(""), -1);
}

static void a_shard_never_moves(void **state)
{
    (void)state;
    assert_int_equal(subject_shard("acme", 1), 0);
    /* FNV-1a: a change here would send every tenant's tickets to another leader. */
    assert_int_equal(subject_shard("acme", 1000), 87);
    assert_int_equal(subject_shard("globex", 1000), 750);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subject_reads_as_the_protocol_says),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(what_is_no_name_stands_in_no_subject),
        cmocka_unit_test(a_slot_is_read_from_jobs_and_freed_only),
        cmocka_unit_test(a_shard_never_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
