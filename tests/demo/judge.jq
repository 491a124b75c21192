# judge.jq - the simulator's record, event by event, against what was promised. Sluice's own word counts for nothing here.
# In: all events. Arguments: $runs (run ids of orders), $caps {tenant: n}, $limits {rate, in_flight, sessions},
# $unanswered (how many opens a killed worker had under way). Out: lines "ok<TAB>text" and "BAD<TAB>text".

def once: reduce .[] as $x ([]; if index([$x]) then . else . + [$x] end);
def few: once | if length > 4 then .[:4] + ["… and \(length - 4) more of this"] else . end;
def verdict(good; bad): if (bad | length) == 0 then "ok\t\(good)" else "BAD\t\(bad | few | .[])" end;

# The most at once of spans {from, to, who}, and who was beyond `limit`.
def at_once(limit):
  [.[] | [.from, 1, .who], [.to, 0, .who]] | sort
  | reduce .[] as $e ({now: 0, most: 0, beyond: []};
      if $e[1] == 0 then .now -= 1
      else .now += 1 | .most = ([.most, .now] | max) | if .now > limit then .beyond += [$e[2]] else . end end);

# The most within one second of sorted times [ns, who].
def in_a_second(limit):
  . as $t | reduce range(length) as $i ({first: 0, most: 0, beyond: []};
      until($t[.first][0] > $t[$i][0] - 1e9; .first += 1)
      | .most = ([.most, $i - .first + 1] | max)
      | if $i - .first + 1 > limit then .beyond += [$t[$i][1]] else . end);

. as $events
| (map(select(.event == "arrive" and .order)) | map({key: (.session // ""), value: .order}) | from_entries) as $run_of
| def who: $run_of[.session // ""] as $run
    | if .order // $run then "run \(.order // $run)" elif .session then "session \(.session)" else "call \(.call)" end;
  (map(select(.event == "answer" or .event == "drop")) | map({key: "\(.call)", value: .ns}) | from_entries) as $ended
| (map(select(.event == "open")) | map({key: "\(.call)", value: .session}) | from_entries) as $opened
| map(select(.event == "arrive") | .session = (.session // $opened["\(.call)"])) as $calls
| ($calls | map({from: .ns, to: ($ended["\(.call)"] // 9e18), tenant, who: who})) as $spans
| (map(select(.event == "close" or .event == "expire")) | map({key: .session, value: .}) | from_entries) as $over
| map(select(.event == "open")) as $sessions
| (map(select(.event == "act" and .order)) | group_by(.order) | map({key: .[0].order, value: length}) | from_entries) as $orders
| ($runs | map({key: ., value: true}) | from_entries) as $known
| ($spans | at_once($limits.in_flight)) as $flight
| ($sessions | map({from: .ns, to: ($over[.session].ns // 9e18), who: who}) | at_once($limits.sessions)) as $open
| ($calls | map([.ns, who]) | sort | in_a_second($limits.rate)) as $rate
| ($calls | map(select(.endpoint != "open") | {key: (.session // ""), value: true}) | from_entries) as $used
| ($sessions | map(select($over[.session] == null))) as $left
| ($sessions | map(select($over[.session].event == "expire"))) as $expired
| ($expired | map(select($used[.session]))) as $unclosed

| verdict("\($orders | length) orders of \($runs | length) order runs, each placed exactly once";
    ($runs | map(select($orders[.] == null) | "run \(.) placed no order"))
    + ($orders | to_entries | map(select(.value > 1) | "run \(.key) placed its order \(.value) times"))
    + ($orders | to_entries | map(select($known[.key] == null) | "order \(.key) is of no run"))),
  verdict("at most \($rate.most) calls in any second (75/s, a burst of 15, permits of 200 ms: \($limits.rate))";
    $rate.beyond | map("\(.) went beyond \($limits.rate) calls in a second")),
  verdict("at most \($flight.most) calls in flight (limit \($limits.in_flight))";
    $flight.beyond | map("\(.) called beyond \($limits.in_flight) in flight")),
  verdict("at most \($open.most) sessions open (limit \($limits.sessions))";
    $open.beyond | map("\(.) was opened beyond \($limits.sessions) sessions")),
  ([$caps | to_entries[] | .key as $t | .value as $cap | ($spans | map(select(.tenant == $t)) | at_once($cap)) + {$t, $cap}]
   | verdict("calls of one tenant at once: " + (map("\(.t) \(.most) (cap \(.cap))") | join(", "));
       map(. as $s | .beyond[] | "\(.) called while \($s.cap) others of \($s.t) did (cap \($s.cap))"))),
  verdict("\($sessions | length) sessions opened: \($sessions | length - ($expired | length)) closed"
      + (if $expired == [] then "" else ", \($expired | length) expired (the killed worker was just opening them)" end);
    ($left | map("\(who) left session \(.session) open"))
    + ($unclosed | map("\(who) left session \(.session) open: it was not closed, it expired"))
    + (if ($expired | length) - ($unclosed | length) > $unanswered
       then ["\($expired | length) sessions expired, but the killed worker had only \($unanswered) under way"] else [] end)),
  # A close is sent again by whoever takes a run over, and may meet the one that was under way: that harms nobody.
  ($calls | map(select(.endpoint == "close")) | group_by(.session) | map({key: .[0].session, value: length}) | from_entries) as $closes
| ($events | map(select(.event == "violation"
      and (.why == "double_close" or (.why == "overlap_by_close" and $closes[.session] > 1))))) as $twice
| verdict("no call in a session that was busy, closed or not ours"
      + (if $twice == [] then "" else "; \($twice | length) closes sent twice, to be sure" end);
    ($events | map(select(.event == "violation")) - $twice) | map(select((.why | IN("in_flight", "sessions", "rate") | not)) | "\(who): \(.why)"))
