#!/usr/bin/env bash
# lint.config - each setting that a program reads is explained in docs/operations.md and can be given through the chart.
#
# A setting is a row of a config table: {"SLUICE_POOL", CONFIG_... The chart may name it in a template or in its values. What
# operations.md lists in a table (| `KEY` |) must exist, too.
. "$(dirname "$0")/lib.bash"

keys() { files '*.c' | { grep -E '^(libs|services)/' || true; } | xargs -r grep -hoE '\{ *"[A-Z][A-Z0-9_]+", *CONFIG_' | grep -oE '[A-Z][A-Z0-9_]+"' | tr -d '"' | sort -u; }

operations=docs/operations.md
found=$(
    keys | while read -r key; do
        [ ! -e $operations ] || grep -qw "$key" $operations || echo "$key: not in $operations"
        [ ! -d charts ] || grep -rqw "$key" charts || echo "$key: not in charts/"
    done
    [ ! -e $operations ] || grep -oE '^\| *`[A-Z][A-Z0-9_]+`' $operations | tr -d '|` ' | sort -u |
        { comm -13 <(keys) - || true; } | sed "s|.*|$operations: & is no setting of any program|"
    true
)
verdict "$found"
