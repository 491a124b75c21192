/*
 * str - small questions about strings: names, prefixes, numbers, durations, nearest word.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum { STR_NAME_MAX = 64, STR_NAME_SIZE = STR_NAME_MAX + 1 };

bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_is_name(const char *s); /* [A-Za-z0-9_-]{1,64}: safe as a subject token */
bool str_is_name_n(const char *at, size_t len);
bool str_is_utf8(struct bytes text);

/* Copies with truncation (between two UTF-8 characters), always terminated; returns false if it
   was cut, be it at a zero byte. */
bool str_copy(char *to, size_t size, const char *from);
bool str_copy_n(char *to, size_t size, const char *at, size_t len);

/* snprintf that returns false if it was cut. */
bool str_format(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first character of s (not empty) as it may stand between quotes in a line: escaped as
   JSON says, with U+FFFD for a byte that is no UTF-8 or that steers a terminal.  Returns how
   many bytes of s it stands for. */
size_t str_escape(const char *s, char ret[8]);

/* The n-th (0-based) dot-separated token of a subject; false if there is none or it is
   longer than size - 1. */
bool str_token(const char *subject, unsigned n, char *ret, size_t size);

/* Whole-string decimal.  REJECT if it is anything else or overflows. */
MUST_USE struct err str_u64(const char *s, uint64_t *ret);
MUST_USE struct err str_double(const char *s, double *ret);

/* Where a url leads, for people to read: what is before its last @ is a secret. */
const char *str_url_place(const char *url);

/* "90s" "5m" "24h" "250ms" "7d"; no sign, no blanks, no fractions, at most 10,000 years: a few of them and a time
   can be added.  REJECT else. */
MUST_USE struct err str_duration_ms(const char *s, uint64_t *ret);
/* What was meant by a text that is no duration ("5 min" -> "5m"): a number and a unit that begins like one; false: no idea. */
bool str_duration_guess(const char *s, char *ret, size_t size);
/* The shortest such text: 90000 -> "90s", 300000 -> "5m"; buffer of 24 is enough. */
const char *str_duration_text(uint64_t ms, char *at, size_t size);

/* "256KiB" "1MiB" "16MiB" "4096".  REJECT else. */
MUST_USE struct err str_size_bytes(const char *s, uint64_t *ret);

/* RFC 3339 with milliseconds in UTC: 2026-11-21T03:10:00.120Z; buffer of 32 is enough. */
const char *str_time_text(int64_t wall_ms, char *at, size_t size);
MUST_USE struct err str_time_ms(const char *s, int64_t *ret_wall_ms); /* Z or an offset */

/* The word of a NULL-terminated list that is nearest to s by edit distance, if near enough
   to be what was meant (distance <= 1 + length / 4); else NULL. */
const char *str_nearest(const char *s, const char *const *words);

/* 64-bit hash (FNV-1a) for maps and shards: stable over versions, not cryptographic. */
uint64_t str_hash(const void *at, size_t len);

/* Lower-case hex of a 64-bit number, 16 digits and zero: the form of a lease token. */
const char *str_hex64(uint64_t n, char at[17]);
MUST_USE struct err str_read_hex64(const char *s, uint64_t *ret);

#endif
