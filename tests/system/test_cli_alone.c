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

enum { READY_MS = 20000, COMMAND_MS = 30000 };

/* Its exit; what it says must have these words. */
static int sluice(struct world *w, const char *command, const char *words)
{
    struct proc p = {.name = "sluice"};
    char line[500];

    snprintf(p.log, sizeof(p.log), "%s/command.out", w->folder);
    (void)remove(p.log);
    snprintf(line, sizeof(line), "exec '%s/sluice' --server %s %s", getenv("SLUICE_BIN"),
             w->url, command);
    proc_arg(&p, "/bin/sh");
    proc_arg(&p, "-c");
    proc_arg(&p, line);
    proc_start(&p);
    int status = proc_wait(&p, COMMAND_MS);
    if (!proc_said(&p, words)) {
        char *said = proc_log(&p);
        print_message("%s\n", said);
        free(said);
        world_fail(w, "sluice %s does not say \"%s\" (exit %d)", command, words, status);
    }
    proc_deinit(&p);
    return status;
}

static void what_is_broken_is_not_patched(void **state)
{
    struct world *w = world_new(state, "cli_alone");
    struct proc *maker =
        world_begin(w, "gateway"); /* of the buckets; it takes no admin question */

    WORLD_WAIT(w, READY_MS, proc_said(maker, "msg=ready"));
    assert_int_equal(
        sluice(w, "upstream set lim --driver agent --url http://127.0.0.1:9/v1 --rate 1",
               "per_s"),
        0);
    assert_int_equal(sluice(w, "upstream pause lim", "per_s"), 0);
    client_put(w->client, "sluice_upstreams", "lim", "{\"in_flight\":1,}");
    assert_int_equal(sluice(w, "upstream unpause lim", "is broken"), 3);
    client_put(w->client, "sluice_tenants", "acme", "{\"cap\":3,\"pausd\":true}");
    assert_int_equal(sluice(w, "tenant pause acme", "is broken"), 3);
    client_put(w->client, "sluice_tenants", "globex", "{\"cap\":\"3\"}");
    assert_int_equal(sluice(w, "tenant set globex --cap 4", "4"),
                     0); /* the patch itself mends it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_broken_is_not_patched, world_teardown),
    };
    return cmocka_run_group_tests_name("cli_alone", tests, NULL, NULL);
}
