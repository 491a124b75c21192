#!/usr/bin/env bash
# demo - Sluice at work, in under a minute, and judged at the end by the streams and by the upstream's own record.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=$(cd "$here/../.." && pwd)
home=$root/build/demo logs=$home/logs bin=${SLUICE_BIN:-$root/build/release/bin} helpers=${SLUICE_TEST_BIN:-$root/build/release/tests/bin}
export PATH="$root/build/deps/bin:$here:$PATH" XDG_CONFIG_HOME="$home/config"
unset "${!SLUICE_@}" "${!NATS_@}"

usage() {
    cat <<'USAGE'
usage: ./dev demo [--keep] [--break=cap|order|session]

  --keep         leave everything running at the end, until Ctrl-C
  --break=WHAT   the upstream misbehaves by one line (a call that outlives its answer, a second order, a session that stays
                 open): the judgement must find it and name the run, and the demo ends with 1
USAGE
}

die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# shellcheck source=tests/demo/stack.bash
. "$here/stack.bash"
# shellcheck source=tests/demo/table.bash
. "$here/table.bash"
# shellcheck source=tests/demo/judge.bash
. "$here/judge.bash"

# ---- the scene ---------------------------------------------------------------------------------------------------------

tenants=(acme globex initech)
caps='acme=20 globex=40 initech=2'
declare -A orders=([acme]=130 [globex]=190 [initech]=30) scrapes=([acme]=3 [globex]=4 [initech]=1)
in_flight=40 sessions=60 rate_most=105 # 1.2 × 75 + 15: what the upstream may see in one second (docs/operations.md)
kill_ms=5000 refuse_ms=10000 longest_ms=120000
keep='' break_what='' victim='' watching='' submitted=0 submitters=() began=0 elapsed_ms=0 status=0

configure() {
    ask sluice.admin.upstream.agents "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"$sim/v1/web\",\"key\":{\"env\":\"DEMO_KEY\"},
        \"rate\":{\"per_s\":75,\"burst\":15},\"in_flight\":$in_flight,\"sessions\":$sessions,\"session_idle\":\"25s\",\"timeout\":\"5s\"}"
    ask sluice.admin.upstream.chrome "{\"driver\":\"webdriver\",\"url\":\"$chrome\",\"sessions\":3}"
    ask sluice.admin.tenant.acme '{"tier":"pro","private_net":true}' # the shop is on loopback
    ask sluice.admin.tenant.globex '{"tier":"scale","cap":40,"private_net":true}'
    ask sluice.admin.tenant.initech '{"tier":"free","private_net":true}'
    for flow in order scrape; do
        nats kv put sluice_flows "$flow" "$(jq -c '{version: 1, flow: .}' "$here/flows/$flow.json")"
    done
    curl -sf "$sim/_sim/config" -d "{\"latency\":{\"open\":{\"min\":50,\"max\":150},\"browse\":{\"min\":300,\"max\":900},
        \"close\":{\"min\":20,\"max\":60}},\"session_idle_ms\":20000,
        \"limits\":{\"rate\":$rate_most,\"in_flight\":$in_flight,\"sessions\":$sessions}}"
}

fault() { curl -sf "$sim/_sim/faults" -d "$1" >/dev/null || die "the simulator refused the fault $1"; }

misbehave() {
    case $break_what in
    cap) fault '{"fault":"early_answer","endpoint":"browse","tenant":"initech","skip":2,"count":3,"latency_ms":5000}' ;;
    order) fault '{"fault":"double_act","endpoint":"browse","skip":60}' ;;
    session) fault '{"fault":"keep_open","endpoint":"close","skip":60}' ;;
    esac
}

# A flow knows no {{…}}, so the templates of nats number the keys: one process submits them all, one after another.
submit() {
    nats req --raw --count "${scrapes[$1]}" "sluice.api.submit.$1" \
        "{\"flow\":\"scrape\",\"key\":\"scrape-{{Count}}\",\"lane\":\"realtime\",\"input\":{\"url\":\"$shop/category\"}}" >"$home/submits/$1.scrape" 2>&1
    nats req --raw --count "${orders[$1]}" "sluice.api.submit.$1" \
        '{"flow":"order","key":"order-{{Count}}","input":{"item":"lamp"}}' >"$home/submits/$1.order" 2>&1
}

# All three at once, while the rest goes on.
submit_all() {
    local t
    start results nats sub --stream SLUICE_RESULTS --all 'sluice.result.>' --subjects-only
    for t in "${tenants[@]}"; do
        submit "$t" & submitters+=($!)
    done
}

# Every submit must have been answered with a run.
submitted_all() {
    local t wanted=0
    wait "${submitters[@]}" || die "a submit failed: $(grep -hvm 1 '^{' "$home"/submits/* || true)"
    for t in "${tenants[@]}"; do wanted=$((wanted + orders[$t] + scrapes[$t])); done
    cat "$home"/submits/*.order | jq -r '.run_id // empty' >"$home/orders"
    cat "$home"/submits/* | jq -r '.run_id // empty' >"$home/runs"
    submitted=$(wc -l <"$home/runs")
    [ "$submitted" = "$wanted" ] || die "$submitted of $wanted submits were accepted: $(grep -hm 1 '"code"' "$home"/submits/* || true)"
}

# ---- what happens -------------------------------------------------------------------------------------------------------

# A browser that is just being opened would be known to nobody, and a chromedriver lets nothing expire: not then.
kill_worker() {
    local held tries pid=${pids[worker-1]}
    victim=$(worker_id worker-1)
    for ((tries = 0; tries < 20; tries++)); do
        facts >"$home/facts"
        [ "$(opens_cut "$victim" chrome)" != 0 ] || break
    done
    kill -KILL "$pid" || die "worker-1 had ended by itself (its log: $logs/worker-1.log)"
    unset 'pids[worker-1]'
    start_worker worker-3
    facts | awk -F '\t' -v worker="$victim" '$3 == "LEASED" { held[$2] = $4 } $3 == "WAITING" || $3 == "END" { delete held[$2] }
        END { for (r in held) if (held[r] == worker) print r }' >"$home/held"
    held=$(wc -l <"$home/held")
    event "${red}kill -9${plain} of worker-1 (pid $pid) with $held runs in hand; worker-3 started"
    watching=1
}

# The subjects of the results so far: sluice.result.TENANT.FLOW.STATUS.RUN
ended() { grep -o 'sluice\.result\.[^ >]*[^ .>]' "$logs/results.log" || true; }

watch_held() {
    local left
    [ -n "$watching" ] || return 0
    ended | sed 's/.*\.//' | sort >"$home/ended"
    left=$(sort "$home/held" | comm -23 - "$home/ended" | wc -l)
    [ "$left" -gt 0 ] || { event "${green}all $(wc -l <"$home/held") runs${plain} of the killed worker have ended, elsewhere"; watching=; }
}

refuse_for_a_while() {
    fault '{"fault":"429","endpoint":["open","browse"],"retry_after":3,"for_ms":2000}'
    event "${yellow}429 with Retry-After: 3${plain} is what agents answers from now, for 2 s"
}

over() { [ -n "$killed" ] && [ -n "$refused" ] && [ "${done_runs[all]:-0}" -ge "$submitted" ]; }

tell_time() { elapsed_ms=$(((${EPOCHREALTIME/[.,]/} - began) / 1000)); }

play() {
    local killed='' refused=''
    began=${EPOCHREALTIME/[.,]/}
    until over || [ "$elapsed_ms" -ge $longest_ms ]; do
        tell_time
        if [ -z "$killed" ] && [ $elapsed_ms -ge $kill_ms ]; then killed=1; submitted_all; kill_worker; fi
        if [ -z "$refused" ] && [ $elapsed_ms -ge $refuse_ms ]; then refused=1; refuse_for_a_while; fi
        [ -n "$killed" ] || submitted=$(cat "$home"/submits/* | grep -c run_id || true)
        all_alive
        look
        watch_held
        draw
        sleep 0.4
    done
}

# What a killed worker was just opening is closed by nobody: it expires at the upstream.
settle() {
    local tries
    for ((tries = 0; tries < 60; tries++)); do
        tell_time
        look
        [ "${seen[sim.sessions]:-0}" != 0 ] || break
        draw
        sleep 0.4
    done
    draw last
}

# ---- the end ------------------------------------------------------------------------------------------------------------

show() {
    local run file tenant=acme
    run=$(head -n 1 "$home/submits/acme.scrape" | jq -r .run_id)
    file=$home/shop.png
    printf '\n%sOne scraped result%s (nats req sluice.api.get.%s %s)\n' "$bold" "$plain" "$tenant" "$run"
    ask "sluice.api.get.$tenant" "$run" | jq '{run_id, flow, status, ms, artifacts, seen: .result.seen, cheap: .result.cheap[:2]}' | sed 's/^/  /'
    nats object get sluice_artifacts "$tenant/$run/1-shop.png" -O "$file" -f --no-progress >/dev/null || die "there is no screenshot of run $run"
    [ "$(head -c 4 "$file" | tail -c 3)" = PNG ] || die "$file is no picture"
    printf '\n%sIts screenshot%s  %s (%d KiB)\n' "$bold" "$plain" "$file" $(($(stat -c %s "$file") / 1024))
    printf '\n%sThe same from outside%s, with nothing but nats%s\n' "$bold" "$plain" "$([ -n "$keep" ] || echo ' (./dev demo --keep keeps the servers up for it)')"
    commands "$run" | sed 's/^/  /'
    printf '\n%sGo on%s\n' "$bold" "$plain"
    printf '  %s\n' './dev up                                     # sluice dev: all of it in this terminal, on port 4222; --chrome adds a browser' \
        'build/bin/sluice run submit my-flow.json --watch   # a flow of your own; tests/demo/flows has two, docs/flows.md the language' \
        'build/bin/sluice --help'
}

commands() {
    cat <<COMMANDS
export NATS_URL=$NATS_URL PATH=\$PATH:$root/build/deps/bin
nats req sluice.api.get.acme $1
nats req sluice.api.submit.acme '{"flow":"order","input":{"item":"chair"}}'
nats stream subjects SLUICE_JOBS --names
nats sub --stream SLUICE_JOURNAL --all sluice.journal.acme.$1 --headers-only -T
nats sub 'sluice.watch.>' --headers-only
nats stream subjects SLUICE_RESULTS 'sluice.result.initech.>'
nats req sluice.admin.tenant.globex '{"cap":10}'
nats req sluice.admin.upstream.agents ''
nats object ls sluice_artifacts
nats micro stats sluice-gateway
COMMANDS
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --keep) keep=1 ;;
        --break=cap | --break=order | --break=session) break_what=${1#*=} ;;
        --break) [ $# -ge 2 ] || { usage >&2; exit 2; }; set -- x "--break=$2" "${@:3}" ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
}

main() {
    local program
    read_options "$@"
    set_colours
    for program in nats nats-server chromedriver chromium jq curl setpriv "$helpers/agent_sim" "$helpers/shop_server" "$helpers/container" "$bin/sluice-gateway"; do
        command -v "$program" >/dev/null || die "there is no $program. ./dev setup gets it, or says why it cannot."
    done
    mkdir -p "$root/build"
    exec 8>"$root/build/.lock-demo"
    flock -n 8 || die "another ./dev demo is at work in build/demo"
    rm -rf "$home"
    mkdir -p "$logs" "$home/look" "$home/submits"
    trap stop_all EXIT
    trap 'exit 130' INT TERM HUP
    echo "demo: nats-server, gateway, scheduler, limiter, two workers, a chromedriver, a shop, an upstream that counts (logs: build/demo/logs)"
    start_all
    configure >"$home/configured"
    misbehave
    submit_all
    play
    settle
    printf '\n%sJudged%s by the streams, and by the record of the upstream (build/demo/record)\n' "$bold" "$plain"
    judge || status=1
    [ $status = 1 ] || show
    printf '\n'
    if [ -n "$keep" ]; then
        echo "Everything is still running. Ctrl-C ends it."
        trap 'exit $status' INT TERM
        while true; do sleep 1; done
    fi
    [ $status = 0 ] || echo "demo: it did not end as it should; build/demo has the logs, the record and the facts" >&2
    return $status
}

main "$@"
