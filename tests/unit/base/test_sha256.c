#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void hex_of(const uint8_t digest[32], char ret[65])
{
    for (size_t i = 0; i < 32; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static void digests_are_those_of_the_standard(void **state)
{
    (void)state;
    /* FIPS 180-4, examples of NIST */
    static const struct {
        const char *text;
        const char *digest;
    } CASES[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct sha256 *s = sha256_new();
        uint8_t digest[32];
        char hex[65];

        sha256_add(s, CASES[i].text, strlen(CASES[i].text));
        sha256_end(&s, digest);
        hex_of(digest, hex);
        assert_null(s);
        assert_string_equal(hex, CASES[i].digest);
    }
}

static void pieces_make_no_difference(void **state)
{
    (void)state;
    const char *text = "fourteen bytes";

    for (size_t cut = 0; cut <= 14; cut++) {
        struct sha256 *whole = sha256_new(), *parts = sha256_new();
        uint8_t one[32], two[32];

        sha256_add(whole, text, 14);
        sha256_add(parts, text, cut);
        sha256_add(parts, NULL, 0);
        sha256_add(parts, text + cut, 14 - cut);
        sha256_end(&whole, one);
        sha256_end(&parts, two);
        assert_memory_equal(one, two, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(pieces_make_no_difference),
    };
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
