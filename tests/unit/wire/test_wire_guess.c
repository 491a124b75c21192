#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/wire_journal.h"
#include "wire/wire_json.h"
#include "wire/wire_permit.h"
#include "wire/wire_ticket.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

static void assert_guess(const char *message, const char *json)
{
    char why[200] = "";
    struct buf body;

    buf_init(&body, 1 << 16);
    assert_false(failed(wire_protobuf_of(message, bytes_str(json), &body, why, sizeof(why))));
    const char *guess = wire_guess(buf_bytes(&body));

    assert_non_null(guess);
    assert_string_equal(guess, message);
    buf_deinit(&body);
}

static void what_passes_by_is_recognized(void **state)
{
    (void)state;
    assert_guess("Entry", "{\"schema\":1,\"kind\":\"cancel\"}");
    assert_guess("Entry", "{\"schema\":1,\"kind\":\"accepted\"}");
    assert_guess("Entry",
                 "{\"schema\":1,\"kind\":\"plan\",\"plan\":{\"tenant\":\"acme\",\"run\":\"" RUN
                 "\"}}");
    assert_guess("Ticket", "{\"schema\":1,\"run\":\"" RUN
                           "\",\"tenant\":\"acme\",\"pool\":\"eu\",\"lane\":\"bulk\"}");
    assert_guess("Job", "{\"ticket\":{\"schema\":1,\"run\":\"" RUN
                        "\",\"tenant\":\"acme\",\"pool\":\"eu\",\"lane\":\"bulk\"}}");
    assert_guess("WorkerStatus", "{\"schema\":1,\"worker\":\"bw-1\",\"pool\":\"eu\"}");
    assert_guess("HoldsAsk", "{\"run\":\"" RUN "\",\"token\":\"00000000000000ff\"}");
    assert_guess("HoldsAnswer", "{\"alive\":true}");
    assert_guess("PermitRequest",
                 "{\"ask\":{\"id\":\"" RUN "\",\"keys\":[{\"name\":\"multion\"}]}}");
    assert_guess("PermitGrant", "{\"id\":\"" RUN "\",\"ok\":true}");
    assert_guess("PermitGrant", "{\"id\":\"" RUN "\",\"why\":\"upstream_rate\"}");
    assert_guess("PermitRequest",
                 "{\"report\":{\"id\":\"" RUN "\",\"name\":\"multion\",\"status\":200}}");
    assert_guess("GrantBatch",
                 "{\"schema\":1,\"snapshot\":true,\"epoch\":7,\"part\":1,\"parts\":1}");
    assert_guess("GrantBatch",
                 "{\"schema\":1,\"epoch\":7,\"records\":[{\"op\":\"grant\",\"id\":\"" RUN
                 "\"}]}");
    assert_guess("Submit", "{\"flow\":\"hn\",\"input\":{\"n\":5},\"key\":\"k\"}");
    assert_guess(
        "SubmitAnswer",
        "{\"run_id\":\"" RUN
        "\",\"status\":\"queued\",\"created\":true,\"watch\":\"sluice.watch.acme.x\"}");
    assert_guess("Accepted",
                 "{\"run_id\":\"" RUN "\",\"status\":\"running\",\"accepted\":true}");
    assert_guess("Run",
                 "{\"run_id\":\"" RUN "\",\"flow\":\"hn@3\",\"status\":\"done\",\"tries\":1}");
    assert_guess("Which", "{\"run_id\":\"" RUN "\"}");
    assert_guess("Which", "{\"key\":\"nightly-42\",\"timeout\":\"20s\"}");
    assert_guess("Cancel", "{\"run_id\":\"" RUN "\",\"reason\":\"customer asked\"}");
    assert_guess(
        "Problem",
        "{\"type\":\"https://sluice.dev/docs/errors#busy\",\"status\":409,\"code\":\"busy\"}");
}

static void what_is_nothing_of_ours_is_not_guessed(void **state)
{
    static const char *const STRANGERS[] = {"", "{}", "[1]", "hello", RUN, "\xff\xff", "\x08"};

    (void)state;
    for (size_t i = 0; i < sizeof(STRANGERS) / sizeof(*STRANGERS); i++)
        assert_null(wire_guess(bytes_str(STRANGERS[i])));
    assert_null(
        wire_guess(bytes_of("\x08\x01\x10\x0e\xba\x06\x01x", 8))); /* a field we do not know */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_by_is_recognized),
        cmocka_unit_test(what_is_nothing_of_ours_is_not_guessed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
