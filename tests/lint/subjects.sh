#!/usr/bin/env bash
# lint.subjects - the subjects, streams and buckets of wire/subject.h are those of docs/protocol.md, and vice versa.
#
# In both, <tenant>, %s and * mean one token. A subject of one side must overlap with one of the other; a catch-all ("x.>")
# vouches only for itself.
. "$(dirname "$0")/lib.bash"

header=libs/wire/subject.h
protocol=docs/protocol.md
[ -e "$header" ] && [ -e "$protocol" ] || { echo "nothing to compare yet"; exit 0; }

tokens() { grep -ohE '\bsluice\.[][A-Za-z0-9_.*<>%|{}-]+|\bSLUICE_[A-Z]+\b|\bsluice_[a-z]+\b' "$@" | sed -E 's/<[A-Za-z0-9_-]+>/*/g; s/%[a-z0-9]+/*/g; s/[.:,]+$//' | sort -u; }

in_code=$(sed -nE 's/^#define (SUBJECT|STREAM|BUCKET)_[A-Z_]+ +"([^"]+)".*/\2/p' "$header" | sort -u)
# shellcheck disable=SC2046
known=$({ echo "$in_code"; tokens $(files 'subject.[ch]' | grep '^libs/wire/'); } | sort -u)
written=$(tokens "$protocol")

found=$(awk '
    function overlap(a, b,   x, y, n, m, i) {
        n = split(a, x, "."); m = split(b, y, ".")
        for (i = 1; i <= n && i <= m; i++) {
            if (x[i] == ">" || y[i] == ">") return 1
            if (x[i] != y[i] && x[i] != "*" && y[i] != "*") return 0
        }
        return n == m
    }
    FILENAME == ARGV[1] { code[$0]; next }
    FILENAME == ARGV[2] { known[$0]; next }
    { doc[$0] }
    END {
        for (c in code) { ok = 0; for (d in doc) if (overlap(c, d)) ok = 1
            if (!ok) print "libs/wire/subject.h: " c " is not in docs/protocol.md" }
        for (d in doc) { # SLUICE_POOL and sluice_runs_total are settings and metrics; sluice.v1 is the package of the protos
            if (d !~ /^sluice\./ || d ~ /^sluice\.v1/) continue
            ok = d in known
            for (k in known) if (k !~ />$/ && overlap(d, k)) ok = 1
            if (!ok) print "docs/protocol.md: " d " is not in libs/wire/subject.h" }
    }' <(echo "$in_code") <(echo "$known") <(echo "$written") | sort)
verdict "$found"
