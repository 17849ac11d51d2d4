#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What takes `weir compare` longer to show: crashes, a blocking library, a journal of other
settings, the forms with bisection and step.  ctest: timeout=600 processors=2"""
import json
import os
import signal
import textwrap

from compare_support import (BOUND_SECONDS, TINY, example, interrupt, journalled, rows,
                             run_cases)
from service import check, check_equal, eventually, tool_path


def a_crash_is_recovered_from(compare):
    compare.run(*TINY, "--models=tasks", "--peers=none", "--workloads=crash")
    row = rows(compare.report(), "crash")["weir tasks"]
    check(row["crashes"] > 0 and row["recover_ms"] > 0 and row["lost_per_crash"] >= 0, f"{row}")


# The demo service under another name; once it takes as long to start as the crashes of a load last.
SLOW_ONCE = """\
    #!/bin/sh
    if mv "$0.slow" "$0.fast" 2>/dev/null; then sleep 8; fi
    exec "{tool}" serve --crash "$@"
    """


def crashes_wait_for_a_server_that_starts_late(compare):
    app = compare.folder / "late"
    app.write_text(textwrap.dedent(SLOW_ONCE).format(tool=tool_path()))
    app.chmod(0o755)
    options = (*TINY, f"--app={app}", "--url=/cpu?ms=2", "--models=loop", "--peers=none",
               "--workloads=crash")
    # What was started for an earlier measurement is kept; an interrupted one starts it anew.
    for kept in (2, 3):
        with compare.start(*options) as process:
            eventually(lambda: journalled(compare) >= kept, f"{kept} measurements are kept", 60)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=BOUND_SECONDS)
        compare.nothing_is_left()
        app.with_name("late.slow").touch()
    lines = (compare.out / "journal.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines if '"crash|late loop|all|crash"' in line]
    check_equal(len(found), 1, f"results of crashes in {lines}")
    check(found[0]["result"]["crashes"] > 0, f"{found}")
    check(app.with_name("late.fast").exists(), "it did not start late")


def another_setting_begins_anew(compare):
    options, _ = interrupt(compare, signal.SIGTERM)
    _, error = compare.run(*options, "--seed=2")
    check("differs in its seed" in error, error)
    check_equal(compare.report()["seed"], 2, "the seed")


def a_blocking_library_loses_in_the_block_row(compare):
    compare.run(*TINY, f"--app={example('sleeper')}", "--url=/slow", "--models=loop",
                "--workloads=block", "--peers=none")
    found = rows(compare.report(), "block")
    wrong, right = found["sleeper loop"], found["weir loop"]
    check(wrong["capacity"] < right["capacity"] / 2, f"{wrong['capacity']} {right['capacity']}")
    check(".blocking" in wrong.get("note", ""), f"{wrong}")
    compare.run(*TINY, f"--app={example('sleeper')}", "--url=/slow", "--models=loop",
                "--workloads=block", "--peers=none", "--", "--right")
    row = rows(compare.report(), "block")["sleeper loop"]
    check(row["capacity"] > 2 * wrong["capacity"] and "note" not in row, f"{row}")


def the_full_form_has_all_its_parts(compare):
    compare.run("--full", "--seconds=0.5", "--timeout=1s", "--models=tasks", "--peers=none",
                "--workloads=api")
    row = rows(compare.report(), "api")["weir tasks"]
    check_equal([point["multiple"] for point in row["points"]], [0.5, 0.9, 1, 1.5, 2, 3, 5, 10],
                "points")
    check(row["capacity"] <= row["saturation"], f"{row['capacity']} of {row['saturation']}")
    check(len(row["series"]) >= 3, f"the step has {len(row['series'])} intervals")
    check(max(one["offered"] for one in row["series"]) > row["capacity"], "no step")


def a_mix_is_offered_by_weight(compare):
    compare.run(*TINY, "--models=tasks", "--peers=none", "--workloads=mix,wait,stream")
    for workload in ("mix", "wait", "stream"):
        row = rows(compare.report(), workload)["weir tasks"]
        check(row["capacity"] > 0 and "failed" not in row, f"{workload}: {row}")


if __name__ == "__main__":
    os.environ.pop("WEIR_MODEL", None)
    run_cases([a_crash_is_recovered_from, crashes_wait_for_a_server_that_starts_late,
               another_setting_begins_anew, a_blocking_library_loses_in_the_block_row,
               the_full_form_has_all_its_parts, a_mix_is_offered_by_weight])
