/*
 * cli_verbs - the nouns and verbs that there are, and the --help that is made from them.
 *
 * One table says what may be typed, what is explained and what is done (cli.c has a function for
 * each id).  Pure: no clock, no I/O.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "base/buf.h"
#include "cli_args.h"

enum cli_verbs_id {
    CLI_RUN_SUBMIT,
    CLI_RUN_GET,
    CLI_RUN_WAIT,
    CLI_RUN_WATCH,
    CLI_RUN_CANCEL,
    CLI_TENANT_LIST,
    CLI_TENANT_SHOW,
    CLI_TENANT_SET,
    CLI_TENANT_PAUSE,
    CLI_TENANT_RESUME,
    CLI_UPSTREAM_LIST,
    CLI_UPSTREAM_SHOW,
    CLI_UPSTREAM_SET,
    CLI_UPSTREAM_RESUME,
    CLI_UPSTREAM_PAUSE,
    CLI_UPSTREAM_UNPAUSE,
    CLI_SESSION_LIST,
    CLI_SESSION_SHOW,
    CLI_POOL_LIST,
    CLI_DECODE,
    CLI_DEV,
    CLI_VERBS,
};

extern const struct cli_table cli_verbs_table;

/* noun NULL: of everything; verb NULL: of the noun. */
void cli_verbs_help(const char *noun, const struct cli_verb *verb, struct buf *to);

#endif
