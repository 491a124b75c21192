#include "run/run_id.h"

#include <string.h>

#include "base/id.h"
#include "base/sha256.h"
#include "base/str.h"

void run_id_of_body(const char *tenant, const struct json *request, char ret[65])
{
    static const char *const key_fields[] = {"key", "job_id"};
    struct json *copy                     = json_copy(request);
    struct buf text;
    uint8_t digest[32];

    for (size_t i = 0; i < 2; i++)
        json_unset(copy, key_fields[i]);
    buf_init(&text, 4 << 20);
    json_print_sorted(copy, &text);
    struct sha256 *sha = sha256_new();
    sha256_add(sha, tenant, strlen(tenant) + 1);
    sha256_add(sha, text.at, text.len);
    sha256_end(&sha, digest);
    for (size_t i = 0; i < 32; i++)
        str_format(ret + 2 * i, 3, "%02x", digest[i]);
    buf_deinit(&text);
    json_free(&copy);
}

void run_id_for(const char *tenant, const char *key, int64_t wall_ms, char *ret)
{
    uint8_t digest[32];

    if (!key || !*key) {
        id_new(wall_ms, ret);
        return;
    }
    struct sha256 *sha = sha256_new();
    sha256_add(sha, tenant, strlen(tenant) + 1);
    sha256_add(sha, key, strlen(key));
    sha256_end(&sha, digest);
    id_derive(digest, ret);
}
