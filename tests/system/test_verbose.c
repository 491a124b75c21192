/* verbose - the command that `sluice -v` prints does the same when it is pasted into a shell. */
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

/* A server that knows one user, whose password and whose file would both trouble a careless shell. */
static int one_may_come_in(void **state)
{
    struct world *w = world_new(state, "verbose");
    char path[PROC_PATH_MAX];

    snprintf(path, sizeof(path), "%s/ann's file", w->folder);
    world_write(w, "ann's file", "w", "ann:-a:$(b) c\n# the second line is nobody's\n");
    world_write(w, "flow.json", "w", "{\"steps\":[{\"id\":\"a\",\"set\":{}}]}");
    proc_kill(&w->nats);
    world_write(w, "nats.conf", "a", "authorization { user: ann, password: '-a:$(b) c' }\n");
    world_env(w, "NATS_USER_FILE", path);
    world_nats_start(w);

    struct proc *gateway = world_begin(w, "gateway");
    WORLD_WAIT(w, READY_MS, proc_said(gateway, "msg=ready"));
    return 0;
}

/* The nats CLI takes {{…}} for a template of Go: a body that it has changed is another one, which the key refuses. */
static void a_submit_pasted_is_the_same_submit(void **state)
{
    struct world *w = *state;
    char *said;

    if (system("command -v nats >/dev/null") != 0)
        skip(); /* no nats CLI here */
    int status =
        world_shell(w,
                    "\"$sluice\" run submit flow.json -i 'name={{ Count }} it'\\''s' --key "
                    "same -o json -v >out 2>said; cat out said",
                    &said);

    if (status != 0 || !strstr(said, "\"created\":true"))
        world_fail(w, "not submitted (%d): %s", status, said);
    WORLD_MUST(w, !strstr(said, "$(b)"));
    free(said);
    status =
        world_shell(w,
                    "id=$(grep -o '\"run_id\":\"[^\"]*\"' out); grep '^nats ' said >line; . "
                    "./line >pasted 2>&1; cat line pasted; grep -qF \"$id\" pasted",
                    &said);
    if (status != 0 || !strstr(said, "\"created\":false"))
        world_fail(w, "not the same (%d): %s", status, said);
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_submit_pasted_is_the_same_submit, one_may_come_in,
                                        world_teardown),
    };
    return cmocka_run_group_tests_name("verbose", tests, NULL, NULL);
}
