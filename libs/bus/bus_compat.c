/*
 * bus_compat - three names of a newer C library, for a nats.c that was built against one.
 *
 * Since glibc 2.38 a program compiled as C23 calls strtol and its like under these names; what
 * differs is only that they also read "0b1", which nats.c never meets.  The build compiles this
 * file where the C library has no such names (.cmake/foreign.cmake), and only there.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base);
long long __isoc23_strtoll(const char *text, char **end, int base);
int __isoc23_sscanf(const char *text, const char *format, ...);

long __isoc23_strtol(const char *text, char **end, int base)
{
    return strtol(text, end, base);
}

long long __isoc23_strtoll(const char *text, char **end, int base)
{
    return strtoll(text, end, base);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = vsscanf(text, format, args);
#pragma GCC diagnostic pop
    va_end(args);
    return n;
}
