#!/usr/bin/env bash
# lint.metrics - no name comes out as ..._total_total: svc_metric writes a counter's suffix, so no table may have it.
#
# A row of a table is X(COUNTER, runs_accepted, ...) or, where libs/svc writes its own, write_metric(to, "nats_sent", ...).
. "$(dirname "$0")/lib.bash"

rows() { files '*.c' '*.h' | { grep -E '^(libs|services)/' || true; } | xargs -r grep -HnE '\bX\((COUNTER|GAUGE),|write_metric\(to, "'; }

[ "$(rows | wc -l)" -gt 0 ] || verdict "libs and services: no row of a metric found; this check looks for the wrong thing"
verdict "$(rows | { grep -E '_total["),]' || true; } | sed -E 's/:( *)(X|write)/: svc_metric adds _total: \2/')"
