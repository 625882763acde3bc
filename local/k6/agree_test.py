#!/usr/bin/env python3
"""Made-up runs for agree.py, each with what it has to say of them: `python3 local/k6/agree_test.py`. Neither k6 nor a
system is needed."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("agree.py")


def run(tool, p95, **other):
    """A run of A whose p50 is a quarter of its p95."""
    alike = {"system": "redis", "tool": tool, "requests": 9700, "accepted_share": 1, "p99": 20}
    return {**alike, "p50": p95 / 4, "p95": p95, **other}


def said_of(*runs):
    """The exit code, and what stands on stdout and stderr."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(run) + "\n" for run in runs))
        file.flush()
        done = subprocess.run([sys.executable, SCRIPT, file.name], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Agreement(unittest.TestCase):
    def verdict(self, code, words, *runs):
        found, said = said_of(*runs)
        self.assertEqual(found, code, said)
        self.assertIn(words, said)
        return said

    def test_tools_that_are_a_quarter_apart_agree_and_further_apart_do_not(self):
        self.verdict(0, "redis: they agree: ", run("k6", 8), run("k6", 8), run("load", 10), run("load", 10))
        self.verdict(1, "redis: they DO NOT agree: ", run("k6", 8), run("k6", 8), run("load", 10.1), run("load", 10.1))

    def test_a_tools_own_spread_is_allowed_as_long_as_it_is_no_noise(self):
        runs = run("k6", 8, p50=1), run("k6", 8, p50=2.8), run("load", 8, p50=3), run("load", 8, p50=3)
        self.verdict(0, "a tool's own spread", *runs)

    def test_one_odd_run_makes_nothing_agree(self):
        runs = run("k6", 435, p50=2), run("k6", 8), run("load", 8), run("load", 8)
        said = self.verdict(1, "redis: too noisy to tell: ", *runs)
        self.assertIn("k6's own are 427.00 apart", said)
        self.assertNotIn("agree", said)
        runs = run("k6", 8), run("k6", 8), run("load", 8), run("load", 30)
        self.verdict(1, "load's own are 22.00 apart", *runs)

    def test_small_figures_may_be_a_multiple_of_each_other(self):
        self.verdict(0, "they agree", run("k6", 2), run("k6", 4), run("load", 2), run("load", 4))

    def test_what_p99_says_is_shown_alone(self):
        runs = run("k6", 8), run("k6", 8, p99=2583), run("load", 8), run("load", 8)
        self.verdict(0, "(not judged)", *runs)

    def test_a_twentieth_of_the_requests_may_be_missing(self):
        self.verdict(0, "they agree", run("k6", 8, requests=10000), run("load", 8, requests=9500))
        runs = run("k6", 8, requests=10000), run("load", 8, requests=9499)
        said = self.verdict(1, "they DO NOT agree: 10000 requests by k6, 9499 by ours; ", *runs)
        self.assertIn("; the requests are more than 5% apart; ", said)

    def test_a_run_that_was_not_accepted_whole_is_no_match_however_noisy(self):
        runs = run("k6", 435, accepted_share=0.5), run("k6", 8), run("load", 8), run("load", 8)
        self.verdict(1, "they DO NOT agree: 9700 requests by k6, 9700 by ours; a run by k6 had 50.00% accepted", *runs)
        self.verdict(1, "a run by ours had 99.00% accepted", run("k6", 8), run("load", 8, accepted_share=0.99))

    def test_one_system_in_doubt_is_enough_and_the_others_are_told_all_the_same(self):
        runs = run("k6", 8), run("load", 30), run("k6", 8, system="ours"), run("load", 8, system="ours")
        said = self.verdict(1, "redis: they DO NOT agree", *runs)
        self.assertIn("ours: they agree", said)

    def test_a_tool_without_a_run_is_named(self):
        self.verdict(1, "redis: one of the tools has no run", run("k6", 8))
        self.assertEqual(said_of()[0], 1, "nothing agrees with nothing")


unittest.main()
