#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static void new_memory_is_zero(void **state)
{
    (void)state;
    static const unsigned char ZERO[1000];
    AUTO(mem_free) unsigned char *one  = mem_zero(1000);
    AUTO(mem_free) unsigned char *many = mem_array(10, 100);

    assert_memory_equal(one, ZERO, 1000);
    assert_memory_equal(many, ZERO, 1000);
}

static void nothing_is_a_valid_pointer(void **state)
{
    (void)state;
    AUTO(mem_free) void *zero  = mem_zero(0);
    AUTO(mem_free) void *array = mem_array(0, 8);
    AUTO(mem_free) void *grown = mem_grow(NULL, 0, 8);
    AUTO(mem_free) void *copy  = mem_copy(NULL, 0);

    assert_non_null(zero);
    assert_non_null(array);
    assert_non_null(grown);
    assert_non_null(copy);
}

static void product_that_overflows_is_a_bug_not_a_small_array(void **state)
{
    (void)state;

    expect_assert_failure(mem_array(SIZE_MAX / 2, 3));
    expect_assert_failure(mem_grow(NULL, SIZE_MAX, 2));
    expect_assert_failure(mem_zero(SIZE_MAX));
}

static void growing_keeps_what_was_there(void **state)
{
    (void)state;
    AUTO(mem_free) uint32_t *numbers = NULL;

    for (uint32_t n = 0; n < 1000; n++) {
        numbers    = mem_grow(numbers, n + 1, sizeof(*numbers));
        numbers[n] = n;
    }
    for (uint32_t n = 0; n < 1000; n++)
        assert_int_equal(numbers[n], n);
}

static void strdup_of_null_is_null(void **state)
{
    (void)state;

    assert_null(mem_strdup(NULL));
}

static void strndup_ends_at_the_length_or_at_the_zero(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        size_t len;
        const char *to;
    } CASES[] = {
        {"abc", 2, "ab"}, {"abc", 9, "abc"}, {"a\0c", 3, "a"}, {"", 0, ""}, {NULL, 0, ""}};

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        AUTO(mem_free) char *s = mem_strndup(CASES[i].from, CASES[i].len);

        assert_string_equal(s, CASES[i].to);
    }
}

static void printf_gives_a_string_of_any_length(void **state)
{
    (void)state;
    AUTO(mem_free) char *s = mem_printf("%s-%05000d", "run", 7);

    assert_int_equal(strlen(s), 4 + 5000);
    assert_memory_equal(s, "run-000", 7);
}

static void free_nulls_the_pointer(void **state)
{
    (void)state;
    char *s = mem_strdup("gone");

    mem_free(&s);
    assert_null(s);
    mem_free(&s);
    mem_free(NULL);
}

static void take_leaves_null_behind(void **state)
{
    (void)state;
    AUTO(mem_free) char *mine = mem_strdup("moved");
    AUTO(mem_free) char *ours = take(&mine);

    assert_null(mine);
    assert_string_equal(ours, "moved");
}

enum { CAT = 0xca7, DOG = 0xd06 };

struct animal {
    uint32_t magic;
    int legs;
};

static void self_gives_back_what_carries_the_magic(void **state)
{
    (void)state;
    struct animal cat = {CAT, 4};

    assert_ptr_equal(SELF(struct animal, CAT, &cat), &cat);
}

static void self_of_another_kind_is_a_bug(void **state)
{
    (void)state;
    struct animal cat = {CAT, 4};

    expect_assert_failure((void)SELF(struct animal, DOG, &cat));
    expect_assert_failure((void)SELF(struct animal, CAT, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zero),
        cmocka_unit_test(nothing_is_a_valid_pointer),
        cmocka_unit_test(product_that_overflows_is_a_bug_not_a_small_array),
        cmocka_unit_test(growing_keeps_what_was_there),
        cmocka_unit_test(strdup_of_null_is_null),
        cmocka_unit_test(strndup_ends_at_the_length_or_at_the_zero),
        cmocka_unit_test(printf_gives_a_string_of_any_length),
        cmocka_unit_test(free_nulls_the_pointer),
        cmocka_unit_test(take_leaves_null_behind),
        cmocka_unit_test(self_gives_back_what_carries_the_magic),
        cmocka_unit_test(self_of_another_kind_is_a_bug),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
