/* cli_alone - what an operator changes while no service runs that would check it: sluice checks and stores it itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/proc.h"
#include "support/system/world.h"

enum { READY_MS = 20000 };

static void what_is_broken_is_not_patched(void **state)
{
    struct world *w = world_new(state, "cli_alone");
    struct proc *maker =
        world_begin(w, "gateway"); /* of the buckets; it takes no admin question */

    WORLD_WAIT(w, READY_MS, proc_said(maker, "msg=ready"));
    assert_int_equal(
        world_shell_says(
            w,
            "\"$sluice\" upstream set lim --driver agent --url http://127.0.0.1:9/v1 --rate 1",
            "per_s"),
        0);
    assert_int_equal(world_shell_says(w, "\"$sluice\" upstream pause lim", "per_s"), 0);
    client_put(w->client, "sluice_upstreams", "lim", "{\"in_flight\":1,}");
    assert_int_equal(world_shell_says(w, "\"$sluice\" upstream unpause lim", "is broken"), 3);
    client_put(w->client, "sluice_tenants", "acme", "{\"cap\":3,\"pausd\":true}");
    assert_int_equal(world_shell_says(w, "\"$sluice\" tenant pause acme", "is broken"), 3);
    client_put(w->client, "sluice_tenants", "globex", "{\"cap\":\"3\"}");
    assert_int_equal(world_shell_says(w, "\"$sluice\" tenant set globex --cap 4", "4"),
                     0); /* the patch itself mends it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_broken_is_not_patched, world_teardown),
    };
    return cmocka_run_group_tests_name("cli_alone", tests, NULL, NULL);
}
