/* Who loses the run in the middle of an order: its worker dies, or is not heard; nobody gives the order again. */
#include "world.h"

#define OPEN "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}},"
#define ORDER "{\"id\":\"b\",\"browse\":{\"cmd\":\"order\"}}"
#define ON_SIM "\"upstream\":\"sim\","

/* The worker that is about to hear of the order is gone. */
static bool drive_kill(void)
{
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1 && holder() < WORKERS) {
        worker_down(holder());
        next_stage();
    }
    return submitted && run_over(world.run);
}

static void long_calls(void)
{
    world.call_ms = 3000;
}

static void an_order_of_a_dead_worker_is_not_repeated(void **state)
{
    static const struct scenario s = {.name    = "dead worker",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER),
                                      .key     = "k",
                                      .prepare = long_calls,
                                      .drive   = drive_kill,
                                      .from    = 1,
                                      .orders  = 1};

    (void)state;
    torture(&s);
}

/* It lives, and nobody hears it for half a minute; then it is back with what it knows. */
static bool drive_cut_off(void)
{
    static unsigned cut;
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1 && holder() < WORKERS) {
        cut = holder();
        fake_connect(svc_bus(world.bw_svc[cut]), false);
        next_stage();
    }
    if (world.stage == 1 && fake_now() > world.at + 30000) {
        fake_connect(svc_bus(world.bw_svc[cut]), true);
        next_stage();
    }
    return world.stage != 1 && submitted && run_over(world.run);
}

static void an_unheard_worker_lands_nothing(void **state)
{
    static const struct scenario s = {.name    = "unheard worker",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER),
                                      .key     = "k",
                                      .prepare = long_calls,
                                      .drive   = drive_cut_off,
                                      .from    = 1,
                                      .orders  = 1};

    (void)state;
    torture(&s);
}

/* The server doubts, and gives the run to another, who asks: the holder lives, and goes on undisturbed. */
static bool drive_doubted(void)
{
    bool submitted = drive_submit();

    if (submitted && world.stage == 0 && world.orders == 1 && holder() < WORKERS) {
        fake_redeliver(STREAM_JOBS, "default");
        next_stage();
    }
    return submitted && run_over(world.run);
}

static const char *judge_doubted(void)
{
    struct run_fold f;
    const char *why;

    read_journal(world.run, &f, &why);
    bool taken = f.leases > 1;
    run_fold_deinit(&f);
    return hurting.nth == 0 && taken ? "the run was taken from a living holder" : NULL;
}

static void a_living_holder_is_asked(void **state)
{
    static const struct scenario s = {.name    = "doubted",
                                      .submit  = FLOW(ON_SIM, OPEN ORDER),
                                      .key     = "k",
                                      .prepare = long_calls,
                                      .drive   = drive_doubted,
                                      .from    = 1,
                                      .orders  = 1,
                                      .judge   = judge_doubted};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("run", "beat", "lease", "permit-ask", "permit-report")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_of_a_dead_worker_is_not_repeated),
        cmocka_unit_test(a_living_holder_is_asked),
        cmocka_unit_test(an_unheard_worker_lands_nothing),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("takeover", tests, world_setup, world_teardown);
}
