#!/usr/bin/env bash
# lint.words - a user meets nine nouns (surface 1). Those of the inside stand in no --help, but for names of flags and variables.
. "$(dirname "$0")/lib.bash"

bin=${BUILD_DIR:?run me by ctest, or set BUILD_DIR=build/debug}/bin
inside='tickets?|jobs?|leases?|leased|permits?|ledgers?|epochs?|wakes?|shards?'

found=$(
    for program in "$bin"/sluice "$bin"/sluice-*; do
        [ "${program##*/}" != sluice-eval ] || continue
        "$program" --help | sed -E 's/--[a-z-]+|SLUICE_[A-Z_]+//g' | grep -inwE "$inside" | sed "s|^|${program##*/} --help:|"
    done || true
)
verdict "$found"
