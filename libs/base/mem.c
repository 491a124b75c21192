#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The log line is built on the stack, so there is something to read even now.  The abort
   after it is for a must_fail of a test that returns: there is no memory to go on with. */
static void *or_abort(void *at)
{
    if (!at) {
        must_fail("memory", __FILE__, __LINE__);
        abort();
    }
    return at;
}

static size_t product(size_t count, size_t size)
{
    size_t ret = 0;

    if (__builtin_mul_overflow(count, size, &ret) || ret > PTRDIFF_MAX) {
        must_fail("count * size fits a size_t", __FILE__, __LINE__);
        abort();
    }
    return ret > 0 ? ret : 1; /* malloc(0) may be NULL, which would look like a failure */
}

void *mem_zero(size_t size)
{
    return or_abort(calloc(1, product(1, size)));
}

void *mem_array(size_t count, size_t size)
{
    return or_abort(calloc(1, product(count, size)));
}

void *mem_grow(void *old, size_t count, size_t size)
{
    return or_abort(realloc(old, product(count, size)));
}

void *mem_copy(const void *at, size_t len)
{
    void *ret = mem_grow(NULL, len, 1);

    if (len > 0)
        memcpy(ret, at, len);
    return ret;
}

char *mem_strdup(const char *s)
{
    return s ? mem_copy(s, strlen(s) + 1) : NULL;
}

char *mem_strndup(const char *at, size_t len)
{
    size_t n  = len > 0 ? strnlen(at, len) : 0;
    char *ret = mem_grow(NULL, n + 1, 1);

    if (n > 0)
        memcpy(ret, at, n);
    ret[n] = '\0';
    return ret;
}

char *mem_printf(const char *format, ...)
{
    char *ret = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&ret, format, args);
    va_end(args);
    return or_abort(len >= 0 ? ret : NULL);
}

/* The slot is a `T **` of an unknown T: copying its bytes is the one way to read it that
   breaks no aliasing rule. */
void mem_free(void *slot)
{
    void *at = NULL;

    if (!slot)
        return;
    memcpy(&at, slot, sizeof(at));
    free(at);
    at = NULL;
    memcpy(slot, &at, sizeof(at));
}

void *mem_self(void *at, unsigned magic)
{
    uint32_t found = 0;

    must(at != NULL);
    memcpy(&found, at, sizeof(found));
    must(found == magic);
    return at;
}
