#include "run/run_trace.h"

#include <string.h>

#include "base/str.h"

enum { TRACE_AT = 3, TRACE_LEN = 32, SPAN_AT = 36, SPAN_LEN = 16, FLAGS_AT = 53, LEN = 55 };

/* Lower case, and not zeros only, which mean "none". */
static bool is_id(const char *at, size_t len)
{
    return strspn(at, "0123456789abcdef") >= len && strspn(at, "0") < len;
}

bool run_trace_valid(const char *parent)
{
    return parent && strlen(parent) == LEN && str_starts(parent, "00-") &&
           is_id(parent + TRACE_AT, TRACE_LEN) && parent[SPAN_AT - 1] == '-' &&
           is_id(parent + SPAN_AT, SPAN_LEN) && parent[FLAGS_AT - 1] == '-' &&
           strspn(parent + FLAGS_AT, "0123456789abcdef") == 2;
}

void run_trace_of(const char *parent, const uint64_t random[3], char ret[RUN_TRACE_SIZE])
{
    char high[17], low[17], span[17];

    (void)str_hex64(random[2] | 1, span);
    if (run_trace_valid(parent))
        str_format(ret, RUN_TRACE_SIZE, "%.35s-%s-%s", parent, span, parent + FLAGS_AT);
    else
        str_format(ret, RUN_TRACE_SIZE, "00-%s%s-%s-01", str_hex64(random[0], high),
                   str_hex64(random[1] | 1, low), span);
}
