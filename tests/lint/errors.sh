#!/usr/bin/env bash
# lint.errors - the problem codes of problem/problem.h are those of docs/errors.md, and vice versa. There a code is a heading
# or the first cell of a row: "## `queue_full`", "| `queue_full` |".
. "$(dirname "$0")/lib.bash"

header=libs/problem/problem.h
errors=docs/errors.md
[ -e "$header" ] && [ -e "$errors" ] || { echo "nothing to compare yet"; exit 0; }

in_code=$(sed -nE 's/^ *X\([A-Z_]+, ([a-z_]+), [0-9]+, .*/\1/p' "$header" | sort -u)
written=$(sed -nE 's/^(#+|\|) *`?([a-z]+(_[a-z]+)*)`?( .*|$)/\2/p' "$errors" | sort -u)
# A heading or cell of one plain word may be prose: only words in `quotes` or with an underscore count as codes nobody has.
quoted=$(sed -nE 's/^(#+|\|) *`([a-z_]+)`.*/\2/p' "$errors" | sort -u)

found=$(
    comm -23 <(echo "$in_code") <(echo "$written") | sed "s|.*|$header: & is not in $errors|; /: is not/d"
    comm -13 <(echo "$in_code") <(echo "$quoted") | sed "s|.*|$errors: & is not in $header|; /: is not/d"
)
verdict "$found"
