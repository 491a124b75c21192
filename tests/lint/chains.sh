#!/usr/bin/env bash
# lint.chains - every op chain of the services is tortured, and every chain that a torture names is one of theirs.
#
# A chain is the name that bus_op_start (or a start of a service's own) is given.  Each test of tests/fault/world ends with
# THESE_CHAINS_WERE_HURT("submit", …) and fails if an answer of one of them was not hurt in each way that there is.
. "$(dirname "$0")/lib.bash"

tests=tests/fault/world

# names MACRO-OR-FUNCTION FILE...: the words in quotes of its calls, which may be broken over lines
names() {
    local call=$1
    shift
    cat "$@" | tr '\n' ' ' | { grep -oE "\<($call)\([^;)]*[;)]" || true; } | { grep -oE '"[a-z-]+"' || true; } | tr -d '"' | sort -u
}

# The rooms' own inner ops (bus) and the command line's are other tests' matter.
mapfile -t product < <(files '*.c' | grep -E '^(services|libs/svc)/' | grep -v '^services/cli/')
in_code=$(names '[a-z]+_op_start' "${product[@]}")
hurt=$(names THESE_CHAINS_WERE_HURT $tests/test_*.c)

[ -n "$in_code" ] || { echo "$0: no chain was found in the code"; exit 1; }
verdict "$(
    comm -23 <(echo "$in_code") <(echo "$hurt") | sed "s|.*|$tests: no torture drives the chain &|"
    comm -13 <(echo "$in_code") <(echo "$hurt") | sed "s|.*|$tests: & is no chain of the code|"
)"
