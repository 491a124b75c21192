#include "wire/wire_name.h"

#include <string.h>

#include "base/id.h"
#include "base/str.h"
#include "wire/wire_ticket.h"

static bool is_empty(const char *s)
{
    return !s || *s == '\0';
}

bool wire_name_or_empty(const char *s)
{
    return is_empty(s) || str_is_name(s);
}

bool wire_id_or_empty(const char *s)
{
    return is_empty(s) || id_valid(s);
}

bool wire_lane_or_empty(const char *s)
{
    return is_empty(s) || lane_of(s) != LANE_NONE;
}

bool wire_flow_or_empty(const char *s)
{
    if (is_empty(s))
        return true;
    size_t len = strcspn(s, "@");

    return str_is_name_n(s, len) && (s[len] == '\0' || str_is_name(s + len + 1));
}
