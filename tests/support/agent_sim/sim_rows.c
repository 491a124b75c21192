#include "agent_sim/sim_rows.h"

#include <stdbool.h>
#include <string.h>

static bool names_any(const char *field, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(field, *words))
            return true;
    return false;
}

static json_t *value_of(const char *field, long row)
{
    static const char *const NUMBERS[] = {"price", "total", "amount", "rating", NULL};
    static const char *const URLS[]    = {"url", "link", "image", "href", NULL};

    if (names_any(field, NUMBERS))
        return json_real((double)row + 0.99);
    if (names_any(field, URLS))
        return json_sprintf("https://shop.example/%s/%ld", field, row);
    if (strncmp(field, "is_", 3) == 0 || strncmp(field, "in_", 3) == 0)
        return json_true();
    return json_sprintf("%s %ld", field, row);
}

json_t *sim_rows_new(const json_t *fields, long count, double missing,
                     struct sim_latency_random *random)
{
    json_t *rows = json_array();

    for (long row = 0; row < count; row++) {
        json_t *object = json_object();

        for (size_t i = 0; i < json_array_size(fields); i++) {
            const char *field = json_string_value(json_array_get(fields, i));

            if (field && !(missing > 0 && sim_latency_chance(random) < missing))
                json_object_set_new(object, field, value_of(field, row));
        }
        json_array_append_new(rows, object);
    }
    return rows;
}
