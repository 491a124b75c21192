#include "base/list.h"

#include "base/must.h"

static void link_between(struct list *link, struct list *prev, struct list *next)
{
    must(!list_linked(link));
    link->prev = prev;
    link->next = next;
    prev->next = link;
    next->prev = link;
}

void list_push(struct list *head, struct list *link)
{
    link_between(link, head->prev, head);
}

void list_push_front(struct list *head, struct list *link)
{
    link_between(link, head, head->next);
}

void list_remove(struct list *link)
{
    if (!list_linked(link))
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

struct list *list_shift(struct list *head)
{
    struct list *first = head->next;

    if (list_empty(head))
        return NULL;
    list_remove(first);
    return first;
}
