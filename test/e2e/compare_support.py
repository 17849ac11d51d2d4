# SPDX-License-Identifier: MIT
"""What the tests of `weir compare` share: a run of it in a folder of its own, its report, and a
mark in the environment of all that it starts, by which what it leaves behind is found."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import uuid

from service import Failure, Skip, check, check_equal, eventually, tool_path

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", "."))
TINY = ("--short", "--seconds=0.15", "--timeout=1s")
BOUND_SECONDS = 120


class Compare:
    """A folder and a mark; each start() is one `weir compare` in them."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-compare-"))
        self.out = self.folder / "out"
        self.mark = f"WEIR_COMPARE_TEST={uuid.uuid4()}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.processes():
            os.kill(pid, 9)
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        name, value = self.mark.split("=")
        return dict(os.environ, **{name: value})

    def start(self, *options, **more):
        return subprocess.Popen([tool_path(), "compare", f"--out={self.out}", *options],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment(), **more)

    def run(self, *options, status=0, **more):
        """(standard output, standard error) of a run to its end, with nothing left of it."""
        with self.start(*options, **more) as process:
            try:
                output, error = process.communicate(timeout=BOUND_SECONDS)
            finally:
                process.kill()
        check_equal(process.returncode, status, f"status of {options} ({output[-800:]} {error})")
        self.nothing_is_left()
        return output, error

    def report(self):
        return json.loads((self.out / "report.json").read_text())

    def processes(self):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                pass
        return found

    @staticmethod
    def command(pid):
        """The words of its command line; none when it has ended."""
        try:
            return pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except OSError:
            return []

    def nothing_is_left(self):
        eventually(lambda: not self.processes(), "all processes of the comparison have ended")


def example(name):
    """A program of example/wrong/."""
    path = BUILD / "example" / "wrong" / name
    if not path.exists():
        raise Skip(f"{path} is not built")
    return path


def rows(report, workload):
    found = [one for one in report["workloads"] if one["name"] == workload]
    check_equal(len(found), 1, f"workloads {workload}")
    return {row["contestant"]: row for row in found[0]["rows"]}


def journalled(compare):
    try:
        return (compare.out / "journal.jsonl").read_text().count('"key"')
    except OSError:
        return 0


def write_peers(folder, peers):
    """A folder for --peers-dir; each peer need only say what is its own."""
    folder.mkdir(exist_ok=True)
    usual = {"family": "test", "model": "any", "guarded": False, "shares_memory": True,
             "supervised": False, "needs": [], "run": ["no-such-tool"], "settings": []}
    (folder / "peers.json").write_text(json.dumps([usual | peer for peer in peers]))
    return folder


def interrupt(compare, number, peers="--peers=none"):
    """Starts one and ends it by a signal.  (its options, the measurements that it has kept)"""
    options = (*TINY, "--models=loop,tasks", peers, "--workloads=api")
    with compare.start(*options) as process:
        eventually(lambda: journalled(compare) >= 2, "two measurements are journalled", 60)
        process.send_signal(number)
        _, error = process.communicate(timeout=BOUND_SECONDS)
    check_equal(process.returncode, 1, f"status after signal {number}")
    check("same command goes on" in error, error)
    compare.nothing_is_left()
    return options, journalled(compare)


def run_cases(cases):
    """Each case with a folder of its own; one line for each."""
    failed = 0
    for case in cases:
        began = time.monotonic()
        try:
            with Compare() as compare:
                case(compare)
        except Skip as reason:
            print(f"skip  {case.__name__}: {reason}", flush=True)
            continue
        except Exception as error:
            failed += 1
            print(f"FAIL  {case.__name__}: {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
            continue
        print(f"ok    {case.__name__}  ({time.monotonic() - began:.1f} s)", flush=True)
    sys.exit(1 if failed else 0)
