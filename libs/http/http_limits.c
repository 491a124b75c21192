#include "http/http_limits.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum {
    LINES_MAX = 16, /* of one header that are looked at */
    KEY_SIZE  = 32, /* of a parameter's name that matters */
};

/* What RateLimit says: of its policies, only those that are used up tell when to come again. */
struct rate {
    bool seen; /* something readable was there */
    bool exhausted;
    uint64_t reset_ms;
};

static uint64_t clamp(double ms)
{
    if (ms <= 0)
        return 0;
    return ms < (double)HTTP_LIMITS_MAX_MS ? (uint64_t)ms : HTTP_LIMITS_MAX_MS;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static const char *skip_blank(const char *at)
{
    return at + strspn(at, " \t");
}

static bool is_end(const char *at)
{
    return *skip_blank(at) == '\0';
}

/* ---- dates ---------------------------------------------------------------------------------- */

static int month_of(const char *name)
{
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    for (int i = 0; i < 12; i++)
        if (strcasecmp(name, MONTHS[i]) == 0)
            return i;
    return -1;
}

struct parts {
    char month[4];
    int day, year, hour, minute, second;
};

/* Days since 1970 of the proleptic Gregorian calendar; month 0 to 11.  Years are counted from March,
   so that a leap day is the last of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y         = month < 2 ? year - 1 : year;
    int64_t since_mar = (month + 10) % 12;

    return y * 365 + y / 4 - y / 100 + y / 400 + (since_mar * 306 + 5) / 10 + day - 1 - 719468;
}

static bool to_ms(const struct parts *p, int64_t *ret)
{
    int month = month_of(p->month);

    if (month < 0 || p->day < 1 || p->day > 31 || p->hour > 23 || p->minute > 59 ||
        p->second > 60 || p->hour < 0 || p->minute < 0 || p->second < 0 || p->year < 1900)
        return false;

    int64_t hours = days_of(p->year, month, p->day) * 24 + p->hour;

    *ret = ((hours * 60 + p->minute) * 60 + p->second) * 1000;
    return true;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": a year that seems more than 50 years ahead is a past one. */
static int full_year(int two, int64_t wall_ms)
{
    int this_year = 1970;

    while (days_of(this_year + 1, 0, 1) * 86400000 <= wall_ms)
        this_year++;

    int year = this_year / 100 * 100 + two;

    return year > this_year + 50 ? year - 100 : year;
}

bool http_limits_date(const char *text, int64_t wall_ms, int64_t *ret_wall_ms)
{
    struct parts p = {.month = ""};
    int end        = 0;

    text = skip_blank(text);
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &p.day, p.month,
               &p.year, &p.hour, &p.minute, &p.second, &end) == 6 &&
        end && is_end(text + end))
        return to_ms(&p, ret_wall_ms);

    end = 0;
    if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &p.day, p.month,
               &p.year, &p.hour, &p.minute, &p.second, &end) == 6 &&
        end && is_end(text + end)) {
        p.year = full_year(p.year, wall_ms);
        return to_ms(&p, ret_wall_ms);
    }

    end = 0;
    if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", p.month, &p.day, &p.hour,
               &p.minute, &p.second, &p.year, &end) == 6 &&
        end && is_end(text + end))
        return to_ms(&p, ret_wall_ms);
    return false;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Digits, and perhaps a fraction; no sign, no exponent; what overflows is merely large.  NULL if
   there is none, else what follows. */
static const char *read_number(const char *at, double *ret)
{
    double n = 0, unit = 1;

    if (!isdigit((unsigned char)*at))
        return NULL;
    for (; isdigit((unsigned char)*at); at++)
        n = n * 10 + (*at - '0');
    if (*at == '.') {
        if (!isdigit((unsigned char)*++at))
            return NULL;
        for (; isdigit((unsigned char)*at); at++)
            n += (*at - '0') * (unit /= 10);
    }
    *ret = n;
    return at;
}

/* A list of numbers, for a proxy may fold two headers into one line: the largest. */
static bool read_numbers(const char *text, double *ret)
{
    double most = 0, n = 0;

    do {
        text = read_number(skip_blank(text), &n);
        if (!text)
            return false;
        most = n > most ? n : most;
        text = skip_blank(text);
    } while (*text++ == ',');
    if (text[-1] != '\0')
        return false;
    *ret = most;
    return true;
}

/* ---- Retry-After ------------------------------------------------------------------------------ */

/* The time that the answer itself was made at, so that a wrong clock here does no harm. */
static int64_t now_of(http_header_fn *get, const void *self, int64_t wall_ms)
{
    const char *date = get(self, "Date", 0);
    int64_t at;

    return date && http_limits_date(date, wall_ms, &at) ? at : wall_ms;
}

static bool read_delay(const char *text, int64_t now, uint64_t *ret)
{
    double seconds;
    int64_t at;

    if (read_numbers(text, &seconds))
        *ret = clamp(seconds * 1000);
    else if (http_limits_date(text, now, &at))
        *ret = clamp((double)(at - now));
    else
        return false;
    return true;
}

static void read_retry_after(http_header_fn *get, const void *self, int64_t now,
                             struct http_limits *l)
{
    const char *text;
    double ms;
    uint64_t delay;

    for (unsigned n = 0; n < LINES_MAX && (text = get(self, "retry-after-ms", n)); n++)
        if (read_numbers(text, &ms)) {
            l->has_retry_after = true;
            l->retry_after_ms  = larger(l->retry_after_ms, clamp(ms));
        }
    if (l->has_retry_after)
        return;
    for (unsigned n = 0; n < LINES_MAX && (text = get(self, "Retry-After", n)); n++)
        if (read_delay(text, now, &delay)) {
            l->has_retry_after = true;
            l->retry_after_ms  = larger(l->retry_after_ms, delay);
        }
}

/* ---- RateLimit: a structured field (RFC 9651), a list of items with parameters --------------------- */

static bool key_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || c == '*' ||
           (!first && (isdigit((unsigned char)c) || c == '_' || c == '-' || c == '.'));
}

/* A key, cut to what matters; NULL if there is none. */
static const char *read_key(const char *at, char name[KEY_SIZE])
{
    size_t n = 0;

    if (!key_char(*at, true))
        return NULL;
    for (; key_char(*at, false); at++)
        if (n < KEY_SIZE - 1)
            name[n++] = *at;
    name[n] = '\0';
    return at;
}

static const char *read_string(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && *++at != '"' && *at != '\\')
            return NULL;
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            return NULL;
    }
    return *at ? at + 1 : NULL;
}

static const char *read_binary(const char *at)
{
    const char *end = strchr(at + 1, ':');

    return end ? end + 1 : NULL;
}

static const char *read_token(const char *at)
{
    while (isalnum((unsigned char)*at) || (*at && strchr("!#$%&'*+-.^_`|~:/", *at)))
        at++;
    return at;
}

/* One bare item; of a number its value.  NULL: malformed. */
static const char *read_item(const char *at, bool *ret_number, double *ret)
{
    double n = 0;

    *ret_number = false;
    if (*at == '"')
        return read_string(at);
    if (*at == ':')
        return read_binary(at);
    if (*at == '?')
        return at[1] == '0' || at[1] == '1' ? at + 2 : NULL;
    if (isalpha((unsigned char)*at) || *at == '*')
        return read_token(at);

    bool minus = *at == '-';

    at = read_number(at + minus, &n);
    if (!at)
        return NULL;
    *ret_number = true;
    *ret        = minus ? -n : n;
    return at;
}

struct policy {
    bool has_r, has_t;
    double r, t;
};

static void note(struct policy *p, const char *key, const char *r, const char *t, double n)
{
    if (str_equal(key, r)) {
        p->has_r = true;
        p->r     = n;
    } else if (str_equal(key, t)) {
        p->has_t = true;
        p->t     = n;
    }
}

static void add_policy(struct rate *rate, const struct policy *p)
{
    if (!p->has_r)
        return;
    rate->seen = true;
    if (p->r > 0)
        return;
    rate->exhausted = true;
    if (p->has_t)
        rate->reset_ms = larger(rate->reset_ms, clamp(p->t * 1000));
}

/* ;r=0;t=30;pk=:QUJD:;any  Unknown ones are read and left. */
static const char *read_parameters(const char *at, struct policy *p)
{
    char key[KEY_SIZE];
    bool number = false;
    double n    = 0;

    while (*at == ';') {
        at = read_key(skip_blank(at + 1), key);
        if (!at)
            return NULL;
        if (*at != '=')
            continue; /* a parameter without a value is true */
        at = read_item(at + 1, &number, &n);
        if (!at)
            return NULL;
        if (number)
            note(p, key, "r", "t", n);
    }
    return at;
}

/* A comma and another item, or the end.  NULL: neither. */
static const char *next_item(const char *at)
{
    at = skip_blank(at);
    if (*at == '\0')
        return at;
    if (*at != ',')
        return NULL;
    at = skip_blank(at + 1);
    return *at ? at : NULL;
}

/* Malformed means ignored, the whole of it. */
static bool read_list(const char *at, struct rate *ret)
{
    struct rate rate = *ret;
    bool number;
    double n;

    for (at = skip_blank(at); at && *at;) {
        struct policy p = {.has_r = false};

        at = read_item(at, &number, &n);
        if (at)
            at = read_parameters(at, &p);
        if (!at)
            return false;
        add_policy(&rate, &p);
        at = next_item(at);
    }
    if (!at)
        return false;
    *ret = rate;
    return true;
}

/* Draft 7 had a dictionary: limit=100, remaining=0, reset=30. */
static bool read_dictionary(const char *at, struct rate *ret)
{
    struct policy p = {.has_r = false}, other = p;
    char key[KEY_SIZE];
    bool number;
    double n = 0;

    for (at = skip_blank(at); at && *at;) {
        at = read_key(at, key);
        at = at && *at == '=' ? read_item(at + 1, &number, &n) : NULL;
        if (at && number)
            note(&p, key, "remaining", "reset", n);
        at = at ? read_parameters(at, &other) : NULL;
        at = at ? next_item(at) : NULL;
    }
    if (!at)
        return false;
    add_policy(ret, &p);
    return true;
}

/* The lines of one field are one list; a malformed line does not spoil a good one here, for what
   proxies add is beyond the origin's control. */
static struct rate read_rate(http_header_fn *get, const void *self)
{
    struct rate rate = {.seen = false};
    const char *text;

    for (unsigned n = 0; n < LINES_MAX && (text = get(self, "RateLimit", n)); n++)
        if (!read_list(text, &rate))
            read_dictionary(text, &rate);
    return rate;
}

/* ---- the three older headers, with and without X- ------------------------------------------------- */

/* The dialects of Reset, told apart by size: epoch in milliseconds, epoch in seconds, seconds from
   now; or a date. */
static bool read_reset(const char *text, int64_t now, uint64_t *ret)
{
    double n;
    int64_t at;

    text = skip_blank(text);
    if (read_numbers(text, &n))
        *ret = n > 1e12  ? clamp(n - (double)now)
               : n > 1e9 ? clamp(n * 1000 - (double)now)
                         : clamp(n * 1000);
    else if (http_limits_date(text, now, &at) || !failed(str_time_ms(text, &at)))
        *ret = clamp((double)(at - now));
    else
        return false;
    return true;
}

static bool older_reset(http_header_fn *get, const void *self, int64_t now, uint64_t *ret)
{
    static const char *const NAMES[] = {"RateLimit-Reset", "X-RateLimit-Reset",
                                        "X-Rate-Limit-Reset"};

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++) {
        const char *text = get(self, NAMES[i], 0);

        if (text && read_reset(text, now, ret))
            return true;
    }
    return false;
}

static bool older_remaining(http_header_fn *get, const void *self, double *ret)
{
    static const char *const NAMES[] = {"RateLimit-Remaining", "X-RateLimit-Remaining",
                                        "X-Rate-Limit-Remaining"};

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++) {
        const char *text = get(self, NAMES[i], 0);
        const char *end  = text ? read_number(skip_blank(text), ret) : NULL;

        if (end && is_end(end))
            return true;
    }
    return false;
}

static void read_older(http_header_fn *get, const void *self, int64_t now,
                       struct http_limits *l)
{
    double remaining = 0;
    bool has         = older_remaining(get, self, &remaining);

    l->exhausted = has && remaining <= 0;
    if (!has || l->exhausted)
        older_reset(get, self, now, &l->reset_ms);
}

/* ---- all of it ------------------------------------------------------------------------------ */

struct http_limits http_limits_read(http_header_fn *get, const void *self, int64_t wall_ms)
{
    struct http_limits l = {.has_retry_after = false};
    int64_t now          = now_of(get, self, wall_ms);
    struct rate rate     = read_rate(get, self);

    read_retry_after(get, self, now, &l);
    if (!rate.seen) {
        read_older(get, self, now, &l);
        return l;
    }
    l.exhausted = rate.exhausted;
    l.reset_ms  = rate.reset_ms;
    if (l.exhausted && l.reset_ms == 0)
        older_reset(get, self, now, &l.reset_ms);
    return l;
}
