/*
 * names - names that lead where a test wants, in a program that is not the test's: loaded by LD_PRELOAD, it stands in
 * for libc's getaddrinfo.  NAMES="shop.example=93.184.216.34,inside.example=10.1.2.3": other names below ".example",
 * which is in no DNS, do not exist; all others are libc's business.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_SIZE = 64 };

static bool address_of(const char *name, char ret[ADDRESS_SIZE])
{
    const char *at = getenv("NAMES");
    size_t len     = strlen(name);

    for (; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            size_t size = strcspn(at + len + 1, ",");
            if (size >= ADDRESS_SIZE)
                return false;
            memcpy(ret, at + len + 1, size);
            ret[size] = '\0';
            return true;
        }
    return false;
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    static const char END[] = ".example";
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    size_t len   = node ? strlen(node) : 0;
    char address[ADDRESS_SIZE];

    memcpy(&real, &symbol, sizeof real);
    if (len < sizeof END || strcmp(node + len - (sizeof END - 1), END) != 0)
        return real(node, service, hints, ret);
    return address_of(node, address) ? real(address, service, hints, ret) : EAI_NONAME;
}
