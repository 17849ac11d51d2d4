# SPDX-License-Identifier: MIT
"""What the tests of what `weir compare` makes of a report share: showing one again with --render,
and small reports of one workload."""
import json
import pathlib
import subprocess
import sys
import tempfile
import traceback

from service import Failure, Skip, check_equal, tool_path


def render(report, folder, status=0, before=None):
    """Runs the tool on a report (a document, or raw bytes); returns what it printed."""
    path = pathlib.Path(folder) / "in.json"
    path.write_bytes(report if isinstance(report, bytes)
                     else json.dumps(report).encode())
    out = pathlib.Path(folder) / "out"
    done = subprocess.run([tool_path(), "compare", f"--render={path}", f"--out={out}"],
                          capture_output=True, timeout=60, preexec_fn=before)
    check_equal(done.returncode, status, f"status ({done.stderr.decode()[-300:]})")
    return done.stdout.decode() if status == 0 else done.stderr.decode()


def rendered(report):
    """The judged report, the page and the terminal's text."""
    with tempfile.TemporaryDirectory() as folder:
        printed = render(report, folder)
        out = pathlib.Path(folder) / "out"
        return (json.loads((out / "report.json").read_text()), (out / "report.html").read_text(),
                printed)


def tiny(rows, families=None, **more):
    """A report of one workload; rows are (name, members of the row)."""
    contestants = [{"name": name, "family": (families or {}).get(name, "weir" if "weir" in name
                                                                 else "go"),
                    "model": name.split()[-1], "settings": [], "shares_memory": True}
                   for name, _ in rows]
    return {"version": 1, "contestants": contestants,
            "workloads": [{"name": "api", "what": "work",
                           "rows": [dict(row, contestant=name) for name, row in rows]}], **more}


def at(goodput, spread=0.02, multiple=5, **more):
    """A row with a point."""
    row = {"capacity": 500, "points": [dict({"cores": "one", "multiple": multiple,
                                             "offered": 2500, "goodput": goodput,
                                             "p99_ms": 50}, **more)]}
    if spread is not None:
        row["spread"] = spread
    return row


def crash(lost, crashes=20):
    return {"capacity": 500, "lost_per_crash": lost, "crashes": crashes}


def state(seen, capacity, expected=5000):
    return {"capacity": capacity, "state_seen": seen, "state_expected": expected, "spread": 0.01}


def run(cases):
    """Runs each; says what failed, and ends with the status."""
    failed = 0
    for case in cases:
        try:
            case()
            print(f"ok    {case.__name__}", flush=True)
        except Skip as reason:
            print(f"skip  {case.__name__}: {reason}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL  {case.__name__}: {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
