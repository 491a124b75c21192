/*
 * cli_print - answers, problems and errors as people and scripts read them.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "base/err.h"
#include "cli.h"
#include "cli_grid.h"
#include "json/json.h"

/* One document: with -o json its line, else a line a field. */
void cli_print_doc(const struct cli *cli, const struct json *doc);

/* With -o json the document, else the grid; when that has no rows, `none` on stderr. */
void cli_print_grid(const struct cli *cli, const struct cli_grid *grid, const struct json *doc,
                    const char *none);

/* The text of a value as it stands in a cell: a string bare, null nothing, else JSON. */
void cli_print_cell(struct cli_grid *grid, const struct json *value);

/* Is it an answer of surface 13? */
bool cli_print_is_problem(const struct json *answer);

/* Two lines on stderr, with -o json the body on stdout; returns how to exit. */
int cli_print_problem(const struct cli *cli, const struct json *problem);

/* What did not work, and what to try; returns how to exit.  subject: what was asked. */
int cli_print_error(const struct cli *cli, struct err e, const char *subject);

/* The same for what no service could say; returns status. */
int cli_print_away(const struct cli *cli, int status, const char *what, const char *then);

/* -v: the nats command that does the same.  Words end with NULL and are quoted where needed. */
void cli_print_nats(const struct cli *cli, const char *const *words);

/* "sluice: why", returns CLI_USAGE. */
int cli_print_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
