#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How late are timers beside tasks that compute and never wait?

usage: bench/hogs.py BUILD_DIR [--quick] [--rounds N]

bench/hogs.c lets so many tasks compute on two workers while another task sleeps for 5 ms again and
again, and a plain thread of the process as well.  What makes the thread late is the machine; the
99th percentile of the task's lateness should not lie far beyond the thread's.  Sixty-four hogs are
not all given a thread: then the threads of the runtime stay few, however late the timers are."""
import statistics
import sys

import common
import servers

MILLISECONDS = 3000
QUICK_MILLISECONDS = 500
BEYOND_MS_MAX = 20
THREADS_MAX = 16
UNIT = "ms late at the 99th percentile"

# row: (hogs, whether the timers have an aim; else the threads have)
ROWS = {"hogs-0": (0, True), "hogs-1": (1, True), "hogs-2": (2, True), "hogs-4": (4, True),
        "hogs-64": (64, False)}
NAMES = ("task p50", "task p99", "task max", "thread p50", "thread p99", "thread max", "threads",
         "relieved")


def milliseconds(run):
    return QUICK_MILLISECONDS if run.quick else MILLISECONDS


def seconds(run):
    return len(run.chosen(ROWS)) * run.rounds * (milliseconds(run) / 1000 + 0.1)


def add_row(run, row, found):
    """What was aimed at, for the table."""
    hogs, timers_have_aim = ROWS[row]
    task, thread = found["task p99"], found["thread p99"]
    if timers_have_aim:
        beyond = statistics.median(mine - theirs for mine, theirs in zip(task, thread))
        met = beyond <= BEYOND_MS_MAX
        aim = f"at most {BEYOND_MS_MAX} ms beyond the thread's"
        shown = f"p99 {beyond:+.1f} ms, at most +{BEYOND_MS_MAX}"
    else:
        most = max(found["threads"])
        met = most <= THREADS_MAX
        aim = f"at most {THREADS_MAX} threads, not {hogs}"
        shown = f"{most:.0f} threads, at most {THREADS_MAX}"
    run.add(common.claim(f"hogs/{hogs}/tasks", UNIT, task, "a plain thread", thread, aim, met,
                         threads=max(found["threads"]),
                         relieved=statistics.median(found["relieved"])))
    return run.progress.verdict(met, f"{shown}:")


def measure(run):
    run.progress.note(f"{'':6}{'task late by ms':>23}{'thread late by ms':>25}")
    run.progress.note(f"{'hogs':6}{'p50':>7}{'p99':>8}{'max':>8} {'p50':>8}{'p99':>8}{'max':>8}"
                      f"{'threads':>9}  aim")
    for row in run.chosen(ROWS):
        hogs, _ = ROWS[row]
        found = {name: [] for name in NAMES}
        for number in range(run.rounds):
            run.progress.show(f"{hogs} hogs: round {number + 1} of {run.rounds}")
            said = servers.words_of([run.build / "bench" / "hogs", hogs, milliseconds(run)])
            for name, word in zip(NAMES, said):
                found[name].append(float(word))
            run.progress.step(milliseconds(run) / 1000 + 0.1)
        middle = {name: statistics.median(values) for name, values in found.items()}
        run.progress.note(
            f"{hogs:6}{middle['task p50']:7.1f}{middle['task p99']:8.1f}{middle['task max']:8.1f} "
            f"{middle['thread p50']:8.1f}{middle['thread p99']:8.1f}{middle['thread max']:8.1f}"
            f"{max(found['threads']):9.0f}  {add_row(run, row, found)}")


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
