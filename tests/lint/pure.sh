#!/usr/bin/env bash
# lint.pure - a header whose file comment says "Pure" keeps the promise, with its .c and the .c files that are named after it and
# have no header of their own: no clock, no I/O, no log, no randomness, no library that does I/O. The mover of a state may log; its
# header says so: "Pure, but logs".
. "$(dirname "$0")/lib.bash"

headers='"(bus|http|httpd|svc)/|<(uv|nats|curl|microhttpd|sys/socket|netdb|pthread|fcntl|time|sys/time)[./]'
calls='(clk_[a-z_]+|clock_gettime|gettimeofday|time|getenv|open|fopen|read|write|send|recv|socket|connect|printf|fprintf|puts|fork|system|sleep|usleep|nanosleep|rand|random|getrandom|id_new|uv_[a-z_]+)'
logs='log_(debug|info|warn|error)'

found=$(files '*.h' | { grep -E '^(libs|services)/' || true; } | while read -r header; do
    comment=$(awk '{ print } /\*\// { exit }' "$header")
    grep -qE '\bPure\b' <<<"$comment" || continue
    room=$(basename "$(dirname "$header")")
    for file in "$header" "${header%.h}.c" "${header%.h}"_*.c; do
        [ -e "$file" ] || continue
        case $file in "${header%.h}"_*.c) [ ! -e "${file%.c}.h" ] || continue ;; esac
        # (http_guard and http_limits are pure themselves)
        # includes are read from the file itself: code() leaves out what is in quotes
        grep -HnE "^#include +($headers)" "$file" | grep -v "\"$room/" | grep -vE '"http/http_(guard|limits)\.h"' | sed -E 's/:#/: pure, but has #/' || true
        code "$file" | grep -E "(^|[^A-Za-z0-9_.>])$calls\(" | sed -E 's/^([^:]*:[0-9]+):/\1: pure, but calls:/' || true
        grep -qE 'Pure, but logs' <<<"$comment" ||
            code "$file" | grep -E "\b$logs\(" | sed -E 's/^([^:]*:[0-9]+):/\1: pure, but logs:/' || true
    done
done)
verdict "$found"
