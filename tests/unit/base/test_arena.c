#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static void pieces_do_not_overlap(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();
    unsigned char *pieces[1000];

    for (size_t i = 0; i < 1000; i++) {
        pieces[i] = arena_zero(arena, i);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 1000; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i & 0xff);
}

static void every_piece_is_aligned_for_any_type(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();

    for (size_t i = 0; i < 300; i++)
        assert_int_equal((uintptr_t)arena_zero(arena, i) % alignof(max_align_t), 0);
}

static void memory_is_zero_again_after_a_reset(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();
    static const unsigned char ZERO[512];

    memset(arena_zero(arena, 512), 0xff, 512);
    arena_reset(arena);
    assert_memory_equal(arena_zero(arena, 512), ZERO, 512);
}

static void reset_forgets_a_giant(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();

    arena_zero(arena, 10);
    arena_zero(arena, 16 << 20);
    assert_true(arena_size(arena) > 16 << 20);
    arena_reset(arena);
    assert_true(arena_size(arena) < 128 << 10);
}

static void resetting_in_a_loop_does_not_grow(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();
    size_t size                          = 0;

    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 100; i++)
            arena_zero(arena, 300);
        if (round == 10)
            size = arena_size(arena);
        arena_reset(arena);
    }
    for (int i = 0; i < 100; i++)
        arena_zero(arena, 300);
    assert_true(arena_size(arena) <= size);
}

static void empty_arena_holds_nothing(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();

    assert_int_equal(arena_size(arena), 0);
    arena_reset(arena);
    assert_int_equal(arena_size(arena), 0);
}

static void free_accepts_null(void **state)
{
    (void)state;
    struct arena *none = NULL;

    arena_free(&none);
    assert_null(none);
}

static void strings_are_copies(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();
    char from[]                          = "session";
    const char *whole                    = arena_strdup(arena, from);
    const char *part                     = arena_strndup(arena, from, 4);

    memset(from, '#', sizeof(from) - 1);
    assert_string_equal(whole, "session");
    assert_string_equal(part, "sess");
    assert_string_equal(arena_strndup(arena, "a\0b", 3), "a");
    assert_string_equal(arena_printf(arena, "%s/%d", "run", 7), "run/7");
    assert_null(arena_strdup(arena, NULL));
}

static void strings_do_not_overlap(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();
    static char from[100];
    char *copies[100];

    memset(from, 'x', sizeof(from));
    for (size_t len = 0; len < 100; len++)
        copies[len] = arena_strndup(arena, from, len);
    for (size_t len = 0; len < 100; len++)
        assert_int_equal(strlen(copies[len]), len);
}

static void bytes_keep_their_zeros(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();
    struct bytes copy                    = arena_bytes(arena, bytes_of("a\0b", 3));

    assert_true(bytes_equal(copy, bytes_of("a\0b", 3)));
    assert_int_equal(arena_bytes(arena, bytes_of(NULL, 0)).len, 0);
}

static void array_that_overflows_is_a_bug(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *arena = arena_new();

    expect_assert_failure(arena_array(arena, SIZE_MAX / 4, 5));
    expect_assert_failure(arena_array(arena, SIZE_MAX, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(every_piece_is_aligned_for_any_type),
        cmocka_unit_test(memory_is_zero_again_after_a_reset),
        cmocka_unit_test(reset_forgets_a_giant),
        cmocka_unit_test(resetting_in_a_loop_does_not_grow),
        cmocka_unit_test(empty_arena_holds_nothing),
        cmocka_unit_test(free_accepts_null),
        cmocka_unit_test(strings_are_copies),
        cmocka_unit_test(strings_do_not_overlap),
        cmocka_unit_test(bytes_keep_their_zeros),
        cmocka_unit_test(array_that_overflows_is_a_bug),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
