#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

struct item {
    int n;
    struct list link;
};

static int n_of(struct list *link)
{
    return LIST_OWNER(link, struct item, link)->n;
}

static void pushed_items_leave_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct item items[5] = {{0}};
    struct list head;

    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].n = i;
        list_push(&head, &items[i].link);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(n_of(list_shift(&head)), i);
    assert_null(list_shift(&head));
    assert_true(list_empty(&head));
}

static void item_pushed_to_the_front_leaves_first(void **state)
{
    (void)state;
    struct item a = {.n = 1}, b = {.n = 2};
    struct list head;

    list_init(&head);
    list_push(&head, &a.link);
    list_push_front(&head, &b.link);
    assert_int_equal(n_of(list_shift(&head)), 2);
    assert_int_equal(n_of(list_shift(&head)), 1);
}

static void removing_what_is_not_in_a_list_does_nothing(void **state)
{
    (void)state;
    struct item zeroed = {0}, initialised = {0}, removed = {0};
    struct list head;

    list_init(&head);
    list_init(&initialised.link);
    list_push(&head, &removed.link);
    list_remove(&removed.link);
    list_remove(&removed.link);
    list_remove(&zeroed.link);
    list_remove(&initialised.link);
    assert_true(list_empty(&head));
}

static void linked_is_true_between_push_and_remove_only(void **state)
{
    (void)state;
    struct item item = {0};
    struct list head;

    list_init(&head);
    assert_false(list_linked(&item.link));
    list_push(&head, &item.link);
    assert_true(list_linked(&item.link));
    list_remove(&item.link);
    assert_false(list_linked(&item.link));
}

static void item_can_be_removed_while_walking(void **state)
{
    (void)state;
    struct item items[10] = {{0}};
    struct list head;
    int sum = 0;

    list_init(&head);
    for (int i = 0; i < 10; i++) {
        items[i].n = i;
        list_push(&head, &items[i].link);
    }
    LIST_EACH_SAFE(&head, it)
    if (n_of(it) % 2 == 0)
        list_remove(it);
    LIST_EACH(&head, it)
    sum += n_of(it);
    assert_int_equal(sum, 1 + 3 + 5 + 7 + 9);
}

static void item_cannot_be_in_two_lists(void **state)
{
    (void)state;
    struct item item = {0};
    struct list one, two;

    list_init(&one);
    list_init(&two);
    list_push(&one, &item.link);
    expect_assert_failure(list_push(&two, &item.link));
    expect_assert_failure(list_push_front(&one, &item.link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushed_items_leave_in_the_order_in_which_they_came),
        cmocka_unit_test(item_pushed_to_the_front_leaves_first),
        cmocka_unit_test(removing_what_is_not_in_a_list_does_nothing),
        cmocka_unit_test(linked_is_true_between_push_and_remove_only),
        cmocka_unit_test(item_can_be_removed_while_walking),
        cmocka_unit_test(item_cannot_be_in_two_lists),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
