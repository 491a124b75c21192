#include "json/json_internal.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/*
 * How large a pattern becomes when repetitions are written out, as regcomp writes them: `a{3,5}` five times, `a{3,}`
 * four times, and `a+` twice.
 */
enum { GROUPS_MAX = 32 };

struct size {
    size_t group[GROUPS_MAX]; /* atoms so far in each open group */
    size_t depth;
    size_t last; /* atoms of what a repetition would repeat */
};

static void put_atoms(struct size *s, size_t n)
{
    s->group[s->depth] += n;
    s->last = n;
    if (s->group[s->depth] > JSON_PATTERN_ATOMS_MAX)
        s->group[s->depth] = JSON_PATTERN_ATOMS_MAX + 1;
}

static void repeat(struct size *s, size_t times)
{
    size_t last = s->last;

    if (times < 2 || last == 0)
        return;
    put_atoms(s, (times - 1) * last);
    s->last = last * times;
    if (s->last > JSON_PATTERN_ATOMS_MAX)
        s->last = JSON_PATTERN_ATOMS_MAX + 1;
}

static size_t read_count(const char **at)
{
    size_t n = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        n = n > 10000 ? n : n * 10 + (size_t)(**at - '0');
    return n;
}

/* `{3}` `{3,}` `{3,5}` `{,5}`; false: a brace that is none of these. */
static bool read_times(const char **at, size_t *ret)
{
    const char *p = *at + 1;
    size_t min = read_count(&p), max = min;

    if (*p == ',') {
        p++;
        max = *p == '}' ? min + 1 : read_count(&p);
    }
    if (*p != '}')
        return false;
    *at  = p;
    *ret = max > min ? max : min;
    return true;
}

/* Behind the `]` that ends the brackets at `at`; NULL: there is none, or a backslash, which means only itself there. */
static const char *read_brackets(const char *at, const char **ret_words)
{
    const char *p = at + 1;

    p += *p == '^';
    p += *p == ']';
    for (; *p && *p != ']'; p++) {
        if (*p == '\\') {
            *ret_words = "a \"\\\" in [...] means itself; write [[:alnum:]_] for \\w, "
                         "[[:space:]] for \\s, [0-9] for \\d";
            return NULL;
        }
        if (p[0] == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            const char end[] = {p[1], ']', '\0'};
            p                = strstr(p + 2, end);
            if (!p)
                break;
            p++;
        }
    }
    *ret_words = "\"[\" without its \"]\"";
    return p && *p ? p : NULL;
}

/* What stands behind a backslash: punctuation, or one of GNU's few letters. */
static const char *wrong_escape(char c)
{
    if (c == '\0')
        return "\"\\\" at the end";
    if (c >= '0' && c <= '9')
        return "it looks back (\\1), which may take forever";
    if (c == 'd' || c == 'D')
        return "\\d is not known here: write [0-9]";
    if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) && !strchr("wWsSbB", c))
        return "an unknown \"\\\" and letter: it is a POSIX extended regular expression";
    return NULL;
}

/* One step through the pattern: NULL, or what is wrong. */
static const char *measure(struct size *s, const char **at)
{
    const char *words = NULL;
    size_t times, inside;

    switch (**at) {
    case '\\':
        (*at)++;
        put_atoms(s, 1);
        return wrong_escape(**at);
    case '[':
        *at = read_brackets(*at, &words);
        put_atoms(s, 1);
        return *at ? NULL : words;
    case '(':
        if ((*at)[1] == '?')
            return "\"(?\" is not known here: it is a POSIX extended regular expression";
        if (++s->depth == GROUPS_MAX)
            return "too many groups in groups";
        s->group[s->depth] = s->last = 0;
        return NULL;
    case ')':
        if (s->depth == 0)
            return "\")\" without its \"(\"";
        inside = s->group[s->depth--];
        put_atoms(s, inside + 1);
        return NULL;
    case '+':
        repeat(s, 2);
        return NULL;
    case '{':
        if (read_times(at, &times))
            repeat(s, times);
        else
            put_atoms(s, 1);
        return NULL;
    case '*':
    case '?':
        return NULL;
    default:
        put_atoms(s, 1);
        return NULL;
    }
}

static struct err refuse(const char *words, char *why, size_t why_size)
{
    char sentence[JSON_WHY_SIZE + 64];

    str_format(sentence, sizeof sentence, "not a pattern we take: %s", words);
    return json_refuse("read pattern", sentence, why, why_size);
}

struct err json_pattern_open(struct json_pattern **ret, const char *text, char *why,
                             size_t why_size)
{
    struct size s = {0};
    char words[JSON_WHY_SIZE];

    if (strlen(text) > JSON_PATTERN_MAX)
        return refuse("longer than 256 bytes", why, why_size);
    for (const char *at = text; *at; at++) {
        const char *wrong = measure(&s, &at);
        if (wrong)
            return refuse(wrong, why, why_size);
        if (s.group[s.depth] > JSON_PATTERN_ATOMS_MAX)
            return refuse("its repetitions make more than 512 pieces", why, why_size);
    }

    struct json_pattern *p = mem_new(struct json_pattern);
    int r                  = regcomp(&p->regex, text, REG_EXTENDED | REG_NOSUB);
    if (r != 0) {
        regerror(r, &p->regex, words, sizeof words);
        mem_free(&p);
        return refuse(words, why, why_size);
    }
    p->atoms = s.group[0] + 1;
    *ret     = p;
    return OK;
}

void json_pattern_free(struct json_pattern **slot)
{
    if (*slot)
        regfree(&(*slot)->regex);
    mem_free(slot);
}

bool json_pattern_fits(const struct json_pattern *p, const char *text)
{
    return regexec(&p->regex, text, 0, NULL, 0) == 0;
}
