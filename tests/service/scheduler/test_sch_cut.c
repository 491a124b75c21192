/* Entries of a journal were lost or removed, and who follows it has seen them: what stands there now is what counts. */
#include "sch_rig.h"

/* As its headers told it once, and nothing is left of it to be read. */
static void waited_and_was_cut(struct rig *r, unsigned n)
{
    const struct entry e = {.kind = ENTRY_WAITING, .wake = 1, .token = 7, .worker = "w-1"};
    AUTO(arena_free) struct arena *arena = arena_new();
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct bus_header out[ENTRY_HEADERS_MAX];
    char subject[SUBJECT_SIZE];
    size_t count = wire_entry_headers(&e, arena, headers);

    for (size_t i = 0; i < count; i++)
        out[i] = (struct bus_header){headers[i].name, headers[i].value};
    assert_true(
        bus_send(r->client, &(struct bus_out){subject_journal(subject, TENANT, rig_run(n)),
                                              bytes_str("\xff"), out, count}));
}

static void run_whose_waiting_was_removed_gets_a_ticket_of_the_wake_that_stands(void **state)
{
    struct rig *r              = *state;
    const struct entry_lease l = {.tries = 1};
    struct fake_stored m;
    struct job job;

    rig_plan(r, 1, (struct entry_plan){.key = ""});
    rig_entry(
        r, 1,
        (struct entry){
            .kind = ENTRY_LEASED, .wake = 1, .token = 7, .job = 1, .worker = "w-1", .lease = l},
        false);
    waited_and_was_cut(r, 1);
    rig_pass(r, 100);
    assert_int_equal(sch_reconcile_find(r->sch->facts, rig_run(1))->wake, 2);

    RIG_WAIT(r, 2 * r->config.sweep_ms + 10000, fake_stored(STREAM_JOBS, ">", 0, &m));

    assert_false(failed(wire_read_job(&job, m.body)));
    assert_string_equal(job.ticket.run, rig_run(1));
    assert_int_equal(job.ticket.wake, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(run_whose_waiting_was_removed_gets_a_ticket_of_the_wake_that_stands),
    };
    return cmocka_run_group_tests_name("sch_cut", tests, NULL, NULL);
}
