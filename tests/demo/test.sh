#!/usr/bin/env bash
# test - the demo ends as it should; or, told what the upstream does wrong (cap, order, session), finds it and names the run.
#
# usage: tests/demo/test.sh plain|cap|order|session
set -euo pipefail
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0 what=${1:?plain, cap, order or session} options=()
[ "$what" = plain ] || options=("--break=$what")
"$(dirname "$0")/demo.sh" "${options[@]}" >"$out" 2>&1 || status=$?
sed -n '/^Judged/,/^$/p' "$out"

if [ "$what" = plain ]; then
    [ $status = 0 ] || { tail -n 40 "$out"; echo "demo: exit $status"; exit 1; }
    exit 0
fi
[ $status = 1 ] || { tail -n 40 "$out"; echo "demo --break=$what: exit $status, and 1 is what it should be"; exit 1; }
grep -qE '^ *BAD .*\b[0-9A-HJKMNP-TV-Z]{26}\b' "$out" || { echo "demo --break=$what: no run is named"; exit 1; }
