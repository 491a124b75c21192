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

/* What `sluice tenant list` ends with, and that it says these words. */
static int the_command_says(struct world *w, const char *words)
{
    struct proc p = {.name = "sluice"};
    char program[300];

    snprintf(program, sizeof(program), "%s/sluice", getenv("SLUICE_BIN"));
    snprintf(p.log, sizeof(p.log), "%s/command.out", w->folder);
    (void)remove(p.log);
    proc_arg(&p, program);
    proc_arg(&p, "tenant");
    proc_arg(&p, "list");
    for (size_t i = 0; i < w->env_count; i++)
        proc_env(&p, w->env[i][0], w->env[i][1]);
    proc_start(&p);
    int status = proc_wait(&p, COMMAND_MS);
    if (!proc_said(&p, words)) {
        char *said = proc_log(&p);
        print_message("%s\n", said);
        free(said);
        world_fail(w, "sluice does not say \"%s\" (exit %d)", words, status);
    }
    proc_deinit(&p);
    return status;
}

static void who_is_refused_says_so(void **state)
{
    struct world *w = world_new(state, "credentials");
    char path[300];

    snprintf(path, sizeof(path), "%s/user", w->folder);
    world_env(w, "NATS_USER_FILE", path);
    proc_kill(&w->nats);
    write_file(w, "user", "w", "ann:wrong\n");
    write_file(w, "nats.conf", "a", "authorization { user: ann, password: right }\n");
    world_nats_start(w);

    struct proc *late = world_begin(w, "scheduler");
    WORLD_WAIT(w, READY_MS, proc_said(late, "nats refuses the credentials"));
    WORLD_MUST(w, !proc_said(late, "cannot be reached"));
    assert_int_equal(the_command_says(w, "refuses the credentials"), 3);

    write_file(w, "user", "w", "ann:right\n");
    struct proc *known = world_begin(w, "gateway");
    WORLD_WAIT(w, READY_MS, proc_said(known, "msg=ready"));
    assert_int_equal(the_command_says(w, "tenant"), 0);
    proc_kill(
        &w->nats); /* the scheduler read its file when it began: now its password is the right one */
    write_file(w, "nats.conf", "a", "authorization { user: ann, password: wrong }\n");
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
