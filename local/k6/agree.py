#!/usr/bin/env python3
"""Whether k6 and our generator agree, a line for each system: agree.py RUNS, where RUNS has a JSON list a line, as
compare.sh writes them: system, "k6" or "load", p50, p95 and p99 in ms.

The medians of the tools' runs may differ by the spread of either tool's own runs, or by a quarter of k6's, whichever is
most. p50 and p95 are judged; p99 is shown, for it hangs on some hundred requests. Exit 1 where two differ more.
"""

import json
import statistics
import sys

SHARE_MAX = 0.25


def compared(k6, load):
    """Both medians, and how far apart they may be."""
    spread = max(max(runs) - min(runs) for runs in (k6, load))
    ours, theirs = statistics.median(load), statistics.median(k6)
    return theirs, ours, max(spread, SHARE_MAX * theirs)


def main():
    runs = [json.loads(line) for line in open(sys.argv[1])]
    agreed = True
    for system in dict.fromkeys(run[0] for run in runs):
        said, agrees = [], True
        for name, index in (("p50", 2), ("p95", 3), ("p99", 4)):
            of = [[run[index] for run in runs if run[:2] == [system, tool]] for tool in ("k6", "load")]
            if not all(of):
                sys.exit(f"{system}: one of the tools has no run")
            theirs, ours, apart_max = compared(*of)
            both = f"{name} {theirs:.2f} ms by k6, {ours:.2f} by ours"
            if name == "p99":
                said.append(f"{both} (not judged)")
                continue
            agrees = agrees and abs(ours - theirs) <= apart_max
            why = ", a tool's own spread" if apart_max > SHARE_MAX * theirs else ""
            said.append(f"{both} ({abs(ours - theirs):.2f} apart, at most {apart_max:.2f}{why})")
        print(f"{system}: {'they agree' if agrees else 'they DO NOT agree'}: {'; '.join(said)}")
        agreed = agreed and agrees
    sys.exit(0 if agreed else 1)


main()
