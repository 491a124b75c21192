/*
 * cli_context - a context of the nats CLI: where the server is and which credentials.
 */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include <stdbool.h>

#include "json/json.h"

/* Takes url and creds over, which are "" if the context has none.  False: it was said why; a context with a secret that we
   do not read (user, token, nkey, …) is refused. */
struct cli_context {
    char url[1024], creds[4096];
};
bool cli_context_load(const char *name, struct cli_context *ret);

/* The same from its text; pure.  REJECT with a sentence in why. */
MUST_USE struct err cli_context_read(struct bytes text, struct cli_context *ret, char *why,
                                     size_t why_size);

#endif
