/* Steps that ask a service on NATS: one that only reads is asked again, one that orders is asked once. */
#include "world.h"

#define CALL(more) "{\"id\":\"c\"," more "\"call\":{\"subject\":\"svc\",\"body\":{}}}"

static struct bus_sub *calls;
static char asked_last[64];

/* Heard twice is asked once: the same inbox. */
static void on_call(void *self, struct bus_msg **msg)
{
    (void)self;
    world.orders += !str_equal((*msg)->reply, asked_last);
    str_copy(asked_last, sizeof asked_last, (*msg)->reply);
    bus_answer(world.client, *msg, bytes_str("{\"ordered\":true}"), NULL, 0);
}

static void service_up(void)
{
    asked_last[0] = '\0';
    must(!failed(
        bus_subscribe(world.client, "sluice.call." TENANT ".>", NULL, on_call, NULL, &calls)));
}

static const char *judge_calls(void)
{
    bus_unsubscribe(&calls);
    return NULL;
}

static void an_order_by_call_is_given_once(void **state)
{
    static const struct scenario s = {.name    = "call",
                                      .submit  = FLOW("", CALL("\"timeout\":\"2s\",")),
                                      .key     = "k",
                                      .prepare = service_up,
                                      .drive   = drive_to_end,
                                      .orders  = 1,
                                      .judge   = judge_calls};

    (void)state;
    torture(&s);
}

static void a_call_that_reads_is_repeated(void **state)
{
    static const struct scenario s = {
        .name    = "reading call",
        .submit  = FLOW("", CALL("\"timeout\":\"2s\",\"effect\":\"read\","
                                  "\"retry\":{\"tries\":5},")),
        .key     = "k",
        .prepare = service_up,
        .drive   = drive_to_end,
        .status  = "done",
        .orders  = 5,
        .judge   = judge_calls};

    (void)state;
    torture(&s);
}

THESE_CHAINS_WERE_HURT("call", "run")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_by_call_is_given_once),
        cmocka_unit_test(a_call_that_reads_is_repeated),
        cmocka_unit_test(these_chains_were_hurt),
    };

    return cmocka_run_group_tests_name("call", tests, world_setup, world_teardown);
}
