#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

enum { KEYS = 4000, STEPS = 10000 };

static char things[KEYS]; /* the values: only their addresses matter */

/* splitmix64: the same numbers in each run, so that a failure can be looked at twice. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static const char *key_of(size_t n, char at[32])
{
    snprintf(at, 32, "run-%zu", n);
    return at;
}

static void absent_key_is_not_found(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    assert_null(map_find(map, "a"));
    assert_null(map_remove(map, "a"));
    assert_null(map_find_u64(map, 0));
    assert_null(map_remove_u64(map, 0));
    assert_int_equal(map_count(map), 0);
}

static void put_returns_what_it_replaced(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    assert_null(map_put(map, "a", &things[0]));
    assert_ptr_equal(map_put(map, "a", &things[1]), &things[0]);
    assert_ptr_equal(map_find(map, "a"), &things[1]);
    assert_int_equal(map_count(map), 1);
}

static void empty_string_is_a_key(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    map_put(map, "", &things[1]);
    assert_ptr_equal(map_find(map, ""), &things[1]);
    assert_null(map_find(map, " "));
}

static void zero_and_the_largest_number_are_keys(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    map_put_u64(map, 0, &things[1]);
    map_put_u64(map, UINT64_MAX, &things[2]);
    assert_ptr_equal(map_find_u64(map, 0), &things[1]);
    assert_ptr_equal(map_find_u64(map, UINT64_MAX), &things[2]);
}

static void number_and_string_are_different_keys(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    map_put(map, "7", &things[1]);
    map_put_u64(map, 7, &things[2]);
    map_put_u64(map, '7', &things[3]);
    assert_ptr_equal(map_find(map, "7"), &things[1]);
    assert_ptr_equal(map_find_u64(map, 7), &things[2]);
    assert_int_equal(map_count(map), 3);
}

static void map_keeps_a_copy_of_the_key(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();
    char key[]                     = "tenant";

    map_put(map, key, &things[1]);
    memset(key, '#', sizeof(key) - 1);
    assert_ptr_equal(map_find(map, "tenant"), &things[1]);
}

static void null_is_no_value(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    expect_assert_failure(map_put(map, "a", NULL));
    expect_assert_failure(map_put_u64(map, 1, NULL));
}

/* One step on the map and on an array that says the same. */
static void step(struct map *map, void **model, bool numbers, size_t key, uint64_t action)
{
    char text[32];
    void *value = &things[action % KEYS];
    void *old   = NULL;

    key_of(key, text);
    if (action % 3 == 0) {
        old        = numbers ? map_remove_u64(map, key) : map_remove(map, text);
        value      = model[key];
        model[key] = NULL;
    } else if (action % 3 == 1) {
        old        = numbers ? map_put_u64(map, key, value) : map_put(map, text, value);
        void *was  = model[key];
        model[key] = value;
        value      = was;
    } else {
        old   = numbers ? map_find_u64(map, key) : map_find(map, text);
        value = model[key];
    }
    assert_ptr_equal(old, value);
}

static void compare_with_a_model(bool numbers, size_t keys)
{
    AUTO(map_free) struct map *map = map_new();
    AUTO(mem_free) void **model    = mem_array(keys, sizeof(void *));
    uint64_t seed                  = keys;
    size_t count                   = 0;

    for (size_t i = 0; i < STEPS; i++) {
        size_t key = next_random(&seed) % keys;

        step(map, model, numbers, key, next_random(&seed));
    }
    for (size_t key = 0; key < keys; key++) {
        char text[32];

        assert_ptr_equal(numbers ? map_find_u64(map, key) : map_find(map, key_of(key, text)),
                         model[key]);
        count += model[key] != NULL;
    }
    assert_int_equal(map_count(map), count);
}

static void ten_thousand_random_steps_agree_with_a_model(void **state)
{
    (void)state;
    static const size_t SPREADS[] = {1, 12, 100, KEYS}; /* few keys: many graves */

    for (size_t i = 0; i < sizeof(SPREADS) / sizeof(SPREADS[0]); i++) {
        compare_with_a_model(false, SPREADS[i]);
        compare_with_a_model(true, SPREADS[i]);
    }
}

static void coming_and_going_does_not_wear_it_out(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();

    for (uint64_t n = 0; n < 200000; n++) {
        map_put_u64(map, n, &things[1]);
        if (n >= 10)
            assert_ptr_equal(map_remove_u64(map, n - 10), &things[1]);
    }
    size_t it = 0, slots = 0;
    while (map_next(map, &it, NULL, NULL))
        slots++;
    assert_int_equal(slots, 10);
    assert_true(it <= 64); /* it did not grow: ten entries at a time need no more */
}

static void iterating_visits_each_entry_once(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();
    char seen[KEYS]                = {0};
    void *value                    = NULL;

    for (size_t n = 0; n < KEYS; n++)
        map_put_u64(map, n * 1000003, &things[n]);
    for (size_t it = 0; map_next(map, &it, NULL, &value);)
        seen[(char *)value - things]++;
    for (size_t n = 0; n < KEYS; n++)
        assert_int_equal(seen[n], 1);
}

static void iterating_tells_string_keys_and_null_for_numbers(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();
    const char *key                = NULL;
    void *value                    = NULL;

    map_put(map, "name", &things[1]);
    map_put_u64(map, 5, &things[2]);
    for (size_t it = 0; map_next(map, &it, &key, &value);) {
        if (value == &things[1])
            assert_string_equal(key, "name");
        else
            assert_null(key);
    }
}

static void element_just_visited_may_be_removed(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();
    char seen[KEYS]                = {0};
    const char *key                = NULL;
    void *value                    = NULL;
    char text[32];

    for (size_t n = 0; n < KEYS; n++)
        map_put(map, key_of(n, text), &things[n]);
    for (size_t it = 0; map_next(map, &it, &key, &value);) {
        size_t n = (size_t)((char *)value - things);

        seen[n]++;
        if (n % 3 != 0)
            assert_ptr_equal(map_remove(map, key_of(n, text)), value);
    }
    for (size_t n = 0; n < KEYS; n++) {
        assert_int_equal(seen[n], 1);
        assert_ptr_equal(map_find(map, key_of(n, text)), n % 3 ? NULL : &things[n]);
    }
}

static void key_handed_out_by_next_may_be_removed(void **state)
{
    (void)state;
    AUTO(map_free) struct map *map = map_new();
    const char *key                = NULL;
    char text[32];

    for (size_t n = 0; n < 100; n++)
        map_put(map, key_of(n, text), &things[n]);
    for (size_t it = 0; map_next(map, &it, &key, NULL);)
        assert_non_null(map_remove(map, key));
    assert_int_equal(map_count(map), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_key_is_not_found),
        cmocka_unit_test(put_returns_what_it_replaced),
        cmocka_unit_test(empty_string_is_a_key),
        cmocka_unit_test(zero_and_the_largest_number_are_keys),
        cmocka_unit_test(number_and_string_are_different_keys),
        cmocka_unit_test(map_keeps_a_copy_of_the_key),
        cmocka_unit_test(null_is_no_value),
        cmocka_unit_test(ten_thousand_random_steps_agree_with_a_model),
        cmocka_unit_test(coming_and_going_does_not_wear_it_out),
        cmocka_unit_test(iterating_visits_each_entry_once),
        cmocka_unit_test(iterating_tells_string_keys_and_null_for_numbers),
        cmocka_unit_test(element_just_visited_may_be_removed),
        cmocka_unit_test(key_handed_out_by_next_may_be_removed),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
