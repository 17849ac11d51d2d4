#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What do the operations cost that concurrent programs are made of?

usage: bench/core.py BUILD_DIR [--quick] [--rounds N] [--rows ROW,...]

bench/core_ops.c does them with weir, under `tasks` on one worker and on two and under `loop`;
bench/peers/core.go does the same work with goroutines, with GOMAXPROCS=1 and 2.  They take turns,
round by round; on one worker they share one core, on two they have both to themselves.
bench/core_ops.c says what each operation is.  A ratio is weir's time divided by Go's in the same
round: the median of the rounds, with half their range behind the ±; the aim is what it should be
at most."""
import statistics
import sys
import typing

import common
import servers


class Operation(typing.NamedTuple):
    count: int              # that takes weir roughly a tenth of a second
    aims: tuple = ()        # weir/Go at most: on one worker, on two
    whole: bool = False     # one measurement is one whole of `count`, given in ms
    quick_count: int = 0    # of a whole, with --quick


OPERATIONS = {
    "yield": Operation(1_600_000, (0.35, 0.40)),
    "spawn": Operation(400_000, (0.30, 0.40)),
    "group": Operation(400_000, (0.30, 0.40)),
    "rendezvous": Operation(400_000, (0.50, 0.60)),
    "buffered": Operation(2_000_000, (0.70, 1.00)),
    "select": Operation(600_000, (0.50, 0.60)),
    "mutex": Operation(6_000_000),
    "contended": Operation(2_000_000, (1.00, 1.50)),
    "handover": Operation(600_000),
    "deadline": Operation(200_000),
    "skynet": Operation(1_000_000, (0.40, 0.50), True, 100_000),
    "sieve": Operation(1500, (0.60, 0.80), True, 1500),
    "timers": Operation(1_000_000, (0.60, 0.60), True, 100_000),
}
ROWS = OPERATIONS


class Contestant(typing.NamedTuple):
    name: str       # "Go", or the model of weir
    workers: int


# In the order of the table.
ONE = [Contestant("tasks", 1), Contestant("loop", 1), Contestant("Go", 1)]
TWO = [Contestant("tasks", 2), Contestant("Go", 2)]
NS_PER_MS = 1e6

# Two C libraries whose tasks share one thread and are not safe across threads.  Neither is a Debian
# package, so they are not measured here: these are their times divided by Go's (1.19), as measured
# once on another machine.
DERIVED = {
    "yield": {"neco": 16 / 55, "libdill": 18 / 55},
    "rendezvous": {"neco": 162 / 230, "libdill": 62 / 230},
}


def count_of(run, operation):
    what = OPERATIONS[operation]
    if what.whole:
        return what.quick_count if run.quick else what.count
    return int(what.count * (0.5 if run.quick else 3)) // 4 * 4


def turn_seconds(run, operation):
    """Of everybody once: a guess."""
    if operation == "skynet":
        return 1 if run.quick else 8
    if operation == "timers":
        return 0.3 if run.quick else 3
    if operation == "sieve":
        return 1.5
    return 0.5 if run.quick else 2.2


def seconds(run):
    return sum(run.rounds * turn_seconds(run, operation) for operation in run.chosen(OPERATIONS))


def contestants(run):
    found = list(ONE)
    if len(common.cores()) >= 2:
        found += TWO
    else:
        run.leave_out("two workers: there is only one core here")
    why = servers.build_go("core.go", "core-go")
    if why is not None:
        run.leave_out(why)
        found = [one for one in found if one.name != "Go"]
    return found


def once(run, contestant, operation):
    """ns of one operation, or ms of a whole."""
    count = count_of(run, operation)
    if contestant.name == "Go":
        command = [common.FOLDER / "core-go", operation, count]
    else:
        command = [run.build / "bench" / "core_ops", operation, contestant.name, count]
    # Two workers choose among all cores, as they would in a program.
    core = common.cores()[0] if contestant.workers == 1 else None
    figure = float(servers.words_of([*command, contestant.workers], core)[0])
    return figure * count / NS_PER_MS if OPERATIONS[operation].whole else figure


def measure_operation(run, operation, everybody):
    results = {contestant: [] for contestant in everybody}
    for number in range(run.rounds):
        for contestant in everybody:
            run.progress.show(f"{operation}: round {number + 1} of {run.rounds}, "
                              f"{contestant.name} on {contestant.workers}")
            results[contestant].append(once(run, contestant, operation))
        run.progress.step(turn_seconds(run, operation))
    return results


def unit_of(operation):
    return "ms" if OPERATIONS[operation].whole else "ns"


def add_rows(run, operation, results, version):
    """The rows of the report, by contestant."""
    rows = {}
    for contestant, figures in results.items():
        peer = results.get(Contestant("Go", contestant.workers))
        if contestant.name == "Go" or peer is None:
            continue
        name = contestant.name + ("" if contestant.workers == 1 else f"-{contestant.workers}")
        more = {"workers": contestant.workers, "peer_version": version}
        if operation in DERIVED and contestant.workers == 1:
            more["derived"] = {library: common.significant(share * statistics.median(peer))
                               for library, share in DERIVED[operation].items()}
        if OPERATIONS[operation].aims:
            more["aim"] = OPERATIONS[operation].aims[contestant.workers - 1]
        rows[contestant] = common.comparison(f"core/{operation}/{name}", unit_of(operation),
                                             figures, "Go", peer, **more)
        run.add(rows[contestant])
    return rows


def half_of_table(run, half, results, rows):
    cells = [f"{statistics.median(results[one]):8.1f}" if one in results else f"{'':8}"
             for one in half]
    row = rows.get(half[0])
    if row is None:
        return "".join(cells)
    spread = f"±{row['spread'] / 2:.0%}"
    aim = f"{'':11}"
    if "aim" in row:
        aim = run.progress.verdict(row["ratio"] <= row["aim"], f"{row['aim']:.2f}", 11)
    return f"{''.join(cells)} {row['ratio']:6.2f} {spread:<5}{aim} "


def show_heads(run, version):
    if version is not None:
        run.progress.note(version)
    run.progress.note(f"{'':16}{'on one worker':46}  on two workers")
    ratio = f"{'ratio':>7}{'':6}{'aim':12}"
    run.progress.note(f"{'':13}{'tasks':>8}{'loop':>8}{'Go':>8}{ratio}{'tasks':>8}{'Go':>8}{ratio}"
                      .rstrip())


def show_derived(run, rows):
    """What neco and libdill would need if they stood to this Go as they did to that one."""
    rows = [row for row in rows if "derived" in row]
    if not rows:
        return
    run.progress.note("\nderived, not measured: ns on one worker, from how they stood to Go 1.19 "
                      "on another machine")
    run.progress.note(f"{'':13}{'tasks':>8}{'neco':>8}{'libdill':>8}")
    for row in rows:
        derived = "".join(f"{figure:8.1f}" for figure in row["derived"].values())
        run.progress.note(f"{row['name'].split('/')[1]:13}{row['weir']:8.1f}{derived}")


def measure(run):
    everybody = contestants(run)
    version = servers.go_version() if any(one.name == "Go" for one in everybody) else None
    show_heads(run, version)
    of_tasks = []
    for operation in run.chosen(OPERATIONS):
        results = measure_operation(run, operation, everybody)
        rows = add_rows(run, operation, results, version)
        halves = "".join(half_of_table(run, half, results, rows) for half in (ONE, TWO))
        run.progress.note(f"{operation:10} {unit_of(operation)}{halves}".rstrip())
        of_tasks += [row for contestant, row in rows.items() if contestant == ONE[0]]
    show_derived(run, of_tasks)


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
