#!/usr/bin/env bash
# lint.headers - the headers that each kind of entry has in docs/protocol.md are those that wire_entry.c writes.
. "$(dirname "$0")/lib.bash"

code=libs/wire/wire_entry.c
protocol=docs/protocol.md

names() { grep -oE '\bSluice-[A-Za-z-]+|\btraceparent\b' | sort -u; }
written_by() { for fn in "$@"; do sed -n "/^[a-z].* $fn(/,/^}/p" $code; done | names; }
# said_of ENTRIES;ENTRIES…: the rows of the table that begin so; in them `-Try` is short for `Sluice-Try`
said_of() { awk -F' *[|] *' -v of=";$1;" '$2 != "" && index(of, ";" $2 ";") { print $3 }' $protocol | sed 's/`-/`Sluice-/g' | names; }

found=$(
    while IFS=: read -r entries functions; do
        # shellcheck disable=SC2086
        diff <(written_by $functions) <(said_of "$entries") |
            sed -nE "s|^< (.*)|$protocol: $entries: \1 is missing|p; s|^> (.*)|$protocol: $entries: \1 is not written by $code|p"
    done <<'END'
each of the holder's:add_holder
PLAN:add_plan add_labels
OPENING, OPENED, CLOSED:add_session
INTENT, OUTCOME:add_step
WAITING:add_waiting
END, REJECTED:add_end
every entry;LEASED;COMMAND, SIGNAL, CANCEL:add_parts wire_entry_headers
END
    true
)
verdict "$found"
