#!/usr/bin/env bash
# lint.banned - words that have one home or none; and // anywhere.
#
# word  homes (folders or files), "-" for none. Tests may free, exit and copy as they like; // is refused there too.
. "$(dirname "$0")/lib.bash"

banned='
strcpy   -
strncpy  -
strcat   -
strncat  -
sprintf  -
vsprintf -
strtok   -
atoi     -
atol     -
gets     -
alloca   -
malloc   libs/base/mem.c
calloc   libs/base/mem.c
realloc  libs/base/mem.c
free     libs/base/mem.c
strdup   libs/base/mem.c
strndup  libs/base/mem.c
asprintf libs/base/mem.c
abort    libs/base/must.c libs/base/mem.c
exit     libs/base/must.c libs/base/config.c
'
# Memory that a foreign library hands out goes back by free(): only in the room that hides the library.
foreign_free='^libs/json/'

all=$(files '*.c' '*.h')
# shellcheck disable=SC2086
stripped=$(code $all)
found=$(
    grep -E '^[^:]*:[0-9]+:.*//' <<<"$stripped" | sed -E 's/^([^:]*:[0-9]+):/\1: a comment is \/* *\/:/' || true
    while read -r word homes; do
        [ -n "$word" ] || continue
        grep -E "^(libs|services)/[^:]*:[0-9]+:(.*[^A-Za-z0-9_>.])?$word *\(" <<<"$stripped" |
            { if [ "$word" = free ]; then grep -vE "$foreign_free"; else cat; fi; } |
            while IFS=: read -r file line text; do
                case " $homes " in *" $file "*) ;; *) echo "$file:$line: $word() is not for here: $text" ;; esac
            done || true
    done <<<"$banned"
)
verdict "$found"
