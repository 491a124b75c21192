#include "json/json_internal.h"

#include "base/str.h"

#include <string.h>

struct json_place json_place_at(char *at, size_t size)
{
    at[0] = '\0';
    return (struct json_place){.at = at, .size = size};
}

/* What is too far down to be told leaves len at size, so that nothing is added until one is out of it again: the
   pointer then names what is above. */
static void add(struct json_place *p, const char *at, size_t len)
{
    if (len >= p->size - p->len) {
        p->len = p->size;
        return;
    }
    memcpy(p->at + p->len, at, len);
    p->len += len;
    p->at[p->len] = '\0';
}

size_t json_place_in(struct json_place *p, const char *key)
{
    size_t before = p->len;

    add(p, "/", 1);
    for (; *key; key++) {
        if (*key == '~' || *key == '/')
            add(p, *key == '~' ? "~0" : "~1", 2);
        else
            add(p, key, 1);
    }
    if (p->len == p->size && before < p->size)
        p->at[before] = '\0';
    return before;
}

size_t json_place_nth(struct json_place *p, size_t n)
{
    char text[24];

    str_format(text, sizeof text, "%zu", n);
    return json_place_in(p, text);
}

void json_place_out(struct json_place *p, size_t len)
{
    p->len = len;
    if (len < p->size)
        p->at[len] = '\0';
}
