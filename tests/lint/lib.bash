# lib - what the checks share. Each check prints "file:line: what is wrong" and ends with 1 if it printed anything.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# files NAME-PATTERN...: the repository's own files, also those not yet added to git
files() {
    local pattern
    for pattern in "$@"; do
        find . \( -path ./build -o -path ./.git -o -path ./.sluice -o -name node_modules \) -prune -o -type f -name "$pattern" -print
    done | sed 's|^\./||' | sort -u
}

# code FILE...: lines as "file:line:text" with comments and the insides of strings left out; // is left in, to be found
code() { [ $# -eq 0 ] || awk -f tests/lint/code.awk "$@"; }

# verdict COUNT-OR-TEXT: ends the check
verdict() {
    [ -z "$1" ] || { printf '%s\n' "$1"; exit 1; }
    echo "nothing found"
}
