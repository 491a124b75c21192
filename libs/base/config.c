#include "base/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    FLAG_SIZE   = 64,      /* of "--name" */
    SHOWN_SIZE  = 96,      /* of somebody's value in a complaint */
    WRONG_MAX   = 1 << 16, /* of all complaints */
    CHOICE_SIZE = 128,     /* of a list of choices */
};

/* One row of one table, with what the command line says about it. */
struct setting {
    const struct config_key *key;
    char *field;
    char flag[FLAG_SIZE];
    const char *given; /* the value of the last such flag; NULL: none */
};

struct reading {
    struct setting *settings;
    size_t count;
    struct buf wrong; /* one line a complaint */
    bool help, version, check;
};

/* A value in the type of its key, before all of them are known to be good. */
union value {
    const char *text;
    uint64_t number;
    bool yes;
};

/* SLUICE_POOL -> --pool, NATS_URL -> --nats-url */
static void flag_of(const char *name, char ret[FLAG_SIZE])
{
    const char *from = str_starts(name, "SLUICE_") ? name + strlen("SLUICE_") : name;

    must(str_format(ret, FLAG_SIZE, "--%s", from));
    for (char *c = ret + 2; *c; c++) {
        if (*c == '_')
            *c = '-';
        else if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
}

static void reading_init(struct reading *r, const struct config_table *tables, size_t count)
{
    *r = (struct reading){0};
    buf_init(&r->wrong, WRONG_MAX);
    for (size_t i = 0; i < count; i++)
        for (const struct config_key *key = tables[i].keys; key->name; key++)
            r->count++;

    struct setting *s = r->settings = mem_array(r->count, sizeof(*s));

    for (size_t i = 0; i < count; i++)
        for (const struct config_key *key = tables[i].keys; key->name; key++, s++) {
            s->key   = key;
            s->field = (char *)tables[i].self + key->offset;
            flag_of(key->name, s->flag);
        }
}

static void reading_deinit(struct reading *r)
{
    mem_free(&r->settings);
    buf_deinit(&r->wrong);
}

/* Somebody's text inside a line of ours: in quotes, cut, and unable to move a cursor or begin
   another line. */
static const char *shown(const char *value, char ret[SHOWN_SIZE])
{
    char one[8];
    struct buf b;

    buf_init(&b, SHOWN_SIZE - 8);
    buf_char(&b, '"');
    while (*value && !b.full) {
        value += str_escape(value, one);
        buf_str(&b, one);
    }
    str_format(ret, SHOWN_SIZE, "%s%s\"", b.at, b.full ? "..." : "");
    buf_deinit(&b);
    return ret;
}

/* NULL-terminated copies of the words of "self|verify|none", in `list`. */
static void split_choices(const char *choices, char list[CHOICE_SIZE], const char *ret[],
                          size_t max)
{
    size_t n = 0;

    must(str_copy(list, CHOICE_SIZE, choices));
    for (char *word = list, *end; word; word = end) {
        end = strchr(word, '|');
        if (end)
            *end++ = '\0';
        must(n < max - 1);
        ret[n++] = word;
    }
    ret[n] = NULL;
}

static bool read_bool(const char *text, bool *ret)
{
    static const char *const YES[] = {"on", "true", "1"};
    static const char *const NO[]  = {"off", "false", "0"};

    for (size_t i = 0; i < 3; i++)
        if (str_equal(text, YES[i]) || str_equal(text, NO[i])) {
            *ret = str_equal(text, YES[i]);
            return true;
        }
    return false;
}

static bool is_choice(const char *text, const char *choices)
{
    char list[CHOICE_SIZE];
    const char *words[CHOICE_SIZE / 2 + 1];

    split_choices(choices, list, words, CHOICE_SIZE / 2 + 1);
    for (size_t i = 0; words[i]; i++)
        if (str_equal(words[i], text))
            return true;
    return false;
}

/* Syntax only.  Text lives in the environment, argv or the table: all as long as the
   process. */
static bool read_value(const struct config_key *key, const char *text, union value *ret)
{
    switch (key->type) {
    case CONFIG_STRING:
        ret->text = text;
        return true;
    case CONFIG_CHOICE:
        ret->text = text;
        return is_choice(text, key->min);
    case CONFIG_UINT:
        return !failed(str_u64(text, &ret->number));
    case CONFIG_DURATION:
        return !failed(str_duration_ms(text, &ret->number));
    case CONFIG_SIZE:
        return !failed(str_size_bytes(text, &ret->number));
    case CONFIG_BOOL:
        return read_bool(text, &ret->yes);
    }
    must(!"unknown config_type");
    return false;
}

static bool has_bounds(const struct config_key *key)
{
    return key->type == CONFIG_UINT || key->type == CONFIG_DURATION || key->type == CONFIG_SIZE;
}

static bool past(const struct config_key *key, const char *bound, uint64_t number, bool below)
{
    union value limit;

    if (!has_bounds(key) || !bound)
        return false;
    must(read_value(key, bound, &limit));
    return below ? number < limit.number : number > limit.number;
}

/* "from 5s to 1h", "5s or more", "at most 1h", or nothing. */
static const char *bounds_text(const struct config_key *key, char *at, size_t size)
{
    str_copy(at, size, "");
    if (!has_bounds(key))
        return at;
    if (key->min && key->max)
        str_format(at, size, "from %s to %s", key->min, key->max);
    else if (key->min)
        str_format(at, size, "%s or more", key->min);
    else if (key->max)
        str_format(at, size, "at most %s", key->max);
    return at;
}

static const char *what_it_wants(enum config_type type)
{
    switch (type) {
    case CONFIG_STRING:
        return "text";
    case CONFIG_UINT:
        return "a whole number such as 100";
    case CONFIG_DURATION:
        return "a duration such as 250ms, 90s, 5m, 24h or 7d";
    case CONFIG_SIZE:
        return "a size such as 4096, 256KiB or 1MiB";
    case CONFIG_BOOL:
        return "on or off";
    case CONFIG_CHOICE:
        return "one of the words";
    }
    must(!"unknown config_type");
    return "?";
}

static void complain_choice(struct reading *r, const struct config_key *key, const char *where,
                            const char *text)
{
    char list[CHOICE_SIZE], value[SHOWN_SIZE];
    const char *words[CHOICE_SIZE / 2 + 1];

    split_choices(key->min, list, words, CHOICE_SIZE / 2 + 1);
    const char *nearest = str_nearest(text, words);

    buf_printf(&r->wrong, "%s %s is not one of %s", where, shown(text, value), key->min);
    if (nearest)
        buf_printf(&r->wrong, "; did you mean %s?\n", nearest);
    else
        buf_printf(&r->wrong, "; write one of them\n");
}

static void complain_syntax(struct reading *r, const struct config_key *key, const char *where,
                            const char *text)
{
    char value[SHOWN_SIZE], bounds[64];

    if (key->type == CONFIG_CHOICE) {
        complain_choice(r, key, where, text);
        return;
    }
    bounds_text(key, bounds, sizeof(bounds));
    buf_printf(&r->wrong, "%s %s cannot be read; write %s%s%s\n", where, shown(text, value),
               what_it_wants(key->type), *bounds ? ", " : "", bounds);
}

static void complain_bounds(struct reading *r, const struct config_key *key, const char *where,
                            const char *text, bool below)
{
    char value[SHOWN_SIZE], bounds[64];

    buf_printf(&r->wrong, "%s %s is too %s; write %s\n", where, shown(text, value),
               below ? "small" : "large", bounds_text(key, bounds, sizeof(bounds)));
}

/* An empty variable is what a chart or a compose file writes for "not set". */
static const char *text_of(const struct setting *s, const char **ret_where)
{
    const char *env = getenv(s->key->name);

    *ret_where = s->flag;
    if (s->given)
        return s->given;
    *ret_where = s->key->name;
    return env && *env ? env : NULL;
}

/* The value that counts, or a complaint.  A preset is ours: it must be readable, but it may lie
   outside the bounds (0 as "off"). */
static union value check_setting(struct reading *r, const struct setting *s)
{
    union value ret = {0}, none = {0};
    const struct config_key *key = s->key;
    const char *where            = NULL;
    const char *text             = text_of(s, &where);

    if (!text) {
        must(!key->preset || read_value(key, key->preset, &ret));
        return ret;
    }
    if (!read_value(key, text, &ret)) {
        complain_syntax(r, key, where, text);
        return none;
    }
    if (past(key, key->min, ret.number, true))
        complain_bounds(r, key, where, text, true);
    else if (past(key, key->max, ret.number, false))
        complain_bounds(r, key, where, text, false);
    return ret;
}

static void store(const struct setting *s, union value value)
{
    switch (s->key->type) {
    case CONFIG_STRING:
    case CONFIG_CHOICE:
        memcpy(s->field, &value.text, sizeof(value.text));
        return;
    case CONFIG_UINT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        memcpy(s->field, &value.number, sizeof(value.number));
        return;
    case CONFIG_BOOL:
        memcpy(s->field, &value.yes, sizeof(value.yes));
        return;
    }
}

static bool same_flag(const char *flag, const char *argument, size_t len)
{
    return strlen(flag) == len && strncmp(flag, argument, len) == 0;
}

static void complain_flag(struct reading *r, const char *argument, size_t len)
{
    const char **flags = mem_array(r->count + 4, sizeof(*flags));
    char name[FLAG_SIZE], value[SHOWN_SIZE];
    size_t n = 0;

    for (; n < r->count; n++)
        flags[n] = r->settings[n].flag;
    flags[n++] = "--help";
    flags[n++] = "--version";
    flags[n++] = "--check";

    str_copy_n(name, sizeof(name), argument, len);
    const char *nearest = str_starts(name, "--") ? str_nearest(name, flags) : NULL;

    if (nearest)
        buf_printf(&r->wrong, "%s is not a flag; did you mean %s?\n", shown(name, value),
                   nearest);
    else
        buf_printf(&r->wrong, "%s is not a flag; --help shows them all\n", shown(name, value));
    mem_free(&flags);
}

/* The next argument is its value, unless that looks like a flag itself: a forgotten value must
   not eat it. */
static int take_value(struct reading *r, struct setting *s, const char *next)
{
    bool yes = false;

    if (s->key->type == CONFIG_BOOL && !(next && read_bool(next, &yes))) {
        s->given = "on";
        return 0;
    }
    if (!next || str_starts(next, "--")) {
        buf_printf(&r->wrong, "%s has no value; write %s=%s\n", s->flag, s->flag,
                   s->key->preset ? s->key->preset : "...");
        return 0;
    }
    s->given = next;
    return 1;
}

/* Reads one argument; returns how many more it took. */
static int read_argument(struct reading *r, const char *argument, const char *next)
{
    size_t len = strcspn(argument, "=");
    bool known = true;
    int took   = 0;

    if (str_equal(argument, "--help") || str_equal(argument, "-h"))
        r->help = true;
    else if (str_equal(argument, "--version"))
        r->version = true;
    else if (str_equal(argument, "--check"))
        r->check = true;
    else
        known = false;

    /* One name may stand in two tables: each gets the value. */
    for (size_t i = 0; i < r->count; i++) {
        struct setting *s = &r->settings[i];

        if (!same_flag(s->flag, argument, len))
            continue;
        known = true;
        if (argument[len] == '=')
            s->given = argument + len + 1;
        else
            took = take_value(r, s, next);
    }
    if (!known)
        complain_flag(r, argument, len);
    return took;
}

static void read_arguments(struct reading *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        i += read_argument(r, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
}

/* All or nothing: what was handed in stays as it was if one setting is wrong. */
static void read_settings(struct reading *r)
{
    union value *values = mem_array(r->count, sizeof(*values));

    for (size_t i = 0; i < r->count; i++)
        values[i] = check_setting(r, &r->settings[i]);
    for (size_t i = 0; i < r->count && r->wrong.len == 0; i++)
        store(&r->settings[i], values[i]);
    mem_free(&values);
}

struct err config_read(const struct config_table *tables, size_t count, int argc, char **argv,
                       char *why, size_t why_size)
{
    struct reading r;
    struct err e = OK;

    reading_init(&r, tables, count);
    read_arguments(&r, argc, argv);
    read_settings(&r);
    if (r.wrong.len > 0) {
        str_copy_n(why, why_size, r.wrong.at, strcspn(r.wrong.at, "\n"));
        e = err_of(ERR_REJECT, "read configuration");
    }
    reading_deinit(&r);
    return e;
}

struct widths {
    int flag, env, preset;
};

static void widen(int *width, const char *text)
{
    /* A preset of three lines' length (SLUICE_LANES) must not push every other row to the
       right. */
    enum { WIDEST = 32 };
    int len = (int)strlen(text);

    if (len > *width && len <= WIDEST)
        *width = len;
}

static const char *preset_text(const struct config_key *key)
{
    if (key->preset)
        return *key->preset ? key->preset : "\"\"";
    return key->type == CONFIG_BOOL ? "off" : "-";
}

static struct widths measure(const struct reading *r)
{
    struct widths w = {9, 11, 7}; /* of "--version", "environment" and "default" */

    for (size_t i = 0; i < r->count; i++) {
        widen(&w.flag, r->settings[i].flag);
        widen(&w.env, r->settings[i].key->name);
        widen(&w.preset, preset_text(r->settings[i].key));
    }
    return w;
}

static void print_row(struct widths w, const char *flag, const char *env, const char *preset,
                      const char *help)
{
    printf("  %-*s  %-*s  %-*s  %s", w.flag, flag, w.env, env, w.preset, preset, help);
}

static void print_setting(struct widths w, const struct setting *s)
{
    char bounds[64];

    print_row(w, s->flag, s->key->name, preset_text(s->key), s->key->help);
    if (s->key->type == CONFIG_CHOICE)
        printf(" (%s)", s->key->min);
    else if (*bounds_text(s->key, bounds, sizeof(bounds)))
        printf(" (%s)", bounds);
    printf("\n");
}

static void print_help(const char *program, const char *summary,
                       const struct config_table *tables, size_t count)
{
    struct reading r;

    reading_init(&r, tables, count);
    struct widths w = measure(&r);

    printf("%s - %s\n\n", program, summary);
    printf("usage: %s [--flag value | --flag=value]...\n", program);
    printf("Every flag is an environment variable too; the flag wins.\n\n");
    print_row(w, "flag", "environment", "default", "meaning\n");
    for (size_t i = 0; i < r.count; i++)
        print_setting(w, &r.settings[i]);
    print_row(w, "--check", "", "", "reads the configuration, says what is wrong, exits\n");
    print_row(w, "--version", "", "", "prints the version, exits\n");
    print_row(w, "--help", "", "", "prints this, exits\n");
    reading_deinit(&r);
}

/* Each complaint as a line of its own that names the program: the output of several services is
   often read in one stream. */
static void exit_with_complaints(const char *program, const char *lines)
{
    while (*lines) {
        size_t len = strcspn(lines, "\n");

        fprintf(stderr, "%s: %.*s\n", program, (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
    exit(2);
}

void config_load(const char *program, const char *summary, const struct config_table *tables,
                 size_t count, int argc, char **argv, bool *ret_check)
{
    struct reading r;

    reading_init(&r, tables, count);
    read_arguments(&r, argc, argv);
    if (r.help || r.version) { /* even beside something wrong: help is how one mends it */
        if (r.help)
            print_help(program, summary, tables, count);
        else
            printf("%s %s\n", program, SLUICE_VERSION);
        reading_deinit(&r);
        exit(0);
    }
    read_settings(&r);
    if (r.wrong.len > 0)
        exit_with_complaints(program, r.wrong.at);
    if (ret_check)
        *ret_check = r.check;
    reading_deinit(&r);
}

static union value load(const struct setting *s)
{
    union value ret = {0};

    switch (s->key->type) {
    case CONFIG_STRING:
    case CONFIG_CHOICE:
        memcpy(&ret.text, s->field, sizeof(ret.text));
        break;
    case CONFIG_UINT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        memcpy(&ret.number, s->field, sizeof(ret.number));
        break;
    case CONFIG_BOOL:
        memcpy(&ret.yes, s->field, sizeof(ret.yes));
        break;
    }
    return ret;
}

static bool is_preset(const struct setting *s, union value now)
{
    union value preset = {0};

    if (s->key->preset)
        must(read_value(s->key, s->key->preset, &preset));
    switch (s->key->type) {
    case CONFIG_STRING:
    case CONFIG_CHOICE:
        return str_equal(now.text, preset.text);
    case CONFIG_UINT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return now.number == preset.number;
    case CONFIG_BOOL:
        return now.yes == preset.yes;
    }
    return false;
}

static const char *size_text(uint64_t bytes, char *at, size_t size)
{
    static const char *const UNITS[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t unit                      = 0;

    while (unit < 4 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    str_format(at, size, "%" PRIu64 "%s", bytes, UNITS[unit]);
    return at;
}

/* A URL may carry a password (nats://user:secret@host): logs are read by more people than may
   know it. */
static const char *without_secret(const char *text, char *at, size_t size)
{
    const char *scheme = text ? strstr(text, "://") : NULL;
    const char *host   = NULL;

    for (const char *c = scheme ? scheme + 3 : ""; *c && !strchr("/?#", *c); c++)
        if (*c == '@')
            host = c;
    if (!host)
        return text;
    str_format(at, size, "%.*s***%s", (int)(scheme + 3 - text), text, host);
    return at;
}

static const char *value_text(const struct setting *s, union value v, char *at, size_t size)
{
    switch (s->key->type) {
    case CONFIG_STRING:
    case CONFIG_CHOICE:
        return without_secret(v.text, at, size);
    case CONFIG_UINT:
        str_format(at, size, "%" PRIu64, v.number);
        return at;
    case CONFIG_DURATION:
        return str_duration_text(v.number, at, size);
    case CONFIG_SIZE:
        return size_text(v.number, at, size);
    case CONFIG_BOOL:
        return v.yes ? "on" : "off";
    }
    return "";
}

void config_log(const struct config_table *tables, size_t count)
{
    struct reading r;
    char text[256];

    reading_init(&r, tables, count);
    for (size_t i = 0; i < r.count; i++) {
        const struct setting *s = &r.settings[i];
        union value now         = load(s);

        if (!is_preset(s, now))
            log_info("setting", KV("key", s->key->name),
                     KV("to", value_text(s, now, text, sizeof(text))));
    }
    reading_deinit(&r);
}
