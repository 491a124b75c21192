#include "bus/bus_meta.h"

enum { TOKEN_MAX = 13, SHORT = 9, LONG = 11 };

bool bus_meta_u64(struct bytes text, uint64_t *ret)
{
    uint64_t n = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.at[i] - '0';

        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

static unsigned split(const char *text, struct bytes tokens[TOKEN_MAX])
{
    unsigned count = 0;

    for (const char *at = text; count < TOKEN_MAX;) {
        size_t len      = strcspn(at, ".");
        tokens[count++] = bytes_of(at, len);
        if (at[len] == '\0')
            return count;
        at += len + 1;
    }
    return 0;
}

bool bus_meta_read(const char *reply, struct bus_meta *ret)
{
    struct bytes t[TOKEN_MAX];
    struct bus_meta meta;
    uint64_t deliveries, ns;

    if (!reply || strncmp(reply, "$JS.ACK.", 8) != 0)
        return false;
    unsigned count = split(reply, t);
    if (count != SHORT && count < LONG)
        return false;

    const struct bytes *from = &t[count == SHORT ? 2 : 4];
    if (!bus_meta_u64(from[2], &deliveries) || !bus_meta_u64(from[3], &meta.seq) ||
        !bus_meta_u64(from[4], &meta.consumer_seq) || !bus_meta_u64(from[5], &ns) ||
        !bus_meta_u64(from[6], &meta.pending))
        return false;
    meta.stream     = from[0];
    meta.consumer   = from[1];
    meta.deliveries = deliveries > UINT32_MAX ? UINT32_MAX : (uint32_t)deliveries;
    meta.stored_ms  = (int64_t)(ns / 1000000);
    *ret            = meta;
    return true;
}
