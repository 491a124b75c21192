#include "json/json_internal.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/*
 * The pattern becomes a program for an automaton that goes through the text once and is in all its states at the same
 * time (Thompson 1968), so its cost is the length of the text times that of the program, whatever they are.
 */
enum op {
    OP_SET,   /* one character out of ranges x to y - 1, and on  */
    OP_SPLIT, /* on at x, and at y                               */
    OP_JUMP,  /* on at x                                         */
    OP_BEGIN, /* on at the beginning of the text only            */
    OP_END,   /* on at its end only                              */
    OP_MATCH,
};

struct inst {
    enum op op;
    unsigned x, y;
};

struct range {
    unsigned low, high;
};

enum { GROUPS_MAX = 32, TIMES_MAX = 1000, RANGES_MAX = 512, LAST_CHAR = 0x10FFFF };

struct json_pattern {
    struct inst code[JSON_PATTERN_SIZE_MAX];
    unsigned count;
    struct range ranges[RANGES_MAX];
    unsigned ranges_count;
    size_t cost; /* of one character at the most: states, and ranges to look through */
};

/* --------------------------------------------------------------------------------- writing code */

/* reader - a pattern on its way to be code.  `wrong` is the first thing that was, and stops all. */
struct reader {
    struct json_pattern *p;
    const char *at;
    unsigned depth;
    const char *wrong;
};

static bool complain(struct reader *r, const char *words)
{
    if (!r->wrong)
        r->wrong = words;
    return false;
}

static bool emit(struct reader *r, enum op op, unsigned x, unsigned y)
{
    if (r->p->count == JSON_PATTERN_SIZE_MAX)
        return complain(r, "too large with its repetitions written out");
    r->p->code[r->p->count++] = (struct inst){op, x, y};
    return true;
}

static void move_targets(struct inst *code, unsigned count, unsigned by)
{
    for (unsigned i = 0; i < count; i++)
        if (code[i].op == OP_SPLIT || code[i].op == OP_JUMP) {
            code[i].x += by;
            code[i].y += by;
        }
}

/* Code points only into itself and to its end, so what stands from `at` on can be pushed aside as a whole. */
static bool emit_before(struct reader *r, unsigned at, enum op op, unsigned x, unsigned y)
{
    struct inst *code = r->p->code + at;
    unsigned count    = r->p->count - at;

    if (!emit(r, op, 0, 0))
        return false;
    memmove(code + 1, code, count * sizeof *code);
    move_targets(code + 1, count, 1);
    code[0] = (struct inst){op, x, y};
    return true;
}

/* The code that was once at `from`, again at the end. */
static bool emit_copy(struct reader *r, const struct inst *block, unsigned count, unsigned from)
{
    unsigned at = r->p->count;

    for (unsigned i = 0; i < count; i++)
        if (!emit(r, block[i].op, block[i].x, block[i].y))
            return false;
    move_targets(r->p->code + at, count, at - from);
    return true;
}

static bool emit_star(struct reader *r, unsigned at)
{
    return emit_before(r, at, OP_SPLIT, at + 1, r->p->count + 2) && emit(r, OP_JUMP, at, 0);
}

/* What stands from `at` on: min times, and then max - min times more if it can be, or (max 0) as often as it can be. */
static bool emit_times(struct reader *r, unsigned at, unsigned min, unsigned max)
{
    unsigned count                    = r->p->count - at, end;
    AUTO(mem_free) struct inst *block = mem_array(count + 1, sizeof *block);

    memcpy(block, r->p->code + at, count * sizeof *block);
    r->p->count = at;
    for (unsigned i = 0; i < min; i++)
        if (!emit_copy(r, block, count, at))
            return false;
    if (max == 0) {
        end = r->p->count;
        return emit_copy(r, block, count, at) && emit_star(r, end);
    }
    end = r->p->count + (max - min) * (count + 1);
    for (unsigned i = min; i < max; i++)
        if (!emit(r, OP_SPLIT, r->p->count + 1, end) || !emit_copy(r, block, count, at))
            return false;
    return true;
}

static bool add_range(struct reader *r, unsigned low, unsigned high)
{
    if (r->p->ranges_count == RANGES_MAX)
        return complain(r, "too many characters in its sets");
    r->p->ranges[r->p->ranges_count++] = (struct range){low, high};
    return true;
}

/* ---------------------------------------------------------------------------- sets of characters */

static const struct {
    const char *name;
    char letter; /* \d; its capital is all but these */
    struct range ranges[5];
} CLASSES[] = {
    {"digit", 'd', {{'0', '9'}}},
    {"word", 'w', {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"space", 's', {{'\t', '\r'}, {' ', ' '}}},
    {"alpha", 0, {{'A', 'Z'}, {'a', 'z'}}},
    {"alnum", 0, {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"upper", 0, {{'A', 'Z'}}},
    {"lower", 0, {{'a', 'z'}}},
    {"blank", 0, {{'\t', '\t'}, {' ', ' '}}},
    {"punct", 0, {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"xdigit", 0, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
    {"cntrl", 0, {{1, 31}, {127, 127}}},
    {"print", 0, {{' ', '~'}}},
    {"graph", 0, {{'!', '~'}}},
};

/* Ranges that are in order and apart; all characters but these if `none_of`. */
static bool add_class(struct reader *r, const struct range *ranges, bool none_of)
{
    unsigned from = 0;

    for (; ranges->high; ranges++) {
        bool ok = !none_of ? add_range(r, ranges->low, ranges->high)
                           : ranges->low == from || add_range(r, from, ranges->low - 1);
        if (!ok)
            return false;
        from = ranges->high + 1;
    }
    return !none_of || add_range(r, from, LAST_CHAR);
}

/* The character at *at, which goes on. */
static unsigned next_char(const char **at, size_t left)
{
    const unsigned char *c = (const unsigned char *)*at;
    size_t len             = json_utf8_len(*at, left);

    *at += len > 0 ? len : 1;
    switch (len) {
    case 2:
        return (c[0] & 0x1FU) << 6 | (c[1] & 0x3FU);
    case 3:
        return (c[0] & 0x0FU) << 12 | (c[1] & 0x3FU) << 6 | (c[2] & 0x3FU);
    case 4:
        return (c[0] & 0x07U) << 18 | (c[1] & 0x3FU) << 12 | (c[2] & 0x3FU) << 6 |
               (c[3] & 0x3FU);
    default:
        return c[0];
    }
}

static bool read_hex(struct reader *r, unsigned digits, unsigned *ret)
{
    unsigned n = 0;

    for (; digits > 0; digits--, r->at++) {
        char c         = *r->at;
        unsigned value = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (value == 16)
            return complain(r, "\\x is followed by two hex digits, \\u by four");
        n = n << 4 | value;
    }
    *ret = n;
    return true;
}

/* Behind a backslash: one character (*ret_class is NULL), or a class of them. */
static bool read_escape(struct reader *r, unsigned *ret, const struct range **ret_class,
                        bool *ret_none_of)
{
    static const char controls[] = "t\tn\nr\rf\fv\v";
    char c                       = *r->at;

    *ret_class = NULL;
    if (c == '\0')
        return complain(r, "\"\\\" at the end");
    for (size_t i = 0; i < 3; i++)
        if ((c | 0x20) == CLASSES[i].letter) {
            r->at++;
            *ret_class   = CLASSES[i].ranges;
            *ret_none_of = c != CLASSES[i].letter;
            return true;
        }
    if (c >= '0' && c <= '9')
        return complain(r, "\\1 and the like, which look back, are not known here");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        const char *control = strchr(controls, c);
        r->at++;
        if (c == 'x' || c == 'u')
            return read_hex(r, c == 'x' ? 2 : 4, ret);
        if (!control)
            return complain(r, "a \"\\\" before a letter means \\d \\w \\s \\D \\W \\S \\t \\n "
                               "\\r \\f \\v \\xHH or \\uHHHH here");
        *ret = (unsigned char)control[1];
        return true;
    }
    *ret = next_char(&r->at, strlen(r->at));
    return true;
}

/* [:alpha:] */
static bool read_named(struct reader *r)
{
    const char *name = r->at + 2, *end = strstr(name, ":]");

    for (size_t i = 0; end && i < sizeof CLASSES / sizeof *CLASSES; i++)
        if (strlen(CLASSES[i].name) == (size_t)(end - name) &&
            memcmp(name, CLASSES[i].name, (size_t)(end - name)) == 0) {
            r->at = end + 2;
            return add_class(r, CLASSES[i].ranges, false);
        }
    return complain(r, "no such class: there are [:alpha:] [:digit:] [:alnum:] [:upper:] "
                       "[:lower:] [:space:] [:punct:]");
}

/* One end of a range, or all of a class (then *ret_class). */
static bool read_end(struct reader *r, unsigned *ret, const struct range **ret_class,
                     bool *ret_none_of)
{
    *ret_class = NULL;
    if (*r->at == '\0')
        return complain(r, "\"[\" without its \"]\"");
    if (*r->at != '\\') {
        *ret = next_char(&r->at, strlen(r->at));
        return true;
    }
    r->at++;
    return read_escape(r, ret, ret_class, ret_none_of);
}

static bool read_range(struct reader *r)
{
    const struct range *class;
    unsigned low = 0, high;
    bool none_of = false;

    if (r->at[0] == '[' && r->at[1] == ':')
        return read_named(r);
    if (!read_end(r, &low, &class, &none_of))
        return false;
    if (class)
        return add_class(r, class, none_of);
    high = low;
    if (r->at[0] == '-' && r->at[1] != ']' && r->at[1] != '\0') {
        r->at++;
        if (!read_end(r, &high, &class, &none_of))
            return false;
        if (class || high < low)
            return complain(r, "a range in [...] that is none");
    }
    return add_range(r, low, high);
}

/* The ranges from `first` on, turned into all that they leave out. */
static bool turn_inside_out(struct reader *r, unsigned first)
{
    struct json_pattern *p = r->p;
    struct range old[RANGES_MAX];
    unsigned count = p->ranges_count - first, from = 0;

    memcpy(old, p->ranges + first, count * sizeof *old);
    p->ranges_count = first;
    while (from <= LAST_CHAR) {
        unsigned next   = LAST_CHAR + 1,
                 behind = from; /* the first range from here on, or what we stand in */
        for (unsigned i = 0; i < count; i++) {
            if (old[i].low <= from && old[i].high >= behind)
                behind = old[i].high + 1;
            if (old[i].low > from && old[i].low < next)
                next = old[i].low;
        }
        if (behind == from && !add_range(r, from, next - 1))
            return false;
        from = behind > from ? behind : next;
    }
    return true;
}

static bool emit_set(struct reader *r, unsigned first)
{
    return emit(r, OP_SET, first, r->p->ranges_count);
}

/* Behind the "[". */
static bool read_brackets(struct reader *r)
{
    unsigned first = r->p->ranges_count;
    bool none_of   = *r->at == '^';

    r->at += none_of;
    do { /* a "]" that stands first is itself */
        if (!read_range(r))
            return false;
    } while (*r->at != ']');
    r->at++;
    return (!none_of || turn_inside_out(r, first)) && emit_set(r, first);
}

/* ------------------------------------------------------------------------------------ the grammar */

static bool read_either(struct reader *r);

static bool read_group(struct reader *r)
{
    if (++r->depth > GROUPS_MAX)
        return complain(r, "too many groups in groups");
    if (r->at[0] == '?' && r->at[1] != ':')
        return complain(r, "\"(?\" is known here only as \"(?:\"");
    r->at += r->at[0] == '?' ? 2 : 0;
    if (!read_either(r))
        return false;
    if (*r->at != ')')
        return complain(r, "\"(\" without its \")\"");
    r->at++;
    r->depth--;
    return true;
}

static bool read_atom(struct reader *r)
{
    unsigned first = r->p->ranges_count, c = 0;
    const struct range *class = NULL;
    bool none_of              = false;

    switch (*r->at) {
    case '(':
        r->at++;
        return read_group(r);
    case '[':
        r->at++;
        return read_brackets(r);
    case '^':
        r->at++;
        return emit(r, OP_BEGIN, 0, 0);
    case '$':
        r->at++;
        return emit(r, OP_END, 0, 0);
    case '.':
        r->at++;
        return add_range(r, 0, '\n' - 1) && add_range(r, '\n' + 1, LAST_CHAR) &&
               emit_set(r, first);
    case '*':
    case '+':
    case '?':
    case '{':
        return complain(r, "there is nothing to repeat before a \"*\", \"+\", \"?\" or \"{\"");
    case '\\':
        r->at++;
        if (!read_escape(r, &c, &class, &none_of))
            return false;
        return (class ? add_class(r, class, none_of) : add_range(r, c, c)) &&
               emit_set(r, first);
    default:
        c = next_char(&r->at, strlen(r->at));
        return add_range(r, c, c) && emit_set(r, first);
    }
}

static bool read_count(struct reader *r, unsigned *ret)
{
    unsigned n = 0;

    if (*r->at < '0' || *r->at > '9')
        return complain(r, "a \"{\" that is no {2}, {2,} or {2,5}: write \\{");
    for (; *r->at >= '0' && *r->at <= '9'; r->at++)
        n = n > TIMES_MAX ? n : n * 10 + (unsigned)(*r->at - '0');
    *ret = n;
    return n <= TIMES_MAX || complain(r, "too large with its repetitions written out");
}

/* Behind the "{". */
static bool read_times(struct reader *r, unsigned at)
{
    unsigned min, max;

    if (!read_count(r, &min))
        return false;
    max = min;
    if (*r->at == ',') {
        r->at++;
        max = 0;
        if (*r->at != '}' && !read_count(r, &max))
            return false;
        if (r->at[-1] != ',' && max < min)
            return complain(r, "a {} whose second number is less than its first");
    }
    if (*r->at != '}')
        return complain(r, "a \"{\" that is no {2}, {2,} or {2,5}: write \\{");
    if (max == 0 && r->at[-1] != ',') { /* {0} and {0,0}: not at all */
        r->p->count = at;
        r->at++;
        return true;
    }
    r->at++;
    return emit_times(r, at, min, max);
}

static bool read_repeated(struct reader *r)
{
    unsigned at = r->p->count;
    bool ok     = true;

    if (!read_atom(r))
        return false;
    switch (*r->at) {
    case '*':
        r->at++;
        ok = emit_star(r, at);
        break;
    case '+':
        r->at++;
        ok = emit(r, OP_SPLIT, at, r->p->count + 1);
        break;
    case '?':
        r->at++;
        ok = emit_before(r, at, OP_SPLIT, at + 1, r->p->count + 1);
        break;
    case '{':
        r->at++;
        ok = read_times(r, at);
        break;
    default:
        return true;
    }
    r->at += *r->at == '?'; /* lazy: the same, where only yes or no is asked */
    return ok;
}

static bool read_either(struct reader *r)
{
    unsigned at = r->p->count, jump;

    while (*r->at && *r->at != '|' && *r->at != ')')
        if (!read_repeated(r))
            return false;
    if (*r->at != '|')
        return true;
    r->at++;
    if (!emit_before(r, at, OP_SPLIT, at + 1, r->p->count + 2) || !emit(r, OP_JUMP, 0, 0))
        return false;
    jump = r->p->count - 1;
    if (!read_either(r))
        return false;
    r->p->code[jump].x = r->p->count;
    return true;
}

static bool read_all(struct reader *r)
{
    if (!read_either(r))
        return false;
    if (*r->at == ')')
        return complain(r, "\")\" without its \"(\"");
    if (!emit(r, OP_MATCH, 0, 0))
        return false;
    for (unsigned i = 0; i < r->p->count; i++)
        r->p->cost += 1 + (r->p->code[i].op == OP_SET ? r->p->code[i].y - r->p->code[i].x : 0);
    return r->p->cost <= JSON_PATTERN_COST_MAX ||
           complain(r, "too large with its repetitions written out");
}

struct err json_pattern_open(struct json_pattern **ret, const char *text, char *why,
                             size_t why_size)
{
    AUTO(json_pattern_free) struct json_pattern *p = mem_new(struct json_pattern);
    struct reader r                                = {.p = p, .at = text};
    char sentence[JSON_WHY_SIZE];

    if (strlen(text) > JSON_PATTERN_MAX)
        r.wrong = "longer than 256 bytes";
    if (!r.wrong && read_all(&r)) {
        *ret = take(&p);
        return OK;
    }
    str_format(sentence, sizeof sentence, "not a pattern: %s", r.wrong);
    return json_refuse("read pattern", sentence, why, why_size);
}

void json_pattern_free(struct json_pattern **p)
{
    mem_free(p);
}

size_t json_pattern_cost(const struct json_pattern *p)
{
    return p->cost;
}

/* --------------------------------------------------------------------------------------- matching */

/* run - the states that the automaton is in, each once. */
struct run {
    const struct json_pattern *p;
    bool at_begin, at_end, matched;
    unsigned turn;
    unsigned seen[JSON_PATTERN_SIZE_MAX]; /* the turn in which it was entered */
    unsigned todo[JSON_PATTERN_SIZE_MAX], todo_count;
    unsigned sets[JSON_PATTERN_SIZE_MAX], sets_count; /* those that wait for a character */
};

static void enter(struct run *run, unsigned at)
{
    if (run->seen[at] == run->turn)
        return;
    run->seen[at]                = run->turn;
    run->todo[run->todo_count++] = at;
}

/* Goes on as far as it goes without a character. */
static void settle(struct run *run)
{
    while (run->todo_count > 0) {
        unsigned at             = run->todo[--run->todo_count];
        const struct inst *inst = &run->p->code[at];

        switch (inst->op) {
        case OP_SET:
            run->sets[run->sets_count++] = at;
            break;
        case OP_SPLIT:
            enter(run, inst->x);
            enter(run, inst->y);
            break;
        case OP_JUMP:
            enter(run, inst->x);
            break;
        case OP_BEGIN:
            if (run->at_begin)
                enter(run, at + 1);
            break;
        case OP_END:
            if (run->at_end)
                enter(run, at + 1);
            break;
        case OP_MATCH:
            run->matched = true;
            break;
        }
    }
}

static bool is_in(const struct json_pattern *p, const struct inst *set, unsigned c)
{
    for (unsigned i = set->x; i < set->y; i++)
        if (c >= p->ranges[i].low && c <= p->ranges[i].high)
            return true;
    return false;
}

bool json_pattern_fits(const struct json_pattern *p, const char *text, size_t len)
{
    AUTO(mem_free) struct run *run = mem_new(struct run);
    const char *at = text, *end = text + len;

    run->p    = p;
    run->turn = 1;
    for (;;) {
        run->at_begin = at == text;
        run->at_end   = at == end;
        enter(run, 0); /* it may begin anywhere */
        settle(run);
        if (run->matched || run->at_end)
            return run->matched;

        unsigned c = next_char(&at, (size_t)(end - at)), count = run->sets_count;
        run->turn++;
        run->sets_count = 0;
        for (unsigned i = 0; i < count; i++)
            if (is_in(p, &p->code[run->sets[i]], c))
                enter(run, run->sets[i] + 1);
    }
}
