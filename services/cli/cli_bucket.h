/*
 * cli_bucket - configuration in its buckets: listing it, and changing it.
 *
 * A change is a merge patch that a service takes, checks and stores (sluice.admin.<noun>.<name>).
 * While no such service runs, the value is checked and stored from here, expecting the revision
 * that was read.
 */
#ifndef CLI_BUCKET_H
#define CLI_BUCKET_H

#include "cli.h"
#include "json/json.h"
#include "problem/problem.h"

/* Columns are fields of the values; the first is the key.  NULL-terminated. */
struct cli_bucket_list {
    const char *bucket, *noun; /* "tenants": the list's name in JSON, and of its key "tenant" */
    const char *plural;
    const char *const *columns;
    const char *none;             /* what is said when there is nothing */
    const char *const *forbidden; /* fields that are never printed; NULL: none */
};
int cli_bucket_list(struct cli *cli, const struct cli_bucket_list *list);

struct cli_bucket_change {
    const char *bucket, *noun, *name;
    const struct json *patch;
    /* Of the patched value, when no service checks it. */
    struct err (*check)(const char *name, const struct json *value, struct problem *why);
};
int cli_bucket_change(struct cli *cli, const struct cli_bucket_change *change);

/* "sluice.admin.<noun>.<name>" asked and printed; name must be a name. */
int cli_bucket_show(struct cli *cli, const char *noun, const char *name);

/* A name of a tenant or upstream; else it is said. */
bool cli_bucket_name_good(const char *name);

#endif
