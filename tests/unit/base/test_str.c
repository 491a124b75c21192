#include "base/str.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void null_equals_null_only(void **state)
{
    (void)state;

    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_false(str_equal("", NULL));
    assert_true(str_equal("a", "a"));
    assert_false(str_equal("a", "ab"));
}

static void every_string_starts_and_ends_with_nothing(void **state)
{
    (void)state;

    assert_true(str_starts("", ""));
    assert_true(str_ends("", ""));
    assert_true(str_starts("run.a", "run."));
    assert_false(str_starts("run", "run."));
    assert_true(str_ends("a.json", ".json"));
    assert_false(str_ends("json", ".json"));
    assert_false(str_starts(NULL, ""));
    assert_false(str_ends(NULL, ""));
}

static void name_is_safe_as_a_subject_token(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool safe;
    } CASES[] = {
        {"acme", true},
        {"A-z_09", true},
        {"-", true},
        {"", false},
        {NULL, false},
        {"a.b", false},
        {"a b", false},
        {"*", false},
        {">", false},
        {"a\n", false},
        {"a/b", false},
        {"\xc3\xa9", false},
        {"a@", false},
        {"a[", false},
        {"a`", false},
        {"a{", false},
        {"a:", false},
        {"$JS", false},
        {"0123456789012345678901234567890123456789012345678901234567890123", true},
        {"01234567890123456789012345678901234567890123456789012345678901234", false},
    };

    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_int_equal(str_is_name(CASES[i].name), CASES[i].safe);
    assert_true(str_is_name_n("acme.x", 4));
    assert_false(str_is_name_n("a\0b", 3));
    assert_false(str_is_name_n("acme", 0));
}

static void name_has_64_characters_of_the_128(void **state)
{
    (void)state;
    const char *safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    for (int c = 0; c < 256; c++) {
        const char one = (char)c;

        assert_int_equal(str_is_name_n(&one, 1), c != 0 && strchr(safe, c) != NULL);
    }
}

static const struct {
    const char *bytes;
    bool valid;
} SEQUENCES[] = {
    {"\x7f", true},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true}, /* the last before the surrogates */
    {"\xee\x80\x80", true}, /* the first behind them */
    {"\xef\xbf\xbf", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
    {"\x80", false},
    {"\xbf", false},
    {"\xc0\x80", false}, /* overlong zero */
    {"\xc1\xbf", false},
    {"\xe0\x80\x80", false},
    {"\xe0\x9f\xbf", false},
    {"\xf0\x80\x80\x80", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xed\xa0\x80", false}, /* U+D800 */
    {"\xed\xbf\xbf", false}, /* U+DFFF */
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xf8\x88\x80\x80\x80", false},
    {"\xfe", false},
    {"\xff", false},
    {"\xc3", false}, /* cut */
    {"\xe2\x82", false},
    {"\xf0\x9f\x98", false},
    {"\xc3(", false},
    {"\xe2(\xa1", false},
    {"\xe2\x82(", false},
    {"\xf0\x9f\x98(", false},
    {"\xc3\xa9\xa9", false},
};

/* At each distance from the start: whole words of ASCII take another path. */
static void utf8_is_judged_alike_wherever_it_stands(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(SEQUENCES); i++)
        for (size_t before = 0; before < 20; before++)
            for (size_t after = 0; after < 20; after++) {
                size_t len = strlen(SEQUENCES[i].bytes);
                char text[64];

                memset(text, 'a', sizeof(text));
                memcpy(text + before, SEQUENCES[i].bytes, len);
                assert_int_equal(str_is_utf8(bytes_of(text, before + len + after)),
                                 SEQUENCES[i].valid);
            }
}

static void every_code_point_but_surrogates_is_utf8(void **state)
{
    (void)state;

    for (uint32_t c = 0x800; c <= 0x10ffff; c++) {
        const uint8_t three[] = {(uint8_t)(0xe0 | c >> 12), (uint8_t)(0x80 | (c >> 6 & 0x3f)),
                                 (uint8_t)(0x80 | (c & 0x3f))};
        const uint8_t four[]  = {(uint8_t)(0xf0 | c >> 18), (uint8_t)(0x80 | (c >> 12 & 0x3f)),
                                 (uint8_t)(0x80 | (c >> 6 & 0x3f)),
                                 (uint8_t)(0x80 | (c & 0x3f))};
        bool valid =
            c < 0x10000 ? str_is_utf8(bytes_of(three, 3)) : str_is_utf8(bytes_of(four, 4));

        if (valid != (c < 0xd800 || c > 0xdfff))
            fail_msg("U+%04X", c);
    }
}

static void zero_bytes_and_nothing_are_utf8(void **state)
{
    (void)state;

    assert_true(str_is_utf8(bytes_of(NULL, 0)));
    assert_true(str_is_utf8(bytes_of("a\0b", 3)));
}

static void copy_says_whether_it_was_cut(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        bool whole;
    } CASES[] = {
        {"", "", true},         {NULL, "", true},         {"123", "123", true},
        {"1234", "1234", true}, {"12345", "1234", false},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        char to[6] = "######";

        assert_int_equal(str_copy(to, 5, CASES[i].from), CASES[i].whole);
        assert_string_equal(to, CASES[i].to);
        assert_int_equal(to[5], '#');
    }
}

static void copy_into_no_room_touches_nothing(void **state)
{
    (void)state;
    char to[] = "#";

    assert_false(str_copy(to, 0, "a"));
    assert_false(str_copy(to, 0, ""));
    assert_string_equal(to, "#");
}

static void copy_never_cuts_a_character_in_two(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        size_t size;
        const char *to;
    } CASES[] = {
        {"a\xc3\xa9z", 3, "a"},
        {"a\xc3\xa9z", 4, "a\xc3\xa9"},
        {"\xe2\x82\xac!", 3, ""},
        {"\xe2\x82\xac!", 4, "\xe2\x82\xac"},
        {"x\xf0\x9f\x98\x80", 5, "x"},
        {"x\xf0\x9f\x98\x80", 6, "x\xf0\x9f\x98\x80"},
        {"\x80\x80\x80\x80\x80\x80", 4, "\x80\x80\x80"}, /* never was UTF-8 */
    };
    char to[16];

    for (size_t i = 0; i < COUNT(CASES); i++) {
        str_copy(to, CASES[i].size, CASES[i].from);
        assert_string_equal(to, CASES[i].to);
        str_format(to, CASES[i].size, "%s", CASES[i].from);
        assert_string_equal(to, CASES[i].to);
    }
}

static void copy_keeps_as_many_characters_as_fit(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"", "abc", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z",
                                        "\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
                                        "z\xe2\x82\xac\xe2\x82\xac"};

    for (size_t i = 0; i < COUNT(TEXTS); i++)
        for (size_t size = 1; size < 16; size++) {
            const char *from = TEXTS[i];
            size_t fits      = strlen(from) < size ? strlen(from) : size - 1;
            char to[16];

            while (!str_is_utf8(bytes_of(from, fits)))
                fits--;
            assert_int_equal(str_copy(to, size, from), fits == strlen(from));
            assert_int_equal(strlen(to), fits);
            assert_memory_equal(to, from, fits);
        }
}

static void copy_of_a_run_ends_at_its_zero_and_says_so(void **state)
{
    (void)state;
    char to[8];

    assert_false(str_copy_n(to, sizeof(to), "adm\0in", 6));
    assert_string_equal(to, "adm");
    assert_true(str_copy_n(to, sizeof(to), "admin", 3));
    assert_string_equal(to, "adm");
    assert_true(str_copy_n(to, sizeof(to), NULL, 0));
    assert_string_equal(to, "");
}

static void format_says_whether_it_was_cut(void **state)
{
    (void)state;
    char to[5];

    assert_true(str_format(to, sizeof(to), "%d", 1234));
    assert_string_equal(to, "1234");
    assert_false(str_format(to, sizeof(to), "%d", 12345));
    assert_string_equal(to, "1234");
    assert_false(str_format(to, 0, "%d", 1));
}

static void every_byte_is_escaped_into_printable_utf8(void **state)
{
    (void)state;

    for (int first = 1; first < 256; first++)
        for (int second = 0; second < 256; second++) {
            const char s[] = {(char)first, (char)second, '\0'};
            char one[8];
            size_t took = str_escape(s, one);

            assert_in_range(took, 1, 2);
            assert_true(str_is_utf8(bytes_str(one)));
            assert_true((uint8_t)one[0] >= 0x20 && one[0] != 0x7f && one[0] != '"');
            assert_false((uint8_t)one[0] == 0xc2 && (uint8_t)one[1] < 0xa0);
        }
}

static void token_is_what_stands_between_two_dots(void **state)
{
    (void)state;
    static const struct {
        const char *subject;
        unsigned n;
        const char *token; /* NULL: none */
    } CASES[] = {
        {"sluice.api.submit", 0, "sluice"},
        {"sluice.api.submit", 2, "submit"},
        {"sluice.api.submit", 3, NULL},
        {"sluice", 0, "sluice"},
        {"sluice", 1, NULL},
        {"", 0, ""},
        {"", 1, NULL},
        {"a..b", 1, ""},
        {"a.", 1, ""},
        {"a.1234567", 1, "1234567"},
        {"a.12345678", 1, NULL}, /* longer than the room */
        {"a.b", UINT_MAX, NULL},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        char to[8] = "kept";
        bool found = str_token(CASES[i].subject, CASES[i].n, to, sizeof(to));

        assert_int_equal(found, CASES[i].token != NULL);
        assert_string_equal(to, CASES[i].token ? CASES[i].token : "kept");
    }
}

static void number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "1_0",
                                      "one",
                                      "１",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      NULL};
    static const struct {
        const char *text;
        uint64_t n;
    } GOOD[]   = {{"0", 0}, {"007", 7}, {"18446744073709551615", UINT64_MAX}};
    uint64_t n = 0;

    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_false(failed(str_u64(GOOD[i].text, &n)));
        assert_true(n == GOOD[i].n);
    }
    for (size_t i = 0; i < COUNT(BAD); i++) {
        n = 42;
        assert_int_equal(str_u64(BAD[i], &n).kind, ERR_REJECT);
        assert_int_equal(n, 42);
    }
}

static void decimal_is_what_json_calls_a_number(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",      ".5",     "5.",    "+1",  " 1",  "1 ",  "-",
                                      "e5",    "1e",     "1e+",   "1,5", "inf", "nan", "0x1p3",
                                      "1e999", "-1e999", "1.2.3", "--1", NULL};
    static const struct {
        const char *text;
        double n;
    } GOOD[] = {{"0", 0},         {"-1.5", -1.5}, {"8.00", 8},  {"1e3", 1000},
                {"2.5E-1", 0.25}, {"1e+2", 100},  {"1e-999", 0}};
    double n = 0;

    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_false(failed(str_double(GOOD[i].text, &n)));
        assert_true(n >= GOOD[i].n && n <= GOOD[i].n);
    }
    for (size_t i = 0; i < COUNT(BAD); i++) {
        n = 42;
        assert_int_equal(str_double(BAD[i], &n).kind, ERR_REJECT);
        assert_true(n >= 42 && n <= 42);
    }
}

static void duration_has_a_number_and_a_unit(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "5",
        "s",
        "5 m",
        " 5m",
        "5m ",
        "-5m",
        "+5m",
        "1.5h",
        "5min",
        "5M",
        "5mm",
        "1h30m",
        "5\xc2\xb5s",
        "5us",
        "5S",
        "5w",
        NULL,
        "18446744073709551616ms", /* does not fit before the unit */
        "18446744073709552s",     /* does not fit after it */
        "213503982335d",
        "18446744073709551615ms", /* would not survive being added to a time */
        "9223372036854775807ms",
        "315576000000001ms",
        "3652501d",
    };
    static const struct {
        const char *text;
        uint64_t ms;
    } GOOD[] = {
        {"0ms", 0},
        {"0s", 0},
        {"250ms", 250},
        {"90s", 90000},
        {"5m", 300000},
        {"24h", 86400000},
        {"7d", 604800000},
        {"315576000000000ms", UINT64_C(315576000000000)},
        {"3652500d", UINT64_C(315576000000000)},
    };
    uint64_t ms = 0;

    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_false(failed(str_duration_ms(GOOD[i].text, &ms)));
        assert_true(ms == GOOD[i].ms);
    }
    for (size_t i = 0; i < COUNT(BAD); i++) {
        ms = 42;
        assert_int_equal(str_duration_ms(BAD[i], &ms).kind, ERR_REJECT);
        assert_int_equal(ms, 42);
    }
}

static void duration_is_written_with_the_largest_unit_that_divides(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } CASES[] = {
        {0, "0s"},
        {1, "1ms"},
        {999, "999ms"},
        {1000, "1s"},
        {90000, "90s"},
        {300000, "5m"},
        {5400000, "90m"},
        {3600000, "1h"},
        {86400000, "1d"},
        {90000000, "25h"},
        {604800000, "7d"},
        {1001, "1001ms"},
        {UINT64_C(315575999999999), "315575999999999ms"},
    };
    char text[24];

    for (size_t i = 0; i < COUNT(CASES); i++) {
        uint64_t ms = 0;

        assert_string_equal(str_duration_text(CASES[i].ms, text, sizeof(text)), CASES[i].text);
        assert_false(failed(str_duration_ms(text, &ms)));
        assert_true(ms == CASES[i].ms);
    }
}

static void size_is_bytes_or_a_binary_unit(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "KiB",
                                      "1KB",
                                      "1kib",
                                      "1 KiB",
                                      "1K",
                                      "1B",
                                      "-1",
                                      "1.5MiB",
                                      "1MiB ",
                                      NULL,
                                      "18446744073709551616",
                                      "18014398509481984KiB",
                                      "16777216TiB"};
    static const struct {
        const char *text;
        uint64_t bytes;
    } GOOD[] = {
        {"0", 0},
        {"4096", 4096},
        {"256KiB", 262144},
        {"1MiB", 1048576},
        {"16MiB", 16777216},
        {"2GiB", UINT64_C(2147483648)},
        {"1TiB", UINT64_C(1099511627776)},
        {"18014398509481983KiB", UINT64_C(18446744073709550592)},
    };
    uint64_t bytes = 0;

    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_false(failed(str_size_bytes(GOOD[i].text, &bytes)));
        assert_true(bytes == GOOD[i].bytes);
    }
    for (size_t i = 0; i < COUNT(BAD); i++) {
        bytes = 42;
        assert_int_equal(str_size_bytes(BAD[i], &bytes).kind, ERR_REJECT);
        assert_int_equal(bytes, 42);
    }
}

static void time_is_written_in_utc_with_milliseconds(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *text;
    } CASES[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1795230600120, "2026-11-21T03:10:00.120Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "9999-12-31T23:59:59.999Z"}, /* the nearest with four digits */
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {-62167219200000, "0000-01-01T00:00:00.000Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    char text[32];

    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_string_equal(str_time_text(CASES[i].wall_ms, text, sizeof(text)), CASES[i].text);
}

static void time_is_read_with_z_or_an_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t wall_ms;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T19:00:00-05:00", 0},
        {"1970-01-01T05:45:00+05:45", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.123456789012345678901234567890Z", 123},
        {"1970-01-01T00:00:00.9999Z", 999},
        {"1970-01-01T00:00:00.001Z", 1},
        {"2026-11-21T03:10:00.120Z", 1795230600120},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"2024-02-29T23:59:59Z", 1709251199000},
        {"2024-03-01T01:00:00+02:00", 1709247600000}, /* still the leap day in UTC */
        {"0000-02-29T00:00:00Z", -62162121600000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"2016-12-31T23:59:60Z", 1483228800000}, /* a leap second */
        {"2017-01-01T00:59:60.250+01:00", 1483228800250},
    };

    for (size_t i = 0; i < COUNT(CASES); i++) {
        int64_t wall_ms = 42;

        assert_false(failed(str_time_ms(CASES[i].text, &wall_ms)));
        if (wall_ms != CASES[i].wall_ms)
            fail_msg("%s: %lld", CASES[i].text, (long long)wall_ms);
    }
}

static void time_that_does_not_exist_is_rejected(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        NULL,
        "",
        "2026",
        "2026-11-21",
        "2026-11-21T03:10:00",
        "2026-11-21 03:10:00Z",
        "2026-11-21T03:10Z",
        "2026-11-21T03:10:00.Z",
        "2026-11-21T03:10:00,5Z",
        "2026-11-21T03:10:00+0100",
        "2026-11-21T03:10:00+01",
        "2026-11-21T03:10:00+24:00",
        "2026-11-21T03:10:00+01:60",
        "2026-11-21T03:10:00Zx",
        " 2026-11-21T03:10:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T23:60:00Z",
        "2026-11-21T23:59:61Z",
        "2026-11-21T03:10:60Z", /* no leap second in the middle of a day */
        "2026-00-21T03:10:00Z",
        "2026-13-21T03:10:00Z",
        "2026-11-00T03:10:00Z",
        "2026-11-31T03:10:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z", /* divisible by 100 */
        "2026-1-21T03:10:00Z",
        "26-11-21T03:10:00Z",
        "+2026-11-21T03:10:00Z",
        "20261-11-21T03:10:00Z",
        "2026-11-2\xd9\xa1T03:10:00Z",
    };

    for (size_t i = 0; i < COUNT(BAD); i++) {
        int64_t wall_ms = 42;

        if (!failed(str_time_ms(BAD[i], &wall_ms)))
            fail_msg("%s", BAD[i]);
        assert_int_equal(wall_ms, 42);
    }
}

/* The C library is the model, over all years that have four digits. */
static void time_agrees_with_gmtime_and_reads_back(void **state)
{
    (void)state;
    const int64_t step = INT64_C(86400000) * 5 + 4321987;

    for (int64_t ms = -62167219200000; ms <= 253402300799999; ms += step) {
        int64_t back   = 0;
        time_t seconds = (time_t)((ms - (ms % 1000 + 1000) % 1000) / 1000);
        struct tm tm   = {0};
        char text[32], model[32];

        gmtime_r(&seconds, &tm);
        str_format(model, sizeof(model), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                   tm.tm_sec, (int)((ms % 1000 + 1000) % 1000));
        assert_string_equal(str_time_text(ms, text, sizeof(text)), model);
        assert_false(failed(str_time_ms(text, &back)));
        assert_true(back == ms);
    }
}

static void nearest_is_what_was_meant_or_nothing(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"pool", "slots", "webdriver", "sessions-per-browser",
                                        "reap", NULL};
    static const struct {
        const char *s;
        const char *word;
    } CASES[] = {
        {"pool", "pool"},
        {"pol", "pool"},
        {"poool", "pool"},
        {"poll", "pool"},
        {"opol", "pool"}, /* two edits of four letters */
        {"Slots", "slots"},
        {"webdrver", "webdriver"},
        {"web-driver", "webdriver"},
        {"sessions_per_browsr", "sessions-per-browser"},
        {"xyz", NULL},
        {"driver", NULL},
        {"p", NULL},
        {"", NULL},
        {NULL, NULL},
        {"a word far longer than any that a person would have typed by mistake, as text is",
         NULL},
    };
    static const char *const NONE[] = {NULL};

    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *found = str_nearest(CASES[i].s, WORDS);

        if (!str_equal(found, CASES[i].word))
            fail_msg("%s: %s", CASES[i].s, found);
    }
    assert_null(str_nearest("pool", NONE));
}

static void first_of_equally_near_words_is_taken(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"lane", "land", NULL};

    assert_string_equal(str_nearest("lanx", WORDS), "lane");
}

/* The textbook's recursion: slow, and plain enough to be believed. */
static size_t distance(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0')
        return strlen(a) + strlen(b);
    if (*a == *b)
        return distance(a + 1, b + 1);

    size_t best    = distance(a + 1, b + 1);
    size_t without = distance(a + 1, b);
    size_t with    = distance(a, b + 1);

    best = without < best ? without : best;
    return 1 + (with < best ? with : best);
}

/* The n-th word over "abc" of up to five letters. */
static const char *word_of(size_t n, char ret[6])
{
    size_t len = 0;

    for (; n > 0; n = (n - 1) / 3)
        ret[len++] = "abc"[(n - 1) % 3];
    ret[len] = '\0';
    return ret;
}

static void near_is_one_edit_and_another_for_each_four_letters(void **state)
{
    (void)state;
    enum { WORDS = 3 + 9 + 27 + 81 + 243 };
    char a[6], b[6];

    for (size_t i = 1; i <= WORDS; i++)
        for (size_t j = 1; j <= WORDS; j++) {
            const char *const words[] = {word_of(j, b), NULL};
            bool near                 = distance(word_of(i, a), b) <= 1 + strlen(a) / 4;

            if ((str_nearest(a, words) != NULL) != near)
                fail_msg("%s %s", a, b);
        }
}

static void nearest_of_nothing_and_of_the_very_long_is_nothing(void **state)
{
    (void)state;
    char longest[65], longer[66];
    const char *const words[] = {"a", longest, NULL};

    memset(longest, 'x', sizeof(longest));
    memset(longer, 'x', sizeof(longer));
    longest[64] = longer[65] = '\0';
    assert_null(str_nearest("", words));
    assert_ptr_equal(str_nearest(longest, words), longest);
    assert_null(str_nearest(longer, words));
    assert_null(str_nearest(longest, (const char *const[]){longer, NULL}));
}

static void hash_is_fnv_1a_for_ever(void **state)
{
    (void)state;

    /* Shards are chosen by it: another value would move every tenant. */
    assert_true(str_hash("", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(str_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(str_hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(str_hash("\xff\0", 2) != str_hash("\xff", 1));
}

static void hex_has_sixteen_digits_and_reads_back(void **state)
{
    (void)state;
    static const uint64_t NUMBERS[] = {0, 1, 0xff, UINT64_C(0x0123456789abcdef), UINT64_MAX};
    char text[17];

    assert_string_equal(str_hex64(0xff, text), "00000000000000ff");
    for (size_t i = 0; i < COUNT(NUMBERS); i++) {
        uint64_t back = 42;

        assert_int_equal(strlen(str_hex64(NUMBERS[i], text)), 16);
        assert_false(failed(str_read_hex64(text, &back)));
        assert_true(back == NUMBERS[i]);
    }
}

static void hex_has_one_spelling(void **state)
{
    (void)state;
    static const char *const BAD[] = {NULL,
                                      "",
                                      "ff",
                                      "00000000000000FF",
                                      "0x000000000000ff",
                                      "00000000000000fg",
                                      "00000000000000ff0",
                                      " 0000000000000ff"};
    uint64_t n                     = 42;

    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_int_equal(str_read_hex64(BAD[i], &n).kind, ERR_REJECT);
    assert_int_equal(n, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_equals_null_only),
        cmocka_unit_test(every_string_starts_and_ends_with_nothing),
        cmocka_unit_test(name_is_safe_as_a_subject_token),
        cmocka_unit_test(name_has_64_characters_of_the_128),
        cmocka_unit_test(utf8_is_judged_alike_wherever_it_stands),
        cmocka_unit_test(every_code_point_but_surrogates_is_utf8),
        cmocka_unit_test(zero_bytes_and_nothing_are_utf8),
        cmocka_unit_test(copy_says_whether_it_was_cut),
        cmocka_unit_test(copy_into_no_room_touches_nothing),
        cmocka_unit_test(copy_never_cuts_a_character_in_two),
        cmocka_unit_test(copy_keeps_as_many_characters_as_fit),
        cmocka_unit_test(copy_of_a_run_ends_at_its_zero_and_says_so),
        cmocka_unit_test(format_says_whether_it_was_cut),
        cmocka_unit_test(every_byte_is_escaped_into_printable_utf8),
        cmocka_unit_test(token_is_what_stands_between_two_dots),
        cmocka_unit_test(number_is_digits_and_nothing_else),
        cmocka_unit_test(decimal_is_what_json_calls_a_number),
        cmocka_unit_test(duration_has_a_number_and_a_unit),
        cmocka_unit_test(duration_is_written_with_the_largest_unit_that_divides),
        cmocka_unit_test(size_is_bytes_or_a_binary_unit),
        cmocka_unit_test(time_is_written_in_utc_with_milliseconds),
        cmocka_unit_test(time_is_read_with_z_or_an_offset),
        cmocka_unit_test(time_that_does_not_exist_is_rejected),
        cmocka_unit_test(time_agrees_with_gmtime_and_reads_back),
        cmocka_unit_test(nearest_is_what_was_meant_or_nothing),
        cmocka_unit_test(first_of_equally_near_words_is_taken),
        cmocka_unit_test(near_is_one_edit_and_another_for_each_four_letters),
        cmocka_unit_test(nearest_of_nothing_and_of_the_very_long_is_nothing),
        cmocka_unit_test(hash_is_fnv_1a_for_ever),
        cmocka_unit_test(hex_has_sixteen_digits_and_reads_back),
        cmocka_unit_test(hex_has_one_spelling),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
