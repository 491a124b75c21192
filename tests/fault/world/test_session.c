/* Sessions and orders: permits, INTENT and OUTCOME, drain, a session that is kept; an order is given at most once. */
#include "world.h"

#define OPEN "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}},"
#define ORDER "{\"id\":\"b\",\"browse\":{\"cmd\":\"order\"}}"
#define ON_SIM "\"upstream\":\"sim\","

static void an_order_is_given_once(void **state)
{
    static const struct scenario s = {
        .name   = "order",
        .submit = FLOW(ON_SIM, OPEN ORDER ",{\"id\":\"c\",\"close\":{}}"),
        .key    = "k",
        .drive  = drive_to_end,
        .orders = 1};

    (void)state;
    torture(&s);
}

static void long_calls(void)
{
    world.call_ms = 3000;
}

/* It drains in the middle: the other goes on. */
static bool drive_drain(void)
{
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.opened == 1 && holder() < WORKERS) {
        svc_die(world.bw_svc[holder()], "the test drains it");
        next_stage();
    }
    return submitted && run_over(world.run);
}

static void a_drained_worker_hands_over(void **state)
{
    static const struct scenario s = {.name    = "drain",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER),
                                      .key     = "k",
                                      .prepare = long_calls,
                                      .drive   = drive_drain,
                                      .from    = 1,
                                      .orders  = 1};

    (void)state;
    torture(&s);
}

/* Kept by one run for another that never comes: the reaper closes it when its time is over. */
static bool drive_keep(void)
{
    return drive_to_end() && !any_open();
}

static void a_kept_session_is_closed_in_time(void **state)
{
    static const struct scenario s = {.name = "kept",
                                      .submit =
                                          FLOW(ON_SIM "\"keep_session\":\"10s\",", OPEN ORDER),
                                      .key    = "k",
                                      .drive  = drive_keep,
                                      .orders = 1};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("permit-ask", "permit-report", "grant-log", "reap", "run")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_given_once),
        cmocka_unit_test(a_drained_worker_hands_over),
        cmocka_unit_test(a_kept_session_is_closed_in_time),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("session", tests, world_setup, world_teardown);
}
