/*
 * cli - the command `sluice`: what is given to each verb's function, and the exit codes.
 *
 * A verb's function prints its answer and returns how the program exits.  One file a noun.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "cli_args.h"

struct cli_link;

enum cli_exit {
    CLI_OK          = 0,
    CLI_FAILED      = 1, /* a run or a check failed */
    CLI_USAGE       = 2,
    CLI_REFUSED     = 3,
    CLI_UNREACHABLE = 4,
    CLI_TIMED_OUT   = 5,
};

struct cli {
    const struct cli_args *args;
    const char *server, *creds, *user_file, *ca; /* all but the first may be NULL */
    const char *tenant;
    bool json;             /* -o json */
    bool verbose;          /* -v */
    struct cli_link *link; /* the connection; NULL until somebody asks something */
};

typedef int cli_fn(struct cli *cli);

int cli_main(int argc, char **argv);

#endif
