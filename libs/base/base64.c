#include "base/base64.h"

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct bytes text, uint8_t *to, size_t *ret_len)
{
    uint32_t bits = 0;
    size_t len    = text.len;
    size_t used   = 0;

    if (len % 4 != 0)
        return false;
    for (int n = 0; n < 2 && len > 0 && text.at[len - 1] == '='; n++)
        len--;
    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int d = digit(text.at[i]);

        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 != 0)
            to[used++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_len = used;
    return true;
}

void base64_encode_url(struct bytes from, char *to)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < from.len; i += 3) {
        size_t left   = from.len - i;
        uint32_t bits = (uint32_t)from.at[i] << 16;

        bits |= left > 1 ? (uint32_t)from.at[i + 1] << 8 : 0;
        bits |= left > 2 ? from.at[i + 2] : 0;
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *to = '\0';
}
