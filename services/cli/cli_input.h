/*
 * cli_input - a submit from what was typed: -i k=v, --input, labels, the flow.
 *
 * Pure: no clock, no I/O.  Files are read by the caller, as text.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/bytes.h"
#include "base/err.h"
#include "cli_args.h"
#include "json/json.h"

enum { CLI_INPUT_WHY_SIZE = 240 };

/* flow: a stored name, or NULL; flow_text: the document; input_text: of --input; NULL: none.
   REJECT with a sentence in why. */
struct cli_input {
    const char *flow;
    const struct bytes *flow_text, *input_text;
};
MUST_USE struct err cli_input_submit(struct json **ret, const struct cli_args *args,
                                     const struct cli_input *input, char *why, size_t why_size);

#endif
