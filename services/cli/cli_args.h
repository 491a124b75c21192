/*
 * cli_args - a command line as nouns, verbs, places and flags, read by a table.
 *
 * Flags stand anywhere, "--flag value" or "--flag=value", a letter as "-o json"; "--" ends them.
 * What is wrong is one sentence with what to write instead.  Pure: no clock, no I/O.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { CLI_ARGS_PLACES_MAX = 2, CLI_ARGS_GIVEN_MAX = 128 };

struct cli_flag {
    const char *name;  /* without its dashes; NULL ends a table */
    const char *value; /* what stands for its value in --help; NULL: it has none */
    const char *help;
    char letter; /* '\0': none */
    bool many;
};

struct cli_verb {
    int id;
    const char *noun, *verb; /* verb NULL: the noun alone is the command */
    const char *places;      /* as --help shows them; "": none */
    size_t places_min, places_max;
    const struct cli_flag *flags; /* NULL: none */
    const char *help;
};

/* What surface 9 promises for a later version: to be told apart from a slip of the pen. */
struct cli_later {
    const char *noun, *verbs; /* "list rm"; "": all of the noun */
};

struct cli_table {
    const struct cli_verb *verbs; /* ends with a noun that is NULL */
    const struct cli_flag *globals;
    const struct cli_later *later; /* ends with a noun that is NULL */
};

struct cli_given {
    const struct cli_flag *flag;
    const char *value;
};

struct cli_args {
    const struct cli_verb *verb; /* NULL: none was named */
    const char *noun;            /* as far as it came: for --help */
    const char *places[CLI_ARGS_PLACES_MAX];
    size_t place_count;
    struct cli_given given[CLI_ARGS_GIVEN_MAX];
    size_t given_count;
};

/* argv without the program's name.  With --help or --version in it nothing else has to be
   complete.  REJECT with a sentence in why. */
MUST_USE struct err cli_args_read(struct cli_args *ret, const struct cli_table *table,
                                  size_t argc, const char *const *argv, char *why,
                                  size_t why_size);

bool cli_args_has(const struct cli_args *args, const char *flag);
const char *cli_args_get(const struct cli_args *args, const char *flag); /* the last; or NULL */
const char *cli_args_nth(const struct cli_args *args, const char *flag, size_t n);

#endif
