#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tool/test counts what the tests say: nothing that failed or was skipped is lost.

Feeds the runner the lines that ctest and cmocka print and looks at the sums.
"""
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("runner", str(ROOT / "tool" / "test"))
SPEC = importlib.util.spec_from_loader("runner", LOADER)
runner = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(runner)

PASSING = ["[==========] Running 2 test(s).", "[ RUN      ] one", "[       OK ] one",
           "[ RUN      ] two", "[       OK ] two", "[==========] 2 test(s) run.",
           "[  PASSED  ] 2 test(s)."]


def judged(status, lines, name="chan/select"):
    test = runner.Test()
    for line in ["Test command: x", "Test timeout computed to be: 60", *lines]:
        test.add(line)
    test.name = name
    test.status = status
    test.judge()
    return test


class RunnerTest(unittest.TestCase):
    def assert_counts(self, test, passed, failed, skipped):
        self.assertEqual((test.passed, test.failed, len(test.skips)), (passed, failed, skipped))

    def test_a_cmocka_program_counts_its_cases(self):
        self.assert_counts(judged("Passed", PASSING), 2, 0, 0)

    def test_a_program_without_cases_counts_once(self):
        self.assert_counts(judged("Passed", ["fine"]), 1, 0, 0)
        self.assert_counts(judged("***Failed", ["bad"]), 0, 1, 0)

    def test_a_failed_case_is_counted_beside_the_passed_ones(self):
        lines = ["[ RUN      ] one", "[       OK ] one", "[ RUN      ] two", "[  FAILED  ] two",
                 "[==========] 2 test(s) run.", "[  FAILED  ] 1 test(s), listed below:",
                 "[  FAILED  ] two"]
        self.assert_counts(judged("***Failed", lines), 1, 1, 0)

    def test_a_case_that_never_ended_has_failed(self):
        lines = ["[ RUN      ] one", "[       OK ] one", "[ RUN      ] two"]
        self.assert_counts(judged("Subprocess aborted***Exception:", lines), 1, 1, 0)
        self.assert_counts(judged("***Timeout", lines), 1, 1, 0)

    def test_a_program_that_fails_after_its_cases_passed_has_failed(self):
        self.assert_counts(judged("***Failed", PASSING), 2, 1, 0)

    def test_lines_that_a_forked_child_repeats_count_once(self):
        self.assert_counts(judged("Passed", PASSING[:3] + PASSING), 2, 0, 0)

    def test_a_skip_has_its_reason_or_fails(self):
        test = judged("***Skipped", ["trying", "SKIP: no IPv6 here"])
        self.assert_counts(test, 0, 0, 1)
        self.assertEqual(test.skips, [("chan/select", "no IPv6 here")])
        self.assert_counts(judged("***Skipped", ["trying"]), 0, 1, 0)

    def test_a_skipped_case_has_its_own_reason(self):
        lines = ["[ RUN      ] one", "SKIP: no cgroup v1", "[  SKIPPED ] one", "[ RUN      ] two",
                 "[  SKIPPED ] two", "[ RUN      ] three", "[       OK ] three"]
        test = judged("Passed", lines)
        self.assert_counts(test, 1, 1, 1)
        self.assertEqual(test.skips, [("chan/select: one", "no cgroup v1")])

    def test_a_model_that_ran_nowhere_is_named(self):
        tests = [judged("Passed", PASSING, "behaviour/echo/loop"),
                 judged("***Skipped", ["SKIP: x"], "behaviour/echo/tasks"),
                 judged("***Skipped", ["SKIP: x"], "behaviour/echo/threads"),
                 judged("Passed", PASSING, "behaviour/wait/tasks")]
        self.assertEqual(runner.skipped_models(tests), ["threads"])

    def test_the_lines_of_ctest_are_understood(self):
        for line, status in (
                ("  1/16 Test  #2: base/err .........   Passed    0.01 sec", "Passed"),
                ("12/16 Test #12: base/err .........***Failed    1.50 sec", "***Failed"),
                (" 3/16 Test #3: base/err ...***Skipped   0.00 sec", "***Skipped"),
                (" 3/16 Test #3: base/err ...Subprocess aborted***Exception:   0.10 sec",
                 "Subprocess aborted***Exception:"),
                (" 3/16 Test #3: base/err ...***Timeout  60.02 sec", "***Timeout"),
                (" 3/16 Test #3: base/err ...***Not Run   0.00 sec", "***Not Run")):
            found = runner.RESULT.match(line)
            self.assertIsNotNone(found, line)
            self.assertEqual((found.group(4), found.group(5)), ("base/err", status))


if __name__ == "__main__":
    unittest.main()
