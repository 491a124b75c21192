# stack - the processes of the demo: each on loopback, on a port it finds itself, with its own log, and dead when the demo is.
# shellcheck shell=bash

declare -A pids=()

# start NAME COMMAND...
start() {
    local name=$1
    shift
    setpriv --pdeathsig KILL "$@" >"$logs/$name.log" 2>&1 </dev/null 8>&- &
    pids[$name]=$!
    disown # so that bash says nothing about those we kill
}

alive() { kill -0 "${pids[$1]}" 2>/dev/null; }

# Nobody of the cast may leave by himself.
all_alive() {
    local name
    for name in "${!pids[@]}"; do
        alive "$name" || die "$name ended by itself: $(tail -n 1 "$logs/$name.log") (its log: $logs/$name.log)"
    done
}

# said NAME WORDS: waits until its log has them, and prints the line
said() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        grep -m 1 -F -- "$2" "$logs/$1.log" 2>/dev/null && return
        alive "$1" || break
        sleep 0.05
    done
    tail -n 5 "$logs/$1.log" >&2
    die "$1 did not start (its log: $logs/$1.log)"
}

# ask SUBJECT [JSON]: the answer; an error is one of ours
ask() {
    local answer
    answer=$(nats req --raw --no-templates --timeout 10s "$1" "${2:-}" 2>&1)
    jq -e 'type == "object" and (has("code") | not)' <<<"$answer" >/dev/null 2>&1 || die "$1: ${answer:-no answer}"
    printf '%s\n' "$answer"
}

start_nats() {
    printf '%s\n' 'server_name: sluice-demo' 'listen: "127.0.0.1:-1"' 'max_payload: 4MB' \
        "jetstream { store_dir: \"$home/nats\", max_file_store: 4GB }" >"$home/nats.conf"
    start nats nats-server -c "$home/nats.conf"
    said nats 'Server is ready' >/dev/null
    NATS_URL=nats://$(said nats 'client connections on' | sed 's/.* on //')
    export NATS_URL
}

worker_id() { said "$1" msg=ready | sed -n 's/.* worker=\([^ ]*\).*/\1/p'; }

start_worker() { start "$1" "$bin/sluice-browser-worker"; }

# Where no browser can begin the runs would wait for one, so it is told first, and why.
try_browser() {
    local arguments='"--headless=new"' answer session
    [ "$(id -u)" != 0 ] || arguments+=',"--no-sandbox"'
    answer=$(curl -s -m 60 --noproxy '*' "$chrome/session" \
        -d "{\"capabilities\":{\"alwaysMatch\":{\"goog:chromeOptions\":{\"args\":[$arguments]}}}}") || true
    session=$(jq -re '.value.sessionId' <<<"$answer" 2>/dev/null) ||
        die "Chromium does not begin here: $(jq -r '.value.message | gsub("\n"; " ")' <<<"$answer" 2>/dev/null) (its log: $logs/chromedriver.log)"
    curl -s -m 60 --noproxy '*' -X DELETE "$chrome/session/$session" >/dev/null
}

start_all() {
    start_nats
    export SLUICE_HTTP=off SLUICE_LEASE=5s SLUICE_REAP=5s SLUICE_SLOTS=80 DEMO_KEY=none
    start sim "$helpers/agent_sim" --record "$home/record"
    start shop "$helpers/shop_server" --root "$root/tests/support/shop"
    start chromedriver "$helpers/container" chromedriver --port=0
    for service in gateway scheduler limiter; do start "$service" "$bin/sluice-$service"; done
    start_worker worker-1
    start_worker worker-2

    sim=$(said sim 'listening on' | sed 's/.* on //')
    shop=$(said shop 'listening on' | sed 's/.* on //')
    chrome=http://127.0.0.1:$(said chromedriver 'successfully on port' | sed 's/.*on port \([0-9]*\).*/\1/')
    try_browser
    # found on the PATH: nats splits the command where it has blanks, as the place of a checkout may
    start orders nats reply 'sluice.call.*.orders' --command "orders.sh $sim"
    for service in gateway worker-1 worker-2; do said "$service" msg=ready >/dev/null; done
    for service in scheduler limiter; do said "$service" msg=deciding >/dev/null; done
}

# stop NAME...: asked to end, and for 1.5 s awaited
stop() {
    local name tries left
    for name in "$@"; do kill "${pids[$name]}" 2>/dev/null || true; done
    for ((tries = 0; tries < 30; tries++)); do
        left=''
        for name in "$@"; do ! alive "$name" || left+=" $name"; done
        [ -n "$left" ] || break
        sleep 0.05
    done
}

# The workers close their sessions, so what they need ends after them.
stop_all() {
    local name first=() last=()
    for name in "${!pids[@]}"; do
        case $name in nats | chromedriver) last+=("$name") ;; *) first+=("$name") ;; esac
    done
    stop "${first[@]}"
    stop "${last[@]}"
    for name in "${!pids[@]}"; do kill -KILL "${pids[$name]}" 2>/dev/null || true; done
    pids=()
}
