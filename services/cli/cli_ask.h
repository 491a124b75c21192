/*
 * cli_ask - one question to a service: its answer, or how to exit after it was said why there is none.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdint.h>

#include "cli.h"
#include "json/json.h"

enum { CLI_ASK_MS = 10000 };

/* body NULL: an empty payload.  CLI_OK: *ret is a new document, and no problem. */
int cli_ask(struct cli *cli, const char *subject, const struct json *body, uint32_t timeout_ms,
            struct json **ret);

/* The same without saying anything: the answer, whatever it is.  ABSENT: nobody listens. */
MUST_USE struct err cli_ask_quietly(struct cli *cli, const char *subject,
                                    const struct json *body, uint32_t timeout_ms,
                                    struct json **ret);

/* Asks and prints the answer. */
int cli_ask_and_print(struct cli *cli, const char *subject, const struct json *body);

#endif
