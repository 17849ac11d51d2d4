#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much faster does a second core make a tree of tasks that compute?

usage: bench/tree.py BUILD_DIR [--quick] [--rounds N]

bench/tree.c computes the leaves of a binary tree as weir's tasks, on one worker and on two, and as
plain threads, on one core and on two; they take turns, round by round.  The speed-up is the time on
one divided by that on two in the same round, and plain threads have the most that the machine
gives.  The work is the same, down to the result."""
import statistics
import sys

import common
import servers

LEVELS = 9              # 512 leaves of one to two milliseconds
QUICK_LEVELS = 7
AIM = 0.97              # of the speed-up of plain threads
UNIT = "times as fast on two cores"
KINDS = ("tasks", "pthreads")
ROWS = ("speed-up",)


def turn_seconds(run):
    return 0.7 if run.quick else 2.6


def seconds(run):
    return run.rounds * turn_seconds(run)


def once(run, kind, workers, results):
    """Milliseconds."""
    core = common.cores()[0] if workers == 1 else None
    levels = QUICK_LEVELS if run.quick else LEVELS
    took, result = servers.words_of([run.build / "bench" / "tree", kind, levels, workers], core)
    results.add(result)
    if len(results) > 1:
        raise RuntimeError(f"{kind} on {workers} computes something else than the others")
    return float(took)


def measure(run):
    if len(common.cores()) < 2:
        run.leave_out("the speed-up: there is only one core here")
        return
    took = {(kind, workers): [] for kind in KINDS for workers in (1, 2)}
    results = set()
    for number in range(run.rounds):
        for kind, workers in took:
            run.progress.show(f"round {number + 1} of {run.rounds}, {kind} on {workers}")
            took[kind, workers].append(once(run, kind, workers, results))
        run.progress.step(turn_seconds(run))

    speed_ups = {kind: [one / two for one, two in zip(took[kind, 1], took[kind, 2])]
                 for kind in KINDS}
    share = statistics.median(mine / theirs for mine, theirs
                              in zip(speed_ups["tasks"], speed_ups["pthreads"]))
    run.add(common.claim("tree/speed-up/tasks", UNIT, speed_ups["tasks"], "plain threads",
                         speed_ups["pthreads"], f"at least {AIM} of theirs", share >= AIM,
                         share=common.significant(share)))
    run.progress.note(f"{'':12}{'ms on one':>10}{'on two':>10}{'speed-up':>10}")
    for kind in KINDS:
        one, two = (statistics.median(took[kind, workers]) for workers in (1, 2))
        run.progress.note(f"{kind:12}{one:10.1f}{two:10.1f}"
                          f"{statistics.median(speed_ups[kind]):10.2f}")
    run.progress.note(f"tasks / pthreads: {share:.3f}, aim "
                      f"{run.progress.verdict(share >= AIM, f'{AIM:.2f}')}")


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
