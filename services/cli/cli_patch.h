/*
 * cli_patch - flags as a JSON merge patch: `--cap 30 --lanes a,b` is {"cap":30,"lanes":["a","b"]}.
 *
 * Pure: no clock, no I/O.
 */
#ifndef CLI_PATCH_H
#define CLI_PATCH_H

#include "base/err.h"
#include "cli_args.h"
#include "json/json.h"

enum cli_patch_type {
    CLI_PATCH_TEXT,
    CLI_PATCH_NUMBER,
    CLI_PATCH_BOOL,
    CLI_PATCH_LIST, /* words with commas between */
};

/* field may be a path of two: "rate/per_s".  "null" as value removes, whatever the type. */
struct cli_patch_field {
    const char *flag, *field;
    enum cli_patch_type type;
};

/* Adds what was given to patch.  fields ends with a flag that is NULL.  REJECT with a sentence. */
MUST_USE struct err cli_patch_read(struct json *patch, const struct cli_patch_field *fields,
                                   const struct cli_args *args, char *why, size_t why_size);

#endif
