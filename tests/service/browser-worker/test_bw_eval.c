#include "bw_eval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"

enum { PATIENCE_MS = 120000, TRIES = 20 };

static const char SCOPE[] = "{\"input\":{\"sku\":\"A-1\",\"max\":5},\"steps\":{\"list\":{"
                            "\"rows\":[{\"price\":3},{\"price\":9}"
                            "]}},\"vars\":{},\"run\":{\"id\":\"R\"},\"item\":7}";

static uv_loop_t loop;
static struct bw_eval *eval; /* end() frees it when a test failed */
static uv_timer_t patience;
static unsigned answers; /* so far, of all */

struct answer {
    unsigned calls, nth;
    enum err_kind kind;
    char value[64];
    size_t value_len;
    char why[200];
};

static void on_done(void *self, struct err e, struct bytes value, const char *why)
{
    struct answer *a = self;

    a->calls++;
    a->nth       = ++answers;
    a->kind      = e.kind;
    a->value_len = value.len;
    snprintf(a->value, sizeof a->value, "%.*s", (int)(value.len < 60 ? value.len : 60),
             (const char *)value.at);
    snprintf(a->why, sizeof a->why, "%s", why);
    uv_stop(
        &loop); /* else uv_run, which calls timers first, waits for the next thing to happen */
}

static void on_patience_lost(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("no answer in %d ms", PATIENCE_MS);
}

static void wait_until(bool (*over)(void *self), void *self)
{
    uv_timer_start(&patience, on_patience_lost, PATIENCE_MS, 0);
    while (!over(self))
        uv_run(&loop, UV_RUN_ONCE);
    uv_timer_stop(&patience);
}

static bool is_answered(void *self)
{
    return ((struct answer *)self)->calls > 0;
}

static void wait_for(struct answer *a)
{
    wait_until(is_answered, a);
}

static void ask(const char *program, struct answer *a)
{
    *a = (struct answer){0};
    assert_non_null(bw_eval_ask(eval, program, bytes_str(SCOPE), on_done, a));
    assert_int_equal(a->calls, 0);
}

/* A machine that does other things, too, may take longer than the limit over what is short: then again. */
static void ask_patiently(const char *program, struct answer *a)
{
    for (int n = 0; n < TRIES; n++) {
        ask(program, a);
        wait_for(a);
        if (!strstr(a->why, "took longer"))
            return;
    }
}

static void assert_value(const char *program, const char *wanted)
{
    struct answer a;

    ask_patiently(program, &a);
    if (a.kind != ERR_NONE)
        fail_msg("%.60s: %s", program, a.why);
    assert_string_equal(a.value, wanted);
    assert_int_equal(a.calls, 1);
}

static const char *program_path(void)
{
    static char path[4096];
    const char *bin = getenv("SLUICE_BIN");

    snprintf(path, sizeof path, "%s/sluice-eval", bin ? bin : "build/debug/bin");
    if (access(path, X_OK) != 0)
        fail_msg("%s is not there", path);
    return path;
}

static void keep_quiet(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self;
    (void)level;
    (void)message;
    (void)line;
}

static int begin(void **state)
{
    (void)state;
    answers = 0;
    log_sink(keep_quiet, NULL);
    return uv_loop_init(&loop) || uv_timer_init(&loop, &patience);
}

/* Every handle was closed, and no process is left. */
static int end(void **state)
{
    (void)state;
    bw_eval_free(&eval);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void start(uint64_t eval_ms, unsigned children)
{
    eval = bw_eval_new(&loop, program_path(), eval_ms, children);
}

static void an_honest_program_gets_its_value(void **state)
{
    (void)state;
    start(100, 2);

    assert_value("1 + 1", "2");
    assert_value(".input.sku", "\"A-1\"");
    assert_value("[.steps.list.rows[] | select(.price <= $input.max)]", "[{\"price\":3}]");
    assert_value("[$input, $steps, $vars, $run, $item] | map(type) | unique",
                 "[\"number\",\"object\"]");
    assert_value("def f: 3; f # three", "3");
    assert_value("empty", "null");
    assert_value("1, 2, 3", "1");
    assert_value("now | type", "\"number\"");
    assert_value("\"a b\" | @sh", "\"'a b'\"");
    bw_eval_free(&eval);
    assert_null(eval);
}

static void a_dot_in_the_scope_is_what_the_program_sees(void **state)
{
    (void)state;
    start(5000, 1);
    struct answer a = {0};

    bw_eval_ask(eval, "[.rows[] | select(. == $input.sku)] | length",
                bytes_str("{\".\":{\"rows\":[1,2]},\"input\":{\"sku\":2}}"), on_done, &a);
    wait_for(&a);
    assert_string_equal(a.value, "1");
    bw_eval_free(&eval);
}

/* After each of these an honest program must get its value. */
static const struct {
    const char *program, *value, *why;
} HOSTILE[] = {
    {"env", NULL, "env is not to be had here"},
    {"env.PATH", NULL, "env is not to be had here"},
    {"try env catch 1", "1", NULL},
    {"$ENV", "{}", NULL},
    {"$ENV.PATH", "null", NULL},
    {"input", NULL, "input is not"},
    {"[inputs]", NULL, "inputs is not"},
    {"input_filename", NULL, "is not to be had"},
    {"debug", NULL, "debug is not"},
    {"stderr", NULL, "stderr is not"},
    {"halt", NULL, "halt is not"},
    {"halt_error", NULL, "halt_error is not"},
    {"halt_error(0)", NULL, "halt_error is not"},
    {"\"/etc/passwd\" | modulemeta", NULL, "modulemeta is not"},
    {"get_search_list", NULL, "is not to be had"},
    {"import \"a\" as a; .", NULL, "unexpected import"},
    {"include \"a\"; .", NULL, "unexpected include"},
    {"import \"/etc/passwd\" as $a; $a", NULL, "unexpected import"},
    {"1) | env | (2", NULL, "syntax error"},
    {"def f: f; f", NULL, "took longer than 200 ms"},
    {"last(range(1e12))", NULL, "took longer than 200 ms"},
    {"range(1e12)", "0", NULL},
    {"[limit(1e9; repeat(1))]", NULL, ""},
    {"[range(1e9)]", NULL, ""},
    {"[recurse(.)]", NULL, ""},
    {"\"x\" | until(false; . + .)", NULL, "needed more than 64 MB"},
    {"\"x\" * 1e9 | length", NULL, ""},
    {"reduce range(40) as $i ([1]; . + .) | length", NULL, ""},
    {"[0] | .[1e9] = 1", NULL, "needed more than 64 MB"},
    {"def f: 1 + f; f", NULL, ""},
    {"reduce range(1e6) as $i (0; [.])", NULL, ""},
    {"\"x\" * 300000", NULL, "gave more than 256 KiB"},
    {"[range(100000)]", NULL, "gave more than 256 KiB"},
    {"\"\xff\xfe\"", NULL, "not UTF-8"},
    {"\xc3", NULL, "not UTF-8"},
    {"", NULL, "empty"},
    {"  # nothing", NULL, "syntax error"},
    {"error({a: 1})", NULL, "error {\"a\":1}"},
    {"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" | test(\"^(a|aa)+$b\")", NULL, ""},
    {"[1114112] | implode", "\"\xEF\xBF\xBD\"", NULL},
    {"\"\\u0000\"", "\"\\u0000\"", NULL},
    {"@sh \"rm \\(.input.sku)\"", "\"rm 'A-1'\"", NULL},
    {".a b", NULL, "syntax error, unexpected IDENT"},
    {"lenght", NULL, "lenght/0 is not defined"},
    {".input.sku.x", NULL, "Cannot index string with string \"x\""},
};

static void a_hostile_program_harms_nobody(void **state)
{
    (void)state;
    start(200, 1);

    for (size_t i = 0; i < sizeof HOSTILE / sizeof *HOSTILE; i++) {
        struct answer a;
        bool short_one =
            HOSTILE[i].value || (HOSTILE[i].why[0] && !strstr(HOSTILE[i].why, "took longer"));

        if (short_one) {
            ask_patiently(HOSTILE[i].program, &a);
        } else {
            ask(HOSTILE[i].program, &a);
            wait_for(&a);
        }
        bool fits = HOSTILE[i].value ? strcmp(a.value, HOSTILE[i].value) == 0
                                     : a.kind == ERR_REJECT && strstr(a.why, HOSTILE[i].why);
        if (!fits)
            fail_msg("%s: kind %d, value %s, why %s", HOSTILE[i].program, a.kind, a.value,
                     a.why);
        assert_int_equal(a.calls, 1);
        assert_value("$item", "7");
    }
    bw_eval_free(&eval);
}

static void assert_rejected(const char *program, const char *wanted)
{
    struct answer a;

    ask(program, &a);
    wait_for(&a);
    assert_int_equal(a.kind, ERR_REJECT);
    if (!strstr(a.why, wanted))
        fail_msg("wanted \"%s\", but it says \"%s\"", wanted, a.why);
    assert_value("$item", "7");
}

static void a_huge_program_harms_nobody(void **state)
{
    (void)state;
    start(100, 1);
    static char program[(1 << 20) + 1];

    memset(program, '[', 1 << 20);
    assert_rejected(program, "longer than 64 KiB");
    program[60000] = '\0';
    for (const char *c = "[({\"|.-"; *c; c++) {
        memset(program, *c, 60000);
        assert_rejected(program, "");
    }
    bw_eval_free(&eval);
}

static void a_scope_that_is_no_object_is_refused(void **state)
{
    (void)state;
    start(100, 1);
    static const char *const scopes[] = {"", "[]", "7", "{", "{\"a\":1}}", "\xff"};
    static char big[BW_EVAL_SCOPE_MAX + 1];

    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        struct answer a = {0};
        bw_eval_ask(eval, "1", bytes_str(scopes[i]), on_done, &a);
        wait_for(&a);
        assert_int_equal(a.kind, ERR_REJECT);
    }
    struct answer a = {0};
    bw_eval_ask(eval, "1", bytes_of(big, sizeof big), on_done, &a);
    wait_for(&a);
    assert_int_equal(a.kind, ERR_REJECT);
    assert_non_null(strstr(a.why, "4 MiB"));
    assert_value("$item", "7");
    bw_eval_free(&eval);
}

static void an_endless_program_does_not_stop_the_others(void **state)
{
    (void)state;
    start(3000, 2);
    struct answer endless, honest[20];

    ask("def f: f; f", &endless);
    for (size_t i = 0; i < 20; i++)
        ask("$item + 1", &honest[i]);
    wait_for(&endless);

    for (size_t i = 0; i < 20; i++) {
        assert_string_equal(honest[i].value, "8");
        assert_true(honest[i].nth < endless.nth);
    }
    bw_eval_free(&eval);
}

static void a_program_known_to_be_endless_waits_behind_the_others(void **state)
{
    (void)state;
    start(200, 2);
    struct answer endless[8], honest;

    ask("def f: f; f", &endless[0]);
    wait_for(&endless[0]);
    for (size_t i = 1; i < 8; i++)
        ask("def f: f; f", &endless[i]);
    ask("$item", &honest);
    wait_for(&endless[7]);

    assert_string_equal(honest.value, "7");
    assert_true(honest.nth <= 4);
    bw_eval_free(&eval);
}

/* The processes that we are the parent of. */
static size_t children(int *pids, size_t max)
{
    DIR *proc = opendir("/proc");
    size_t n  = 0;

    for (struct dirent *d; (d = readdir(proc));) {
        char path[64];
        int pid = (int)strtol(d->d_name, NULL, 10), parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = pid > 0 ? fopen(path, "r") : NULL;
        if (f && fscanf(f, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == getpid() &&
            n < max)
            pids[n++] = pid;
        if (f)
            fclose(f);
    }
    closedir(proc);
    return n;
}

static void on_moment(uv_timer_t *timer)
{
    int pids[4];
    int *signal = timer->data;

    for (size_t n = children(pids, 4); n > 0; n--)
        kill(pids[n - 1], *signal);
}

/* Whether it has the request yet is not to be seen from here: so the signal comes again until it had, and leaves
   a new child the time to start. */
static void assert_asker_hears_of(int signal, enum err_kind kind, const char *wanted)
{
    struct answer a;
    uv_timer_t again;

    start(20000, 1);
    assert_value("$item", "7");
    ask("def f: f; f", &a);
    uv_timer_init(&loop, &again);
    again.data = &signal;
    uv_timer_start(&again, on_moment, 200, 3000);
    wait_for(&a);
    uv_close((uv_handle_t *)&again, NULL);
    if (a.kind != kind || !strstr(a.why, wanted))
        fail_msg("wanted \"%s\", but it says \"%s\"", wanted, a.why);
    assert_value("$item", "7");
    bw_eval_free(&eval);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void a_crash_is_told_and_the_next_child_works(void **state)
{
    (void)state;
    assert_asker_hears_of(SIGBUS, ERR_REJECT, "crashed the evaluator (signal 7)");
    assert_asker_hears_of(SIGKILL, ERR_RETRY, "ended meanwhile (signal 9");
}

static void a_child_killed_in_its_sleep_is_replaced(void **state)
{
    (void)state;
    start(5000, 2);
    int pids[4];

    assert_value("$item", "7");
    for (int round = 0; round < 5; round++) {
        size_t n = children(pids, 4);
        for (size_t i = 0; i < n; i++)
            kill(pids[i], SIGKILL);
        uv_run(&loop, UV_RUN_ONCE);
        struct answer
            a; /* it may be given to one that is dying: then it hears so, and may ask again */
        ask("$item", &a);
        wait_for(&a);
        assert_true(a.kind == ERR_NONE || a.kind == ERR_RETRY);
        assert_int_equal(a.calls, 1);
    }
    struct answer last = {.kind = ERR_RETRY};
    for (int n = 0; n < TRIES && last.kind == ERR_RETRY; n++)
        ask_patiently("$item", &last);
    assert_string_equal(last.value, "7");
    bw_eval_free(&eval);
}

static size_t read_proc(int pid, const char *name, char *to, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(to, 1, size - 1, f);
    to[n]    = '\0';
    fclose(f);
    return n;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static void a_child_has_given_up_its_rights(void **state)
{
    (void)state;
    start(100, 1);
    int pid = 0;
    char text[8192], path[64];
    unsigned files = 0;

    assert_value("$item", "7");
    assert_int_equal(children(&pid, 1), 1);
    assert_int_equal(read_proc(pid, "environ", text, sizeof text), 0);
    read_proc(pid, "status", text, sizeof text);
    assert_non_null(strstr(text, "NoNewPrivs:\t1"));
#ifndef SANITIZED
    assert_non_null(strstr(text, "Seccomp:\t2"));
#endif
    read_proc(pid, "limits", text, sizeof text);
    assert_non_null(strstr(text, "Max file size             0                    0"));
    assert_non_null(strstr(text, "Max core file size        0                    0"));
    assert_non_null(strstr(text, "Max processes             0                    0"));
    assert_non_null(strstr(text, "Max open files            3                    3"));
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *fds = opendir(path);
    while (readdir(fds))
        files++;
    closedir(fds);
    assert_int_equal(files, 2 + 3);
    bw_eval_free(&eval);
}

static void a_cancelled_ask_is_not_answered(void **state)
{
    (void)state;
    start(100, 1);
    struct answer running = {0}, waiting = {0}, told = {0}, honest;

    assert_value("1", "1");
    struct bw_eval_ask *a =
        bw_eval_ask(eval, "def f: f; f", bytes_str(SCOPE), on_done, &running);
    struct bw_eval_ask *b = bw_eval_ask(eval, "2", bytes_str(SCOPE), on_done, &waiting);
    static char long_program[BW_EVAL_PROGRAM_MAX + 2];
    memset(long_program, '1', BW_EVAL_PROGRAM_MAX + 1);
    struct bw_eval_ask *c = bw_eval_ask(eval, long_program, bytes_str(SCOPE), on_done, &told);
    bw_eval_cancel(&b);
    bw_eval_cancel(&c);
    bw_eval_cancel(&a);
    bw_eval_cancel(&a);
    assert_null(a);
    ask_patiently("$item", &honest);
    assert_string_equal(honest.value, "7");
    assert_int_equal(running.calls + waiting.calls + told.calls, 0);
    bw_eval_free(&eval);
}

static void the_end_of_the_pool_tells_everybody(void **state)
{
    (void)state;
    start(5000, 2);
    struct answer a[10];

    for (size_t i = 0; i < 10; i++)
        ask("def f: f; f", &a[i]);
    uv_run(&loop, UV_RUN_ONCE);
    bw_eval_free(&eval);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(a[i].calls, 1);
        assert_int_equal(a[i].kind, ERR_RETRY);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(a[i].calls, 1);
}

static bool are_answered(void *self)
{
    return answers >= *(unsigned *)self;
}

static void too_many_are_told_so(void **state)
{
    (void)state;
    start(1000, 2);
    static struct answer a[BW_EVAL_WAITING_MAX + 100];
    static char scope[BW_EVAL_SCOPE_MAX];
    unsigned wanted = 40, full = 0;

    memset(scope, ' ', sizeof scope);
    memcpy(scope, "{}", 2);
    for (size_t i = 0; i < 40; i++)
        bw_eval_ask(eval, "1", bytes_of(scope, sizeof scope), on_done, &a[i]);
    wait_until(are_answered, &wanted);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(a[i].calls, 1);
        full += a[i].kind == ERR_FULL;
    }
    assert_in_range(full, 40 - 16 - 2, 40 - 15);

    memset(a, 0, sizeof a);
    wanted += BW_EVAL_WAITING_MAX + 100;
    for (size_t i = 0; i < BW_EVAL_WAITING_MAX + 100; i++)
        bw_eval_ask(eval, "1", bytes_str("{}"), on_done, &a[i]);
    wait_until(are_answered, &wanted);
    full = 0;
    for (size_t i = 0; i < BW_EVAL_WAITING_MAX + 100; i++) {
        assert_int_equal(a[i].calls, 1);
        full += a[i].kind == ERR_FULL;
    }
    assert_in_range(full, 98, 100);
    bw_eval_free(&eval);
}

static void assert_never_starts(const char *path)
{
    eval = bw_eval_new(&loop, path, 100, 2);
    struct answer a;

    ask("1", &a);
    wait_for(&a);
    assert_int_equal(a.kind, ERR_RETRY);
    assert_non_null(strstr(a.why, "does not start"));
    ask("1", &a);
    wait_for(&a);
    assert_int_equal(a.kind, ERR_RETRY);
    bw_eval_free(&eval);
}

static void what_is_no_evaluator_is_told_apart(void **state)
{
    (void)state;
    assert_never_starts("/nonexistent/sluice-eval");
    assert_never_starts("/bin/true");
    assert_never_starts("/usr/bin/yes");
}

struct chain {
    struct bw_eval *eval;
    unsigned left;
    unsigned answers;
};

static void on_link(void *self, struct err e, struct bytes value, const char *why)
{
    struct chain *c = self;

    (void)value;
    (void)why;
    c->answers++;
    uv_stop(&loop);
    if (failed(e) || !c->eval)
        return;
    if (--c->left > 0)
        bw_eval_ask(c->eval, "1", bytes_str("{}"), on_link, c);
    else
        bw_eval_free(&c->eval);
}

static bool is_over(void *self)
{
    return !((struct chain *)self)->eval;
}

static void an_answer_may_ask_again_and_may_end_it_all(void **state)
{
    (void)state;
    struct chain c = {.left = 20};

    start(5000, 2);
    c.eval = take(&eval);

    for (unsigned i = 0; i < 3; i++)
        bw_eval_ask(c.eval, "1", bytes_str("{}"), on_link, &c);
    wait_until(is_over, &c);
    assert_int_equal(c.answers, 22);
}

/* Each program leaves something behind in a child: jq leaks, and the last are kept. */
static void a_thousand_programs_do_not_make_it_run_out(void **state)
{
    (void)state;
    start(10000, 2);
    static struct answer a[300];
    unsigned wanted = 300;
    char program[64];

    for (size_t i = 0; i < 300; i++) {
        snprintf(program, sizeof program, i % 2 ? "[range(1000)] | length + %zu" : "nope%zu",
                 i);
        bw_eval_ask(eval, program, bytes_str("{}"), on_done, &a[i]);
    }
    wait_until(are_answered, &wanted);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(a[i].kind, i % 2 ? ERR_NONE : ERR_REJECT);
    bw_eval_free(&eval);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_honest_program_gets_its_value, begin, end),
        cmocka_unit_test_setup_teardown(a_dot_in_the_scope_is_what_the_program_sees, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_hostile_program_harms_nobody, begin, end),
        cmocka_unit_test_setup_teardown(a_huge_program_harms_nobody, begin, end),
        cmocka_unit_test_setup_teardown(a_scope_that_is_no_object_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(an_endless_program_does_not_stop_the_others, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_program_known_to_be_endless_waits_behind_the_others,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_crash_is_told_and_the_next_child_works, begin, end),
        cmocka_unit_test_setup_teardown(a_child_killed_in_its_sleep_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(a_child_has_given_up_its_rights, begin, end),
        cmocka_unit_test_setup_teardown(a_cancelled_ask_is_not_answered, begin, end),
        cmocka_unit_test_setup_teardown(the_end_of_the_pool_tells_everybody, begin, end),
        cmocka_unit_test_setup_teardown(too_many_are_told_so, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_evaluator_is_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_may_ask_again_and_may_end_it_all, begin, end),
        cmocka_unit_test_setup_teardown(a_thousand_programs_do_not_make_it_run_out, begin, end),
    };
    return cmocka_run_group_tests_name("bw_eval", tests, NULL, NULL);
}
