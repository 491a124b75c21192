/*
 * rules - one moment each at which one rule alone keeps a run, a lock, a session or a limit whole.
 *
 * The torture of tests/fault/world finds what nobody thought of; here is what somebody did think of, with nothing left to
 * chance. Each of these is what a mutant of tests/mutants is missed by.
 */
#include "moment.h"

#define READ(id) \
    "{\"id\":\"" id "\",\"timeout\":\"1s\",\"effect\":\"read\"," \
    "\"call\":{\"subject\":\"svc\",\"body\":{}}}"
#define SECOND(more, steps) "{\"key\":\"k2\"," more "\"flow\":{\"steps\":[" steps "]}}"

/* Who loses its connection need not answer. */
static const struct fake_hurt CUT = {.how = FAKE_CUT_BEFORE};

/* Its worker is stopped before it hears this answer. */
static void follow_stopped_at(const struct scenario *s, const char *what, const char *of,
                              unsigned which)
{
    follow_hurt_at(s, FAKE_FROZEN, what, of, which);
}

static void slow_calls(void)
{
    world.call_ms = 8000;
}

/* The value that stands. */
static bool stands(const char *bucket, const char *key, const char *text)
{
    char stream[64], subject[SUBJECT_SIZE];
    struct fake_stored m;
    bool there = false;

    str_format(stream, sizeof stream, "KV_%s", bucket);
    str_format(subject, sizeof subject, "$KV.%s.%s", bucket, key);
    for (size_t n = 0; fake_stored(stream, subject, n, &m); n++)
        there = memmem(m.body.at, m.body.len, text, strlen(text)) != NULL;
    return there;
}

/* ---- nothing is forgotten ----------------------------------------------------------------------------- */

/* The gateway is cut off when PLAN stands, for ever as far as this ticket is concerned. */
static bool drive_without_ticket(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) == RUN_ABSENT)
            must(fake_turn());
        fake_connect(svc_bus(world.gw_svc), false);
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + 1000) {
        must(!stream_has(STREAM_PENDING, false, world.run));
        fake_connect(svc_bus(world.gw_svc), true);
        next_stage();
    }
    return run_over(world.run);
}

static void a_run_without_a_message_gets_one(void **state)
{
    static const struct scenario s = {.name   = "no ticket",
                                      .submit = FLOW("", SET),
                                      .key    = "k",
                                      .drive  = drive_without_ticket,
                                      .status = "done"};

    (void)state;
    follow(&s, CUT);
}

/* As another leader would admit it, who does not know of the first. */
static void admit(const char *run, uint32_t slot, uint32_t wake)
{
    struct fake_stored m;
    struct job job = {.slot = slot};
    char subject[SUBJECT_SIZE];
    struct buf body;
    bool found = false;

    for (size_t i = 0; !found && fake_stored(STREAM_PENDING, ">", i, &m); i++)
        found =
            !failed(wire_read_ticket(&job.ticket, m.body)) && str_equal(job.ticket.run, run);
    must(found);
    job.ticket.wake = wake;
    buf_init(&body, 4096);
    wire_write_job(&job, &body);
    (void)fake_store(subject_job(subject, TENANT, slot, "default"), buf_bytes(&body));
    buf_deinit(&body);
}

/* A job of a later wake is all that there is of the run: what its journal said of that wake is lost. */
static bool drive_later_wake(void)
{
    if (world.stage == 0) {
        fake_freeze(svc_bus(world.sch_svc), 30000);
        (void)ask("submit", playing->submit);
        fake_settle();
        admit(world.run, 1, 7);
        next_stage();
    }
    return run_over(world.run);
}

static void a_job_of_a_wake_that_its_journal_does_not_know_blocks_nobody(void **state)
{
    static const struct scenario s = {.name   = "later wake",
                                      .submit = FLOW("", SET),
                                      .key    = "k",
                                      .drive  = drive_later_wake,
                                      .status = "done"};

    (void)state;
    follow(&s, STOPPED);
}

static void write_accepted(const char *run)
{
    const struct entry e = {.kind = ENTRY_ACCEPTED, .worker = ""};
    char subject[SUBJECT_SIZE];
    struct buf body;

    buf_init(&body, ENTRY_BODY_MAX);
    must(!failed(wire_write_entry(&e, &body)));
    (void)fake_store(subject_journal(subject, TENANT, run), buf_bytes(&body));
    buf_deinit(&body);
}

/* Another gateway was asked the same, met the PLAN and says that it is accepted: before this one, for which the queue is
   full, rejects it. */
static bool drive_met_elsewhere(void)
{
    if (world.stage == 0) {
        fake_limit(STREAM_PENDING, 0);
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) == RUN_ABSENT)
            must(fake_turn());
        write_accepted(world.run);
        next_stage();
    }
    if (world.stage == 1 && ask_over(0)) {
        if (!answered_ok(0))
            complain("a run that another gateway accepted was refused");
        fake_limit(STREAM_PENDING, UINT64_MAX);
        next_stage();
    }
    return world.stage == 2 && run_over(world.run);
}

static void an_accepted_run_is_not_rejected(void **state)
{
    static const struct scenario s = {.name   = "met elsewhere",
                                      .submit = FLOW("", SET),
                                      .key    = "k",
                                      .drive  = drive_met_elsewhere,
                                      .status = "done"};

    (void)state;
    follow(&s, WELL);
}

/* END stands, and its worker is no more. */
static bool drive_end_alone(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) != RUN_ENDED)
            must(fake_turn());
        must(results(world.run) == 0);
        worker_down(holder());
        next_stage();
    }
    return run_over(world.run);
}

static void whoever_is_given_an_ended_run_does_its_duties(void **state)
{
    static const struct scenario s = {.name   = "END alone",
                                      .submit = FLOW("\"lock\":\"till\",", SET),
                                      .key    = "k",
                                      .drive  = drive_end_alone,
                                      .status = "done"};

    (void)state;
    follow(&s, WELL);
}

/* Who sees the result may count on it: nothing of the run is open any more. */
static bool drive_result_last(void)
{
    if (drive_submit() && results(world.run) > 0 && any_open())
        complain("its result was there before its session was closed");
    return over(world.opened == 1 && run_over(world.run));
}

static void the_result_comes_last(void **state)
{
    static const struct scenario s = {.name    = "result last",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_result_last,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* The order's outcome meets a CANCEL in the journal. */
static bool drive_cancel_in_order(void)
{
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        (void)ask("cancel", "{\"key\":\"k\"}");
        next_stage();
    }
    return over(world.stage == 1 && run_over(world.run));
}

static const char *judge_cancel_in_order(void)
{
    struct run_fold f        = fold_of(world.run);
    const struct run_step *b = run_fold_step(&f, "b");
    bool known               = b && b->settled && b->last.result == RESULT_OK;

    run_fold_deinit(&f);
    return known ? NULL : "what became of the order was forgotten";
}

static void what_is_in_hand_is_written_behind_the_mail(void **state)
{
    static const struct scenario s = {.name    = "cancel in an order",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_cancel_in_order,
                                      .judge   = judge_cancel_in_order,
                                      .orders  = 1,
                                      .status  = "cancelled"};

    (void)state;
    follow(&s, WELL);
}

/* A cancel comes while the second holder waits until the first one's call must be over: it does not make that call again. */
#define LOOK \
    "{\"id\":\"l\",\"timeout\":\"3s\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}}"

static bool drive_cancel_in_a_wait(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.orders == 1)
        world.call_ms = 2000;
    if (world.stage == 0 && world.orders == 2) {
        worker_down(holder());
        next_stage();
    }
    struct run_fold f = fold_of(world.run);
    if (world.stage == 1 && f.leases == 2) {
        (void)ask("cancel", "{\"key\":\"k\"}");
        next_stage();
    }
    run_fold_deinit(&f);
    return over(world.stage == 2 && run_over(world.run));
}

static void a_cancel_that_comes_in_a_wait_is_read_before_the_next_call(void **state)
{
    static const struct scenario s = {.name   = "cancel in a wait",
                                      .submit = FLOW(ON_SIM, OPEN ORDER "," LOOK),
                                      .key    = "k",
                                      .drive  = drive_cancel_in_a_wait,
                                      .orders = 2, /* the order, and the first look */
                                      .status = "cancelled"};

    (void)state;
    follow(&s, WELL);
}

/* A read in flight is no longer waited for than the run may last. */
static void long_reads(void)
{
    world.call_ms = 20000;
}

static bool drive_timeout_in_a_read(void)
{
    bool is = drive_submit() && run_over(world.run);

    if (is && fake_now() > world.asks[0].asked + 10000)
        complain("its timeout was over, and it went on");
    return over(is);
}

static void a_timeout_ends_a_read_in_flight(void **state)
{
    static const struct scenario s = {
        .name   = "timeout in a read",
        .submit = FLOW(
            "\"timeout\":\"3s\"," ON_SIM,
            "{\"id\":\"l\",\"retrieve\":{\"url\":\"https://shop.example\",\"cmd\":\"look\"}}"),
        .key     = "k",
        .prepare = long_reads,
        .drive   = drive_timeout_in_a_read,
        .status  = "failed"};

    (void)state;
    follow(&s, WELL);
}

/* Somebody deletes the upstreams while an order is under way, and writes them anew when he sees what he did. */
static bool drive_upstream_gone(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        fake_make_anew("KV_" BUCKET_UPSTREAMS);
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + 20000) {
        put(BUCKET_UPSTREAMS, "sim", SIM);
        next_stage();
    }
    return over(world.stage == 2 && run_over(world.run));
}

static void a_run_waits_for_an_upstream_that_was_removed(void **state)
{
    static const struct scenario s = {.name    = "upstream gone",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER "," LOOK),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_upstream_gone,
                                      .orders  = 2, /* the order, and the look */
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* ---- the journal of a backup ---------------------------------------------------------------------------- */

/* Entries of another run: with them the numbers go on. */
static void others_write(void)
{
    char other[ID_SIZE];

    run_id_for(TENANT, "other", clk_wall_ms(), other);
    for (unsigned n = 0; n < 30; n++)
        write_accepted(other);
}

/* It was made when the run was accepted: what came since is gone, and the numbers go on from there. */
static void restore_backup(void)
{
    char subject[SUBJECT_SIZE];
    struct fake_stored m;
    struct buf plan;

    must(fake_stored(STREAM_JOURNAL, subject_journal(subject, TENANT, world.run), 0, &m));
    uint64_t seq = m.seq;
    buf_init(&plan, ENTRY_BODY_MAX);
    buf_add(&plan, m.body.at, m.body.len);
    fake_make_anew(STREAM_JOURNAL);
    others_write();
    must(fake_store(subject, buf_bytes(&plan)) == seq);
    buf_deinit(&plan);
}

static void long_journal(void)
{
    slow_calls();
    others_write();
}

static bool drive_restored_under_an_order(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        restore_backup();
        next_stage();
    }
    return over(world.stage == 1 && run_over(world.run));
}

static void what_was_done_since_a_backup_is_not_done_again(void **state)
{
    static const struct scenario s = {.name    = "restored under an order",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER),
                                      .key     = "k",
                                      .prepare = long_journal,
                                      .drive   = drive_restored_under_an_order,
                                      .orders  = 1,
                                      .status  = "done"};

    (void)state;
    follow(&s, CUT);
}

/* Its holder is stopped meanwhile, and another leases it by what the backup says.  What that one writes has greater numbers
   than the first one knows; or, on a server that nobody else used since it was begun with the copy, the very same. */
#define LONG_LOOK \
    "{\"id\":\"l\",\"timeout\":\"30s\",\"effect\":\"read\",\"browse\":{\"cmd\":\"look\"}},"

static bool server_begun_anew;

static bool drive_restored_and_leased(void)
{
    static unsigned away;
    static uint64_t since;
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        away  = holder();
        since = fake_now();
        if (server_begun_anew)
            fake_connect(svc_bus(world.bw_svc[away]), false);
        else
            fake_freeze(svc_bus(world.bw_svc[away]), 14000);
        restore_backup();
        world.call_ms = 500;
        next_stage();
    }
    if (world.stage == 1 && world.bw[1 - away]->held > 0) {
        if (!server_begun_anew)
            others_write();
        next_stage();
    }
    if (world.stage == 2 && world.opened == 2) {
        slow_calls();
        next_stage();
    }
    if (world.stage == 3 &&
        fake_now() >= since + 10000) { /* both look: here and there the same entries */
        fake_connect(svc_bus(world.bw_svc[away]), true);
        next_stage();
    }
    return over(world.stage == 4 && run_over(world.run));
}

static void who_leased_it_by_a_backup_has_it(void **state)
{
    static const struct scenario s = {.name    = "restored and leased",
                                      .submit  = FLOW(ON_SIM, OPEN LONG_LOOK ORDER),
                                      .key     = "k",
                                      .prepare = long_journal,
                                      .drive   = drive_restored_and_leased,
                                      .orders  = 3, /* both look, one orders */
                                      .status  = "done"};

    (void)state;
    server_begun_anew = false;
    follow(&s, CUT);
    server_begun_anew = true;
    follow(&s, CUT);
}

/* ---- leases --------------------------------------------------------------------------------------------- */

/* Its connection is away for a moment, and just then the server doubts. */
static bool drive_away_for_a_moment(void)
{
    static unsigned away;
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        away = holder();
        fake_connect(svc_bus(world.bw_svc[away]), false);
        fake_redeliver(STREAM_JOBS, "default");
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + 700) {
        fake_connect(svc_bus(world.bw_svc[away]), true);
        next_stage();
    }
    return over(world.stage == 2 && run_over(world.run));
}

static const char *judge_one_lease(void)
{
    struct run_fold f = fold_of(world.run);
    bool taken        = f.leases != 1;

    run_fold_deinit(&f);
    return taken ? "the run was taken from a living holder" : NULL;
}

static void no_responders_is_not_an_answer(void **state)
{
    static const struct scenario s = {.name    = "away for a moment",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_away_for_a_moment,
                                      .judge   = judge_one_lease,
                                      .status  = "done"};

    (void)state;
    follow(&s, CUT);
}

/* The server doubts, the holder is slow to answer, and who asks it is cut off before it hears so. */
static bool drive_asker_cut_off(void)
{
    static unsigned asker;
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        asker = 1 - holder();
        fake_freeze(svc_bus(world.bw_svc[1 - asker]), 600);
        fake_redeliver(STREAM_JOBS, "default");
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + 300) {
        fake_connect(svc_bus(world.bw_svc[asker]), false);
        next_stage();
    }
    if (world.stage == 2 && fake_now() >= world.at + 2000) {
        fake_connect(svc_bus(world.bw_svc[asker]), true);
        next_stage();
    }
    return over(world.stage == 3 && run_over(world.run));
}

static void who_was_cut_off_has_not_asked(void **state)
{
    static const struct scenario s = {.name    = "asker cut off",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_asker_cut_off,
                                      .judge   = judge_one_lease,
                                      .status  = "done"};

    (void)state;
    follow(&s, CUT);
}

/* Nobody reaches the server for longer than the lease; who asks is back before who holds. */
enum { OUTAGE_MS = 6000, HOLDER_OUTAGE_MS = 8500 };

static bool drive_outage(void)
{
    static unsigned away;
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        away = holder();
        for (unsigned n = 0; n < WORKERS; n++)
            fake_connect(svc_bus(world.bw_svc[n]), false);
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + OUTAGE_MS) {
        fake_connect(svc_bus(world.bw_svc[1 - away]), true);
        world.stage = 2;
    }
    if (world.stage == 2 && fake_now() >= world.at + HOLDER_OUTAGE_MS) {
        fake_connect(svc_bus(world.bw_svc[away]), true);
        next_stage();
    }
    return over(world.stage == 3 && run_over(world.run));
}

static void an_outage_longer_than_the_lease_takes_no_run_away(void **state)
{
    static const struct scenario s = {.name    = "outage",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_outage,
                                      .judge   = judge_one_lease,
                                      .status  = "done"};

    (void)state;
    follow(&s, CUT);
}

/* It is alone, and back after the lease: the server hears that it lives before it gives anything out. */
static bool drive_back_alone(void)
{
    static unsigned away;
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        away = holder();
        worker_down(1 - away);
        fake_connect(svc_bus(world.bw_svc[away]), false);
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + OUTAGE_MS) {
        fake_connect(svc_bus(world.bw_svc[away]), true);
        next_stage();
    }
    if (world.stage == 2 && world.bw[away]->metrics.leases_dropped > 0)
        complain("it was given what it holds");
    return over(world.stage == 2 && run_over(world.run));
}

static void who_is_back_beats_before_it_pulls(void **state)
{
    static const struct scenario s = {.name    = "back alone",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_back_alone,
                                      .status  = "done"};

    (void)state;
    follow(&s, CUT);
}

/* A call that nobody ever answers: past the step's deadline the worker lets go, and lives on. */
static void dead_call(void)
{
    world.call_ms = 60000;
}

static bool drive_dead_call(void)
{
    bool submitted = drive_submit();

    if (world.opened == 1 && world.stage == 0) {
        world.call_ms = 40;
        next_stage();
    }
    return over(submitted && run_over(world.run) && fake_now() > world.at + 60000);
}

static const char *judge_dead_call(void)
{
    for (unsigned n = 0; n < WORKERS; n++)
        if (world.bw[n]->metrics.leases_dropped > 0)
            return "a worker said that it holds what it let go";
    return NULL;
}

static void who_let_go_says_so(void **state)
{
    static const struct scenario s = {.name    = "dead call",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = dead_call,
                                      .drive   = drive_dead_call,
                                      .judge   = judge_dead_call,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* … and one that nobody answers for much longer. */
enum { HANGS_MS = 200000 };

static void hung_call(void)
{
    world.call_ms = HANGS_MS;
}

static bool drive_hung_call(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        world.call_ms = 40;
        next_stage();
    }
    if (world.stage == 1 && fake_now() > world.at + HANGS_MS / 2) {
        if (!run_over(world.run))
            complain("it waits for a call that hangs");
        world.stage = 2;
    }
    return world.stage == 2 && run_over(world.run) && fake_now() > world.at + HANGS_MS;
}

static void a_call_that_hangs_keeps_its_run_no_longer_than_its_step(void **state)
{
    static const struct scenario s = {.name    = "hung call",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = hung_call,
                                      .drive   = drive_hung_call,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* What was stored stands, also when nobody heard so: it is one's own, and no reason to begin anew. */
static void an_answer_that_is_lost_loses_no_lease(void **state)
{
    static const struct scenario s = {.name   = "lost answers",
                                      .submit = FLOW("", SET),
                                      .key    = "k",
                                      .drive  = drive_to_end,
                                      .judge  = judge_one_lease,
                                      .status = "done"};
    unsigned count                 = 0;

    (void)state;
    failures = 0;
    count    = play(&s, WELL);
    for (unsigned n = 1; n <= count; n++)
        (void)play(&s, (struct fake_hurt){.nth = n, .how = FAKE_LOST_AFTER});
    assert_int_equal(failures, 0);
}

/* Cut off in the middle of a call, and back while its successor is in the middle of the same. */
static bool drive_back_too_late(void)
{
    static unsigned cut;
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        cut = holder();
        fake_connect(svc_bus(world.bw_svc[cut]), false);
        next_stage();
    }
    if (world.stage == 1 && world.opened == 2) {
        fake_connect(svc_bus(world.bw_svc[cut]), true);
        next_stage();
    }
    return over(world.stage == 2 && run_over(world.run));
}

static void who_lost_its_lease_lands_nothing(void **state)
{
    static const struct scenario s = {.name    = "back too late",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_back_too_late};

    (void)state;
    follow(&s, CUT);
}

/* Stopped when its INTENT stood: when it goes on, the run has long ended as one of which nobody knows. */
static struct bus_sub *calls;
static unsigned called_after_end;

static void on_call(void *self, struct bus_msg **msg)
{
    (void)self;
    called_after_end += phase_of(world.run) == RUN_ENDED;
    bus_answer(world.client, *msg, bytes_str("{}"), NULL, 0);
}

static void service_up(void)
{
    called_after_end = 0;
    must(!failed(
        bus_subscribe(world.client, "sluice.call." TENANT ".>", NULL, on_call, NULL, &calls)));
}

static bool drive_stopped_at_work(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) != RUN_LEASED)
            must(fake_turn());
        hurt_now();
        next_stage();
    }
    bool is = run_over(world.run) && fake_now() > world.at + STOPPED_MS + 10000;
    if (is)
        bus_unsubscribe(&calls);
    return is;
}

static const char *judge_called(void)
{
    return called_after_end ? "an order was given when the run had ended" : NULL;
}

static void under_a_lost_lease_no_order_is_given(void **state)
{
    static const struct scenario s = {
        .name    = "stopped at INTENT",
        .submit  = FLOW("", "{\"id\":\"c\",\"call\":{\"subject\":\"svc\",\"body\":{}}}"),
        .key     = "k",
        .prepare = service_up,
        .drive   = drive_stopped_at_work,
        .judge   = judge_called};

    (void)state;
    follow_stopped_at(&s, "run: publish", "journal", 1);
}

/* Stopped between two calls for longer than a step may take, and for less than the lease: nobody has its run. */
static unsigned sent_too_late;

static void on_read(void *self, struct bus_msg **msg)
{
    struct run_fold f = fold_of(world.run);
    const char *step  = bus_msg_header(*msg, "Sluice-Step");

    (void)self;
    sent_too_late += step && str_equal(step, "second") && f.leases == 1;
    run_fold_deinit(&f);
    bus_answer(world.client, *msg, bytes_str("{}"), NULL, 0);
}

/* A worker reads the lease when it begins, and beats by it from the next beat on. */
static void lease_is_known(void)
{
    fake_advance(5000);
}

static void readings_up(void)
{
    sent_too_late = 0;
    must(!failed(
        bus_subscribe(world.client, "sluice.call." TENANT ".>", NULL, on_read, NULL, &calls)));
    lease_is_known();
}

static const char *judge_read(void)
{
    return sent_too_late ? "it was sent when its step's deadline was over" : NULL;
}

static void past_its_deadline_a_step_sends_nothing(void **state)
{
    static const struct scenario s = {.name    = "stopped between two calls",
                                      .submit  = FLOW("", READ("first") "," READ("second")),
                                      .key     = "k",
                                      .prepare = readings_up,
                                      .drive   = drive_stopped_at_work,
                                      .judge   = judge_read,
                                      .status  = "done"};

    (void)state;
    setenv("SLUICE_LEASE", "5m", 1); /* no heartbeat is due when it goes on */
    follow_stopped_at(&s, "run: publish", "journal", 1);
    setenv("SLUICE_LEASE", "5s", 1);
}

/* The same in the last look before an order that has no fence. */
static void past_its_deadline_no_order_is_given(void **state)
{
    static const struct scenario s = {
        .name    = "stopped at the last look",
        .submit  = FLOW("", "{\"id\":\"second\",\"timeout\":\"1s\",\"call\":{\"subject\":"
                             "\"svc\",\"body\":{}}}"),
        .key     = "k",
        .prepare = readings_up,
        .drive   = drive_stopped_at_work,
        .judge   = judge_read};

    (void)state;
    setenv("SLUICE_LEASE", "5m", 1);
    follow_stopped_at(&s, "run: read", "journal", 1);
    setenv("SLUICE_LEASE", "5s", 1);
}

/* Stopped between its INTENT and the order, with a permit in its hand: others have called since. */
static bool drive_stopped_with_permit(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) != RUN_LEASED)
            must(fake_turn());
        hurt_now();
        next_stage();
    }
    return run_over(world.run) && fake_now() > world.at + STOPPED_MS + 10000;
}

/* Taken back, and announced anew with another permit. */
static const char *judge_stored_permit(void)
{
    return entries(world.run, ENTRY_INTENT) < 2 ? "the order was given with a stored permit"
                                                : NULL;
}

static void a_stored_permit_gives_no_order(void **state)
{
    static const struct scenario s = {
        .name = "stopped with a permit",
        .submit =
            FLOW(ON_SIM, "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}}," ORDER),
        .key     = "k",
        .prepare = lease_is_known,
        .drive   = drive_stopped_with_permit,
        .judge   = judge_stored_permit,
        .orders  = 1,
        .status  = "done"};

    (void)state;
    setenv("SLUICE_LEASE", "5m", 1); /* it is its run all the time */
    /* OPENING, OPENED, OUTCOME, INTENT */
    follow_stopped_at(&s, "run: publish", "journal", 4);
    setenv("SLUICE_LEASE", "5s", 1);
}

static bool drive_drain(void)
{
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1) {
        svc_die(world.bw_svc[holder()], "the test drains it");
        next_stage();
    }
    return over(submitted && run_over(world.run));
}

static const char *judge_drain(void)
{
    struct run_fold f = fold_of(world.run);
    bool lost         = f.lost > 0;

    run_fold_deinit(&f);
    return lost ? "a run that was given back counts as lost" : NULL;
}

static void who_gives_a_run_back_says_so_first(void **state)
{
    static const struct scenario s = {.name    = "drain",
                                      .submit  = FLOW(ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_drain,
                                      .judge   = judge_drain,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* ---- time ------------------------------------------------------------------------------------------------ */

static bool drive_not_yet(void)
{
    bool ended = drive_to_end();

    if (world.stage == 0)
        next_stage();
    if (phase_of(world.run) != RUN_QUEUED && phase_of(world.run) != RUN_ABSENT &&
        fake_now() < world.at + 2900)
        complain("it began before its time");
    return ended;
}

static void a_run_does_not_begin_before_its_time(void **state)
{
    static const struct scenario s = {.name   = "not yet",
                                      .submit = FLOW("\"not_before\":\"3s\",", SET),
                                      .key    = "k",
                                      .drive  = drive_not_yet,
                                      .status = "done"};

    (void)state;
    follow(&s, WELL);
}

static bool drive_nap(void)
{
    bool ended = drive_to_end();

    if (world.stage == 0)
        next_stage();
    if (!ended && fake_now() > world.at + 20000)
        complain("it sleeps on");
    return ended || failures;
}

static void a_timer_counts_from_its_waiting(void **state)
{
    static const struct scenario s = {.name = "nap",
                                      .submit =
                                          FLOW("", "{\"id\":\"s\",\"sleep\":{\"for\":\"3s\"}}"),
                                      .key    = "k",
                                      .drive  = drive_nap,
                                      .status = "done"};

    (void)state;
    follow(&s, WELL);
}

/* ---- what only one may have -------------------------------------------------------------------------------- */

static bool drive_two_admitted(void)
{
    if (world.stage == 0) {
        fake_freeze(svc_bus(world.sch_svc), 30000);
        (void)ask("submit", playing->submit);
        (void)ask("submit", playing->submit2);
        fake_settle();
        admit(world.run, 1, 1);
        admit(second(), 2, 1);
        next_stage();
    }
    if (phase_of(world.run) == RUN_LEASED && phase_of(second()) == RUN_LEASED &&
        world.opened > 1)
        complain("two work under one lock");
    return over(run_over(world.run) && run_over(second()));
}

static void of_two_that_were_admitted_one_gets_the_lock(void **state)
{
    static const struct scenario s = {.name    = "one lock",
                                      .submit  = FLOW("\"lock\":\"till\"," ON_SIM, OPEN SET),
                                      .submit2 = SECOND("\"lock\":\"till\"," ON_SIM, OPEN SET),
                                      .key     = "k",
                                      .prepare = slow_calls,
                                      .drive   = drive_two_admitted,
                                      .status  = "done"};

    (void)state;
    follow(&s, WELL);
}

/* Stopped when it has read that the lock is its run's; when it goes on the lock is another's. */
static bool drive_late_clear(void)
{
    struct fake_stored m;

    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) != RUN_ENDED)
            must(fake_turn());
        hurt_now();
        next_stage();
    }
    if (world.stage == 1 && run_over(world.run)) {
        (void)ask("submit", playing->submit2);
        next_stage();
    }
    if (world.stage == 2 && phase_of(second()) == RUN_WAITING &&
        (!fake_stored("KV_" BUCKET_LOCKS, "$KV." BUCKET_LOCKS "." TENANT ".till", 0, &m) ||
         !memmem(m.body.at, m.body.len, second(), ID_LEN)))
        complain("the lock was taken from who holds it");
    return world.stage == 2 && run_over(second());
}

static void a_late_clear_frees_nobody_elses_lock(void **state)
{
    static const struct scenario s = {
        .name    = "late clear",
        .submit  = FLOW("\"lock\":\"till\",", SET),
        .submit2 = SECOND("\"lock\":\"till\",", "{\"id\":\"s\",\"sleep\":{\"for\":\"1m\"}}"),
        .key     = "k",
        .drive   = drive_late_clear,
        .status  = "done"};

    (void)state;
    follow_stopped_at(&s, "get", BUCKET_LOCKS, 1);
}

/* Two name it, and the calls of the first take their time. */
static void ask_in_session(const char *key, const char *session)
{
    char body[400];

    str_format(body, sizeof body,
               "{\"key\":\"%s\"," ON_SIM "\"session\":\"%s\",\"keep_session\":\"10m\","
               "\"flow\":{\"steps\":[" ORDER "]}}",
               key, session);
    (void)ask("submit", body);
}

static bool drive_one_session(void)
{
    char third[ID_SIZE];

    run_id_for(TENANT, "k3", clk_wall_ms(), third);
    if (world.stage == 0 && drive_to_end()) {
        struct run_fold f = fold_of(world.run);

        world.call_ms = 8000;
        ask_in_session("k2", f.end.session);
        ask_in_session("k3", f.end.session);
        run_fold_deinit(&f);
        next_stage();
    }
    if (world.stage == 0)
        return false;
    if (world.orders == 2 && phase_of(second()) == RUN_LEASED && phase_of(third) == RUN_LEASED)
        complain("two work in one session");
    return over(run_over(second()) && run_over(third));
}

static void a_session_is_one_runs_at_a_time(void **state)
{
    static const struct scenario s = {.name = "one session",
                                      .submit =
                                          FLOW(ON_SIM "\"keep_session\":\"10m\",", OPEN SET),
                                      .key    = "k",
                                      .drive  = drive_one_session,
                                      .orders = 2,
                                      .status = "done"};

    (void)state;
    follow(&s, WELL);
}

static bool named_session_is_active(void)
{
    struct run_fold f = fold_of(world.run);
    char key[100];

    str_format(key, sizeof key, TENANT ".%s", f.end.session);
    run_fold_deinit(&f);
    return stands(BUCKET_SESSIONS, key, "\"status\":\"active\"");
}

/* Stopped when it has read that the session it names is free; another is given the run, and ends it and the session. */
static bool drive_named_session(void)
{
    if (world.stage == 0 && drive_to_end()) {
        struct run_fold f = fold_of(world.run);
        char body[400];

        str_format(body, sizeof body,
                   "{\"key\":\"k2\"," ON_SIM "\"session\":\"%s\",\"flow\":{\"steps\":[" ORDER
                   "]}}",
                   f.end.session);
        run_fold_deinit(&f);
        (void)ask("submit", body);
        while (phase_of(second()) != RUN_LEASED)
            must(fake_turn());
        hurt_now();
        next_stage();
    }
    if (world.stage != 1 || !run_over(second()))
        return false;
    if (named_session_is_active()) {
        complain("a session that has ended was taken");
        return true;
    }
    return fake_now() > world.at + STOPPED_MS + 10000;
}

static void an_ended_session_is_never_taken_again(void **state)
{
    static const struct scenario s = {.name = "named session",
                                      .submit =
                                          FLOW(ON_SIM "\"keep_session\":\"10m\",", OPEN SET),
                                      .key    = "k",
                                      .drive  = drive_named_session,
                                      .orders = 1,
                                      .status = "done"};

    (void)state;
    follow_stopped_at(&s, "kv get", BUCKET_SESSIONS, 1);
}

/* ---- settings ------------------------------------------------------------------------------------------------ */

static void two_operators(const char *bucket, const char *key, const char *subject,
                          const char *const field[2])
{
    unsigned first = world.ask_count;
    char body[80];

    for (int n = 0; n < 2; n++) {
        str_format(body, sizeof body, "{%s}", field[n]);
        (void)ask_at(subject, body);
    }
    fake_advance(5000);
    for (unsigned n = 0; n < 2; n++)
        if (!world.asks[first + n].answers || says(first + n, "\"code\""))
            complain("a setting was refused");
        else if (!stands(bucket, key, field[n]))
            complain("a setting that was answered is gone");
}

static bool drive_two_operators(void)
{
    static const char *const OF_TENANT[]   = {"\"cap\":7", "\"queue_max\":77"};
    static const char *const OF_UPSTREAM[] = {"\"in_flight\":7", "\"sessions\":77"};

    two_operators(BUCKET_TENANTS, TENANT, "sluice.admin.tenant." TENANT, OF_TENANT);
    two_operators(BUCKET_UPSTREAMS, "sim", "sluice.admin.upstream.sim", OF_UPSTREAM);
    return true;
}

static void of_two_settings_at_once_none_is_lost(void **state)
{
    static const struct scenario s = {.name = "two operators", .drive = drive_two_operators};

    (void)state;
    follow(&s, WELL);
}

/* ---- terms ---------------------------------------------------------------------------------------------------- */

/* Stopped for longer than it may lead, and elected again. */
static bool drive_two_terms(void)
{
    static char first[STR_NAME_SIZE];
    static uint64_t epoch;

    if (world.stage == 0) {
        str_copy(first, sizeof first, world.sch->consumer_name);
        epoch = world.sch->epoch;
        fake_freeze(svc_bus(world.sch_svc), 30000);
        next_stage();
    }
    if (world.sch->role != ROLE_DECIDING || world.sch->epoch == epoch)
        return false;
    if (str_equal(world.sch->consumer_name, first))
        complain(
            "two epochs share a consumer: the acks of the first would count in the second");
    return true;
}

static void an_epoch_has_a_consumer_of_its_own(void **state)
{
    static const struct scenario s = {.name = "two terms", .drive = drive_two_terms};

    (void)state;
    follow(&s, STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_without_a_message_gets_one),
        cmocka_unit_test(a_job_of_a_wake_that_its_journal_does_not_know_blocks_nobody),
        cmocka_unit_test(an_accepted_run_is_not_rejected),
        cmocka_unit_test(whoever_is_given_an_ended_run_does_its_duties),
        cmocka_unit_test(the_result_comes_last),
        cmocka_unit_test(what_is_in_hand_is_written_behind_the_mail),
        cmocka_unit_test(a_cancel_that_comes_in_a_wait_is_read_before_the_next_call),
        cmocka_unit_test(a_timeout_ends_a_read_in_flight),
        cmocka_unit_test(a_run_waits_for_an_upstream_that_was_removed),
        cmocka_unit_test(what_was_done_since_a_backup_is_not_done_again),
        cmocka_unit_test(who_leased_it_by_a_backup_has_it),
        cmocka_unit_test(no_responders_is_not_an_answer),
        cmocka_unit_test(who_was_cut_off_has_not_asked),
        cmocka_unit_test(an_outage_longer_than_the_lease_takes_no_run_away),
        cmocka_unit_test(who_is_back_beats_before_it_pulls),
        cmocka_unit_test(who_let_go_says_so),
        cmocka_unit_test(a_call_that_hangs_keeps_its_run_no_longer_than_its_step),
        cmocka_unit_test(an_answer_that_is_lost_loses_no_lease),
        cmocka_unit_test(who_lost_its_lease_lands_nothing),
        cmocka_unit_test(under_a_lost_lease_no_order_is_given),
        cmocka_unit_test(past_its_deadline_a_step_sends_nothing),
        cmocka_unit_test(past_its_deadline_no_order_is_given),
        cmocka_unit_test(a_stored_permit_gives_no_order),
        cmocka_unit_test(who_gives_a_run_back_says_so_first),
        cmocka_unit_test(a_run_does_not_begin_before_its_time),
        cmocka_unit_test(a_timer_counts_from_its_waiting),
        cmocka_unit_test(of_two_that_were_admitted_one_gets_the_lock),
        cmocka_unit_test(a_late_clear_frees_nobody_elses_lock),
        cmocka_unit_test(a_session_is_one_runs_at_a_time),
        cmocka_unit_test(an_ended_session_is_never_taken_again),
        cmocka_unit_test(of_two_settings_at_once_none_is_lost),
        cmocka_unit_test(an_epoch_has_a_consumer_of_its_own),
    };

    (void)torture;
    return cmocka_run_group_tests_name("rules", tests, world_setup, world_teardown);
}
