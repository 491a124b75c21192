#include "cli_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static const char *const OUTCOME[] = {"Sluice-Kind",
                                      "OUTCOME",
                                      "Sluice-Step",
                                      "add_to_cart",
                                      "Sluice-Try",
                                      "1",
                                      "Sluice-Result",
                                      "ok",
                                      "Sluice-Ms",
                                      "8412",
                                      "Sluice-Upstream",
                                      "multion",
                                      "Sluice-Endpoint",
                                      "/web",
                                      "Sluice-Status",
                                      "200",
                                      "Sluice-Worker",
                                      "bw-1",
                                      "Sluice-Note",
                                      "Added \033[2J",
                                      NULL};

static const char *get(const void *self, const char *name)
{
    for (const char *const *pair = self; *pair; pair += 2)
        if (str_equal(pair[0], name))
            return pair[1];
    return NULL;
}

static void made(void (*make)(const struct cli_entry *, struct buf *),
                 const char *const *headers, const char *wanted)
{
    const struct cli_entry entry = {184467, 1763694600120, get, headers};
    struct buf text;

    buf_init(&text, 1 << 16);
    make(&entry, &text);
    assert_string_equal(text.at, wanted);
    buf_deinit(&text);
}

static void a_line_says_time_kind_step_try_result_and_the_rest(void **state)
{
    (void)state;
    made(cli_entry_line, OUTCOME,
         "03:10:00.120 OUTCOME   add_to_cart      1  ok        8412 ms multion /web status 200 "
         "Added \\u001b[2J\n");
}

static void an_entry_without_headers_is_a_line_too(void **state)
{
    static const char *const NONE[] = {NULL};

    (void)state;
    made(cli_entry_line, NONE, "03:10:00.120\n");
    made(cli_entry_json, NONE, "{\"seq\":184467,\"at\":\"2025-11-21T03:10:00.120Z\"}\n");
}

static void json_is_that_of_an_event(void **state)
{
    static const char *const ODD[] = {"Sluice-Kind", "END", "Sluice-Ms", "soon", NULL};

    (void)state;
    made(
        cli_entry_json, OUTCOME,
        "{\"seq\":184467,\"at\":\"2025-11-21T03:10:00.120Z\",\"kind\":\"OUTCOME\",\"step\":"
        "\"add_"
        "to_cart\",\"try\":1,\"result\":\"ok\",\"note\":\"Added \\u001b[2J\",\"ms\":8412,"
        "\"upstream\":\"multion\",\"endpoint\":\"/web\",\"status\":200,\"worker\":\"bw-1\"}\n");
    made(cli_entry_json, ODD,
         "{\"seq\":184467,\"at\":\"2025-11-21T03:10:00.120Z\",\"kind\":\"END\",\"ms\":\"soon\"}"
         "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_time_kind_step_try_result_and_the_rest),
        cmocka_unit_test(an_entry_without_headers_is_a_line_too),
        cmocka_unit_test(json_is_that_of_an_event),
    };
    return cmocka_run_group_tests_name("cli_entry", tests, NULL, NULL);
}
