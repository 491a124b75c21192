# table - what is going on, redrawn in place on a terminal, else a line every 2 s. What Sluice says, and beside it what
# the simulator and the chromedriver count themselves.
# shellcheck shell=bash

declare -A seen=() mode=() done_runs=()
events=()
drawn=0

set_colours() {
    bold='' dim='' green='' red='' yellow='' plain=''
    if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'; fi
}

clock() { printf '%02d:%02d' $((elapsed_ms / 60000)) $((elapsed_ms / 1000 % 60)); }

event() {
    events+=("$(clock)  $*")
    [ -t 1 ] || printf '%s  ** %s\n' "$(clock)" "$*"
}

# look: asks everybody at once; who does not answer keeps the last figures
look() {
    local name waits=()
    for name in "${tenants[@]}"; do
        nats req --raw --timeout 2s "sluice.admin.tenant.$name" '' >"$home/look/$name" 2>/dev/null & waits+=($!)
    done
    for name in agents chrome; do
        nats req --raw --timeout 2s "sluice.admin.upstream.$name" '' >"$home/look/$name" 2>/dev/null & waits+=($!)
    done
    curl -s -m 2 "$sim/_sim/now" >"$home/look/sim" & waits+=($!)
    curl -s -m 2 "$chrome/sessions" >"$home/look/chromedriver" & waits+=($!)
    wait "${waits[@]}" || true

    local key value
    while read -r key value; do seen[$key]=$value; done < <(cd "$home/look" && jq -r '
        if has("tenant") then .tenant as $t | "\($t).tier \(.tier)", "\($t).cap \(.cap)", "\($t).flight \(.in_flight)",
            "\($t).waiting \(.queued | add)"
        elif has("upstream") then .upstream as $u | (.mode + if .until then " until " + .until[11:19] else "" end) as $m
            | "\($u).mode \($m)", "\($u).rate \(.rate.used_1s)/\(.rate.limit // "-")",
            "\($u).flight \(.in_flight.used)/\(.in_flight.limit // "-")", "\($u).sessions \(.sessions.used)/\(.sessions.limit // "-")"
        elif has("events") then "sim.flight \(.in_flight)", "sim.sessions \(.sessions)", "sim.calls \(.calls)", "sim.ms \(.ns / 1000000 | floor)"
        elif has("value") then "chromedriver.sessions \(.value | length)" else empty end' -- * 2>/dev/null)
    while read -r key value; do done_runs[$key]=$value; done < <(ended | awk -F . '{ n[$3]++ } END { for (t in n) print t, n[t]; print "all", NR }')
    own_rate
    watch_modes
}

# The simulator's calls between this look and the last, per second.
own_rate() {
    local ms=$((${seen[sim.ms]:-0} - ${seen[last.ms]:-0}))
    [ "$ms" -lt 900 ] || {
        seen[sim.rate]=$(((${seen[sim.calls]:-0} - ${seen[last.calls]:-0}) * 1000 / ms))
        seen[last.ms]=${seen[sim.ms]} seen[last.calls]=${seen[sim.calls]}
    }
}

watch_modes() {
    local name is
    for name in agents chrome; do
        is=${seen[$name.mode]:-open}
        [ "$is" = "${mode[$name]:-open}" ] || event "upstream $name is $is"
        mode[$name]=$is
    done
}

bar() {
    local full=$(($1 * 24 / ($2 > 0 ? $2 : 1))) text
    [ "$full" -le 24 ] || full=24
    printf -v text '%*s' "$full" ''
    printf '%s%s%*s' "${green}${text// /█}" "$plain" $((24 - full)) ''
}

table() {
    local t u own
    printf '\n%sSluice%s  %s   %d runs submitted, %d ended\n\n' "$bold" "$plain" "$(clock)" "$submitted" "${done_runs[all]:-0}"
    printf '%s%-10s %-6s %7s   %-33s %8s%s\n' "$dim" tenant tier waiting 'in flight / cap' done "$plain"
    for t in "${tenants[@]}"; do
        printf '%-10s %-6s %7d   %3d/%-3d %s %9d\n' "$t" "${seen[$t.tier]:--}" "${seen[$t.waiting]:-0}" "${seen[$t.flight]:-0}" \
            "${seen[$t.cap]:-0}" "$(bar "${seen[$t.flight]:-0}" "${seen[$t.cap]:-0}")" "${done_runs[$t]:-0}"
    done
    printf '\n%s%-10s %-22s %18s %20s %20s%s\n' "$dim" upstream mode 'calls/s   its own' 'in flight   its own' 'sessions   its own' "$plain"
    for u in agents chrome; do
        own=("${seen[sim.rate]:-0}" "${seen[sim.flight]:-0}" "${seen[sim.sessions]:-0}")
        [ $u = agents ] || own=('' '' "${seen[chromedriver.sessions]:-0}")
        printf '%-10s %s%-22s%s %8s %9s %10s %9s %10s %9s\n' "$u" "$([ "${seen[$u.mode]:-open}" = open ] || echo "$yellow")" \
            "${seen[$u.mode]:--}" "$plain" "${seen[$u.rate]:-0}" "${own[0]}" "${seen[$u.flight]:-0}" "${own[1]}" \
            "${seen[$u.sessions]:-0}" "${own[2]}"
    done
    [ -z "$victim" ] || printf '%s%s%s\n' "$dim" \
        "(Sluice counts what a dead worker had asked for until it must be over: timeout + 10 s, session_idle)" "$plain"
    printf '\n'
    [ ${#events[@]} -eq 0 ] || printf '%s\n' "${events[@]}"
}

line() {
    local t
    printf '%s ' "$(clock)"
    for t in "${tenants[@]}"; do
        printf ' %s %s+%s/%s→%s' "$t" "${seen[$t.waiting]:-0}" "${seen[$t.flight]:-0}" "${seen[$t.cap]:-0}" "${done_runs[$t]:-0}"
    done
    printf '  agents %s %s %s %s (own %s %s %s)  chrome %s (own %s)\n' "${seen[agents.mode]:--}" "${seen[agents.rate]:-0}" \
        "${seen[agents.flight]:-0}" "${seen[agents.sessions]:-0}" "${seen[sim.rate]:-0}" "${seen[sim.flight]:-0}" \
        "${seen[sim.sessions]:-0}" "${seen[chrome.sessions]:-0}" "${seen[chromedriver.sessions]:-0}"
}

draw() {
    local text
    if [ ! -t 1 ]; then
        [ $((elapsed_ms - drawn)) -ge 1900 ] || [ "${1:-}" = last ] || return 0
        drawn=$elapsed_ms
        line
        return
    fi
    text=$(table)
    [ "$drawn" = 0 ] || printf '\e[%dA' "$drawn"
    printf '%s\e[K\n' "${text//$'\n'/$'\e[K\n'}"
    drawn=$(($(wc -l <<<"$text")))
}
