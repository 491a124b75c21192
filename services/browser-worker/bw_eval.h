/*
 * bw_eval - evaluates jq programs in child processes (sluice-eval), seen from the worker's loop.
 *
 * A child has no environment, no files, no network, no fork, 64 MB, and one request at a time.  What takes longer
 * than eval_ms of processor time (or twenty times that by the clock) is killed, and the child started again; the others
 * go on meanwhile.  A program that was killed for its time waits behind all others for a minute and does not get the
 * last child, so that one tenant's endless loops do not hold up the rest.
 */
#ifndef BW_EVAL_H
#define BW_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    BW_EVAL_PROGRAM_MAX = 64 << 10,
    BW_EVAL_SCOPE_MAX   = 4 << 20,
    BW_EVAL_ANSWER_MAX  = 256 << 10,
    BW_EVAL_MEMORY      = 64 << 20, /* of one child, beyond what it has when it starts */
    BW_EVAL_WAITING_MAX = 4096,     /* requests, and */
    BW_EVAL_BYTES_MAX   = 64 << 20, /* their bytes   */
};

struct bw_eval;
struct bw_eval_ask;
struct uv_loop_s;

/* Called exactly once, on the loop, never from within bw_eval_ask.  value: JSON, for the time of the call.  Else why is
   a sentence, and e says whose fault it is: REJECT (jq's words, time, memory, size: it would happen again), FULL (too
   many are waiting), RETRY (a child was killed by somebody, or cannot start). */
typedef void bw_eval_done_fn(void *self, struct err e, struct bytes value, const char *why);

/* Starts the children.  program_path NULL: sluice-eval beside our own executable.  SIGPIPE becomes ignored. */
struct bw_eval *bw_eval_new(struct uv_loop_s *loop, const char *program_path, uint64_t eval_ms,
                            unsigned children);

/* Kills the children and gives RETRY to whoever still waits, now; its handles are closed, and its memory is let go of,
   in the next turns of the loop. */
void bw_eval_free(struct bw_eval **eval);

/* The program and the scope ({input, steps, vars, run, item}, as in json/json_jq.h) are copied.  The handle is good until `done` is
   called. */
struct bw_eval_ask *bw_eval_ask(struct bw_eval *eval, const char *program, struct bytes scope,
                                bw_eval_done_fn *done, void *self);

/* `done` will not be called. */
void bw_eval_cancel(struct bw_eval_ask **ask);

#endif
