#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs that the guides lay side by side print the same, in C under every scheduler.
ctest: timeout=180 processors=2"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from service import BOUND_SECONDS, check, check_equal

SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"]) / "example"
BUILD = pathlib.Path(os.environ["WEIR_BUILD"]) / "example"
SCHEDULERS = ("tasks", "loop", "threads")
NOT_UNDER = {
    ("hogs", "loop"),  # which has one thread, and so stands still until they end
    ("deadlock", "loop"), ("deadlock", "threads"),  # it opens its runtime itself
}
if "thread" in os.environ.get("WEIR_SANITIZE", ""):
    # ThreadSanitizer holds a signal back until its thread next calls the C library, and the one
    # that has them unblocked sleeps in the runtime.
    NOT_UNDER |= {("signals", scheduler) for scheduler in SCHEDULERS}
STATUS = {"deadlock": 2}  # of both halves, and then they say why; 0 of all others


def output(name, *command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=BOUND_SECONDS)
    check_equal(done.returncode, STATUS.get(name, 0),
                f"status of {command}: {done.stdout}{done.stderr}")
    check(name not in STATUS or name in done.stderr, f"{command} does not say why: {done.stderr}")
    check(done.stdout, f"{command} printed nothing")
    return done.stdout


def halves(folder, suffix):
    """The names of the programs of a folder, each of which has two halves."""
    theirs = {path.stem for path in (SOURCE / folder).glob("*" + suffix)}
    ours = {path.stem for path in (SOURCE / folder).glob("*.c")}
    check_equal(theirs, ours, f"programs of {folder}")
    check(len(ours) >= 8, f"only {ours}")
    return sorted(ours)


def compare(folder, name, *theirs):
    wanted = output(name, *theirs)
    for scheduler in SCHEDULERS:
        if (name, scheduler) not in NOT_UNDER:
            check_equal(output(name, BUILD / folder / name, scheduler), wanted,
                        f"{name} {scheduler}")


def go_version():
    """(1, 26) or None."""
    if not shutil.which("go"):
        return None
    text = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True,
                          timeout=BOUND_SECONDS, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", text)
    return found and (int(found[1]), int(found[2]))


def go_programs_print_what_ours_print():
    names = halves("from-go", ".go")
    version = go_version()
    if not version:
        return "go is not installed"
    if version < (1, 25):
        return "go is older than 1.25, which brought WaitGroup.Go"
    with tempfile.TemporaryDirectory() as folder:
        def build_and_compare(name):
            program = pathlib.Path(folder) / name
            done = subprocess.run(["go", "build", "-o", program, f"{name}.go"],
                                  cwd=SOURCE / "from-go",
                                  capture_output=True, text=True, timeout=150)
            check_equal(done.returncode, 0, f"go build {name}.go: {done.stderr}")
            compare("from-go", name, program)
        with concurrent.futures.ThreadPoolExecutor(2) as executor:
            list(executor.map(build_and_compare, names))
    return None


def asyncio_programs_print_what_ours_print():
    names = halves("from-asyncio", ".py")
    if sys.version_info < (3, 11):
        return "python3 is older than 3.11, which brought TaskGroup"
    for name in names:
        compare("from-asyncio", name, sys.executable, SOURCE / "from-asyncio" / f"{name}.py")
    return None


failed = 0
for case in (go_programs_print_what_ours_print, asyncio_programs_print_what_ours_print):
    try:
        reason = case()
        print(f"skip  {case.__name__}: {reason}" if reason else f"ok    {case.__name__}")
    except Exception as error:
        failed += 1
        print(f"FAIL  {case.__name__}: {error}")
sys.exit(1 if failed else 0)
