# SPDX-License-Identifier: MIT
"""The rows in which something else goes wrong, or somebody is not like the others: D slow clients,
E stalled backend, F retry storm, G classes, H hog, I pause, J halved capacity, K deadlines, N
outgoing calls, calls that block a thread, and O, a server without control, which must fail."""
import os
import pathlib
import subprocess
import time

import judge
import servers
from clients import Backend, Slow, Small
from field import API, LEAD_S, MODELS, STOCK, Shortcoming, Workload
from loads import figures_of_step
from judge import Bar
from rows import Row, sample

HEALTH = Workload("health", "health checks", ((1, "/healthz"),), 1)
BLOCKING = Workload("blocking", "50 ms of a blocked thread", ((1, "/block?ms=50"),), 8)
ASKS_BACKEND = Workload("backend", "one call of a backend", ((1, "/fan?n=1"),), 8)


def together(*results):
    """Why generators that ran at once spoiled the run, or None: they share a core."""
    cpu = sum(result["own_cpu"] for result in results)
    for result in results:
        why = judge.spoiled(result, cpu)
        if why is not None:
            return why
    return None


def voids(*results):
    why = together(*results)
    return {"": why} if why else {}


class SlowClients(Row):
    name = "D"
    title = "slow heads, slow bodies and slow readers beside good traffic at 0.8x"

    @staticmethod
    def counts(field):
        part = 10 if field.quick else 1
        return {"head": 5000 // part, "body": 500 // part, "reader": 500 // part}

    def seconds(self, field):
        return 3 * field.unit_s + 10

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        rate = 0.8 * capacity.rate
        with field.serve(cell) as server:
            before = field.run(server.port, [(rate, 1.5 * field.unit_s)], seed)
            memory = servers.resident_bytes(server.pid)
            with Slow(server.port, self.counts(field)) as slow:
                wanted = sum(self.counts(field).values())
                end = time.monotonic() + 15
                while slow.count() < wanted and time.monotonic() < end:
                    time.sleep(0.1)
                reached = slow.count()
                during = field.run(server.port, [(rate, 1.5 * field.unit_s)], seed)
                more = servers.resident_bytes(server.pid) - memory
        return sample({"rejected": judge.rejected(during),
                       "p99": during["ok_ms_p99"] / before["ok_ms_p99"],
                       "kib_each": more / 1024 / max(1, reached)},
                      voids(before, during),
                      [f"{reached} of {wanted} slow connections, opened {slow.opened} times"])

    def bars(self, field, cell):
        return [Bar("good traffic rejected", ("rejected",), "<=", 0.001, 0.05, "%"),
                Bar("p99 / that without them", ("p99",), "<=", 1.5, None),
                Bar("memory a connection", ("kib_each",), "<=", 64, 128, "KiB")]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Stall(Row):
    name = "E"
    title = "a backend of one route goes from 50 ms to 5 s; another route computes at 0.5x"
    STALLED_RATE = 300

    @staticmethod
    def lengths(field):
        """Well, stalled, well again."""
        return (3.0, 4.0, 3.0) if field.quick else (5.0, 10.0, 5.0)

    def seconds(self, field):
        return sum(self.lengths(field)) + 5

    def measure(self, field, cell, seed):
        field.need(field.serve_help, "--backend", "the demo service")
        capacity = self.capacity(field, cell)
        well_s, stalled_s, again_s = self.lengths(field)
        lengths = (well_s, stalled_s, 1.0, again_s - 1.0)
        with Backend(0.05) as backend, field.serve(cell, f"--backend={backend.url}") as server:
            other = field.start(server.port, [(0.5 * capacity.rate, one) for one in lengths], seed)
            asks = field.start(server.port, [(self.STALLED_RATE, one) for one in lengths], seed,
                               workload=ASKS_BACKEND, kept=200)
            began = time.monotonic() + LEAD_S
            time.sleep(LEAD_S + well_s)
            backend.delay_s = 5.0
            time.sleep(stalled_s / 2)
            running = server.metric("weir_requests_running")
            time.sleep(max(0.0, began + well_s + stalled_s - time.monotonic()))
            backend.delay_s = 0.05
            other, asks = other.result(), asks.result()
        before, during = other["steps"][0], other["steps"][1]
        figures = {"other/rejected": judge.rejected(during),
                   "other/p99": judge.share(during["ok_ms_p99"], before["ok_ms_p99"]),
                   "again": judge.share(asks["steps"][3]["ok"], asks["steps"][3]["requests"])}
        return sample(figures, voids(other, asks),
                      [f"{running:.0f} requests running in the stall; of the stalled route ok: "
                       + ", ".join(f"{judge.share(one['ok'], one['requests']):.1%} {when}"
                                   for one, when in zip(asks["steps"], (
                                       "before", "in it", "in the second after", "then")))])

    def bars(self, field, cell):
        return [Bar("other route rejected", ("other/rejected",), "<=", 0.001, 0.05, "%"),
                Bar("its p99 / before", ("other/p99",), "<=", 1.5, None),
                Bar("stalled route ok from 1 s after", ("again",), ">=", 0.95, 0.8)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Outgoing(Row):
    name = "N"
    title = "a backend refuses half of the calls: attempts for each first one"
    RATE = 200

    def seconds(self, field):
        return 3 * field.unit_s + 2

    @staticmethod
    def numbers(server):
        text = subprocess.run(["curl", "-s", "-m", "5",
                               f"http://127.0.0.1:{server.port}/fan/numbers"],
                              capture_output=True, text=True, check=False).stdout
        return {name: int(value) for name, value in map(str.split, text.splitlines())}

    def measure(self, field, cell, seed):
        field.need(field.serve_help, "--backend", "the demo service")
        with Backend(0.002, seed=seed) as backend, \
                field.serve(cell, f"--backend={backend.url}") as server:
            field.run(server.port, [(self.RATE, field.unit_s)], seed, workload=ASKS_BACKEND,
                      kept=200)
            before = self.numbers(server)
            backend.refused = 0.5
            result = field.run(server.port, [(self.RATE, 2 * field.unit_s)], seed,
                               workload=ASKS_BACKEND, kept=200)
            after = self.numbers(server)
        gained = {name: after[name] - before[name] for name in after}
        first = gained["attempts"] - gained["retries"]
        good = judge.share(result["ok"], result["requests"])
        return sample({"attempts": judge.share(gained["attempts"], first)}, voids(result),
                      [f"{gained['calls']} calls, {gained['attempts']} attempts, "
                       f"{gained['retries']} of them retries; {gained['shed_throttle']} turned "
                       f"away before they were sent; {good:.0%} ok"])

    def bars(self, field, cell):
        return [Bar("attempts for a first one", ("attempts",), "<=", 1.12, 1.3)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Storm(Row):
    """Clients try again; a server that answers only those who have gone away is asked for more the
    worse it does, and stays there when the trigger is long over: a metastable failure (Bronson et
    al., HotOS 2021)."""
    name = "F"
    title = "0.7x of clients that retry 3 times; the server stands still for 2 s"
    STILL_S = 2.0
    BEFORE_S = 3.0

    def cells(self, chosen):
        return [f"{server}, {how}" for server in (*super().cells(chosen), *STOCK)
                for how in ("20 ms pauses", "at once")]

    @staticmethod
    def after_s(field):
        return 10.0 if field.quick else 60.0

    def seconds(self, field):
        return self.BEFORE_S + self.STILL_S + self.after_s(field)

    def storm(self, field, capacity, server, how, seed):
        """A run with what came of it: its steps are before, still, two single seconds, and the
        rest."""
        rate = 0.7 * capacity.rate
        rest = self.after_s(field) - 2
        running = field.start(server.port, [
            (rate, self.BEFORE_S), (rate, self.STILL_S), (rate, 1.0), (rate, 1.0), (rate, rest)],
            seed, "--retries=3", "--backoff=" + ("20ms" if how.startswith("20") else "0ms"))
        # Half a second later, because the connections are opened first.
        time.sleep(LEAD_S + self.BEFORE_S + 0.5)
        server.pause(self.STILL_S - 0.5)
        return running.result()

    def figures(self, result):
        steps = result["steps"]
        begin_ms = 1000 * (self.BEFORE_S + self.STILL_S)
        bins = [one for one in result["series"] if one["at_ms"] >= begin_ms and one["due"] > 0]
        good = [judge.share(one["ok"], one["due"]) >= 0.95 for one in bins]
        recovered = next((index for index in range(len(good)) if all(good[index:index + 3])),
                         float("inf"))
        return {"ok": judge.share(steps[3]["ok"] + steps[4]["ok"],
                                  steps[3]["requests"] + steps[4]["requests"]),
                "attempts": steps[4]["attempts_per_request"], "recovered_s": recovered,
                "rest_ok": judge.share(steps[4]["ok"], steps[4]["requests"])}

    def measure(self, field, cell, seed):
        name, how = cell.rsplit(", ", 1)
        capacity = self.capacity(field, name)
        with self.serve(field, name) as server:
            field.closed(server.port, API.connections, 0.5)
            result = self.storm(field, capacity, server, how, seed)
        return sample(self.figures(result), voids(result))

    def bars(self, field, cell):
        if cell.split(", ")[0] not in MODELS:
            return []
        return [Bar("of offered, from 1 s after the trigger", ("ok",), ">=", 0.95, 0.8),
                Bar("attempts a request from 2 s after", ("attempts",), "<=", 1.05, 1.5)]

    def show(self, cell, samples):
        of = {name: judge.median(samples, name)[0] for name in ("ok", "recovered_s", "attempts")}
        return [f"recovered after: {judge.number(of['recovered_s'], 's')}; from 1 s on "
                f"{judge.number(of['ok'], '%')} of the requests ok, in the end "
                f"{judge.number(of['attempts'])} attempts each"]


class Uncontrolled(Row):
    """If a server without control passed, the protocol would show nothing."""
    name = "O"
    title = "control off: rows A and F must be failed"
    # Nor do other things stand in for it: a bound on the line, a handler that ends when its client
    # has left (those of Go and Node do not, by themselves), or an order other than that of arrival,
    # which is what queues of more tasks than they were made for come to.
    NEITHER = ("--max-running=64", "--max-waiting=1000000,60s", "--client-abort=ignore")

    def cells(self, chosen):
        return [f"{model}, {what}" for model in super().cells(chosen) for what in ("ramp", "storm")]

    def measure(self, field, cell, seed):
        if not field.has_switch():
            raise Shortcoming("this build cannot switch control off (--admission=off)")
        model, what = cell.split(", ")
        capacity = self.capacity(field, model)
        with field.serve(model, *self.NEITHER, control=False) as server:
            field.closed(server.port, API.connections, 0.5)
            if what == "storm":
                storm = Storm()
                result = storm.storm(field, capacity, server, "20 ms pauses", seed)
                return sample(storm.figures(result), voids(result))
            rate = 5 * capacity.rate
            result = field.run(server.port, [(rate, 3.0), (rate, field.unit_s)], seed)
        void = {}
        figures = figures_of_step("5", result["steps"][1], capacity, void)
        figures["5/fails"] = float(figures["5/goodput"] < 0.95 or figures["5/p99"] > 1)
        return sample(figures, void, [f"goodput {judge.number(figures['5/goodput'])} C, p99 "
                                      f"{judge.number(figures['5/p99_ms'], 'ms')}"])

    def bars(self, field, cell):
        if cell.endswith("ramp"):
            return [Bar("fails a bar of A at 5x", ("5/fails",), ">=", 1)]
        return [Bar("of offered after the trigger", ("ok",), "<=", 0.94)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Hog(Row):
    name = "H"
    title = "one client at 5x, fifty at 0.01x each"
    LIGHT = 50

    def seconds(self, field):
        return 2 * field.unit_s + 2

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        length = 2 * field.unit_s
        with field.serve(cell) as server:
            hog = field.start(server.port, [(5 * capacity.rate, length + 2)], seed)
            time.sleep(LEAD_S + 1)
            with Small(server.port, self.LIGHT, 0.01 * capacity.rate, "/cpu?ms=2", length,
                       seed) as small:
                pass
            hog = hog.result()
        served = [judge.share(ok, due) for ok, due in zip(small.ok, small.due) if due]
        total = (hog["ok"] / hog["seconds"] + sum(small.ok) / length) / capacity.rate
        return sample({"light": judge.share(sum(small.ok), sum(small.due)),
                       "jain": judge.jain(served), "goodput": total},
                      voids(hog),
                      [f"hog {judge.rejected(hog):.0%} rejected; of {sum(small.due)} light "
                       f"requests {sum(small.ok)} ok, {sum(small.refused)} refused"])

    def bars(self, field, cell):
        return [Bar("light clients ok", ("light",), ">=", 0.995, 0.8, "%"),
                Bar("Jain's index over them", ("jain",), ">=", 0.99, 0.9)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Pause(Row):
    name = "I"
    title = "the server stands still for 200 ms, every 5 s, at 0.5x"
    STILL_S = 0.2

    def seconds(self, field):
        return self.times(field) * 5 + 1

    @staticmethod
    def times(field):
        return 2 if field.quick else 6

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        with field.serve(cell) as server:
            running = field.start(server.port, [(0.5 * capacity.rate, 5 * self.times(field))], seed)
            began = time.monotonic() + LEAD_S + 1
            for number in range(self.times(field)):
                time.sleep(max(0.0, began + 5 * number - time.monotonic()))
                server.pause(self.STILL_S)
            result = running.result()
        return sample({"rejected": judge.rejected(result), "p99": result["ok_ms_p99"]},
                      voids(result))

    def bars(self, field, cell):
        return [Bar("rejected", ("rejected",), "<=", 0.001, 0.02, "%")]


class Quota:
    """Half a core for some processes, by the kernel's group of either version."""
    PERIOD_US = 10000

    def __init__(self, pids):
        self.folder = None
        for root, probe in (("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us"),
                            ("/sys/fs/cgroup", "cpu.max")):
            folder = pathlib.Path(root) / f"weir-overload-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            if (folder / probe).exists():
                self.folder, self.probe = folder, probe
                break
            folder.rmdir()
        if self.folder is None:
            raise Shortcoming("no control group with a quota of CPU time can be made here")
        # What its session had is not the group's.
        share = "cpu.weight" if self.probe == "cpu.max" else "cpu.shares"
        (self.folder / share).write_text("10000" if share == "cpu.weight" else "262144")
        for pid in pids:
            (self.folder / "cgroup.procs").write_text(str(pid))

    def halve(self):
        half = self.PERIOD_US // 2
        if self.probe == "cpu.max":
            (self.folder / "cpu.max").write_text(f"{half} {self.PERIOD_US}")
        else:
            (self.folder / "cpu.cfs_period_us").write_text(str(self.PERIOD_US))
            (self.folder / "cpu.cfs_quota_us").write_text(str(half))

    def restore(self):
        if self.probe == "cpu.max":
            (self.folder / "cpu.max").write_text(f"max {self.PERIOD_US}")
        else:
            (self.folder / "cpu.cfs_quota_us").write_text("-1")

    def end(self):
        """Those that are left go back to where groups begin."""
        try:
            for pid in (self.folder / "cgroup.procs").read_text().split():
                (self.folder.parent / "cgroup.procs").write_text(pid)
            self.folder.rmdir()
        except OSError:
            pass


class Halved(Row):
    name = "J"
    title = "half of the core is taken away at 0.8x, and given back"
    AFTER_S = 1.2  # 1 s, and what it takes to say so

    @staticmethod
    def lengths(field):
        return (2.0, 4.0, 4.0) if field.quick else (5.0, 10.0, 10.0)

    def seconds(self, field):
        return sum(self.lengths(field)) + 1

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        whole, half, again = self.lengths(field)
        rate = 0.8 * capacity.rate
        with field.serve(cell) as server:
            quota = Quota(servers.tree(server.pid))
            try:
                running = field.start(
                    server.port, [(rate, whole), (rate, self.AFTER_S), (rate, half - self.AFTER_S),
                                  (rate, self.AFTER_S), (rate, again - self.AFTER_S)], seed)
                began = time.monotonic() + LEAD_S
                time.sleep(LEAD_S + whole)
                quota.halve()
                time.sleep(max(0.0, began + whole + half - time.monotonic()))
                quota.restore()
                result = running.result()
            finally:
                quota.end()
        _, _, less, _, more = result["steps"]
        return sample({"goodput": less["ok_per_second"] / (capacity.rate / 2),
                       "p99": less["ok_ms_p99"] / capacity.objective_ms,
                       "rejected": judge.rejected(more)}, voids(result))

    def bars(self, field, cell):
        return [Bar("goodput / new C from 1 s on", ("goodput",), ">=", 0.9, 0.6),
                Bar("rejected from 1 s after", ("rejected",), "<=", 0, None, "%")]


class Deadlines(Row):
    name = "K"
    title = "2x; 30 % of the requests carry 20 ms, and are given up then"

    def seconds(self, field):
        return field.unit_s + 1

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        with field.serve(cell) as server:
            field.closed(server.port, API.connections, 0.5)
            before = server.metric("weir_requests_total")
            short = field.start(server.port, [(0.6 * capacity.rate, field.unit_s)], seed,
                                "--deadline-header", timeout_ms=20)
            usual = field.start(server.port, [(1.4 * capacity.rate, field.unit_s)], seed + 1)
            short, usual = short.result(), usual.result()
            time.sleep(0.3)
            ran = server.metric("weir_requests_total") - before
        ok = short["ok"] + usual["ok"]
        return sample({"useless": judge.share(max(0.0, ran - ok), ran),
                       "goodput": ok / field.unit_s / capacity.rate,
                       "short_ok": judge.share(short["ok"], short["requests"])},
                      voids(short, usual),
                      [f"{ran:.0f} handlers ran, {ok} answers came in time; of those with 20 ms "
                       f"{judge.share(short['ok'], short['requests']):.0%}"])

    def bars(self, field, cell):
        return [Bar("useless starts", ("useless",), "<=", 0.01, 0.1, "%"),
                Bar("goodput / C", ("goodput",), ">=", 0.9, 0.6)]

    def show(self, cell, samples):
        return samples[0]["notes"]


class Blocking(Row):
    name = "blocking"
    title = "a .blocking route: 50 ms, 100 a second; and 5x what its threads can do"
    # Held for so long that a core has time enough for requests of five times as many threads.
    HELD_S = 0.4
    HOLDS = Workload("holds", "0.4 s of a blocked thread", ((1, "/block?ms=400"),), 8)

    @staticmethod
    def threads(cell):
        """That may be blocked at once, by default."""
        return {"threads": 256}.get(cell, 512)

    def seconds(self, field):
        return 4 * field.unit_s + 2

    def measure(self, field, cell, seed):
        with field.serve(cell) as server:
            result = field.run(server.port, [(100, 2 * field.unit_s)], seed, workload=BLOCKING)
        can = self.threads(cell) / self.HELD_S
        with field.serve(cell) as server:
            flood = field.run(server.port, [(5 * can, 2.0), (5 * can, 2 * field.unit_s)], seed,
                              workload=self.HOLDS)
        step = flood["steps"][1]
        return sample({"rejected": judge.rejected(result), "p99": result["ok_ms_p99"],
                       "goodput": step["ok_per_second"] / can,
                       "stay": step["ok_ms_p99"] / (1000 * self.HELD_S)},
                      voids(result) or voids(flood))

    def bars(self, field, cell):
        return [Bar("rejected", ("rejected",), "<=", 0.001, 0.01, "%"),
                Bar("goodput at 5x / what its threads can do", ("goodput",), ">=", 0.93, 0.8),
                Bar("p99 there / time held", ("stay",), "<=", 2.5, None)]


class Classes(Row):
    name = "G"
    title = "interactive 0.5x, batch 2.5x, health checks 10/s"
    # Interactive is what is not marked; any client may lower the class of its own (RFC 9218).
    BATCH = "Priority: u=6"

    def seconds(self, field):
        return 2 * field.unit_s + 1

    def measure(self, field, cell, seed):
        capacity = self.capacity(field, cell)
        c, length = capacity.rate, 2 * field.unit_s
        mix = Workload("classes", "", ((0.5 * c, "/cpu?ms=2"), (2.5 * c, "/cpu?ms=2", self.BATCH),
                                       (10, "/healthz")), API.connections)
        with field.serve(cell) as server:
            field.closed(server.port, API.connections, 0.5)
            result = field.run(server.port, [(3 * c + 10, length)], seed, workload=mix)
        interactive, batch, health = result["urls"]
        good = (interactive["ok"] + batch["ok"]) / length / c
        return sample({"interactive": judge.share(interactive["ok"], interactive["requests"]),
                       "health": judge.share(health["ok"], health["requests"]),
                       "health_p99": health["ok_ms_p99"], "goodput": good},
                      voids(result),
                      [f"batch {judge.rejected(batch):.0%} rejected"])

    def bars(self, field, cell):
        return [Bar("interactive ok", ("interactive",), ">=", 0.995, 0.8, "%"),
                Bar("health ok", ("health",), ">=", 1, 0.9, "%"),
                Bar("health p99", ("health_p99",), "<=", 20, None, "ms"),
                Bar("goodput / C", ("goodput",), ">=", 0.95, 0.7)]

    def show(self, cell, samples):
        return samples[0]["notes"]
