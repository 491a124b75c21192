#include "cli_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct cli_context context;
static char why[240];

static bool reads(const char *text)
{
    context = (struct cli_context){.url = ""};
    return !failed(cli_context_read(bytes_str(text), &context, why, sizeof(why)));
}

static void url_and_creds_are_taken(void **state)
{
    (void)state;
    assert_true(reads("{\"description\":\"\",\"url\":\"nats://h:1\",\"creds\":\"/x.creds\","
                      "\"user\":\"\",\"token\":\"\"}"));
    assert_string_equal(context.url, "nats://h:1");
    assert_string_equal(context.creds, "/x.creds");
    assert_true(reads("{}"));
    assert_string_equal(context.url, "");
}

static void a_secret_we_do_not_read_is_refused(void **state)
{
    (void)state;
    assert_false(reads("{\"url\":\"nats://h:1\",\"user\":\"bob\",\"password\":\"s3cret\"}"));
    assert_non_null(strstr(why, "\"user\""));
    assert_null(strstr(why, "s3cret"));
    assert_false(reads("nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_and_creds_are_taken),
        cmocka_unit_test(a_secret_we_do_not_read_is_refused),
    };
    return cmocka_run_group_tests_name("cli_context", tests, NULL, NULL);
}
