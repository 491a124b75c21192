/*
 * run_trace - the trace of a run, as W3C Trace Context (level 1) writes it: "00-<32 hex>-<16 hex>-<2 hex>".
 *
 * A run goes on with the trace of whoever submits it, in a span of its own, or begins one.  Pure.
 */
#ifndef RUN_RUN_TRACE_H
#define RUN_RUN_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum { RUN_TRACE_SIZE = 56 };

/* parent: a traceparent, or NULL; what is none counts as NULL. */
bool run_trace_valid(const char *parent);

/* random: three numbers, the last is the span's. */
void run_trace_of(const char *parent, const uint64_t random[3], char ret[RUN_TRACE_SIZE]);

#endif
