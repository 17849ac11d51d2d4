#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tool/check-all sums up what its stages say, and loses no failure and no skip.

Runs it on stages made of a line of shell instead of its own.
"""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("check_all", str(ROOT / "tool" / "check-all"))
SPEC = importlib.util.spec_from_loader("check_all", LOADER)
check_all = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(check_all)


def stage(name, line, needs=()):
    return check_all.Stage(name, ["sh", "-c", line], 1, needs)


class CheckAllTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-check-all-")
        self.addCleanup(folder.cleanup)
        check_all.ROOT = pathlib.Path(folder.name)
        check_all.RECORD = check_all.ROOT / "build" / "check-all.json"
        check_all.LOG = check_all.ROOT / "build" / "check-all.log"

    def run_stages(self, *stages):
        """(exit status, last line, all that was printed)"""
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            results, seconds = check_all.run_all(stages)
            status = check_all.sum_up(results, seconds)
        return status, text.getvalue().splitlines()[-1], text.getvalue()

    def test_closing_lines_are_added_up(self):
        status, last, _ = self.run_stages(stage("a", "echo 3 passed, 0 failed, 1 skipped"),
                                          stage("b", "echo 4 passed, 0 failed, 0 skipped"))
        self.assertEqual((status, last), (0, "7 passed, 0 failed, 1 skipped"))

    def test_a_failure_does_not_stop_the_stages_after_it(self):
        status, last, text = self.run_stages(
            stage("a", "echo 'failed: a: x'; echo 1 passed, 2 failed, 0 skipped; exit 1"),
            stage("b", "echo 1 passed, 0 failed, 0 skipped"))
        self.assertEqual((status, last), (1, "2 passed, 2 failed, 0 skipped"))
        self.assertEqual(text.count("failed: a: x"), 2)  # where it happened, and in the sum

    def test_a_stage_that_ends_badly_without_a_count_is_one_failure(self):
        status, last, text = self.run_stages(stage("a", "exit 3"))
        self.assertEqual((status, last), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertIn("failed: a: ended with status 3", text)

    def test_a_count_without_failures_does_not_hide_a_bad_status(self):
        status, last, _ = self.run_stages(
            stage("a", "echo 5 passed, 0 failed, 0 skipped; exit 1"))
        self.assertEqual((status, last), (1, "5 passed, 1 failed, 0 skipped"))

    def test_a_missing_program_is_a_skip_that_names_its_package(self):
        status, last, text = self.run_stages(
            stage("a", "echo 1 passed, 0 failed, 0 skipped"),
            stage("b", "exit 1", (("no-such-program", "no-such-package"),)))
        self.assertEqual((status, last), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("skipped: b: not installed: no-such-program (Debian package "
                      "no-such-package)", text)

    def test_nothing_that_ran_is_a_failure(self):
        status, last, _ = self.run_stages(
            stage("b", "exit 1", (("no-such-program", "no-such-package"),)))
        self.assertEqual((status, last), (1, "0 passed, 0 failed, 1 skipped"))

    def test_a_stage_beyond_its_bound_is_stopped(self):
        long = stage("a", "echo begun; sleep 60")
        long.bound_seconds = 0.2
        status, last, text = self.run_stages(long)
        self.assertEqual((status, last), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertIn("failed: a: stopped after", text)

    def test_what_a_stopped_stage_leaves_behind_ends_with_it(self):
        long = stage("a", "(trap '' TERM; sleep 60) & sleep 60")
        long.bound_seconds = 0.5
        began = time.monotonic()
        self.run_stages(long)
        self.assertLess(time.monotonic() - began, 50)

    def test_the_time_of_a_stage_is_remembered(self):
        self.run_stages(stage("a", "true"))
        self.assertIn("a", check_all.recorded())

    def test_the_table_names_each_stage_once(self):
        names = [one.name for one in check_all.STAGES]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
