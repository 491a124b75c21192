# judge - did every run end as it should? By the streams, and by the simulator's own record.
# shellcheck shell=bash

# facts: the journal as lines of: tenant run kind worker session result upstream
facts() {
    nats sub --stream SLUICE_JOURNAL --all 'sluice.journal.>' --headers-only -T 2>/dev/null | awk -v RS= -F '\n' -v OFS='\t' '
        /subject: sluice\.journal\./ {
            split("", h)
            for (i = 2; i <= NF; i++) if (at = index($i, ": ")) h[substr($i, 1, at - 1)] = substr($i, at + 2)
            match($0, /sluice\.journal\.[^ ]*/); split(substr($0, RSTART, RLENGTH), s, ".")
            print s[3], s[4], h["Sluice-Kind"], h["Sluice-Worker"] "", h["Sluice-Session"] "", h["Sluice-Result"] "", h["Sluice-Upstream"] ""
        }'
}

results() { nats sub --stream SLUICE_RESULTS --all 'sluice.result.>' --subjects-only -T 2>/dev/null | grep -o 'sluice\.result\.[^ ]*'; }

# One END and one result, done, for each run that was submitted, and for no other.
judge_ends() {
    awk -F '\t' -v OFS='\t' '
        FILENAME == ARGV[1] { runs[$1]; total++; next }
        FILENAME == ARGV[2] { if ($3 == "END") { ends[$2]++; if ($6 != "done") status[$2] = $6 } next }
        { split($1, s, "."); results[s[6]]++; if (s[5] != "done") status[s[6]] = s[5] }
        function bad(text) { if (++wrong <= 6) print "BAD", text }
        END {
            for (r in runs) {
                if (ends[r] != 1) bad("run " r " has " ends[r] + 0 " ENDs")
                if (results[r] != 1) bad("run " r " has " results[r] + 0 " results")
                if (r in status) bad("run " r " ended " status[r])
            }
            for (r in ends) if (!(r in runs)) bad("run " r " ended and was never submitted")
            if (wrong > 6) print "BAD", "… and " wrong - 6 " more of this"
            if (!wrong) print "ok", total " runs submitted, each with one END and one result: done"
        }' "$1" "$2" "$3"
}

# A run is in flight from its LEASED to its WAITING, RELEASED or END.
judge_caps() {
    awk -F '\t' -v OFS='\t' -v caps="$1" '
        BEGIN { n = split(caps, pairs, " "); for (i = 1; i <= n; i++) { split(pairs[i], p, "="); cap[p[1]] = p[2] } }
        $3 == "LEASED" && !held[$2] {
            held[$2] = 1
            if (++now[$1] > most[$1]) most[$1] = now[$1]
            if (now[$1] > cap[$1]) { print "BAD", "run " $2 " was leased beyond the cap of " $1 " (" cap[$1] ")"; wrong++ }
        }
        ($3 == "WAITING" || $3 == "RELEASED" || $3 == "END") && held[$2] { held[$2] = 0; now[$1]-- }
        END {
            for (i = 1; i <= n; i++) { split(pairs[i], p, "="); text = text (i > 1 ? ", " : "") p[1] " " most[p[1]] + 0 " (cap " p[2] ")" }
            if (!wrong) print "ok", "runs in flight, from the journal: " text
        }' "$2"
}

# opens_cut WORKER UPSTREAM: how many opens it had under way when it died
opens_cut() {
    awk -F '\t' -v worker="$1" -v upstream="$2" '
        $3 == "OPENING" && $4 == worker && $7 == upstream { open[$5] }
        $3 == "OPENED" { delete open[$5] }
        $3 == "CLOSED" && $4 == worker { delete open[$5] }
        END { print length(open) }' "$home/facts"
}

judge_rest() {
    local waiting jobs left cut
    waiting=$(nats stream info SLUICE_PENDING --json | jq .state.messages)
    jobs=$(nats stream info SLUICE_JOBS --json | jq .state.messages)
    left=$(curl -s "$chrome/sessions" | jq '.value | length')
    cut=$(opens_cut "$victim" chrome)
    if [ "$waiting$jobs" != 00 ]; then
        printf 'BAD\t%s tickets and %s jobs are left: %s\n' "$waiting" "$jobs" "$(nats stream subjects SLUICE_JOBS --names | xargs)"
    elif [ "$left" -gt "$cut" ]; then
        printf 'BAD\t%s browsers are left open: %s\n' "$left" "$(nats kv ls sluice_sessions | xargs)"
    else
        printf 'ok\tno ticket, no job and no browser is left%s\n' "$([ "$left" = 0 ] || echo " but the $left that the killed worker was just opening")"
    fi
}

# judge: prints the verdicts; false if one of them is BAD
judge() {
    facts >"$home/facts"
    results >"$home/results"
    {
        judge_ends "$home/runs" "$home/facts" "$home/results"
        judge_caps "$caps" "$home/facts"
        judge_rest
        jq -s -r -f "$here/judge.jq" --argjson runs "$(jq -R . "$home/orders" | jq -sc .)" \
            --argjson caps "$(tr ' ' '\n' <<<"$caps" | jq -R 'split("=") | {(.[0]): (.[1] | tonumber)}' | jq -sc add)" \
            --argjson limits "{\"rate\":$rate_most,\"in_flight\":$in_flight,\"sessions\":$sessions}" \
            --argjson unanswered "$(opens_cut "$victim" agents)" "$home/record"
    } >"$home/verdict" || return 1
    awk -F '\t' -v green="$green" -v red="$red" -v plain="$plain" '
        { printf "  %s%-4s%s %s\n", $1 == "ok" ? green : red, $1, plain, $2 }' "$home/verdict"
    ! grep -q '^BAD' "$home/verdict"
}
