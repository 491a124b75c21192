/*
 * config - a table of settings drives parsing, bounds, --help and the log line at start.
 *
 * Each setting is an environment variable and a flag of the same meaning: SLUICE_POOL is
 * --pool, NATS_URL is --nats-url, LOG_LEVEL is --log-level.  The flag wins.  Every key is
 * written whole in the table (surface 12): "SLUICE_POOL", not "POOL".  An empty variable counts
 * as not set; a bool flag may stand alone (--console is --console=on).  A default may lie
 * outside its bounds (0 as "off"); what is given may not.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum config_type {
    CONFIG_STRING,   /* const char *; lives as long as the process          */
    CONFIG_UINT,     /* uint64_t                                            */
    CONFIG_DURATION, /* uint64_t, ms                                        */
    CONFIG_SIZE,     /* uint64_t, bytes                                     */
    CONFIG_BOOL,     /* bool: on|off|true|false|1|0                         */
    CONFIG_CHOICE,   /* const char *; `min` is the list "self|verify|none"  */
};

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;
    const char *preset; /* the default as text; NULL: unset (NULL, 0, false) */
    const char *min, *max;
    const char *help;
};

#define CONFIG_FIELD(T, field) offsetof(T, field)

/* Fills *self from environment and flags.  Handles --help and --version (prints, exits 0)
   and --check (sets *ret_check; the caller goes on to check what it can, prints, exits).
   What is wrong is one line a setting on stderr, exit 2.  Tables end with a key whose name
   is NULL; several tables are merged in order. */
struct config_table {
    const struct config_key *keys;
    void *self;
};
void config_load(const char *program, const char *summary, const struct config_table *tables,
                 size_t count, int argc, char **argv, bool *ret_check);

/* The same without exits, for tests: REJECT with one line in `why`. */
MUST_USE struct err config_read(const struct config_table *tables, size_t count, int argc,
                                char **argv, char *why, size_t why_size);

/* One info line for each setting that is not the default; user:password in a URL is left
   out. */
void config_log(const struct config_table *tables, size_t count);

#ifndef SLUICE_VERSION /* the build says it too: the version of the project */
#define SLUICE_VERSION "0.1.0"
#endif

#endif
