#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"
#include "child.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct shared {
    const char *nats_url;
    const char *log_level;
    const char *cell;
};

struct own {
    const char *pool;
    const char *cell;
    uint64_t slots;
    uint64_t lease_ms;
    uint64_t input_max;
    bool console;
    const char *streams;
    uint64_t probe_ms;
};

static const struct config_key SHARED_KEYS[] = {
    {"NATS_URL", CONFIG_STRING, CONFIG_FIELD(struct shared, nats_url), "nats://127.0.0.1:4222",
     NULL, NULL, "where the bus is"},
    {"LOG_LEVEL", CONFIG_CHOICE, CONFIG_FIELD(struct shared, log_level), "info",
     "debug|info|warn|error", NULL, "the least that is logged"},
    {"SLUICE_CELL", CONFIG_STRING, CONFIG_FIELD(struct shared, cell), "local", NULL, NULL,
     "name of this installation"},
    {0},
};

static const struct config_key OWN_KEYS[] = {
    {"SLUICE_POOL", CONFIG_STRING, CONFIG_FIELD(struct own, pool), NULL, NULL, NULL,
     "whose runs this worker takes"},
    {"SLUICE_CELL", CONFIG_STRING, CONFIG_FIELD(struct own, cell), NULL, NULL, NULL,
     "the same once more"},
    {"SLUICE_SLOTS", CONFIG_UINT, CONFIG_FIELD(struct own, slots), "500", "1", "1000000",
     "runs at once"},
    {"SLUICE_LEASE", CONFIG_DURATION, CONFIG_FIELD(struct own, lease_ms), "15s", "5s", "1h",
     "silence after which a run goes to another"},
    {"SLUICE_INPUT_MAX", CONFIG_SIZE, CONFIG_FIELD(struct own, input_max), "256KiB", NULL,
     "16MiB", "largest input"},
    {"SLUICE_CONSOLE", CONFIG_BOOL, CONFIG_FIELD(struct own, console), "off", NULL, NULL,
     "serve the console"},
    {"SLUICE_STREAMS", CONFIG_CHOICE, CONFIG_FIELD(struct own, streams), NULL,
     "self|verify|none", NULL, "who makes the streams"},
    {"SLUICE_PROBE", CONFIG_DURATION, CONFIG_FIELD(struct own, probe_ms), "0s", "1s", NULL,
     "0s: never, by default only"},
    {0},
};

struct both {
    struct shared shared;
    struct own own;
    char why[512];
};

enum { ARGUMENTS_MAX = 8 };

/* Reads both tables from a NULL-terminated list of arguments. */
static struct err read_from(struct both *b, const char *const *arguments)
{
    const struct config_table tables[] = {{SHARED_KEYS, &b->shared}, {OWN_KEYS, &b->own}};
    char *argv[ARGUMENTS_MAX + 2]      = {(char *)"test"};
    int argc                           = 1;

    while (arguments && *arguments)
        argv[argc++] = (char *)*arguments++;
    b->why[0] = '\0';
    return config_read(tables, 2, argc, argv, b->why, sizeof(b->why));
}

static int clean_environment(void **state)
{
    (void)state;
    for (size_t i = 0; SHARED_KEYS[i].name; i++)
        unsetenv(SHARED_KEYS[i].name);
    for (size_t i = 0; OWN_KEYS[i].name; i++)
        unsetenv(OWN_KEYS[i].name);
    return 0;
}

static void defaults_hold_when_nothing_is_said(void **state)
{
    (void)state;
    struct both b = {0};

    assert_false(failed(read_from(&b, NULL)));
    assert_string_equal(b.shared.nats_url, "nats://127.0.0.1:4222");
    assert_string_equal(b.shared.log_level, "info");
    assert_null(b.own.pool);
    assert_int_equal(b.own.slots, 500);
    assert_int_equal(b.own.lease_ms, 15000);
    assert_int_equal(b.own.input_max, 262144);
    assert_false(b.own.console);
    assert_null(b.own.streams);
}

static void environment_wins_over_the_default(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_POOL", "eu", 1);
    setenv("SLUICE_SLOTS", "7", 1);
    setenv("SLUICE_LEASE", "1m", 1);
    setenv("SLUICE_INPUT_MAX", "1MiB", 1);
    setenv("SLUICE_CONSOLE", "on", 1);
    setenv("SLUICE_STREAMS", "verify", 1);
    assert_false(failed(read_from(&b, NULL)));
    assert_string_equal(b.own.pool, "eu");
    assert_int_equal(b.own.slots, 7);
    assert_int_equal(b.own.lease_ms, 60000);
    assert_int_equal(b.own.input_max, 1048576);
    assert_true(b.own.console);
    assert_string_equal(b.own.streams, "verify");
}

static void flag_wins_over_the_environment(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_POOL", "eu", 1);
    setenv("NATS_URL", "nats://env", 1);
    assert_false(failed(
        read_from(&b, (const char *const[]){"--pool", "us", "--nats-url=nats://flag", NULL})));
    assert_string_equal(b.own.pool, "us");
    assert_string_equal(b.shared.nats_url, "nats://flag");
}

static void last_flag_wins(void **state)
{
    (void)state;
    struct both b = {0};

    assert_false(
        failed(read_from(&b, (const char *const[]){"--slots=1", "--slots", "2", NULL})));
    assert_int_equal(b.own.slots, 2);
}

static void bad_environment_is_forgiven_when_a_flag_overrides_it(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_SLOTS", "many", 1);
    assert_false(failed(read_from(&b, (const char *const[]){"--slots=2", NULL})));
    assert_int_equal(b.own.slots, 2);
}

static void empty_variable_counts_as_not_set(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_SLOTS", "", 1);
    setenv("SLUICE_POOL", "", 1);
    assert_false(failed(read_from(&b, NULL)));
    assert_int_equal(b.own.slots, 500);
    assert_null(b.own.pool);
}

static void empty_flag_is_an_empty_string(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_POOL", "eu", 1);
    assert_false(failed(read_from(&b, (const char *const[]){"--pool=", NULL})));
    assert_string_equal(b.own.pool, "");
}

static void name_in_two_tables_sets_both(void **state)
{
    (void)state;
    struct both b = {0};

    assert_false(failed(read_from(&b, (const char *const[]){"--cell", "eu-1", NULL})));
    assert_string_equal(b.shared.cell, "eu-1");
    assert_string_equal(b.own.cell, "eu-1");
}

static void value_may_hold_equals_signs_and_dashes(void **state)
{
    (void)state;
    struct both b = {0};

    assert_false(failed(read_from(&b, (const char *const[]){"--pool=a=b=--c", NULL})));
    assert_string_equal(b.own.pool, "a=b=--c");
    assert_false(failed(read_from(&b, (const char *const[]){"--pool", "-x", NULL})));
    assert_string_equal(b.own.pool, "-x");
}

static void bool_flag_takes_a_word_or_stands_alone(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[4];
        bool on;
    } CASES[] = {
        {{"--console"}, true},
        {{"--console", "off"}, false},
        {{"--console", "on"}, true},
        {{"--console=false"}, false},
        {{"--console=true"}, true},
        {{"--console=1"}, true},
        {{"--console=0"}, false},
        {{"--console", "--slots", "3"}, true},
        {{"--console", "--check"}, true},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct both b = {0};

        assert_false(failed(read_from(&b, CASES[i].arguments)));
        assert_int_equal(b.own.console, CASES[i].on);
    }
}

static void bounds_are_part_of_the_range(void **state)
{
    (void)state;
    struct both b = {0};

    assert_false(failed(read_from(&b, (const char *const[]){"--lease=5s", "--slots=1", NULL})));
    assert_false(failed(read_from(&b, (const char *const[]){"--lease=60m", "--slots=1000000",
                                                            "--input-max=16MiB", NULL})));
}

static void flag_is_the_name_in_lower_case_without_our_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *argument;
    } CASES[] = {
        {"SLUICE_POOL", "--pool=x"},
        {"SLUICE_SESSIONS_PER_BROWSER", "--sessions-per-browser=x"},
        {"NATS_URL", "--nats-url=x"},
        {"AZ_09_SLUICE_X", "--az-09-sluice-x=x"},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *value              = NULL;
        const struct config_key keys[] = {{.name = CASES[i].name, .type = CONFIG_STRING}, {0}};
        const struct config_table tables[] = {{keys, &value}};
        char *argv[]                       = {(char *)"test", (char *)CASES[i].argument, NULL};
        char why[64];

        assert_false(failed(config_read(tables, 1, 2, argv, why, sizeof(why))));
        assert_string_equal(value, "x");
    }
}

static void default_may_lie_outside_its_bounds(void **state)
{
    (void)state;
    struct both b = {.own.probe_ms = 42};

    assert_false(failed(read_from(&b, NULL)));
    assert_int_equal(b.own.probe_ms, 0);
    assert_true(failed(read_from(&b, (const char *const[]){"--probe=0s", NULL})));
}

static void complaint_names_setting_value_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[4];
        const char *why;
    } CASES[] = {
        {{"--slots=many"},
         "--slots \"many\" cannot be read; write a whole number such as 100, from 1 to "
         "1000000"},
        {{"--slots=-1"},
         "--slots \"-1\" cannot be read; write a whole number such as 100, from 1 to 1000000"},
        {{"--slots=0"}, "--slots \"0\" is too small; write from 1 to 1000000"},
        {{"--slots=1000001"}, "--slots \"1000001\" is too large; write from 1 to 1000000"},
        {{"--slots=18446744073709551617"},
         "--slots \"18446744073709551617\" cannot be read; write a whole number such as 100, "
         "from 1 to 1000000"},
        {{"--slots="},
         "--slots \"\" cannot be read; write a whole number such as 100, from 1 to 1000000"},
        {{"--lease", "5 min"},
         "--lease \"5 min\" cannot be read; write a duration such as 250ms, 90s, 5m, 24h or "
         "7d, "
         "from 5s to 1h"},
        {{"--lease=2s"}, "--lease \"2s\" is too small; write from 5s to 1h"},
        {{"--input-max=1GiB"}, "--input-max \"1GiB\" is too large; write at most 16MiB"},
        {{"--probe=5ms"}, "--probe \"5ms\" is too small; write 1s or more"},
        {{"--console=maybe"}, "--console \"maybe\" cannot be read; write on or off"},
        {{"--streams=slef"},
         "--streams \"slef\" is not one of self|verify|none; did you mean self?"},
        {{"--streams=everything"},
         "--streams \"everything\" is not one of self|verify|none; write one of them"},
        {{"--streams=self|verify"},
         "--streams \"self|verify\" is not one of self|verify|none; write one of them"},
        {{"--streams="}, "--streams \"\" is not one of self|verify|none; write one of them"},
        {{"--pol", "x"}, "\"--pol\" is not a flag; did you mean --pool?"},
        {{"--pol=x"}, "\"--pol\" is not a flag; did you mean --pool?"},
        {{"--halp"}, "\"--halp\" is not a flag; did you mean --help?"},
        {{"--chek"}, "\"--chek\" is not a flag; did you mean --check?"},
        {{"--versoin"}, "\"--versoin\" is not a flag; did you mean --version?"},
        {{"--SLOTS=3"}, "\"--SLOTS\" is not a flag; --help shows them all"},
        {{"--colour=red"}, "\"--colour\" is not a flag; --help shows them all"},
        {{"serve"}, "\"serve\" is not a flag; --help shows them all"},
        {{""}, "\"\" is not a flag; --help shows them all"},
        {{"--"}, "\"--\" is not a flag; --help shows them all"},
        {{"--slots"}, "--slots has no value; write --slots=500"},
        {{"--slots", "--console"}, "--slots has no value; write --slots=500"},
        {{"--pool"}, "--pool has no value; write --pool=..."},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct both b = {0};

        assert_int_equal(read_from(&b, CASES[i].arguments).kind, ERR_REJECT);
        assert_string_equal(b.why, CASES[i].why);
    }
}

static void complaint_names_the_variable_when_it_came_from_there(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_LEASE", "2s", 1);
    assert_true(failed(read_from(&b, NULL)));
    assert_string_equal(b.why, "SLUICE_LEASE \"2s\" is too small; write from 5s to 1h");
}

static void hostile_value_cannot_leave_its_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *shown;
    } CASES[] = {
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nSLUICE_POOL is fine", "\"a\\nSLUICE_POOL is fine\""},
        {"\x1b[2J", "\"\\u001b[2J\""},
        {"\x7f", "\"\\u007f\""},
        {"\xff\xfe", "\"\\ufffd\\ufffd\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"%s%n", "\"%s%n\""},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct both b = {0};
        char wanted[128];

        setenv("SLUICE_SLOTS", CASES[i].value, 1);
        assert_true(failed(read_from(&b, NULL)));
        str_format(wanted, sizeof(wanted), "SLUICE_SLOTS %s cannot be read;", CASES[i].shown);
        assert_true(str_starts(b.why, wanted));
        assert_null(strchr(b.why, '\n'));
    }
}

static void control_characters_of_two_bytes_are_not_shown(void **state)
{
    (void)state;
    struct both b = {0};

    setenv("SLUICE_SLOTS", "\xc2\x9b", 1);
    assert_true(failed(read_from(&b, NULL)));
    assert_null(strstr(b.why, "\xc2\x9b"));
    assert_true(str_is_utf8(bytes_str(b.why)));
}

static void value_is_never_cut_within_a_character(void **state)
{
    (void)state;
    char value[201];

    for (size_t i = 0; i < 200; i += 2)
        memcpy(value + i, "\xc3\xa9", 3);
    for (size_t from = 0; from < 2; from++) {
        struct both b = {0};

        value[0] = from ? 'x' : '\xc3';
        value[1] = from ? 'x' : '\xa9';
        setenv("SLUICE_SLOTS", value, 1);
        assert_true(failed(read_from(&b, NULL)));
        assert_true(str_is_utf8(bytes_str(b.why)));
        setenv("SLUICE_SLOTS", value + 1, 1);
        assert_true(failed(read_from(&b, NULL)));
        assert_true(str_is_utf8(bytes_str(b.why)));
    }
}

static void endless_value_is_shown_in_part(void **state)
{
    (void)state;
    struct both b = {0};
    static char value[100000];

    memset(value, '9', sizeof(value) - 1);
    setenv("SLUICE_SLOTS", value, 1);
    assert_true(failed(read_from(&b, NULL)));
    assert_true(strlen(b.why) < 300);
    assert_non_null(strstr(b.why, "9...\" cannot be read; write"));
}

static void endless_flag_is_no_flag(void **state)
{
    (void)state;
    struct both b = {0};
    static char flag[100000];

    memset(flag, '-', sizeof(flag) - 1);
    assert_true(failed(read_from(&b, (const char *const[]){flag, NULL})));
    assert_true(strlen(b.why) < 300);
}

static void one_wrong_setting_leaves_all_untouched(void **state)
{
    (void)state;
    struct both b = {.own = {.slots = 42, .lease_ms = 43}};

    assert_true(failed(read_from(&b, (const char *const[]){"--slots=7", "--lease=9", NULL})));
    assert_int_equal(b.own.slots, 42);
    assert_int_equal(b.own.lease_ms, 43);
    assert_null(b.shared.nats_url);
}

static void reason_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    struct both b                      = {0};
    const struct config_table tables[] = {{OWN_KEYS, &b.own}};
    char *argv[]                       = {b.why, (char *)"--slots=x", NULL};
    char why[8];

    assert_true(failed(config_read(tables, 1, 2, argv, why, sizeof(why))));
    assert_string_equal(why, "--slots");
}

/* What a child process is told to do, and where it answers: 55 behind --check, 66 else. */
static void load_and_exit(void *with)
{
    struct both b                      = {0};
    const struct config_table tables[] = {{SHARED_KEYS, &b.shared}, {OWN_KEYS, &b.own}};
    char **argv                        = with;
    int argc                           = 0;
    bool check                         = false;

    while (argv[argc])
        argc++;
    config_load("sluice-test", "tries things out", tables, 2, argc, argv, &check);
    printf("slots=%llu\n", (unsigned long long)b.own.slots);
    fflush(stdout);
    _exit(check ? 55 : 66);
}

static struct child load_in_child(int watched, const char *one, const char *two)
{
    char *argv[] = {(char *)"test", (char *)one, (char *)two, NULL};

    return child_run(load_and_exit, argv, watched);
}

static void good_configuration_lets_the_caller_go_on(void **state)
{
    (void)state;
    struct child c = load_in_child(STDOUT_FILENO, "--slots=9", NULL);

    assert_int_equal(WEXITSTATUS(c.status), 66);
    assert_string_equal(c.text, "slots=9\n");
}

static void check_is_told_to_the_caller(void **state)
{
    (void)state;
    struct child c = load_in_child(STDOUT_FILENO, "--check", "--slots=9");

    assert_int_equal(WEXITSTATUS(c.status), 55);
}

static void version_is_program_and_number(void **state)
{
    (void)state;
    struct child c = load_in_child(STDOUT_FILENO, "--version", NULL);

    assert_int_equal(WEXITSTATUS(c.status), 0);
    assert_string_equal(c.text, "sluice-test " SLUICE_VERSION "\n");
}

static void help_shows_flag_variable_default_and_meaning(void **state)
{
    (void)state;
    struct child c = load_in_child(STDOUT_FILENO, "--help", NULL);

    assert_int_equal(WEXITSTATUS(c.status), 0);
    assert_true(str_starts(c.text, "sluice-test - tries things out\n"));
    for (size_t i = 0; OWN_KEYS[i].name; i++) {
        assert_non_null(strstr(c.text, OWN_KEYS[i].name));
        assert_non_null(strstr(c.text, OWN_KEYS[i].help));
    }
    assert_non_null(strstr(c.text,
                           "--nats-url   NATS_URL          nats://127.0.0.1:4222  where "
                           "the bus is\n"));
    assert_non_null(strstr(c.text,
                           "--lease      SLUICE_LEASE      15s                    silence "
                           "after which a run goes to another (from 5s to 1h)\n"));
    assert_non_null(strstr(c.text, "--streams    SLUICE_STREAMS    -                      who "
                                   "makes the streams (self|verify|none)\n"));
    assert_non_null(strstr(c.text, "SLUICE_CONSOLE    off                    serve"));
}

static void help_is_given_even_beside_something_wrong(void **state)
{
    (void)state;
    struct child c = load_in_child(STDOUT_FILENO, "--slots=x", "--help");

    assert_int_equal(WEXITSTATUS(c.status), 0);
    assert_non_null(strstr(c.text, "--slots"));
}

static void every_wrong_setting_is_one_line_and_the_exit_is_2(void **state)
{
    (void)state;

    setenv("SLUICE_LEASE", "soon", 1);
    struct child c = load_in_child(STDERR_FILENO, "--slots=x", "--check");

    assert_int_equal(WEXITSTATUS(c.status), 2);
    assert_string_equal(
        c.text,
        "sluice-test: --slots \"x\" cannot be read; write a whole number such as 100, from 1 "
        "to "
        "1000000\n"
        "sluice-test: SLUICE_LEASE \"soon\" cannot be read; write a duration such as 250ms, "
        "90s, 5m, 24h or 7d, from 5s to 1h\n");
}

static char logged[4096];

static void remember(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self;
    (void)message;
    size_t len = strlen(logged);

    assert_int_equal(level, LOG_LEVEL_INFO);
    str_format(logged + len, sizeof(logged) - len, "%s\n", strstr(line, "msg="));
}

static void log_what_was_read(const char *const *arguments)
{
    struct both b                      = {0};
    const struct config_table tables[] = {{SHARED_KEYS, &b.shared}, {OWN_KEYS, &b.own}};

    logged[0] = '\0';
    assert_false(failed(read_from(&b, arguments)));
    log_sink(remember, NULL);
    config_log(tables, 2);
    log_sink(NULL, NULL);
}

static void only_what_is_not_the_default_is_logged(void **state)
{
    (void)state;

    log_what_was_read((const char *const[]){NULL});
    assert_string_equal(logged, "");
    log_what_was_read((const char *const[]){"--input-max=0", NULL});
    assert_string_equal(logged, "msg=setting key=SLUICE_INPUT_MAX to=0\n");
    log_what_was_read((const char *const[]){"--lease=90000ms", "--input-max=1048576",
                                            "--console", "--slots=500", "--pool=eu", NULL});
    assert_string_equal(logged, "msg=setting key=SLUICE_POOL to=eu\n"
                                "msg=setting key=SLUICE_LEASE to=90s\n"
                                "msg=setting key=SLUICE_INPUT_MAX to=1MiB\n"
                                "msg=setting key=SLUICE_CONSOLE to=on\n");
}

static void password_in_a_url_is_not_logged(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *to;
    } CASES[] = {
        {"nats://ann:secret@bus:4222", "nats://***@bus:4222"},
        {"nats://s:se@cret@bus", "nats://***@bus"},
        {"tls://token@bus", "tls://***@bus"},
        {"nats://bus:4222", "nats://bus:4222"},
        {"nats://bus/a@b", "nats://bus/a@b"},
    };
    char flag[64], wanted[96];

    for (size_t i = 0; i < COUNT(CASES); i++) {
        str_format(flag, sizeof(flag), "--nats-url=%s", CASES[i].url);
        log_what_was_read((const char *const[]){flag, NULL});
        str_format(wanted, sizeof(wanted), "msg=setting key=NATS_URL to=%s\n", CASES[i].to);
        assert_string_equal(logged, wanted);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, clean_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_hold_when_nothing_is_said),
        TEST(environment_wins_over_the_default),
        TEST(flag_wins_over_the_environment),
        TEST(last_flag_wins),
        TEST(bad_environment_is_forgiven_when_a_flag_overrides_it),
        TEST(empty_variable_counts_as_not_set),
        TEST(empty_flag_is_an_empty_string),
        TEST(name_in_two_tables_sets_both),
        TEST(value_may_hold_equals_signs_and_dashes),
        TEST(bool_flag_takes_a_word_or_stands_alone),
        TEST(bounds_are_part_of_the_range),
        TEST(flag_is_the_name_in_lower_case_without_our_prefix),
        TEST(default_may_lie_outside_its_bounds),
        TEST(complaint_names_setting_value_and_remedy),
        TEST(complaint_names_the_variable_when_it_came_from_there),
        TEST(hostile_value_cannot_leave_its_quotes),
        TEST(control_characters_of_two_bytes_are_not_shown),
        TEST(value_is_never_cut_within_a_character),
        TEST(endless_value_is_shown_in_part),
        TEST(endless_flag_is_no_flag),
        TEST(one_wrong_setting_leaves_all_untouched),
        TEST(reason_that_does_not_fit_is_cut),
        TEST(good_configuration_lets_the_caller_go_on),
        TEST(check_is_told_to_the_caller),
        TEST(version_is_program_and_number),
        TEST(help_shows_flag_variable_default_and_meaning),
        TEST(help_is_given_even_beside_something_wrong),
        TEST(every_wrong_setting_is_one_line_and_the_exit_is_2),
        TEST(only_what_is_not_the_default_is_logged),
        TEST(password_in_a_url_is_not_logged),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
