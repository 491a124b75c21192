/*
 * doing - what a run has in its hands: a session that it keeps for another, a permit for one request more, an artifact.
 */
#include "moment.h"

/* ---- a session is handed on ----------------------------------------------------------------------------- */

static bool record_names(const char *session, const char *run)
{
    struct fake_stored m;
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof subject, "$KV." BUCKET_SESSIONS "." TENANT ".%s", session);
    return fake_stored("KV_" BUCKET_SESSIONS, subject, 0, &m) &&
           memmem(m.body.at, m.body.len, run, strlen(run));
}

static void ask_in_session(const char *key, const char *session)
{
    char body[400];

    str_format(body, sizeof body,
               "{\"key\":\"%s\"," ON_SIM "\"session\":\"%s\",\"flow\":{\"steps\":[" ORDER "]}}",
               key, session);
    (void)ask("submit", body);
}

static void calls_that_are_seen(void)
{
    world.call_ms = 500;
}

/* An answer is hurt in its end duties: they are done again, and by then another run works in the session. */
static bool drive_kept_again(void)
{
    static char session[ID_SIZE + 1];

    if (world.stage == 0 && drive_submit() && world.opened == 1) {
        hurt_now();
        next_stage();
    }
    if (world.stage == 1 && phase_of(world.run) == RUN_ENDED) {
        struct run_fold f = fold_of(world.run);
        str_copy(session, sizeof session, f.end.session);
        run_fold_deinit(&f);
        ask_in_session("k2", session);
        world.call_ms = STOPPED_MS + 10000;
        next_stage();
    }
    if (world.stage < 2)
        return false;
    bool works = world.orders == 1 && phase_of(second()) == RUN_LEASED;
    if (works && !record_names(session, second()))
        complain("a session was handed out that a run works in");
    return over(failures || (run_over(second()) && fake_now() > world.at + 2 * STOPPED_MS));
}

#define KEPT(what) \
    { \
        .name = what, .submit = FLOW(ON_SIM "\"keep_session\":\"10m\",", OPEN SET), \
        .key = "k", .prepare = calls_that_are_seen, .drive = drive_kept_again, .orders = 1, \
        .status = "done" \
    }

static void a_session_is_handed_on_once(void **state)
{
    static const struct scenario s = KEPT("kept again");

    (void)state;
    /* the first says that it is open */
    follow_hurt_at(&s, FAKE_LOST_AFTER, "publish", BUCKET_SESSIONS, 2);
    follow_hurt_at(&s, FAKE_FROZEN, "publish", BUCKET_SESSIONS, 2);
}

/* Stopped when it has read that the session is its run's; when it goes on another has kept it, and a third works there. */
static void a_late_keep_hands_out_nobody_elses_session(void **state)
{
    static const struct scenario s = KEPT("kept late");

    (void)state;
    follow_hurt_at(&s, FAKE_FROZEN, "kv get", BUCKET_SESSIONS, 1);
}

/* ---- a session that cannot be opened ------------------------------------------------------------------- */

static void opens_nothing(void)
{
    world.broken = true;
}

static bool drive_broken(void)
{
    if (entries(world.run, ENTRY_OPENING) > 3)
        complain("it is tried for ever");
    return failures || drive_to_end();
}

static const char *judge_broken(void)
{
    bool said =
        entries(world.run, ENTRY_OUTCOME) == 3 && entries(world.run, ENTRY_OPENING) == 3;

    return said ? NULL : "a try was not told of";
}

/* Nothing of the order was begun: as many tries as of what was not sent, each with its OUTCOME. */
static void an_order_whose_session_cannot_be_opened_fails(void **state)
{
    static const struct scenario s = {.name    = "broken",
                                      .submit  = FLOW(ON_SIM, ORDER),
                                      .key     = "k",
                                      .prepare = opens_nothing,
                                      .drive   = drive_broken,
                                      .judge   = judge_broken,
                                      .status  = "failed"};

    (void)state;
    follow(&s, WELL);
}

/* ---- a command of several requests ------------------------------------------------------------------- */

enum { PAUSE_MS = 20000, ORDER_MS = 40000 };
#define LONG(effect) \
    "{\"id\":\"b\",\"timeout\":\"40s\",\"effect\":\"" effect \
    "\",\"browse\":{\"cmd\":\"order\"}}"

static void pause_upstream(bool paused)
{
    char value[200];

    str_format(
        value, sizeof value,
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\","
        "\"rate\":{\"per_s\":100,\"burst\":100},\"in_flight\":10,\"sessions\":5,"
        "\"session_idle\":\"10m\",\"paused\":%s}",
        paused ? "true" : "false");
    put(BUCKET_UPSTREAMS, "sim", value);
}

static void several_requests(void)
{
    world.call_ms  = 2000;
    world.requests = 3;
}

static enum run_phase meanwhile;

static bool drive_paused(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        pause_upstream(true);
        next_stage();
    }
    if (world.stage == 1 && fake_now() >= world.at + PAUSE_MS) {
        if (phase_of(world.run) != meanwhile)
            complain("that is no way to wait");
        pause_upstream(false);
        next_stage();
    }
    return failures || (world.stage == 2 && run_over(world.run));
}

static void an_order_under_way_waits_for_its_upstream(void **state)
{
    static const struct scenario s = {.name    = "paused",
                                      .submit  = FLOW(ON_SIM, OPEN LONG("unsafe")),
                                      .key     = "k",
                                      .prepare = several_requests,
                                      .drive   = drive_paused,
                                      .orders  = 1,
                                      .status  = "done"};

    (void)state;
    meanwhile = RUN_LEASED;
    follow(&s, WELL);
}

static void what_may_be_begun_again_gives_its_slot_back_meanwhile(void **state)
{
    static const struct scenario s = {.name    = "paused in a look",
                                      .submit  = FLOW(ON_SIM, OPEN LONG("read")),
                                      .key     = "k",
                                      .prepare = several_requests,
                                      .drive   = drive_paused,
                                      .orders  = 2,
                                      .status  = "done"};

    (void)state;
    meanwhile = RUN_WAITING;
    follow(&s, WELL);
}

/* As long as its step may take, and no longer. */
static bool drive_paused_for_good(void)
{
    bool submitted = world.stage > 0 || drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1) {
        pause_upstream(true);
        next_stage();
    }
    if (world.stage == 1 && fake_now() > world.at + 2 * ORDER_MS)
        complain("it waits for longer than its step may take");
    if (world.stage == 1 && run_over(world.run) && fake_now() < world.at + ORDER_MS - 2000)
        complain("it waited for less than its step may take");
    return failures || (world.stage == 1 && run_over(world.run));
}

static void an_order_under_way_waits_no_longer_than_its_step(void **state)
{
    static const struct scenario s = {.name    = "paused for good",
                                      .submit  = FLOW(ON_SIM, OPEN LONG("unsafe")),
                                      .key     = "k",
                                      .prepare = several_requests,
                                      .drive   = drive_paused_for_good,
                                      .orders  = 1,
                                      .status  = "indeterminate"};

    (void)state;
    follow(&s, WELL);
}

/* ---- an artifact that cannot be stored now --------------------------------------------------------------- */

enum { LARGE = 300 * 1024 };
static char *large_rows, *large_body;
static struct bus_sub *calls;

static char *large(const char *before, const char *after)
{
    size_t first = strlen(before), size = first + LARGE + strlen(after) + 1;
    char *text = mem_zero(size);

    memset(text + first, 'x', LARGE);
    memcpy(text, before, first);
    memcpy(text + first + LARGE, after, strlen(after) + 1);
    return text;
}

static void on_call(void *self, struct bus_msg **msg)
{
    (void)self;
    bus_answer(world.client, *msg, bytes_str(large_body), NULL, 0);
}

static void service_up(void)
{
    must(!failed(
        bus_subscribe(world.client, "sluice.call." TENANT ".>", NULL, on_call, NULL, &calls)));
}

static bool drive_large_result(void)
{
    if (world.stage == 0) {
        (void)ask("submit", playing->submit);
        while (phase_of(world.run) != RUN_LEASED)
            must(fake_turn());
        hurt_now();
        next_stage();
    }
    bool is = run_over(world.run);
    if (is)
        bus_unsubscribe(&calls);
    return is;
}

static const char *judge_artifact(void)
{
    return fake_stored_count("OBJ_" BUCKET_ARTIFACTS, "$O." BUCKET_ARTIFACTS ".M.>") == 1
               ? NULL
               : "it is not among the artifacts";
}

#define LARGE_RESULT \
    "{\"key\":\"k\",\"flow\":{\"result\":\"${.steps.c.body}\",\"steps\":[{\"id\":\"c\"," \
    "\"effect\":\"read\",\"call\":{\"subject\":\"svc\",\"body\":{}}}]}}"

static void follow_away(const struct scenario *s)
{
    follow_hurt_at(s, FAKE_REFUSED, "publish", BUCKET_ARTIFACTS, 1);
    follow_hurt_at(s, FAKE_LOST_BEFORE, "publish", BUCKET_ARTIFACTS, 1);
}

static void a_result_is_stored_when_the_server_is_back(void **state)
{
    static const struct scenario s = {.name    = "large result",
                                      .submit  = LARGE_RESULT,
                                      .key     = "k",
                                      .prepare = service_up,
                                      .drive   = drive_large_result,
                                      .judge   = judge_artifact,
                                      .status  = "done"};

    (void)state;
    follow_away(&s);
}

static void no_room(void)
{
    service_up();
    fake_limit("OBJ_" BUCKET_ARTIFACTS, 0);
}

static void a_result_for_which_there_is_no_room_fails_its_run(void **state)
{
    static const struct scenario s = {.name    = "no room",
                                      .submit  = LARGE_RESULT,
                                      .key     = "k",
                                      .prepare = no_room,
                                      .drive   = drive_large_result,
                                      .status  = "failed"};

    (void)state;
    hurt_nth = 0;
    follow(&s, WELL);
}

static void large_page(void)
{
    calls_that_are_seen();
    world.page = large_rows;
}

static bool drive_rows(void)
{
    if (world.stage == 0 && drive_submit() && world.opened == 1) {
        hurt_now();
        next_stage();
    }
    return world.stage == 1 && run_over(world.run);
}

/* As an unsafe step, for that one is not done again. */
static void rows_are_stored_when_the_server_is_back(void **state)
{
    static const struct scenario s = {.name    = "large rows",
                                      .submit  = FLOW(ON_SIM,
                                                      OPEN "{\"id\":\"r\",\"effect\":\"unsafe\","
                                                            "\"retrieve\":{\"cmd\":\"list\"}}"),
                                      .key     = "k",
                                      .prepare = large_page,
                                      .drive   = drive_rows,
                                      .judge   = judge_artifact,
                                      .status  = "done"};

    (void)state;
    follow_away(&s);
}

static int doing_setup(void **state)
{
    large_rows = large("{\"rows\":[\"", "\"]}");
    large_body = large("{\"text\":\"", "\"}");
    return world_setup(state);
}

static int doing_teardown(void **state)
{
    mem_free(&large_rows);
    mem_free(&large_body);
    return world_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_handed_on_once),
        cmocka_unit_test(a_late_keep_hands_out_nobody_elses_session),
        cmocka_unit_test(an_order_whose_session_cannot_be_opened_fails),
        cmocka_unit_test(an_order_under_way_waits_for_its_upstream),
        cmocka_unit_test(what_may_be_begun_again_gives_its_slot_back_meanwhile),
        cmocka_unit_test(an_order_under_way_waits_no_longer_than_its_step),
        cmocka_unit_test(a_result_is_stored_when_the_server_is_back),
        cmocka_unit_test(a_result_for_which_there_is_no_room_fails_its_run),
        cmocka_unit_test(rows_are_stored_when_the_server_is_back),
    };

    (void)torture;
    return cmocka_run_group_tests_name("doing", tests, doing_setup, doing_teardown);
}
