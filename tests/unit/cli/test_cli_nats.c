#include "cli_nats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char HERE[] = "nats://127.0.0.1:4222";

static void assert_line(struct cli cli, const char *word, const char *wanted)
{
    const char *const words[] = {"req", word, NULL};
    struct buf line;

    buf_init(&line, 4096);
    cli_nats_line(&cli, words, &line);
    assert_string_equal(line.at, wanted);
    buf_deinit(&line);
}

static void a_word_reaches_the_shell_as_it_is(void **state)
{
    struct cli cli = {.server = HERE};

    (void)state;
    assert_line(cli, "sluice.api.get.dev",
                "nats --server nats://127.0.0.1:4222 req sluice.api.get.dev\n");
    assert_line(cli, "", "nats --server nats://127.0.0.1:4222 req ''\n");
    assert_line(cli, "{\"a\":\"it's\"}",
                "nats --server nats://127.0.0.1:4222 req '{\"a\":\"it'\\''s\"}'\n");
    assert_line(cli, "$HOME", "nats --server nats://127.0.0.1:4222 req '$HOME'\n");
}

static void it_says_who_asks(void **state)
{
    (void)state;
    assert_line(
        (struct cli){.server = "tls://n:1,tls://m:1", .creds = "a b.creds", .ca = "ca's.pem"},
        "x",
        "nats --server tls://n:1,tls://m:1 --creds 'a b.creds' --tlsca 'ca'\\''s.pem' req x\n");
}

static void a_password_stays_in_its_file(void **state)
{
    (void)state;
    assert_line((struct cli){.server = HERE, .user_file = "/run/the user"}, "x",
                "nats --server nats://127.0.0.1:4222 --user=\"$(head -n 1 '/run/the user' | "
                "cut -d: -f1)\" "
                "--password=\"$(head -n 1 '/run/the user' | cut -d: -f2-)\" req x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_reaches_the_shell_as_it_is),
        cmocka_unit_test(it_says_who_asks),
        cmocka_unit_test(a_password_stays_in_its_file),
    };
    return cmocka_run_group_tests_name("cli_nats", tests, NULL, NULL);
}
