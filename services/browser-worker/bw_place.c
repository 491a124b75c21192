#include "bw_place.h"

#include <string.h>

#include "base/str.h"

static const char DNS[]     = "dns+http://";
static const char PORT_80[] = "80";

static struct err refuse(char *why, size_t why_size, const char *where)
{
    str_format(
        why, why_size,
        "\"%.120s\" is no place; write http://HOST[:PORT][/PATH] or dns+http://NAME[:PORT]",
        where);
    return err_of(ERR_REJECT, "read place");
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text == 0x7f || strchr("?#@", *text))
            return false;
    return true;
}

static bool is_port(const char *text)
{
    uint64_t port = 0;

    return !failed(str_u64(text, &port)) && port > 0 && port <= 65535;
}

/* "browser:9515/wd/hub".  An address in brackets is no name: it is one place. */
static bool read_name(struct bw_place_name *ret, const char *at)
{
    size_t host = strcspn(at, ":/");

    if (host == 0 || *at == '[' || !str_copy_n(ret->host, sizeof ret->host, at, host))
        return false;
    at += host;
    str_copy(ret->port, sizeof ret->port, PORT_80);
    if (*at == ':') {
        size_t port = strcspn(++at, "/");
        if (!str_copy_n(ret->port, sizeof ret->port, at, port) || !is_port(ret->port))
            return false;
        at += port;
    }
    size_t path = strlen(at);
    while (path > 0 && at[path - 1] == '/')
        path--;
    return str_copy_n(ret->path, sizeof ret->path, at, path);
}

struct err bw_place_read(struct bw_place_name *ret, const char *where, char *why,
                         size_t why_size)
{
    struct bw_place_name name = {0};
    const char *host          = strstr(where, "://");
    bool is_dns               = str_starts(where, DNS);
    bool is_url               = str_starts(where, "http://") || str_starts(where, "https://");

    if (!is_plain(where) || strlen(where) >= BW_PLACE_SIZE || (!is_dns && !is_url) ||
        !host[3] || host[3] == '/' || (is_dns && !read_name(&name, where + strlen(DNS))))
        return refuse(why, why_size, where);
    *ret = name;
    return OK;
}

bool bw_place_write(const struct bw_place_name *name, const char *address,
                    char ret[BW_PLACE_SIZE])
{
    bool is_v6 = strchr(address, ':') != NULL;

    return str_format(ret, BW_PLACE_SIZE, "http://%s%s%s:%s%s", is_v6 ? "[" : "", address,
                      is_v6 ? "]" : "", name->port, name->path);
}

size_t bw_place_choose(const size_t *taken, size_t count, size_t most, uint64_t random)
{
    size_t least = most, alike = 0;

    for (size_t i = 0; i < count; i++) {
        if (taken[i] < least) {
            least = taken[i];
            alike = 0;
        }
        alike += taken[i] == least && least < most;
    }
    if (alike == 0)
        return count;
    for (size_t i = 0, nth = random % alike;; i++)
        if (taken[i] == least && nth-- == 0)
            return i;
}
