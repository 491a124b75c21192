#!/usr/bin/env bash
# lint.mutants - each patch in tests/mutants applies to this tree, and the test and the case that it names are there.
. "$(dirname "$0")/lib.bash"

field() { sed -n "s/^$1: //p" "$2"; }

# source_of TEST: the file that becomes it (.cmake/tests.cmake says how)
source_of() {
    local of
    IFS=. read -r -a of <<<"$1"
    case ${of[0]} in
    unit | fault) echo "tests/${of[0]}/${of[1]}/test_${of[2]}.c" ;;
    service) ls "tests/service/${of[1]}/test_${of[2]}.c" "tests/service/${of[1]}/nats_${of[2]}.c" 2>/dev/null ;;
    *) echo "tests/${of[0]}/test_${of[1]}.c" ;;
    esac
}

found=$(for patch in tests/mutants/*.patch; do
    git apply --check "$patch" 2>&1 | sed "s|^|$patch: |" || true
    test=$(field test "$patch")
    case=$(field case "$patch")
    file=$(source_of "$test" || true)
    if [ ! -e "${file:-none}" ]; then
        echo "$patch: there is no test $test"
    elif [ "$(grep -cw "$case" "$file")" -lt 2 ]; then
        echo "$patch: $file has no case $case"
    fi
    [ -n "$(field why "$patch")" ] || echo "$patch: does not say why"
done)
verdict "$found"
