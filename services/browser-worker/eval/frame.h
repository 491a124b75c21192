/*
 * frame - what a worker and its sluice-eval children say to each other, in the words of one machine.
 *
 * The child says READY when it waits for a request, and only then is it given one: struct eval_ask, the program, the
 * scope.  It answers with VALUE or FAILED.  Then it says READY again, or ends: a child that has become large retires
 * between two requests, and nobody's request is lost with it.
 */
#ifndef EVAL_FRAME_H
#define EVAL_FRAME_H

#include <stdint.h>

enum eval_kind { EVAL_READY = 1, EVAL_VALUE, EVAL_FAILED };

struct eval_ask {
    uint32_t program_len, scope_len;
};

struct eval_answer {
    uint32_t kind, len;
};

#endif
