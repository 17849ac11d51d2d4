#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What do the operations cost that concurrent programs are made of?

usage: bench/core.py BUILD_DIR [--quick] [--rounds N]

bench/core_ops.c does them with weir under `tasks` and `loop`, on one worker; bench/peers/core.go
does the same with goroutines on one processor.  They take turns on one core, round by round.
bench/core_ops.c says what each operation is."""
import statistics
import subprocess
import sys

import common
import servers

MODELS = ("tasks", "loop")
UNIT = "ns"

# operation: how many of them take weir roughly a tenth of a second
OPERATIONS = {"yield": 1_600_000, "spawn": 400_000, "rendezvous": 400_000, "buffered": 2_000_000,
              "select": 600_000, "mutex": 6_000_000, "handover": 600_000, "deadline": 200_000}
RUN_SECONDS_MAX = 120


def factor(run):
    """How much longer than a tenth of a second each turn takes."""
    return 0.5 if run.quick else 3


def seconds(run):
    return len(OPERATIONS) * run.rounds * factor(run) * 0.1 * 4.5


def once(command, core):
    done = subprocess.run([*servers.as_child(core), *command], capture_output=True, text=True,
                          timeout=RUN_SECONDS_MAX, env=servers.environment(), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
    return float(done.stdout)


def contestants(run, operation, count):
    found = {f"weir {model}": [str(run.build / "bench" / "core_ops"), operation, model, str(count)]
             for model in MODELS}
    why = servers.build_go("core.go", "core-go")
    if why is None:
        found["Go"] = [str(common.FOLDER / "core-go"), operation, str(count)]
    else:
        run.leave_out(why)
    return found


def measure_operation(run, operation):
    count = int(OPERATIONS[operation] * factor(run)) // 4 * 4
    commands = contestants(run, operation, count)
    results = {name: [] for name in commands}
    for number in range(run.rounds):
        for name, command in commands.items():
            run.progress.show(f"{operation}: round {number + 1} of {run.rounds}, {name}")
            results[name].append(once(command, common.cores()[0]))
        run.progress.step(factor(run) * 0.1 * 4.5)
    return results


def measure(run):
    run.progress.note(f"\n{'ns per operation':18} {'weir tasks':>12} {'weir loop':>12} {'Go':>12}")
    for operation in OPERATIONS:
        results = measure_operation(run, operation)
        shown = [f"{statistics.median(figures):12.1f}" for figures in results.values()]
        run.progress.note(f"{operation:18} {' '.join(shown)}")
        for model in MODELS:
            if "Go" in results:
                run.add(common.comparison(f"core/{operation}/{model}", UNIT,
                                          results[f"weir {model}"], "Go", results["Go"]))


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
