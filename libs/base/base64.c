#include "base/base64.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

/* OpenSSL trims blanks, and reads = as a digit wherever it stands. */
static bool is_strict(struct bytes text, size_t pad)
{
    return text.len % 4 == 0 && text.len <= INT_MAX && !memchr(text.at, '=', text.len - pad) &&
           text.at[0] > ' ' && text.at[text.len - 1] > ' ';
}

bool base64_decode(struct bytes text, uint8_t *to, size_t *ret_len)
{
    size_t pad = 0;

    *ret_len = 0;
    if (text.len == 0)
        return true;
    while (pad < 2 && pad < text.len && text.at[text.len - 1 - pad] == '=')
        pad++;
    if (!is_strict(text, pad))
        return false;

    int len = EVP_DecodeBlock(to, text.at, (int)text.len);

    if (len < (int)pad)
        return false;
    *ret_len = (size_t)len - pad;
    return true;
}

void base64_encode_url(struct bytes from, char *to)
{
    (void)EVP_EncodeBlock((unsigned char *)to, from.at, (int)from.len);
    for (; *to; to++)
        *to = *to == '+' ? '-' : *to == '/' ? '_' : *to;
}
