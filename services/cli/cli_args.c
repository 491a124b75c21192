#include "cli_args.h"

#include <string.h>

#include "base/str.h"

enum { WORDS_MAX = 96 };

struct reading {
    struct cli_args *to;
    const struct cli_table *table;
    const char *const *argv;
    size_t argc, at;
    bool only_places; /* after "--" */
    char *why;
    size_t why_size;
};

#define REFUSE(r, ...) \
    (str_format((r)->why, (r)->why_size, __VA_ARGS__), err_of(ERR_REJECT, "command line"))

/* ---- flags ------------------------------------------------------------------------------------ */

static const struct cli_flag *find_in(const struct cli_flag *flags, const char *at, size_t len,
                                      bool letter)
{
    for (; flags && flags->name; flags++)
        if (letter ? (len == 1 && flags->letter == *at)
                   : (strlen(flags->name) == len && memcmp(flags->name, at, len) == 0))
            return flags;
    return NULL;
}

static const struct cli_flag *find_flag(const struct reading *r, const char *at, size_t len,
                                        bool letter)
{
    const struct cli_flag *own =
        r->to->verb ? find_in(r->to->verb->flags, at, len, letter) : NULL;

    return own ? own : find_in(r->table->globals, at, len, letter);
}

static size_t add_names(const char **words, size_t n, const struct cli_flag *flags)
{
    for (; flags && flags->name && n < WORDS_MAX - 1; flags++)
        words[n++] = flags->name;
    return n;
}

static struct err unknown_flag(struct reading *r, const char *arg)
{
    const char *words[WORDS_MAX];
    char name[64];
    size_t n = add_names(words, 0, r->to->verb ? r->to->verb->flags : NULL);

    words[add_names(words, n, r->table->globals)] = NULL;
    str_copy_n(name, sizeof(name), arg, strcspn(arg, "="));

    const char *near = str_nearest(name + strspn(name, "-"), words);

    if (near)
        return REFUSE(r, "there is no flag %s here; is --%s meant?", name, near);
    return REFUSE(r, "there is no flag %s here", name);
}

static struct err put_flag(struct reading *r, const struct cli_flag *flag, const char *value)
{
    if (r->to->given_count == CLI_ARGS_GIVEN_MAX)
        return REFUSE(r, "more than %d flags", CLI_ARGS_GIVEN_MAX);
    if (!flag->many && cli_args_has(r->to, flag->name))
        return REFUSE(r, "--%s is given twice", flag->name);
    r->to->given[r->to->given_count++] = (struct cli_given){flag, value};
    return OK;
}

static struct err read_flag(struct reading *r, const char *arg)
{
    bool letter                 = arg[1] != '-';
    const char *at              = arg + (letter ? 1 : 2);
    size_t len                  = strcspn(at, "=");
    const char *value           = at[len] ? at + len + 1 : NULL;
    const struct cli_flag *flag = find_flag(r, at, len, letter);

    if (!flag)
        return unknown_flag(r, arg);
    if (!flag->value && value)
        return REFUSE(r, "--%s takes no value", flag->name);
    if (flag->value && !value) {
        if (r->at == r->argc || str_starts(r->argv[r->at], "--"))
            return REFUSE(r, "--%s needs a value: --%s %s", flag->name, flag->name,
                          flag->value);
        value = r->argv[r->at++];
    }
    return put_flag(r, flag, value);
}

/* ---- nouns and verbs ---------------------------------------------------------------------------- */

static bool word_in(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static bool comes_later(const struct cli_table *table, const char *noun, const char *verb)
{
    for (const struct cli_later *l = table->later; l && l->noun; l++)
        if (str_equal(l->noun, noun) && (!*l->verbs || !verb || word_in(l->verbs, verb)))
            return true;
    return false;
}

static const struct cli_verb *find_verb(const struct cli_table *table, const char *noun,
                                        const char *verb)
{
    for (const struct cli_verb *v = table->verbs; v->noun; v++)
        if (str_equal(v->noun, noun) && (!verb || !v->verb || str_equal(v->verb, verb)))
            return v;
    return NULL;
}

static struct err unknown_noun(struct reading *r, const char *noun)
{
    const char *words[WORDS_MAX];
    size_t n = 0;

    if (comes_later(r->table, noun, NULL))
        return REFUSE(r, "\"%s\" is not in this version", noun);
    for (const struct cli_verb *v = r->table->verbs; v->noun && n < WORDS_MAX - 1; v++)
        words[n++] = v->noun;
    words[n] = NULL;

    const char *near = str_nearest(noun, words);

    if (near)
        return REFUSE(r, "there is no \"%.40s\"; is \"%s\" meant?", noun, near);
    return REFUSE(r, "there is no \"%.40s\"; sluice --help says what there is", noun);
}

static struct err unknown_verb(struct reading *r, const char *verb)
{
    const char *words[WORDS_MAX], *noun = r->to->noun;
    size_t n = 0;

    if (comes_later(r->table, noun, verb))
        return REFUSE(r, "\"%s %s\" is not in this version", noun, verb);
    for (const struct cli_verb *v = r->table->verbs; v->noun && n < WORDS_MAX - 1; v++)
        if (str_equal(v->noun, noun))
            words[n++] = v->verb;
    words[n] = NULL;

    const char *near = str_nearest(verb, words);

    if (near)
        return REFUSE(r, "there is no \"%s %.40s\"; is \"%s %s\" meant?", noun, verb, noun,
                      near);
    return REFUSE(r, "there is no \"%s %.40s\"; sluice %s --help says what there is", noun,
                  verb, noun);
}

static struct err read_word(struct reading *r, const char *word)
{
    struct cli_args *to = r->to;

    if (!to->noun) {
        const struct cli_verb *v = find_verb(r->table, word, NULL);

        if (!v)
            return unknown_noun(r, word);
        to->noun = v->noun;
        if (!v->verb)
            to->verb = v;
        return OK;
    }
    if (!to->verb) {
        to->verb = find_verb(r->table, to->noun, word);
        return to->verb ? OK : unknown_verb(r, word);
    }
    if (to->place_count == to->verb->places_max)
        return REFUSE(r, "\"%.40s\" is one word too many", word);
    to->places[to->place_count++] = word;
    return OK;
}

static struct err read_all(struct reading *r)
{
    for (r->at = 0; r->at < r->argc;) {
        const char *arg = r->argv[r->at++];
        struct err e    = OK;

        if (!r->only_places && str_equal(arg, "--"))
            r->only_places = true;
        else if (!r->only_places && arg[0] == '-' && arg[1])
            e = read_flag(r, arg);
        else
            e = read_word(r, arg);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err complete(struct reading *r)
{
    const struct cli_args *to = r->to;

    if (cli_args_has(to, "help") || cli_args_has(to, "version"))
        return OK;
    if (!to->noun)
        return REFUSE(r, "a noun and a verb are missing; sluice --help says what there is");
    if (!to->verb)
        return REFUSE(r, "a verb is missing; sluice %s --help says what there is", to->noun);
    if (to->place_count < to->verb->places_min)
        return REFUSE(r, "something is missing: sluice %s%s%s %s", to->noun,
                      to->verb->verb ? " " : "", to->verb->verb ? to->verb->verb : "",
                      to->verb->places);
    return OK;
}

struct err cli_args_read(struct cli_args *ret, const struct cli_table *table, size_t argc,
                         const char *const *argv, char *why, size_t why_size)
{
    struct reading r = {.to       = ret,
                        .table    = table,
                        .argv     = argv,
                        .argc     = argc,
                        .why      = why,
                        .why_size = why_size};

    *ret         = (struct cli_args){0};
    struct err e = read_all(&r);

    return failed(e) ? e : complete(&r);
}

/* ---- looking up ---------------------------------------------------------------------------------- */

const char *cli_args_nth(const struct cli_args *args, const char *flag, size_t n)
{
    for (size_t i = 0; i < args->given_count; i++)
        if (str_equal(args->given[i].flag->name, flag) && n-- == 0)
            return args->given[i].value;
    return NULL;
}

const char *cli_args_get(const struct cli_args *args, const char *flag)
{
    for (size_t i = args->given_count; i-- > 0;)
        if (str_equal(args->given[i].flag->name, flag))
            return args->given[i].value;
    return NULL;
}

bool cli_args_has(const struct cli_args *args, const char *flag)
{
    for (size_t i = 0; i < args->given_count; i++)
        if (str_equal(args->given[i].flag->name, flag))
            return true;
    return false;
}
