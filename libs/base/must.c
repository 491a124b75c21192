#include "base/must.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"

/* Weak, so that a test may put its own in front of it. */
__attribute__((weak)) void must_fail(const char *what, const char *file, int line)
{
    char at[256];

    str_format(at, sizeof(at), "%s:%d", file, line);
    log_error("broken promise", KV("why", what), KV("at", at));
    abort();
}

void die(int status, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    exit(status);
}
