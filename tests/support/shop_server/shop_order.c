#include "shop_server/shop_order.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ORDERS_MAX = 4096, WORD_MAX = 64 };

struct order {
    char key[WORD_MAX + 1], sku[WORD_MAX + 1], at[32];
    unsigned count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards both */
static struct order orders[ORDERS_MAX];
static unsigned order_count;

static bool is_word(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return len > 0 && len <= WORD_MAX && s[len] == '\0';
}

static struct order *find(const char *key)
{
    for (unsigned i = 0; i < order_count; i++)
        if (strcmp(orders[i].key, key) == 0)
            return &orders[i];
    return order_count < ORDERS_MAX ? &orders[order_count++] : NULL;
}

bool shop_order_place(const char *key, const char *sku)
{
    time_t now = time(NULL);
    struct tm at;

    if (!is_word(key) || !is_word(sku))
        return false;
    pthread_mutex_lock(&lock);
    struct order *order = find(key);
    if (order) {
        snprintf(order->key, sizeof order->key, "%s", key);
        snprintf(order->sku, sizeof order->sku, "%s", sku);
        strftime(order->at, sizeof order->at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &at));
        order->count++;
    }
    pthread_mutex_unlock(&lock);
    return order != NULL;
}

static void write_json(FILE *to)
{
    unsigned total = 0;

    for (unsigned i = 0; i < order_count; i++)
        total += orders[i].count;
    fprintf(to, "{\"total\":%u,\"orders\":[", total);
    for (unsigned i = 0; i < order_count; i++)
        fprintf(to, "%s{\"key\":\"%s\",\"sku\":\"%s\",\"count\":%u,\"at\":\"%s\"}",
                i ? "," : "", orders[i].key, orders[i].sku, orders[i].count, orders[i].at);
    fputs("]}\n", to);
}

static void write_page(FILE *to)
{
    fputs("<!doctype html><html lang=en><title>Orders</title><link rel=stylesheet "
          "href=/shop.css><h1>Your orders</h1><table>\n",
          to);
    for (unsigned i = 0; i < order_count; i++)
        fprintf(to,
                "<tr class=order><td class=id>%s<td class=sku>%s<td class=count>%u<td "
                "class=at>%s\n",
                orders[i].key, orders[i].sku, orders[i].count, orders[i].at);
    fputs("</table></html>\n", to);
}

static char *written(void (*write)(FILE *to))
{
    char *text  = NULL;
    size_t size = 0;
    FILE *to    = open_memstream(&text, &size);

    if (!to)
        abort();
    pthread_mutex_lock(&lock);
    write(to);
    pthread_mutex_unlock(&lock);
    fclose(to);
    return text;
}

char *shop_order_json(void)
{
    return written(write_json);
}

char *shop_order_page(void)
{
    return written(write_page);
}
