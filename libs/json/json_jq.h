/*
 * json_jq - one jq program run on one document (libjq behind it).  For the sluice-eval child only:
 * a program of a tenant never runs inside a service.
 *
 * Debian's libjq 1.6: numbers are doubles (integers above 2^53 are rounded), and compiling anything takes 20 ms,
 * since all of jq's own library is compiled with it; so the last programs are kept, compiled.
 */
#ifndef JSON_JSON_JQ_H
#define JSON_JSON_JQ_H

#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    JSON_JQ_PROGRAM_MAX = 64 << 10, /* bytes of one program                        */
    JSON_JQ_KEPT        = 32,       /* programs kept compiled, the last ones used  */
    JSON_JQ_NO_MEMORY =
        3, /* when memory runs out libjq cannot go on: the process ends with this status */
};

/* Runs `program` on `scope` (an object; its members input, steps, vars, run, item are also bound as $input …; a
   member "." is what the program sees as `.`, without one it is the scope) and appends the first value it gives, as
   JSON, to `to`; no value gives null.  REJECT with jq's words in why.
   No modules, no `env`, no `input`, no `debug`, no `halt`; $ENV is empty; `now` is the clock.  The caller bounds time
   and memory. */
MUST_USE struct err json_jq(const char *program, struct bytes scope, struct buf *to, char *why,
                            size_t why_size);

/* Lets go of the kept programs: for a test that looks for leaks. */
void json_jq_forget(void);

#endif
