/*
 * only - loaded before a test of cmocka, so that it runs the one function that ONLY names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void only(void)
{
    cmocka_set_test_filter(getenv("ONLY"));
    unsetenv("LD_PRELOAD"); /* what the test starts is none of ours */
}
