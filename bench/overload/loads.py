# SPDX-License-Identifier: MIT
"""The rows of which the load itself is the trouble: A ramp, B step, C cold start, L churn,
M memory, O without control, two cores, and what control costs."""
import statistics
import time

import judge
from field import API, GUARDED, HELLO, MODELS, STOCK, WORKLOADS, Shortcoming
from judge import Bar
from rows import Row, sample
from servers import resident_bytes

MULTIPLES = (0.5, 0.8, 0.9, 0.95, 1, 1.1, 1.3, 1.5, 2, 3, 5, 10)
QUICK_MULTIPLES = (0.5, 0.9, 1, 2, 5, 10)
DRIFT_MAX = 0.05


def figures_of_step(prefix, step, capacity, void):
    """One step of a ramp: goodput by C, what was rejected, p99 by the objective."""
    why = judge.spoiled(step)
    if why is not None:
        void[prefix] = why
    return {
        f"{prefix}/goodput": step["ok_per_second"] / capacity.rate,
        f"{prefix}/rejected": judge.rejected(step),
        f"{prefix}/p99": step["ok_ms_p99"] / capacity.objective_ms,
        f"{prefix}/p99_ms": step["ok_ms_p99"],
        f"{prefix}/reject_p99_ms": step["shed_ms_p99"],
        f"{prefix}/cpu": step["own_cpu"],
    }


class Ramp(Row):
    name = "A"
    title = "ramp: up to so many times the capacity, and down again"
    models = MODELS

    def __init__(self, workloads=("api", "waits", "mix")):
        self.workloads = workloads

    def cells(self, chosen):
        return [f"{model}/{workload}" for workload in self.workloads
                for model in chosen or self.models]

    @staticmethod
    def multiples(field, workload):
        all_of_them = QUICK_MULTIPLES if field.quick else MULTIPLES
        return [x for x in all_of_them if workload == "api" or x <= 5]

    def seconds(self, field):
        return 2 * len(self.multiples(field, "api")) * field.unit_s

    def measure(self, field, cell, seed):
        model, name = cell.split("/")
        workload = WORKLOADS[name]
        capacity = self.capacity(field, model, workload)
        multiples = self.multiples(field, name)
        legs = [("up", x) for x in multiples] + [("down", x) for x in reversed(multiples[:-1])]
        with field.serve(model) as server:
            field.closed(server.port, workload.connections, 0.5, workload)
            result = field.run(server.port, [(x * capacity.rate, field.unit_s) for _, x in legs],
                               seed, workload=workload)
        figures, void = {}, {}
        for (leg, x), step in zip(legs, result["steps"]):
            figures.update(figures_of_step(f"{leg}/{x:g}", step, capacity, void))
        figures["C"] = capacity.rate
        figures["Lo_ms"] = capacity.objective_ms
        return sample(figures, void)

    def bars(self, field, cell):
        name = cell.split("/")[1]
        multiples = self.multiples(field, name)

        def at(figure, low, high):
            return tuple(f"{leg}/{x:g}/{figure}" for leg in ("up", "down") for x in multiples
                         if low <= x <= high and (leg == "up" or x != multiples[-1]))
        least = 0.95 if name == "api" else 0.93
        bars = [Bar("rejected up to 0.9 C", at("rejected", 0, 0.9), "<=", 0.001, 0.02, "%"),
                Bar("rejected at 0.95 C", at("rejected", 0.95, 0.95), "<=", 0.003, None, "%"),
                Bar("goodput / C, 1x to 5x", at("goodput", 1, 5), ">=", least, least - 0.2),
                Bar("p99 / objective, from 1.3x", at("p99", 1.3, 10), "<=", 1, 3)]
        if name == "api":
            bars.append(Bar("goodput / C, 10x", at("goodput", 10, 10), ">=", 0.93, 0.6))
        return [bar for bar in bars if bar.figures]

    def show(self, cell, samples):
        names = sorted({tuple(name.split("/")[:2]) for one in samples for name in one["figures"]
                        if name.count("/") == 2 and name.startswith("up/")},
                       key=lambda pair: float(pair[1]))
        rows = []
        for _, x in names:
            row = [f"{x} C"]
            for leg in ("up", "down"):
                for figure, unit in (("goodput", ""), ("rejected", "%"), ("p99_ms", "ms")):
                    value, _ = judge.median(samples, f"{leg}/{x}/{figure}")
                    row.append(judge.number(value, unit))
            row.append(judge.number(judge.median(samples, f"up/{x}/cpu")[0], "%"))
            rows.append(row)
        capacity = judge.number(judge.median(samples, "C")[0])
        objective = judge.number(judge.median(samples, "Lo_ms")[0], "ms")
        return [f"C {capacity}/s, objective {objective}",
                *judge.table(rows, ("load", "goodput/C", "rejected", "p99", "(down)", "", "",
                                    "generator"))]


class Step(Row):
    name = "B"
    title = "step from 0.5x to 5x (10x) and back, ten times; bins of 50 ms"
    models = ("tasks", "loop", "threads", "cluster", "prefork")
    BIN_MS = 50
    STEPS = 10
    # Of a step: the first 200 ms, until 500 ms, the rest; then a second of recovery, and one after.
    QUIET_S = 1.0

    def cells(self, chosen):
        return [f"{model}/{x}x" for model in chosen or self.models for x in (5, 10)]

    @staticmethod
    def rest_s(field):
        return 1.0 if field.quick else 2.5

    def seconds(self, field):
        return 5 + self.STEPS * (2.5 + self.rest_s(field))

    def measure(self, field, cell, seed):
        model, x = cell.split("/")
        x = float(x.rstrip("x"))
        capacity = self.capacity(field, model)
        c = capacity.rate
        cycle = [(x * c, 0.2), (x * c, 0.3), (x * c, self.rest_s(field)), (0.5 * c, 1.0),
                 (0.5 * c, self.QUIET_S)]
        base = [(0.5 * c, 1.0)] + [(0.5 * c, self.QUIET_S)] * 4
        with field.serve(model) as server:
            result = field.run(server.port, base + cycle * self.STEPS, seed, bin_ms=self.BIN_MS)
        return self.sample_of(field, result, capacity, len(base), len(cycle))

    def sample_of(self, field, result, capacity, before, cycle):
        parts = result["steps"]
        begin_s = sum(part["seconds"] for part in parts[:before])
        cycle_s = sum(part["seconds"] for part in parts[before:before + cycle])
        begins = [(begin_s + number * cycle_s) * 1000 for number in range(self.STEPS)]
        overload_bins = round((0.5 + self.rest_s(field)) * 1000 / self.BIN_MS)
        ok = judge.pooled(result["series"], "ok", begins, overload_bins)
        wanted = 0.9 * capacity.rate * self.BIN_MS / 1000 * self.STEPS
        loud = [part for index, part in enumerate(parts[before:]) if index % cycle in (0, 1, 2)]
        later = [part for index, part in enumerate(parts[before:]) if index % cycle in (1, 2)]
        settled = [part for index, part in enumerate(parts[before:]) if index % cycle == 2]
        after = [part for index, part in enumerate(parts[before:]) if index % cycle == 4]
        base_p99 = statistics.median(part["ok_ms_p99"] for part in parts[1:before])
        after_p99 = statistics.median(part["ok_ms_p99"] for part in after)
        seconds = sum(part["seconds"] for part in later)
        figures = {
            "reached_ms": judge.reached_ms(ok, self.BIN_MS, wanted, 4),
            "goodput": sum(part["ok"] for part in later) / seconds / capacity.rate,
            "p99": statistics.median(part["ok_ms_p99"] for part in settled)
                   / capacity.objective_ms,
            "after/rejected": judge.share(sum(part["requests"] - part["ok"] for part in after),
                                          sum(part["requests"] for part in after)),
            "after/p99": after_p99 / base_p99 if base_p99 else 0.0,
        }
        why = judge.spoiled({**result, "own_cpu": max(part["own_cpu"] for part in loud)})
        per_bin = capacity.rate * self.BIN_MS / 1000 * self.STEPS
        curve = " ".join(f"{count / per_bin:.2f}" for count in ok[:12])
        return sample(figures, {"": why} if why else {},
                      [f"goodput / C by 50 ms from the step on: {curve} ..."])

    def bars(self, field, cell):
        return [Bar("0.9 C reached after", ("reached_ms",), "<=", 200, 600, "ms"),
                Bar("goodput / C from 200 ms on", ("goodput",), ">=", 0.9, 0.7),
                Bar("p99 / objective from 500 ms on", ("p99",), "<=", 1, 3),
                Bar("rejected from 1 s after the step", ("after/rejected",), "<=", 0, None, "%"),
                Bar("p99 then / before", ("after/p99",), "<=", 1.5, None)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Cold(Row):
    name = "C"
    title = "cold start into 5x"
    models = ("tasks", "loop", "threads", "cluster", "prefork")
    SECONDS = 2.0
    STARTS = 3

    def seconds(self, field):
        return self.STARTS * (self.SECONDS + 1)

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        got, spoiled = [], []
        for number in range(self.STARTS):
            with field.serve(cell) as server:
                result = field.run(server.port, [(5 * capacity.rate, self.SECONDS)],
                                   seed * self.STARTS + number, kept=0, lead_s=0)
            got.append(result["ok_per_second"] / capacity.rate)
            spoiled.append(judge.spoiled(result))
        why = next(filter(None, spoiled), None)
        return sample({"goodput": statistics.median(got)}, {"": why} if why else {})

    def bars(self, field, cell):
        return [Bar("goodput / C in the first 2 s", ("goodput",), ">=", 0.8, 0.5)]


class Churn(Row):
    name = "L"
    title = "a connection for each request, 5x"
    models = ("tasks", "loop", "threads", "cluster", "prefork")

    def seconds(self, field):
        return field.unit_s

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        with field.serve(cell) as server:
            field.closed(server.port, API.connections, 0.5)
            result = field.run(server.port, [(5 * capacity.rate, field.unit_s)], seed, "--close")
        why = judge.spoiled(result)
        return sample({"goodput": result["ok_per_second"] / capacity.rate,
                       "p99": result["ok_ms_p99"] / capacity.objective_ms},
                      {"": why} if why else {})

    def bars(self, field, cell):
        return [Bar("goodput / C", ("goodput",), ">=", 0.8, 0.5)]


class Memory(Row):
    name = "M"
    title = "memory at 10x beside 1x"
    models = ("tasks", "loop", "threads")

    @staticmethod
    def lengths(field):
        return (5.0, 20.0) if field.quick else (30.0, 300.0)

    def seconds(self, field):
        return sum(self.lengths(field))

    def watch(self, field, server, rate, seconds, seed):
        """(the result, [(second, resident bytes)])"""
        running = field.start(server.port, [(rate, seconds)], seed)
        points = []
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(1)
            points.append((time.monotonic() - began, resident_bytes(server.pid)))
        return running.result(), points

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        below, above = self.lengths(field)
        with field.serve(cell) as server:
            _, calm = self.watch(field, server, capacity.rate, below, seed)
            result, points = self.watch(field, server, 10 * capacity.rate, above, seed)
        once = max(size for _, size in calm)
        most = max(size for _, size in points)
        # Growth is what goes on after everything has been used once.
        half = points[len(points) // 2:]
        growth = judge.slope(half) * 60 / statistics.median(size for _, size in half)
        why = judge.spoiled(result)
        return sample({"ratio": most / once, "growth": growth},
                      {"": why} if why else {},
                      [f"{once / 1e6:.1f} MB at 1x, {most / 1e6:.1f} MB at 10x"])

    def bars(self, field, cell):
        # In so few seconds one page more is several per cent a minute.
        growth = 0.1 if field.quick else 0.01
        return [Bar("resident memory / that at 1x", ("ratio",), "<=", 1.5, 2.5),
                Bar("growth a minute", ("growth",), "<=", growth, None, "%")]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Beside(Row):
    """Peers have no bars: they are what weir stands beside."""
    name = "5x"
    title = "at 5x beside Go, Node and Python, as they come and guarded"
    models = ("tasks", "loop", "threads", "cluster", "prefork")

    def cells(self, chosen):
        return [*super().cells(chosen), *STOCK, *GUARDED]

    def seconds(self, field):
        return 2 * field.unit_s

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        with self.serve(field, cell) as server:
            field.closed(server.port, API.connections, 0.5)
            rate = 5 * capacity.rate
            # What a queue of a timeout's length hides is over after three of them.
            result = field.run(server.port, [(rate, 3.0), (rate, 2 * field.unit_s)], seed)
        step = result["steps"][1]
        void = {}
        figures = figures_of_step("5", step, capacity, void)
        return sample({**figures, "C": capacity.rate}, void)

    def bars(self, field, cell):
        if cell not in MODELS:
            return []
        return [Bar("goodput / C at 5x", ("5/goodput",), ">=", 0.95, 0.7),
                Bar("p99 / objective", ("5/p99",), "<=", 1, 3)]

    def show(self, cell, samples):
        of = {name: judge.median(samples, name)[0]
              for name in ("C", "5/goodput", "5/rejected", "5/p99_ms", "5/reject_p99_ms")}
        void = [f"void: {why}" for one in samples for why in one["void"].values()]
        return [f"C {judge.number(of['C'])}/s; at 5x goodput {judge.number(of['5/goodput'])} C, "
                f"p99 {judge.number(of['5/p99_ms'], 'ms')}, of refusals "
                f"{judge.number(of['5/reject_p99_ms'], 'ms')}", *void]


class BothCores(Row):
    name = "cores"
    title = "both cores to the server at 2x; the generator shares them"
    models = ("tasks", "threads", "cluster", "prefork")

    def seconds(self, field):
        return 3 * field.unit_s

    def measure(self, field, cell, seed):
        if field.shared:
            raise Shortcoming("there is one core")
        capacity = self.capacity(field, cell)
        got = []
        for core, count in ((field.server_core, 1),
                            (f"{field.server_core},{field.generator_core}", 2)):
            with field.serve(cell, core=core) as server:
                field.closed(server.port, 2 * API.connections, 1)
                result = field.run(server.port, [(2 * count * capacity.rate, field.unit_s)], seed)
            got.append(result["ok_per_second"])
        # The generator stands on a core of the server's, so its lateness is part of the row.
        return sample({"ratio": got[1] / got[0]}, {},
                      [f"{got[0]:.0f}/s on one core, {got[1]:.0f}/s on two"])

    def bars(self, field, cell):
        return [Bar("goodput at 2x / that on one core", ("ratio",), ">=", 1.8, 1.3)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Cost(Row):
    """Instructions by perf where there are counters, and pairs of runs in turn."""
    name = "cost"
    title = "what control costs below capacity: hello, with and without it, in turn"
    models = ("tasks", "loop", "threads")
    PAIRS = 15
    CONNECTIONS = 32

    def pairs(self, field):
        return 5 if field.quick else self.PAIRS

    def seconds(self, field):
        return 2 * self.pairs(field) * max(0.5, field.unit_s / 5)

    def measure(self, field, cell, seed):
        if not field.has_switch():
            raise Shortcoming("this build cannot switch control off (--admission=off)")
        length = max(0.5, field.unit_s / 5)
        ratios = []
        with field.serve(cell) as on, field.serve(cell, control=False) as off:
            for server in (on, off):
                field.closed(server.port, self.CONNECTIONS, length, HELLO)
            for number in range(self.pairs(field)):
                order = (on, off) if number % 2 == 0 else (off, on)
                rate = {server: field.closed(server.port, self.CONNECTIONS, length, HELLO)
                        ["ok_per_second"] for server in order}
                ratios.append(rate[on] / rate[off])
        ratios.sort()
        # The middle of the pairs between whose ends the true median lies, 95 times of 100 (by the
        # sign test): of 15 the 4th to the 12th, of 5 all.
        cut = 3 if len(ratios) >= 15 else 0
        low, high = ratios[cut], ratios[-1 - cut]
        return sample({"ratio": statistics.median(ratios), "low": low, "high": high,
                       "beyond_noise": 0.0 if low <= 1 <= high else 1.0,
                       "loss": max(0.0, 1 - high)},
                      {}, [f"throughput with / without: {statistics.median(ratios):.4f} "
                           f"({low:.4f} to {high:.4f})"])

    def bars(self, field, cell):
        return [Bar("throughput surely lost", ("loss",), "<=", 0.0, 0.1, "%")]

    def show(self, cell, samples):
        return samples[0]["notes"]

