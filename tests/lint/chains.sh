#!/usr/bin/env bash
# lint.chains - every op chain of the services has a scenario that drives it with hurt answers.
#
# A chain is the name that bus_op_start (or a start of a service's own) is given. What a scenario drives is in
# tests/fault/chains.txt, where the torture's own word ("CHAIN name") is compared with it: fault.world.* fails if it drives fewer.
. "$(dirname "$0")/lib.bash"

list=tests/fault/chains.txt

# Names stand in calls that may be broken over lines; the rooms' own inner chains (bus) are another test's.
# shellcheck disable=SC2046
in_code=$(cat $(files '*.c' | grep -E '^(services|libs/svc)/' | grep -v '^services/cli/') | tr '\n' ' ' |
    grep -oE '(bus|sch)_op_start\([^;]*;' | grep -oE '"[a-z-]+"' | tr -d '"' | sort -u)
driven=$(sed -E 's/#.*//; s/[[:space:]]+$//; /^$/d' "$list" | awk '{ print $1 }' | sort -u)

verdict "$(
    comm -23 <(echo "$in_code") <(echo "$driven") | sed "s|^|$list: no scenario drives chain |"
    comm -13 <(echo "$in_code") <(echo "$driven") | sed "s|^|$list: there is no chain |"
)"
