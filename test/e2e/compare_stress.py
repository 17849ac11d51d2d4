#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What takes `weir compare` longer to show: crashes, a blocking library, a journal of other
settings, the forms with bisection and step.  ctest: timeout=600 processors=2"""
import os
import signal

from compare_support import TINY, example, interrupt, rows, run_cases
from service import check, check_equal


def a_crash_is_recovered_from(compare):
    compare.run(*TINY, "--models=tasks", "--peers=none", "--workloads=crash")
    row = rows(compare.report(), "crash")["weir tasks"]
    check(row["crashes"] > 0 and row["recover_ms"] > 0 and row["lost_per_crash"] >= 0, f"{row}")


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
    run_cases([a_crash_is_recovered_from, another_setting_begins_anew,
               a_blocking_library_loses_in_the_block_row, the_full_form_has_all_its_parts,
               a_mix_is_offered_by_weight])
