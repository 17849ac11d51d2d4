#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/instructions.py concludes from counts, and what bench/common.py makes of rounds.

Goal: a loss beyond the tolerance is never passed over, nor a gain, nor a row that nobody wrote
down; and a baseline of another compiler accuses nobody.  Method: counts made up here; nothing is
run."""
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import common  # noqa: E402
import figures  # noqa: E402
import instructions  # noqa: E402

HERE = {"compiler": "gcc 12", "flags": "-O2", "architecture": "x86_64", "library": "glibc 2.36",
        "vectors": "avx2"}
BASELINE = {"conditions": HERE, "instructions": {"hello/tasks": 1000.0}}


class Complaint(unittest.TestCase):
    def test_a_small_change_is_none(self):
        for counted in (971.0, 1000.0, 1029.0):
            self.assertIsNone(instructions.complaint("hello/tasks", counted, BASELINE))

    def test_a_loss_is_named_with_both_figures(self):
        text = instructions.complaint("hello/tasks", 1031.0, BASELINE)
        self.assertIn("3.1% more", text)
        self.assertIn("1000.0", text)

    def test_a_gain_asks_to_be_kept(self):
        self.assertIn("--update", instructions.complaint("hello/tasks", 969.0, BASELINE))

    def test_an_unknown_row_is_none_of_the_baseline(self):
        self.assertIn("--update adds it", instructions.complaint("new/tasks", 5.0, BASELINE))

    def judged(self, first, later):
        with mock.patch.object(instructions, "count_row", side_effect=later):
            return instructions.judged(None, "hello/tasks", first, BASELINE)

    def test_one_outlier_is_forgiven(self):
        self.assertIsNone(self.judged(1100.0, [1001.0, 999.0]))

    def test_a_change_that_repeats_is_not(self):
        self.assertIn("more than", self.judged(1100.0, [1001.0, 1099.0]))


class Conditions(unittest.TestCase):
    def test_the_same_ones_hold(self):
        self.assertIsNone(instructions.other_conditions(BASELINE, dict(HERE)))

    def test_each_other_one_is_named(self):
        for name in HERE:
            why = instructions.other_conditions(BASELINE, {**HERE, name: "other"})
            self.assertIn(f'"{HERE[name]}", and this is "other"', why)


class Check(unittest.TestCase):
    """The whole check, with counts in place of runs."""

    def checked(self, counts, here=None):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "baseline.json"
            path.write_text(json.dumps(BASELINE))
            said = io.StringIO()
            with mock.patch.object(instructions, "BASELINE", path), \
                    mock.patch.object(instructions, "conditions", lambda _: here or HERE), \
                    mock.patch.object(instructions, "count_row", lambda _, row: counts[row]), \
                    redirect_stdout(said):
                return instructions.check(None, list(counts)), said.getvalue()

    def test_it_passes_what_is_as_it_was(self):
        status, said = self.checked({"hello/tasks": 1010.0})
        self.assertEqual(status, 0)
        self.assertIn("[       OK ] hello/tasks", said)

    def test_it_fails_a_loss_and_a_gain(self):
        for counted in (1040.0, 960.0):
            status, said = self.checked({"hello/tasks": counted})
            self.assertEqual(status, 1)
            self.assertIn("[   FAILED ] hello/tasks", said)

    def test_it_skips_the_comparison_elsewhere_and_says_why(self):
        status, said = self.checked({"hello/tasks": 5.0}, {**HERE, "compiler": "gcc 13"})
        self.assertEqual(status, 0)
        self.assertIn('SKIP: bench/baseline.json is for the compiler "gcc 12"', said)


PROFILE = """version: 1
positions: line
events: Ir

fl=(1) a.c
fn=(1) outer
10 5
+2 3
cfn=(2) inner
calls=4 20
+1 40
* 2

fn=(2)
20 30
fi=(2) b.h
-3 10
fe=(1)
fn=(3) inner'2
7 1

totals: 51
"""


class Spent(unittest.TestCase):
    def test_own_costs_and_those_of_callees_are_told_apart(self):
        self.assertEqual(instructions.spent(PROFILE),
                         {"outer": (10, 50), "inner": (40, 40), "inner'2": (1, 1)})

    def test_the_monitor_and_what_both_runs_have_are_not_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            few, many = pathlib.Path(folder) / "r.1", pathlib.Path(folder) / "r.3"
            pathlib.Path(f"{few}-01").write_text(PROFILE)
            pathlib.Path(f"{many}-01").write_text(PROFILE.replace("20 30", "20 50"))
            pathlib.Path(f"{many}-02").write_text("fn=(1) monitor_main\n1 900\ntotals: 900\n")
            self.assertEqual(instructions.collected(many), 51)
            each = instructions.spent_each(few, many, 2)
            self.assertEqual(each["inner"], (10.0, 10.0))
            self.assertEqual(each["outer"], (0.0, 0.0))

    def test_a_run_without_a_profile_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(RuntimeError):
            instructions.collected(pathlib.Path(folder) / "none")


class Baseline(unittest.TestCase):
    def test_the_committed_one_has_every_row_and_no_other(self):
        baseline = json.loads(instructions.BASELINE.read_text())
        self.assertEqual(sorted(baseline["instructions"]), sorted(instructions.all_rows()))
        self.assertEqual(sorted(baseline["conditions"]), sorted(HERE))


class Comparison(unittest.TestCase):
    def test_ratios_are_those_of_each_round(self):
        row = common.comparison("http/hello/tasks", "us", [1.0, 4.0, 3.0], "Go", [2.0, 2.0, 2.0])
        self.assertEqual((row["weir"], row["peer"], row["ratio"], row["rounds"]), (3, 2, 1.5, 3))
        self.assertEqual(row["spread"], 1.0)

    def test_a_peer_without_a_figure_is_no_peer(self):
        with self.assertRaises(RuntimeError):
            common.comparison("http/hello/tasks", "us", [1.0], "Go", [0.0])


class ReportFile(unittest.TestCase):
    def test_it_is_made_anew_and_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            path.write_text("of an earlier run\n")
            report = common.Report(path)
            report.add({"name": "a"})
            self.assertEqual(path.read_text(), "of an earlier run\n")
            report.save()
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            self.assertEqual([line["name"] for line in lines], ["a"])
            self.assertEqual(os.listdir(folder), ["report.json"])

    def test_a_full_disk_is_said_and_spares_the_former_one(self):
        if not pathlib.Path("/dev/full").exists():
            self.skipTest("no /dev/full")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            path.write_text("of an earlier run\n")
            path.with_suffix(".new").symlink_to("/dev/full")
            report = common.Report(path)
            report.add({"name": "a"})
            with self.assertRaisesRegex(RuntimeError, "No space left"):
                report.save()
            self.assertEqual(path.read_text(), "of an earlier run\n")


class Page(unittest.TestCase):
    ROW = {"name": "http/hello/tasks", "unit": "us", "weir": 6.0, "peer": 12.0,
           "peer_name": "Go net/http", "ratio": 0.5, "rounds": 5, "spread": 0.1,
           "time": "2026-01-31T12:00:00Z", "machine": "2 cores of X", "quick": False}

    def test_it_shows_ratio_spread_machine_and_date(self):
        text = figures.page([self.ROW], BASELINE)
        for wanted in ("0.50", "2 cores of X", "2026-01-31", "Go net/http", "1,000"):
            self.assertIn(wanted, text)

    def test_quick_figures_are_called_rough(self):
        self.assertIn("--quick", figures.page([{**self.ROW, "quick": True}], BASELINE))
        self.assertNotIn("rough", figures.page([self.ROW], BASELINE))


if __name__ == "__main__":
    unittest.main()
