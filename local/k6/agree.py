#!/usr/bin/env python3
"""Whether k6 and our generator agree, a line for each system: agree.py RUNS, where RUNS has a JSON object a line, as
compare.sh writes them: system, tool ("k6" or "load"), requests, accepted_share, and p50, p95 and p99 in ms.

The medians of the tools' runs are compared. p50 and p95 may differ by the spread of either tool's own runs, or by a
quarter of k6's, whichever is most; p99 is shown and not judged, for it hangs on some hundred requests. Requests may
differ by a twentieth: by their number, for k6 divides by a test that ends with up to five seconds of graceful stop.
Every one of them has to be accepted.

A tool whose own runs are apart by more than a quarter of their median, and by more than 2 ms, has told nothing: with
that for a distance, one odd run would make anything agree. Exit 1 then, and where the two differ.
"""

import json
import statistics
import sys

SHARE_MAX = 0.25
NOISE_MS_MAX = 2
REQUESTS_SHARE_MAX = 0.05
TOOLS = ("k6", "load")


def spread(runs):
    return max(runs) - min(runs)


def is_noisy(runs):
    return spread(runs) > max(SHARE_MAX * statistics.median(runs), NOISE_MS_MAX)


def answers(of):
    """What is said of requests and acceptances, and what of it is wrong."""
    k6, load = (statistics.median(run["requests"] for run in of[tool]) for tool in TOOLS)
    said, wrong = f"{k6:.0f} requests by k6, {load:.0f} by ours", []
    if abs(load - k6) > REQUESTS_SHARE_MAX * k6:
        wrong.append(f"the requests are more than {REQUESTS_SHARE_MAX:.0%} apart")
    for tool, name in zip(TOOLS, ("k6", "ours")):
        accepted = min(run["accepted_share"] for run in of[tool])
        if accepted != 1:
            wrong.append(f"a run by {name} had {accepted:.2%} accepted")
    return said, wrong


def latencies(of, name):
    """What is said of a percentile, whether the two agree, and whether a tool's own runs are too far apart to tell."""
    runs = {tool: [run[name] for run in of[tool]] for tool in TOOLS}
    theirs, ours = (statistics.median(runs[tool]) for tool in TOOLS)
    apart, of_k6 = abs(ours - theirs), SHARE_MAX * theirs
    apart_max = max(of_k6, *(spread(runs[tool]) for tool in TOOLS))
    said = f"{name} {theirs:.2f} ms by k6, {ours:.2f} by ours"
    if name == "p99":
        return f"{said} (not judged)", True, False
    noisy = [tool for tool in TOOLS if is_noisy(runs[tool])]
    if noisy:
        own = " and ".join(f"{tool}'s own are {spread(runs[tool]):.2f} apart" for tool in noisy)
        return f"{said} ({own})", False, True
    why = ", a tool's own spread" if apart_max > of_k6 else ""
    return f"{said} ({apart:.2f} apart, at most {apart_max:.2f}{why})", apart <= apart_max, False


def judged(of):
    """The verdict on one system, and what it rests on. What is no matter of noise is told first."""
    said, wrong = answers(of)
    told = [said, *wrong]
    percentiles = [latencies(of, name) for name in ("p50", "p95", "p99")]
    told += [said for said, _agrees, _noisy in percentiles]
    if not wrong and any(noisy for _said, _agrees, noisy in percentiles):
        return "too noisy to tell", told
    agrees = not wrong and all(agrees for _said, agrees, _noisy in percentiles)
    return "they agree" if agrees else "they DO NOT agree", told


def main():
    with open(sys.argv[1]) as file:
        runs = [json.loads(line) for line in file]
    agreed = bool(runs)
    for system in dict.fromkeys(run["system"] for run in runs):
        of = {tool: [run for run in runs if (run["system"], run["tool"]) == (system, tool)] for tool in TOOLS}
        if not all(of.values()):
            sys.exit(f"{system}: one of the tools has no run")
        verdict, told = judged(of)
        print(f"{system}: {verdict}: {'; '.join(told)}")
        agreed = agreed and verdict == "they agree"
    sys.exit(0 if agreed else 1)


main()
