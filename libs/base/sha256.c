#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/mem.h"

struct sha256 {
    EVP_MD_CTX *ctx;
};

/* OpenSSL fails here only without memory or without its own default provider: neither is a
   state to go on in. */
struct sha256 *sha256_new(void)
{
    struct sha256 *s = mem_new(struct sha256);

    s->ctx = EVP_MD_CTX_new();
    must(s->ctx != NULL);
    must(EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) == 1);
    return s;
}

void sha256_add(struct sha256 *s, const void *at, size_t len)
{
    if (len > 0)
        must(EVP_DigestUpdate(s->ctx, at, len) == 1);
}

void sha256_end(struct sha256 **slot, uint8_t ret[32])
{
    struct sha256 *s = take(slot);

    must(EVP_DigestFinal_ex(s->ctx, ret, NULL) == 1);
    EVP_MD_CTX_free(s->ctx);
    mem_free(&s);
}
