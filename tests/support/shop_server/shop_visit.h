/*
 * shop_visit - how often each path was asked for, before any delay: how a test knows that a browser waits for an answer.
 */
#ifndef SHOP_VISIT_H
#define SHOP_VISIT_H

void shop_visit_count(const char *path);
unsigned shop_visit_number(const char *path);

#endif
