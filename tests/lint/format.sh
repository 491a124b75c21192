#!/usr/bin/env bash
# lint.format - clang-format decides. ./dev fmt makes it so.
. "$(dirname "$0")/lib.bash"

found=$(files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror 2>&1 | sed -nE 's/^([^ ]+:[0-9]+):[0-9]+: error.*/\1: .\/dev fmt would change this/p' | sort -u -t: -k1,1 || true)
verdict "$found"
