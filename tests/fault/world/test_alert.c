/* What persons are told: once that it is so, and once that it is over. */
#include "world.h"

#define OPEN "{\"id\":\"o\",\"open\":{\"url\":\"https://shop.example\"}}"
#define GOOD "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"https://sim.example/v1\"}"

static struct bus_sub *alerts;
static unsigned firing, resolved;

static void on_alert(void *self, struct bus_msg **msg)
{
    (void)self;
    if (memmem((*msg)->body.at, (*msg)->body.len, "\"firing\"", 8))
        firing++;
    else
        resolved++;
}

static void listen_to_alerts(void)
{
    firing = resolved = 0;
    must(!failed(bus_subscribe(world.client, "sluice.alert.>", NULL, on_alert, NULL, &alerts)));
}

static const char *judge_alerts(void)
{
    bus_unsubscribe(&alerts);
    return firing == 1 && resolved == 1 ? NULL : "not one alert, and one that it is over";
}

/* ---- an upstream without money ------------------------------------------------------------------------------ */

static void it_says_402(void)
{
    listen_to_alerts();
    world.limited = true;
    fake_spare(svc_bus(world.gw_svc));
    fake_spare(svc_bus(world.sch_svc));
}

static bool drive_limited(void)
{
    bool submitted = drive_submit();

    if (world.stage == 0 && submitted && firing > 0) {
        world.limited = false; /* somebody pays */
        next_stage();
    }
    return world.stage == 1 && resolved > 0 && run_over(world.run);
}

static void a_402_is_told_once_and_waited_out(void **state)
{
    static const struct scenario s = {.name    = "limited",
                                      .submit  = FLOW("\"upstream\":\"sim\",", OPEN),
                                      .key     = "k",
                                      .prepare = it_says_402,
                                      .drive   = drive_limited,
                                      .status  = "done",
                                      .judge   = judge_alerts};

    (void)state;
    torture(&s);
}

/* ---- a value that is refused ------------------------------------------------------------------------------------ */

static bool drive_refused(void)
{
    if (world.stage == 0) {
        put(BUCKET_UPSTREAMS, "other", "{\"driver\":7}");
        next_stage();
    } else if (world.stage == 1 && firing > 0) {
        put(BUCKET_UPSTREAMS, "other", GOOD);
        next_stage();
    }
    return world.stage == 2 && resolved > 0;
}

static void a_refused_value_is_told_once(void **state)
{
    static const struct scenario s = {.name    = "refused value",
                                      .prepare = listen_to_alerts,
                                      .drive   = drive_refused,
                                      .judge   = judge_alerts};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("alert", "refusal", "permit-ask", "permit-report", "grant-log")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_402_is_told_once_and_waited_out),
        cmocka_unit_test(a_refused_value_is_told_once),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("alert", tests, world_setup, world_teardown);
}
