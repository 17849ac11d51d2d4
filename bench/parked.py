#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much memory does a parked task hold?

usage: bench/parked.py BUILD_DIR [--quick] [--rounds N]

bench/parked.c starts a million tasks with stacks of 64 KiB (a hundred thousand with --quick; fewer
where memory is short), each of which waits on a channel, then lets them end; bench/peers/parked.go
does the same with goroutines.  The figure is resident memory and page tables, beyond what the
process had before, divided by their number.  `guarded` has a guard below each stack, by
MADV_GUARD_INSTALL; `old` does without the kernel's newer features, so that guards are made by
mprotect, which the kernel allows for some ten thousand stacks, and the others have none."""
import statistics
import sys

import common
import servers

TASKS = 1_000_000
QUICK_TASKS = 100_000
ROOM_BYTES = 10_000         # of memory that has to be free for each
ROUNDS_MAX = 3              # the figures hardly differ
UNIT = "bytes per parked task"
AIM_BYTES = 4700

# row: what bench/parked.c is told
ROWS = {"guarded": (), "old": ("old",)}


def rounds(run):
    return 1 if run.quick else min(run.rounds, ROUNDS_MAX)


def turn_seconds(run):
    return 1 if run.quick else 9


def seconds(run):
    return (len(run.chosen(ROWS)) + 0.4) * rounds(run) * turn_seconds(run)


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/meminfo does not say what is available")


def tasks_of(run):
    wanted = QUICK_TASKS if run.quick else TASKS
    found = max(min(wanted, available_bytes() // ROOM_BYTES), 1)
    if found < wanted:
        run.leave_out(f"{wanted - found} of {wanted} tasks: memory is short")
    return found


def contestants(run, count):
    """(name, command)."""
    found = {row: [run.build / "bench" / "parked", count, *ROWS[row]] for row in run.chosen(ROWS)}
    why = servers.build_go("parked.go", "parked-go")
    if why is None:
        found["Go"] = [common.FOLDER / "parked-go", count]
    else:
        run.leave_out(why)
    return found


def measure_all(run, commands):
    """{name: [(bytes, ns to start, ns to end, the guard's name), ...]}"""
    found = {name: [] for name in commands}
    for number in range(rounds(run)):
        for name, command in commands.items():
            run.progress.show(f"round {number + 1} of {rounds(run)}, {name}")
            *figures, guard = [*servers.words_of(command), "–"][:4]
            found[name].append((*map(float, figures), guard))
            run.progress.step(turn_seconds(run) * (0.4 if name == "Go" else 1))
    return found


def add_row(run, name, found, count):
    """What was aimed at, for the table: with installed guards, the memory; without, that they run
    and end, else the program would have failed."""
    bytes_each = [figures[0] for figures in found[name]]
    guard = found[name][0][3]
    guarded = guard == "install"
    met = not guarded or statistics.median(bytes_each) <= AIM_BYTES
    aim = f"at most {AIM_BYTES:,}" if guarded else "all run and end"
    go = [figures[0] for figures in found["Go"]] if "Go" in found else None
    run.add(common.claim(f"parked/{name}/tasks", UNIT, bytes_each, "Go", go, aim, met,
                         guard=guard, tasks=count))
    return run.progress.verdict(met, f"{aim}:")


def measure(run):
    count = tasks_of(run)
    found = measure_all(run, contestants(run, count))
    run.progress.note(f"{f'{count:,} tasks':18}{'bytes each':>11}{'ns to start':>12}"
                      f"{'ns to end':>11}  {'guard':8}  aim")
    for name, figures in found.items():
        middle = [statistics.median(values) for values in list(zip(*figures))[:3]]
        aim = add_row(run, name, found, count) if name != "Go" else ""
        guard = figures[0][3]
        run.progress.note(f"{name:18}{middle[0]:11,.0f}{middle[1]:12,.0f}{middle[2]:11,.0f}  "
                          f"{guard:8}  {aim}".rstrip())


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
