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

enum { READY_MS = 20000, COMMAND_MS = 30000 };

static void write_file(const struct world *w, const char *name, const char *mode,
                       const char *text)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* All that a line of shell says, run in the world's folder; the caller frees it. */
static char *shell(struct world *w, const char *line, int *ret_status)
{
    static unsigned count;
    struct proc p = {.name = "shell"};
    char text[2000];

    snprintf(p.log, sizeof(p.log), "%s/shell-%u.out", w->folder, ++count);
    snprintf(text, sizeof(text), "sluice='%s/sluice'; cd '%s'; %s", getenv("SLUICE_BIN"),
             w->folder, line);
    proc_arg(&p, "/bin/sh");
    proc_arg(&p, "-c");
    proc_arg(&p, text);
    for (size_t i = 0; i < w->env_count; i++)
        proc_env(&p, w->env[i][0], w->env[i][1]);
    proc_start(&p);
    *ret_status = proc_wait(&p, COMMAND_MS);
    char *said  = proc_log(&p);
    proc_deinit(&p);
    return said;
}

/* A server that knows one user, whose password and whose file would both trouble a careless shell. */
static int one_may_come_in(void **state)
{
    struct world *w = world_new(state, "verbose");
    char path[300];

    snprintf(path, sizeof(path), "%s/ann's file", w->folder);
    write_file(w, "ann's file", "w", "ann:-a:$(b) c\n# the second line is nobody's\n");
    write_file(w, "flow.json", "w", "{\"steps\":[{\"id\":\"a\",\"set\":{}}]}");
    proc_kill(&w->nats);
    write_file(w, "nats.conf", "a", "authorization { user: ann, password: '-a:$(b) c' }\n");
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
    int status;

    if (system("command -v nats >/dev/null") != 0)
        skip(); /* no nats CLI here */
    char *said = shell(w,
                       "\"$sluice\" run submit flow.json -i 'name={{ Count }} it'\\''s' --key "
                       "same -o json -v >out 2>said; cat out said",
                       &status);

    if (status != 0 || !strstr(said, "\"created\":true"))
        world_fail(w, "not submitted (%d): %s", status, said);
    WORLD_MUST(w, !strstr(said, "$(b)"));
    free(said);
    said = shell(w,
                 "id=$(grep -o '\"run_id\":\"[^\"]*\"' out); grep '^nats ' said >line; . "
                 "./line >pasted 2>&1; cat line pasted; grep -qF \"$id\" pasted",
                 &status);
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
