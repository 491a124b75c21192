#!/usr/bin/env bash
# lint.links - what points into the documentation arrives: "docs/operations.md#config-refused" in a program (the runbook of an
# alert), [text](file.md#heading) in a page. An anchor is its heading in lower case, blanks as dashes.
. "$(dirname "$0")/lib.bash"

anchors() { sed -nE 's/^#+ +//p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'; }

# said in FILE:LINE that PATH#ANCHOR is there
arrives() {
    [ -e "$2" ] || { echo "$1: there is no $2"; return; }
    [ -z "$3" ] || anchors "$2" | grep -qxF -- "$3" || echo "$1: $2 has no heading for #$3"
}

found=$(
    while IFS=: read -r file line link; do
        arrives "$file:$line" "${link%%#*}" "${link#*#}"
    done < <(grep -noE 'docs/[a-z]+\.md#[^")]*' $(files '*.c' | grep -E '^(libs|services)/'))
    while IFS=: read -r file line link; do
        link=${link#](} link=${link%)}
        path=${link%%#*} anchor=
        case $link in http*) continue ;; *'#'*) anchor=${link#*#} ;; esac
        if [ -n "$path" ]; then path=$(dirname "$file")/$path; else path=$file; fi
        arrives "$file:$line" "$path" "$anchor"
    done < <(grep -noE '\]\([^) ]+\)' $(files '*.md' | grep -E '^(README|docs/|tests/)') /dev/null)
)
verdict "$found"
