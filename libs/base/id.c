#include "base/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/must.h"

/* Crockford's: no I, L, O, U.  Upper case only: an id is a key, and a key has one spelling. */
static const char ALPHABET[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void fill_random(void *at, size_t len)
{
    ssize_t got = 0;

    do
        got = getrandom(at, len, 0);
    while (got < 0 && errno == EINTR);
    must(got == (ssize_t)len); /* up to 256 bytes are never cut short */
}

/* 128 bits into 26 digits of 5: two more bits than there are, so the first digit is at most
   7. */
static void encode(const uint8_t bits[16], char ret[ID_SIZE])
{
    unsigned held  = 0; /* bits not yet written, right-aligned */
    unsigned count = 2;
    char *to       = ret;

    for (size_t i = 0; i < 16; i++) {
        held = (held << 8 | bits[i]) & 0xfff;
        for (count += 8; count >= 5; count -= 5)
            *to++ = ALPHABET[held >> (count - 5) & 31];
    }
    *to = '\0';
}

void id_new(int64_t wall_ms, char ret[ID_SIZE])
{
    uint64_t ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
    uint8_t bits[16];

    for (size_t i = 0; i < 6; i++)
        bits[i] = (uint8_t)(ms >> (40 - 8 * i));
    fill_random(bits + 6, sizeof(bits) - 6);
    encode(bits, ret);
}

void id_derive(const uint8_t sha256[32], char ret[ID_SIZE])
{
    encode(sha256, ret);
}

bool id_valid(const char *s)
{
    return s && strlen(s) == ID_LEN && strspn(s, ALPHABET) == ID_LEN && s[0] <= '7';
}

uint64_t id_random64(void)
{
    uint64_t ret = 0;

    fill_random(&ret, sizeof(ret));
    return ret;
}
