#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"

/* RFC 4648, 10 */
static const char *const vectors[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};

static void the_vectors_of_the_rfc_hold(void **state)
{
    uint8_t to[16];
    char text[16];
    size_t len;
    (void)state;

    for (size_t n = 0; n < sizeof(vectors) / sizeof(*vectors); n++) {
        assert_true(base64_decode(bytes_str(vectors[n][1]), to, &len));
        assert_true(bytes_equal(bytes_of(to, len), bytes_str(vectors[n][0])));
        base64_encode_url(bytes_str(vectors[n][0]), text);
        assert_string_equal(text, vectors[n][1]);
    }
}

static void the_url_alphabet_has_no_slash(void **state)
{
    char text[8];
    (void)state;

    base64_encode_url(bytes_of("\xfb\xff\xfe", 3), text);
    assert_string_equal(text, "-__-");
}

static void what_is_not_base_64_is_refused(void **state)
{
    static const char *const texts[] = {
        "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9 ", "Zm9-", "Zm9\n"};
    uint8_t to[16];
    size_t len;
    (void)state;

    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++)
        assert_false(base64_decode(bytes_str(texts[n]), to, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(the_url_alphabet_has_no_slash),
        cmocka_unit_test(what_is_not_base_64_is_refused),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
