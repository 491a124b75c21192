#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

bool str_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len  = s ? strlen(s) : 0;
    size_t tail = strlen(suffix);

    return s && len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}

/* Not isdigit and friends: they ask the locale, and want an unsigned char. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

bool str_is_name(const char *s)
{
    return s && str_is_name_n(s, strnlen(s, STR_NAME_SIZE));
}

bool str_is_name_n(const char *at, size_t len)
{
    if (len < 1 || len > STR_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_name_char(at[i]))
            return false;
    return true;
}

/* Length of the sequence at `at`, 0 if it is none.  The second byte's range depends on the
   first: that is what keeps out overlong forms, surrogates and everything above U+10FFFF
   (RFC 3629, 4). */
static size_t utf8_sequence(const uint8_t *at, size_t len)
{
    uint8_t first = at[0];
    size_t size   = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint8_t low   = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high  = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    if (size == 1)
        return 1;
    if (first < 0xc2 || first > 0xf4 || size > len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool str_is_utf8(struct bytes text)
{
    size_t i = 0;

    while (i < text.len) {
        uint64_t eight = 0;

        /* Bodies are nearly all ASCII: eight bytes a step are worth the two lines. */
        if (text.len - i >= sizeof(eight)) {
            memcpy(&eight, text.at + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t step = utf8_sequence(text.at + i, text.len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

/* Where to cut so that no character is cut in two: half of one would make the JSON or protobuf
   that carries the text invalid.  Text that was never UTF-8 is cut where it was meant to be. */
static size_t whole_characters(const char *at, size_t len)
{
    size_t start = len;

    while (start > 0 && len - start < 3 && ((uint8_t)at[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0 || (uint8_t)at[start - 1] < 0xc0)
        return len;
    start--;
    return utf8_sequence((const uint8_t *)at + start, len - start) > 0 ? len : start;
}

bool str_copy(char *to, size_t size, const char *from)
{
    return str_copy_n(to, size, from, from ? strlen(from) : 0);
}

bool str_copy_n(char *to, size_t size, const char *at, size_t len)
{
    size_t n = len > 0 ? strnlen(at, len) : 0; /* what follows a zero would be lost: cut too */
    size_t fits = n;

    if (size == 0)
        return false;
    if (fits > size - 1)
        fits = whole_characters(at, size - 1);
    if (fits > 0)
        memcpy(to, at, fits);
    to[fits] = '\0';
    return fits == len;
}

bool str_format(char *to, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(to, size, format, args);
    va_end(args);

    must(len >= 0);
    if ((size_t)len < size)
        return true;
    if (size > 0)
        to[whole_characters(to, size - 1)] = '\0';
    return false;
}

/* How many bytes of s are one printable character from outside ASCII; 0 if they are none.
   Lines are read on terminals: C1 controls (U+0080 to U+009F) steer them as ESC does. */
static size_t wide_character(const char *s)
{
    size_t len = utf8_sequence((const uint8_t *)s, strnlen(s, 4));

    return len == 2 && (uint8_t)s[0] == 0xc2 && (uint8_t)s[1] < 0xa0 ? 0 : len;
}

size_t str_escape(const char *s, char ret[8])
{
    static const char *const PAIRS = "\"\"\\\\\nn\rr\tt"; /* a character and its letter */
    uint8_t c                      = (uint8_t)s[0];
    size_t wide                    = c >= 0x80 ? wide_character(s) : 0;

    for (const char *pair = PAIRS; *pair; pair += 2)
        if (*pair == s[0]) {
            snprintf(ret, 8, "\\%c", pair[1]);
            return 1;
        }
    if (wide > 0) {
        memcpy(ret, s, wide);
        ret[wide] = '\0';
        return wide;
    }
    if (c < 0x20 || c == 0x7f)
        snprintf(ret, 8, "\\u%04x", c);
    else if (c >= 0x80)
        snprintf(ret, 8, "\\ufffd");
    else
        snprintf(ret, 8, "%c", c);
    return 1;
}

bool str_token(const char *subject, unsigned n, char *ret, size_t size)
{
    for (; n > 0; n--) {
        subject = strchr(subject, '.');
        if (!subject)
            return false;
        subject++;
    }
    size_t len = strcspn(subject, ".");
    if (len >= size)
        return false;
    memcpy(ret, subject, len);
    ret[len] = '\0';
    return true;
}

/* Digits at *at, moved past; false if there are none or they overflow. */
static bool read_digits(const char **at, uint64_t *ret)
{
    const char *from = *at;
    uint64_t n       = 0;

    for (; is_digit(**at); (*at)++)
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(**at - '0'), &n))
            return false;
    *ret = n;
    return *at > from;
}

struct err str_u64(const char *s, uint64_t *ret)
{
    uint64_t n = 0;

    if (!s || !read_digits(&s, &n) || *s != '\0')
        return err_of(ERR_REJECT, "read a number");
    *ret = n;
    return OK;
}

static const char *skip_digits(const char *s)
{
    while (s && is_digit(*s))
        s++;
    return s;
}

/* strtod alone would take blanks, "0x1p3", "inf" and "nan" as well. */
static bool is_decimal(const char *s)
{
    const char *whole = *s == '-' ? s + 1 : s;
    const char *at    = skip_digits(whole);

    if (at == whole)
        return false;
    if (*at == '.') {
        whole = at + 1;
        at    = skip_digits(whole);
        if (at == whole)
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        whole = at[1] == '+' || at[1] == '-' ? at + 2 : at + 1;
        at    = skip_digits(whole);
        if (at == whole)
            return false;
    }
    return *at == '\0';
}

struct err str_double(const char *s, double *ret)
{
    if (!s || !is_decimal(s))
        return err_of(ERR_REJECT, "read a number");

    double n = strtod(s, NULL);
    if (!isfinite(n))
        return err_of(ERR_REJECT, "read a number");
    *ret = n;
    return OK;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: the first that divides gives the shortest text. */
static const struct unit DURATIONS[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};

static const struct unit SIZES[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"", 1},
    {NULL, 0},
};

static bool read_with_unit(const char *s, const struct unit *units, uint64_t *ret)
{
    uint64_t n = 0;

    if (!s || !read_digits(&s, &n))
        return false;
    for (; units->name; units++)
        if (strcmp(units->name, s) == 0)
            return !__builtin_mul_overflow(n, units->factor, ret);
    return false;
}

const char *str_url_place(const char *url)
{
    const char *at = strrchr(url, '@');

    return at ? at + 1 : url;
}

/* Ten thousand years. What is longer is nobody's wish, and would overflow where it is added to a time. */
static const uint64_t DURATION_MAX_MS = UINT64_C(3652500) * 86400000;

struct err str_duration_ms(const char *s, uint64_t *ret)
{
    uint64_t ms = 0;

    if (!read_with_unit(s, DURATIONS, &ms) || ms > DURATION_MAX_MS)
        return err_of(ERR_REJECT, "read a duration");
    *ret = ms;
    return OK;
}

const char *str_duration_text(uint64_t ms, char *at, size_t size)
{
    const struct unit *unit = DURATIONS;

    while (ms % unit->factor != 0)
        unit++;
    if (ms == 0)
        str_copy(at, size, "0s");
    else
        str_format(at, size, "%llu%s", (unsigned long long)(ms / unit->factor), unit->name);
    return at;
}

struct err str_size_bytes(const char *s, uint64_t *ret)
{
    uint64_t size = 0;

    if (!read_with_unit(s, SIZES, &size))
        return err_of(ERR_REJECT, "read a size");
    *ret = size;
    return OK;
}

enum { DAY_MS = 86400000, DAYS_PER_ERA = 146097 };

/* Days since 1970-01-01 and back, for years 0 to 9999 (Hinnant, "chrono-compatible low-level
   date algorithms").  Years begin in March, so that the leap day is the last of its year.
   Not gmtime: it takes a time zone lock, and timegm accepts a 31st of February. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y       = year - (month <= 2) + 400; /* one era more: no negative division below */
    int64_t of_era  = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return (y / 400 - 1) * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

static void date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = days + 719468 + DAYS_PER_ERA;
    int64_t in_era  = shifted % DAYS_PER_ERA;
    int64_t of_era  = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t of_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
    int64_t march   = (5 * of_year + 2) / 153;

    *ret_day   = (int)(of_year - (153 * march + 2) / 5 + 1);
    *ret_month = (int)(march < 10 ? march + 3 : march - 9);
    *ret_year  = (int)((shifted / DAYS_PER_ERA - 1) * 400 + of_era + (*ret_month <= 2));
}

/* RFC 3339 has four digits for the year; an instant outside them is shown as the nearest
   inside. */
static int64_t clamp_to_four_digits(int64_t wall_ms)
{
    int64_t first = days_of(0, 1, 1) * DAY_MS;
    int64_t last  = (days_of(9999, 12, 31) + 1) * DAY_MS - 1;

    return wall_ms < first ? first : wall_ms > last ? last : wall_ms;
}

const char *str_time_text(int64_t wall_ms, char *at, size_t size)
{
    int64_t ms   = clamp_to_four_digits(wall_ms);
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0); /* division towards the past */
    int in_day   = (int)(ms - days * DAY_MS);
    int year = 0, month = 0, day = 0;

    date_of(days, &year, &month, &day);
    str_format(at, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
               in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000);
    return at;
}

/* Exactly `count` digits. */
static bool read_fixed(const char **at, int count, int *ret)
{
    int n = 0;

    for (; count > 0; count--, (*at)++) {
        if (!is_digit(**at))
            return false;
        n = n * 10 + (**at - '0');
    }
    *ret = n;
    return true;
}

static bool read_char(const char **at, const char *any_of)
{
    if (**at == '\0' || !strchr(any_of, **at))
        return false;
    (*at)++;
    return true;
}

static bool date_exists(int year, int month, int day)
{
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap                  = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month < 1 || month > 12 || day < 1)
        return false;
    return day <= LENGTHS[month - 1] + (month == 2 && leap);
}

static bool read_date(const char **at, int64_t *ret_days)
{
    int year = 0, month = 0, day = 0;

    if (!read_fixed(at, 4, &year) || !read_char(at, "-") || !read_fixed(at, 2, &month) ||
        !read_char(at, "-") || !read_fixed(at, 2, &day) || !date_exists(year, month, day))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* Any number of digits, of which three count. */
static bool read_fraction(const char **at, int *ret_ms)
{
    int ms = 0, count = 0;

    for (; is_digit(**at); (*at)++, count++)
        if (count < 3)
            ms = ms * 10 + (**at - '0');
    for (int i = count; i < 3; i++)
        ms *= 10;
    *ret_ms = ms;
    return count > 0;
}

static bool read_time(const char **at, int *ret_in_day_ms, bool *ret_leap)
{
    int hour = 0, minute = 0, second = 0, ms = 0;

    if (!read_fixed(at, 2, &hour) || !read_char(at, ":") || !read_fixed(at, 2, &minute) ||
        !read_char(at, ":") || !read_fixed(at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (read_char(at, ".") && !read_fraction(at, &ms))
        return false;
    *ret_in_day_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    *ret_leap      = second == 60;
    return true;
}

static bool read_offset(const char **at, int *ret_ms)
{
    int hour = 0, minute = 0;
    int sign = **at == '-' ? -1 : 1;

    *ret_ms = 0;
    if (read_char(at, "Zz"))
        return true;
    if (!read_char(at, "+-") || !read_fixed(at, 2, &hour) || !read_char(at, ":") ||
        !read_fixed(at, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *ret_ms = sign * (hour * 60 + minute) * 60000;
    return true;
}

/* A leap second exists at the end of a day in UTC only; it is read as the second after it,
   as the system clock shows it. */
static bool ends_the_day(int64_t wall_ms)
{
    return (wall_ms % DAY_MS + DAY_MS) % DAY_MS < 1000;
}

struct err str_time_ms(const char *s, int64_t *ret_wall_ms)
{
    int64_t days  = 0;
    int in_day_ms = 0, offset_ms = 0;
    bool leap = false;

    if (!s || !read_date(&s, &days) || !read_char(&s, "Tt") ||
        !read_time(&s, &in_day_ms, &leap) || !read_offset(&s, &offset_ms) || *s != '\0')
        return err_of(ERR_REJECT, "read a time");

    int64_t wall_ms = days * DAY_MS + in_day_ms - offset_ms;
    if (leap && !ends_the_day(wall_ms))
        return err_of(ERR_REJECT, "read a time");
    *ret_wall_ms = wall_ms;
    return OK;
}

enum { NEAREST_MAX = 64 }; /* longer is no word that somebody mistyped */

/* Levenshtein's distance, one row at a time; both at most NEAREST_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[NEAREST_MAX + 1];

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j]   = best;
        }
    }
    return row[b_len];
}

const char *str_nearest(const char *s, const char *const *words)
{
    size_t len      = s ? strnlen(s, NEAREST_MAX + 1) : 0;
    size_t best     = 1 + len / 4 + 1;
    const char *ret = NULL;

    if (len == 0 || len > NEAREST_MAX)
        return NULL;
    for (; *words; words++) {
        size_t word_len = strnlen(*words, NEAREST_MAX + 1);
        if (word_len > NEAREST_MAX)
            continue;
        size_t far = distance(s, len, *words, word_len);
        if (far < best) {
            best = far;
            ret  = *words;
        }
    }
    return ret;
}

uint64_t str_hash(const void *at, size_t len)
{
    const uint8_t *byte = at;
    uint64_t hash       = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

const char *str_hex64(uint64_t n, char at[17])
{
    for (int i = 15; i >= 0; i--, n >>= 4)
        at[i] = "0123456789abcdef"[n & 15];
    at[16] = '\0';
    return at;
}

struct err str_read_hex64(const char *s, uint64_t *ret)
{
    uint64_t n = 0;

    /* A token is compared as text elsewhere, so only its one spelling is read. */
    if (!s || strlen(s) != 16 || strspn(s, "0123456789abcdef") != 16)
        return err_of(ERR_REJECT, "read a hex number");
    for (; *s; s++)
        n = n << 4 | (uint64_t)(is_digit(*s) ? *s - '0' : *s - 'a' + 10);
    *ret = n;
    return OK;
}

bool str_duration_guess(const char *s, char *ret, size_t size)
{
    size_t digits    = strspn(s, "0123456789");
    const char *unit = s + digits + strspn(s + digits, " ");
    char letter      = *unit >= 'A' && *unit <= 'Z' ? (char)(*unit + 'a' - 'A') : *unit;
    uint64_t ms;

    if (digits == 0 || !letter || !strchr("smhd", letter))
        return false;
    bool millis = str_starts(unit, "ms") || str_starts(unit, "milli");
    return str_format(ret, size, "%.*s%.*s", (int)digits, s, millis ? 2 : 1,
                      millis ? "ms" : &letter) &&
           !failed(str_duration_ms(ret, &ms));
}
