#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

static void new_id_is_valid_and_begins_with_its_time(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *begins;
    } CASES[] = {
        {0, "0000000000"},
        {1, "0000000001"},
        {1469918176385, "01ARYZ6S41"}, /* the example of the ULID specification */
        {(INT64_C(1) << 48) - 1, "7ZZZZZZZZZ"},
        {-5, "0000000000"}, /* before 1970: no such ULID */
    };
    char id[ID_SIZE];

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        id_new(CASES[i].wall_ms, id);
        assert_true(id_valid(id));
        assert_memory_equal(id, CASES[i].begins, 10);
    }
}

static void later_ids_sort_behind_earlier_ones(void **state)
{
    (void)state;
    char early[ID_SIZE], late[ID_SIZE];

    for (int64_t ms = 1; ms < INT64_C(1) << 47; ms *= 3) {
        id_new(ms, early);
        id_new(ms + 1, late);
        assert_true(strcmp(early, late) < 0);
    }
}

static void ten_thousand_ids_of_one_millisecond_differ(void **state)
{
    (void)state;
    AUTO(map_free) struct map *seen = map_new();
    char id[ID_SIZE];

    for (int i = 0; i < 10000; i++) {
        id_new(1469918176385, id);
        assert_null(map_put(seen, id, seen));
    }
}

static void derived_id_is_the_first_128_bits(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[32];
        const char *id;
    } CASES[] = {
        {{0}, "00000000000000000000000000"},
        {{[15] = 1}, "00000000000000000000000001"},
        {{[15] = 33}, "00000000000000000000000011"},
        {{0x80}, "40000000000000000000000000"},
        {{[16] = 0xff}, "00000000000000000000000000"}, /* beyond the 128 bits */
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff},
         "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
    };
    char id[ID_SIZE];

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        id_derive(CASES[i].bytes, id);
        assert_string_equal(id, CASES[i].id);
        assert_true(id_valid(id));
    }
}

static void id_has_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool valid;
    } CASES[] = {
        {"01ARYZ6S41TSV4RRFFQ69G5FAV", true},
        {"7ZZZZZZZZZZZZZZZZZZZZZZZZZ", true},
        {"80000000000000000000000000", false}, /* more than 128 bits */
        {"01aryz6s41tsv4rrffq69g5fav", false},
        {"01ARYZ6S41TSV4RRFFQ69G5FA", false},
        {"01ARYZ6S41TSV4RRFFQ69G5FAV0", false},
        {"01ARYZ6S41TSV4RRFFQ69G5FAI", false},
        {"01ARYZ6S41TSV4RRFFQ69G5FAL", false},
        {"01ARYZ6S41TSV4RRFFQ69G5FAO", false},
        {"01ARYZ6S41TSV4RRFFQ69G5FAU", false},
        {"01ARYZ6S41TSV4RRFFQ69G5F.V", false},
        {"", false},
        {NULL, false},
    };

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_int_equal(id_valid(CASES[i].id), CASES[i].valid);
}

static void random_numbers_use_every_bit(void **state)
{
    (void)state;
    uint64_t ones = 0, zeros = 0;

    for (int i = 0; i < 200; i++) {
        uint64_t n = id_random64();

        ones |= n;
        zeros |= ~n;
    }
    assert_true(ones == UINT64_MAX);
    assert_true(zeros == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_id_is_valid_and_begins_with_its_time),
        cmocka_unit_test(later_ids_sort_behind_earlier_ones),
        cmocka_unit_test(ten_thousand_ids_of_one_millisecond_differ),
        cmocka_unit_test(derived_id_is_the_first_128_bits),
        cmocka_unit_test(id_has_one_spelling),
        cmocka_unit_test(random_numbers_use_every_bit),
    };
    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
