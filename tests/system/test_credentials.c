/* credentials - a NATS that lets only those in whom it knows: who is refused says so, and comes in when it is put right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/proc.h"
#include "support/system/world.h"

enum { READY_MS = 20000 };

static const char TENANT_LIST[] = "\"$sluice\" tenant list";

static void who_is_refused_says_so(void **state)
{
    struct world *w = world_new(state, "credentials");
    char path[PROC_PATH_MAX];

    snprintf(path, sizeof(path), "%s/user", w->folder);
    world_env(w, "NATS_USER_FILE", path);
    proc_kill(&w->nats);
    world_write(w, "user", "w", "ann:wrong\n");
    world_write(w, "nats.conf", "a", "authorization { user: ann, password: right }\n");
    world_nats_start(w);

    struct proc *late = world_begin(w, "scheduler");
    WORLD_WAIT(w, READY_MS, proc_said(late, "nats refuses the credentials"));
    WORLD_MUST(w, !proc_said(late, "cannot be reached"));
    assert_int_equal(world_shell_says(w, TENANT_LIST, "refuses the credentials"), 3);

    world_write(w, "user", "w", "ann:right\n");
    struct proc *known = world_begin(w, "gateway");
    WORLD_WAIT(w, READY_MS, proc_said(known, "msg=ready"));
    assert_int_equal(world_shell_says(w, TENANT_LIST, "tenant"), 0);
    proc_kill(
        &w->nats); /* the scheduler read its file when it began: now its password is the right one */
    world_write(w, "nats.conf", "a", "authorization { user: ann, password: wrong }\n");
    world_nats_start(w);
    WORLD_WAIT(w, READY_MS, proc_said(late, "msg=ready"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_is_refused_says_so, world_teardown),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
