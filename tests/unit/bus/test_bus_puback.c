#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/bus_puback.h"

static void a_puback_tells_its_sequence(void **state)
{
    struct bus_puback ack;
    (void)state;

    assert_true(bus_puback_read(bytes_str("{\"stream\":\"S\",\"seq\":42}"), &ack));
    assert_int_equal(ack.seq, 42);
    assert_int_equal(ack.code, 0);
    assert_false(ack.duplicate);

    assert_true(bus_puback_read(
        bytes_str("{\"stream\":\"S\", \"domain\":\"hub\", \"duplicate\":true,\"seq\":1}"),
        &ack));
    assert_true(ack.duplicate);
    assert_true(bus_puback_read(
        bytes_str("{\"stream\":\"S\",\"seq\":9,\"batch\":\"x\",\"count\":3}"), &ack));
    assert_int_equal(ack.seq, 9);
}

static void a_counter_tells_its_sum(void **state)
{
    struct bus_puback ack;
    (void)state;

    assert_true(
        bus_puback_read(bytes_str("{\"stream\":\"C\",\"seq\":1,\"val\":\"-17\"}"), &ack));
    assert_int_equal(ack.value, -17);
    assert_true(bus_puback_read(
        bytes_str("{\"stream\":\"C\",\"seq\":1,\"val\":\"99999999999999999999\"}"), &ack));
    assert_int_equal(ack.value, 0);
}

static void a_refusal_tells_code_and_words(void **state)
{
    struct bus_puback ack;
    (void)state;

    assert_true(bus_puback_read(
        bytes_str("{\"error\":{\"code\":400,\"err_code\":10071,"
                  "\"description\":\"wrong last sequence: 5\"},\"stream\":\"S\",\"seq\":0}"),
        &ack));
    assert_int_equal(ack.code, 400);
    assert_int_equal(ack.err_code, 10071);
    assert_string_equal(ack.text, "wrong last sequence: 5");
}

static void what_is_no_answer_is_not_read(void **state)
{
    static const char *const texts[] = {"",
                                        "+OK",
                                        "[]",
                                        "{\"seq\":1",
                                        "{\"error\":{}}",
                                        "{\"error\":\"no\"}",
                                        "{\"error\":{\"code\":0}}",
                                        "{\"error\":{\"code\":400"};
    struct bus_puback ack;
    (void)state;

    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++)
        assert_false(bus_puback_read(bytes_str(texts[n]), &ack));
}

static void each_refusal_has_its_fate(void **state)
{
    static const struct {
        int32_t code, err_code;
        enum err_kind publish, api;
    } cases[] = {
        {400, 10071, ERR_CONFLICT, ERR_CONFLICT}, /* wrong last sequence */
        {400, 10164, ERR_RETRY, ERR_RETRY},       /* somebody else is in flight */
        {503, 10163, ERR_RETRY, ERR_RETRY},
        {409, 10158, ERR_RETRY, ERR_RETRY},
        {503, 10077, ERR_FULL, ERR_FULL}, /* maximum messages, bytes, per subject */
        {500, 10047, ERR_FULL, ERR_FULL}, /* no storage */
        {500, 10028, ERR_FULL, ERR_FULL}, /* no memory */
        {400, 10122, ERR_FULL, ERR_FULL}, /* max_bytes of the account */
        {400, 10002, ERR_FULL, ERR_FULL},
        {400, 10026, ERR_FULL, ERR_FULL},
        {400, 10027, ERR_FULL, ERR_FULL},
        {404, 10059, ERR_RETRY, ERR_ABSENT},  /* no such stream */
        {404, 10014, ERR_RETRY, ERR_ABSENT},  /* no such consumer */
        {404, 10037, ERR_ABSENT, ERR_ABSENT}, /* no such message */
        {400, 10043, ERR_ABSENT, ERR_ABSENT},
        {503, 10008, ERR_RETRY, ERR_RETRY},
        {503, 10023, ERR_RETRY, ERR_RETRY},
        {500, 10009, ERR_RETRY, ERR_RETRY},
        {500, 10118, ERR_RETRY, ERR_RETRY},
        {429, 10167, ERR_RETRY, ERR_RETRY},
        {400, 10148, ERR_CONFLICT, ERR_CONFLICT},
        {400, 10165, ERR_REJECT, ERR_REJECT}, /* no such TTL */
        {400, 10054, ERR_REJECT, ERR_REJECT}, /* too large */
        {400, 10058, ERR_REJECT, ERR_REJECT},
        {500, 10052, ERR_RETRY, ERR_REJECT}, /* configuration not valid */
        {400, 0, ERR_REJECT, ERR_REJECT},
        {599, 99999, ERR_REJECT, ERR_REJECT},
    };
    (void)state;

    for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        assert_int_equal(
            bus_puback_kind(BUS_PUBACK_OF_PUBLISH, cases[n].code, cases[n].err_code),
            cases[n].publish);
        assert_int_equal(bus_puback_kind(BUS_PUBACK_OF_API, cases[n].code, cases[n].err_code),
                         cases[n].api);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_puback_tells_its_sequence),
        cmocka_unit_test(a_counter_tells_its_sum),
        cmocka_unit_test(a_refusal_tells_code_and_words),
        cmocka_unit_test(what_is_no_answer_is_not_read),
        cmocka_unit_test(each_refusal_has_its_fate),
    };
    return cmocka_run_group_tests_name("bus_puback", tests, NULL, NULL);
}
