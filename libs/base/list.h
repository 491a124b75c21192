/*
 * list - an intrusive doubly linked list; the link is embedded in the element.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_OWNER(link, T, field) ((T *)(void *)((char *)(link)-offsetof(T, field)))
#define LIST_EACH(head, it) for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_EACH_SAFE(head, it) \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); \
         it = it##_next, it##_next = it->next)

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}
static inline bool list_linked(const struct list *link)
{
    return link->next != NULL && link->next != link;
}
void list_push(struct list *head, struct list *link); /* at the tail; must not be linked */
void list_push_front(struct list *head, struct list *link);
void list_remove(struct list *link); /* safe on an unlinked, initialised or zeroed link */
struct list *list_shift(struct list *head); /* the first, unlinked; NULL if empty */

#endif
