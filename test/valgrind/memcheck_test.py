#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=1500 processors=2
"""Behaviour programs under valgrind's memcheck: no error, and no memory lost at the end.

Without knowing where tasks' stacks lie, memcheck takes each switch for a huge frame and reports
what lies beyond it.  One program runs here; all of test/behaviour when WEIR_VALGRIND_ALL is set,
which the stage valgrind of check-all does.
"""
import os
import pathlib
import shutil
import subprocess
import sys

BUILD = pathlib.Path(os.environ["WEIR_BUILD"]) / "test"
MODELS = ("loop", "tasks", "threads")
FOUND = 99
VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={FOUND}", "--leak-check=full",
            "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
            "--child-silent-after-fork=yes", "--fair-sched=yes", "--max-threads=4000"]
SECONDS_MAX = 240


def check(program, model=None):
    """Whether the program passes without a finding; shows what it said if not."""
    environment = dict(os.environ, WEIR_UNDER_VALGRIND="1")
    if model is not None:
        environment["WEIR_TEST_MODEL"] = model
    try:
        run = subprocess.run([*VALGRIND, str(BUILD / program)], env=environment,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             errors="replace", timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        print(f"{program} under {model}: not through after {SECONDS_MAX} s")
        return False
    if run.returncode == 0:
        return True
    print(f"{program} under {model}: exit status {run.returncode}"
          f"{' (valgrind found something)' if run.returncode == FOUND else ''}")
    print(run.stderr[-6000:])
    return False


def main():
    if shutil.which("valgrind") is None:
        print("SKIP: valgrind is not installed (package valgrind)")
        return 77
    if os.environ.get("WEIR_SANITIZE"):
        print("SKIP: valgrind cannot run a program that a sanitizer was built into")
        return 77
    cache = (BUILD.parent / "CMakeCache.txt").read_text(encoding="utf-8")
    if "WEIR_VALGRIND_INCLUDE:PATH=/" not in cache:
        print("SKIP: built without valgrind's headers (package valgrind)")
        return 77
    results = [check("os/watch_test")]
    if os.environ.get("WEIR_VALGRIND_ALL"):
        programs = sorted(path.name for path in (BUILD / "behaviour").glob("*_test"))
        results += [check(f"behaviour/{name}", model) for name in programs for model in MODELS]
    else:
        results.append(check("behaviour/chan_test", "tasks"))
    print(f"{sum(results)} of {len(results)} programs without a finding")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
