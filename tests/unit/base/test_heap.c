#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static struct heap_node *shift(struct heap *h)
{
    struct heap_node *first = heap_first(h);

    if (first)
        heap_remove(h, first);
    return first;
}

struct timer {
    int name;
    uint64_t came; /* what the model knows: when it was last put */
    struct heap_node node;
};

enum { MANY = 10000 };

/* splitmix64: the same numbers in each run, so that a failure can be looked at twice. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void must_be_a_heap(const struct heap *h)
{
    for (size_t i = 1; i <= h->count; i++) {
        const struct heap_node *node   = h->nodes[i - 1];
        const struct heap_node *parent = h->nodes[i / 2 > 0 ? i / 2 - 1 : 0];

        assert_int_equal(node->at, i);
        assert_true(parent->key <= node->key);
    }
}

static void empty_heap_has_no_first(void **state)
{
    (void)state;
    struct heap h;

    heap_init(&h);
    assert_null(heap_first(&h));
    assert_null(shift(&h));
    heap_deinit(&h);
}

static void equal_keys_leave_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct timer timers[100] = {{0}};
    struct heap h;

    heap_init(&h);
    for (int i = 0; i < 100; i++) {
        timers[i].name = i;
        heap_put(&h, &timers[i].node, 7);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(HEAP_OWNER(shift(&h), struct timer, node)->name, i);
    heap_deinit(&h);
}

static void node_put_again_at_its_key_keeps_its_place(void **state)
{
    (void)state;
    struct timer a = {0}, b = {0};
    struct heap h;

    heap_init(&h);
    heap_put(&h, &a.node, 7);
    heap_put(&h, &b.node, 7);
    heap_put(&h, &a.node, 7);
    assert_int_equal(h.count, 2);
    assert_ptr_equal(heap_first(&h), &a.node);
    heap_deinit(&h);
}

static void removing_what_is_not_in_does_nothing(void **state)
{
    (void)state;
    struct timer in = {0}, out = {0};
    struct heap h;

    heap_init(&h);
    heap_put(&h, &in.node, 1);
    heap_remove(&h, &out.node);
    assert_int_equal(h.count, 1);
    heap_remove(&h, &in.node);
    heap_remove(&h, &in.node);
    assert_int_equal(h.count, 0);
    assert_false(heap_has(&in.node));
    heap_deinit(&h);
}

static void node_of_another_heap_is_a_bug(void **state)
{
    (void)state;
    struct timer a = {0}, b = {0};
    struct heap one, two;

    heap_init(&one);
    heap_init(&two);
    heap_put(&one, &a.node, 1);
    heap_put(&two, &b.node, 1);
    expect_assert_failure(heap_remove(&two, &a.node));
    expect_assert_failure(heap_put(&two, &a.node, 3));
    heap_deinit(&one);
    heap_deinit(&two);
}

static int by_key_then_coming(const void *a, const void *b)
{
    const struct timer *x = *(struct timer *const *)a;
    const struct timer *y = *(struct timer *const *)b;

    if (x->node.key != y->node.key)
        return x->node.key < y->node.key ? -1 : 1;
    return x->came < y->came ? -1 : x->came > y->came;
}

/* Keys are few, so that ties are many. */
static void put_at_random(struct heap *h, struct timer *t, uint64_t *seed, uint64_t *clock)
{
    uint64_t key = next_random(seed) % 500;

    if (!heap_has(&t->node) || t->node.key != key)
        t->came = (*clock)++;
    heap_put(h, &t->node, key);
}

static void ten_thousand_puts_moves_and_removals_leave_sorted(void **state)
{
    (void)state;
    AUTO(mem_free) struct timer *timers = mem_array(MANY, sizeof(*timers));
    AUTO(mem_free) struct timer **model = mem_array(MANY, sizeof(struct timer *));
    uint64_t seed = 1, clock = 0;
    size_t count = 0;
    struct heap h;

    heap_init(&h);
    for (size_t i = 0; i < MANY; i++)
        put_at_random(&h, &timers[i], &seed, &clock);
    for (size_t i = 0; i < MANY; i++) {
        struct timer *t = &timers[next_random(&seed) % MANY];

        if (next_random(&seed) % 2)
            put_at_random(&h, t, &seed, &clock);
        else
            heap_remove(&h, &t->node);
    }
    must_be_a_heap(&h);

    for (size_t i = 0; i < MANY; i++)
        if (heap_has(&timers[i].node))
            model[count++] = &timers[i];
    qsort(model, count, sizeof(struct timer *), by_key_then_coming);
    assert_int_equal(h.count, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(shift(&h), &model[i]->node);
    assert_int_equal(h.count, 0);
    heap_deinit(&h);
}

static void largest_and_smallest_keys_are_keys(void **state)
{
    (void)state;
    struct timer late = {0}, soon = {0};
    struct heap h;

    heap_init(&h);
    heap_put(&h, &late.node, UINT64_MAX);
    heap_put(&h, &soon.node, 0);
    assert_ptr_equal(shift(&h), &soon.node);
    assert_ptr_equal(shift(&h), &late.node);
    heap_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_heap_has_no_first),
        cmocka_unit_test(equal_keys_leave_in_the_order_in_which_they_came),
        cmocka_unit_test(node_put_again_at_its_key_keeps_its_place),
        cmocka_unit_test(removing_what_is_not_in_does_nothing),
        cmocka_unit_test(node_of_another_heap_is_a_bug),
        cmocka_unit_test(ten_thousand_puts_moves_and_removals_leave_sorted),
        cmocka_unit_test(largest_and_smallest_keys_are_keys),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
