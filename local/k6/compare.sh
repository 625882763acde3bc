#!/bin/sh
# The seeds' load against each system, by k6 and by `cargo local load --profile seeds`, twice each, the second time in the
# other order, each time against a system that has just started: the embedded DynamoDB becomes slower by every transaction
# of the last ten minutes. A table of them on stdout, in the order in which they ran, and behind it a line a system: whether
# the tools agree. Exit 1 where they do not, and where a tool's own runs are too far apart to tell. About six minutes a
# system.
#
# k6 takes a part of the processors on which the systems run, the generator less. So that it finds no quieter machine,
# beside.py takes as much as k6 took while the generator asks.
#
# k6's times begin when a request is sent: what it waited before that, for a connection (blocked) and for TCP's (connecting,
# which k6 has in blocked too), stands beside them. The generator's begin when a request was due.
#
#   go install go.k6.io/k6@v0.57.0      # needs Go 1.23 or later
#   local/k6/compare.sh [redis|hybrid|ours …]
set -eu
cd "$(dirname "$0")/../.."
for tool in k6 curl python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing; the head of $0 tells how to get it" >&2; exit 1; }
done
systems="${*:-redis hybrid ours}"
work=$(mktemp -d)
pid=
beside=
clean() {
    status=$?
    if [ "$status" -ne 0 ] && [ -s "$work/log" ]; then tail -5 "$work/log" >&2; fi
    for one in $pid $beside; do kill "$one" 2>/dev/null || :; done
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cargo build --quiet --bin local
local=${CARGO_TARGET_DIR:-target}/debug/local
# More people than requests: k6 and the generator each ask 9,701 times, give or take a user's last.
users=11000
seq -f 'k6-user-%.0f' 1 "$users" | xargs "$local" token --expires-in 2h --user >"$work/tokens"
shop=$("$local" token --user shop --scope coupons:write --expires-in 2h)

start() {
    rm -f "$work/ready"
    "$local" baseline "$system" --port 0 >"$work/ready" 2>"$work/log" &
    pid=$!
    until [ -s "$work/ready" ]; do
        kill -0 "$pid" 2>/dev/null
        sleep 0.2
    done
    api=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["api"])' "$work/ready")
}

end() {
    kill "$pid"
    wait "$pid" || :
    pid=
}

by_k6() { # number
    start
    coupon="k6-$1-$(date +%s)"
    curl -sf "$api/coupons" -H "authorization: Bearer $shop" -o /dev/null \
        -d "{\"couponId\":\"$coupon\",\"name\":\"k6\",\"total\":1000000}"
    python3 - "$system" "$work" "$api" "$coupon" 2>>"$work/log" <<'PY'
import json
import resource
import subprocess
import sys

system, work, api, coupon = sys.argv[1:]
options = ["-e", f"API={api}", "-e", f"COUPON={coupon}", "-e", f"TOKENS={work}/tokens"]
ran = subprocess.run(["k6", "run", "--quiet", *options, "local/k6/seeds.js"], stdout=subprocess.PIPE, check=True)
k6 = json.loads(ran.stdout.strip().splitlines()[-1])
took = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(f"{work}/cpu_ms", "w") as cpu:
    print((took.ru_utime + took.ru_stime) * 1000 / k6["requests"], file=cpu)
print(f"| {system} | k6 | {k6['requests']:.0f} | {k6['per_second']:.1f} | {k6['avg_ms']:.2f} | {k6['p50_ms']:.2f} |"
      f" {k6['p95_ms']:.2f} | {k6['p99_ms']:.2f} | {k6['blocked_avg_ms']:.2f} | {k6['blocked_p99_ms']:.2f} |"
      f" {k6['connecting_avg_ms']:.2f} | {k6['connecting_p99_ms']:.2f} |", flush=True)
of = {name: k6[f"{name}_ms"] for name in ("p50", "p95", "p99")}
run = {"system": system, "tool": "k6", "requests": k6["requests"], "accepted_share": k6["accepted_share"], **of}
with open(f"{work}/runs", "a") as runs:
    print(json.dumps(run), file=runs)
PY
    end
}

by_load() {
    start
    python3 local/k6/beside.py "$(cat "$work/cpu_ms")" &
    beside=$!
    "$local" load --profile seeds --api "$api" --json >"$work/load.json" 2>>"$work/log"
    kill "$beside"
    wait "$beside" || :
    beside=
    python3 - "$system" "$work/load.json" "$work/runs" <<'PY'
import json
import sys

system, step = sys.argv[1], json.load(open(sys.argv[2]))["steps"][0]
took, rate = step["accept_ms"], step["answered"] / step["seconds"]
print(f"| {system} | `cargo local load` | {step['answered']} | {rate:.1f} | {took['mean']:.2f} | {took['p50']:.2f} |"
      f" {took['p95']:.2f} | {took['p99']:.2f} | – | – | – | – |", flush=True)
of = {name: took[name] for name in ("p50", "p95", "p99")}
share = took["count"] / step["answered"]
run = {"system": system, "tool": "load", "requests": step["answered"], "accepted_share": share, **of}
with open(sys.argv[3], "a") as runs:
    print(json.dumps(run), file=runs)
PY
    end
}

echo "| system | by | requests | requests/s | mean ms | p50 | p95 | p99 | blocked mean | p99 | connecting mean | p99 |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for system in $systems; do
    echo "$system: four runs of 80 s" >&2
    by_k6 1
    by_load
    by_load
    by_k6 2
done
echo
local/k6/agree.py "$work/runs"
