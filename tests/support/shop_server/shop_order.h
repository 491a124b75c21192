/*
 * shop_order - the orders, counted by key: what a test judges by, whatever the client believes.
 */
#ifndef SHOP_ORDER_H
#define SHOP_ORDER_H

#include <stdbool.h>

/* False: such a key or sku cannot be (letters, digits, - and _, at most 64), or there is no room. */
bool shop_order_place(const char *key, const char *sku);

/* A text to be freed: {"total":3,"orders":[{"key":"k1","sku":"TS-001","count":3,"at":"2026-11-21T03:10:00Z"}]}, or a page
   with the same in rows (tr.order: .id .sku .count .at). */
char *shop_order_json(void);
char *shop_order_page(void);

#endif
