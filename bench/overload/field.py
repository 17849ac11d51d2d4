# SPDX-License-Identifier: MIT
"""The field on which a row is played: servers on one core, generators on the other, what a server
can do, and what is remembered of an interrupted run.

Other programs should disturb little.  Where that is permitted, a server's session gets the best
priority of the ordinary class, and a generator, which leaves its core alone most of the time,
real-time priority.  A server must not have that: the kernel takes the processor from real-time
programs for 50 ms of each second in which they want all of it."""
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

BENCH = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCH))
import common  # noqa: E402
import judge  # noqa: E402
import servers  # noqa: E402

FOLDER = common.ROOT / "build" / "overload"
PEERS = common.ROOT / "peers"
STOCK = ("Go net/http", "Node http", "uvicorn")
GUARDED = ("Go net/http, guarded", "Node cluster, guarded", "uvicorn, guarded")
TIMEOUT_S = 1
PROBES_MAX = 16
CONNECTIONS_MAX = 1024
# Clients keep their connections: a server that accepts slowly, of clients that come anew, would be
# spared by the kernel's queue what it is to be asked here.
CONNECTIONS_KEPT = 1000
LEAD_S = 1.0  # a multiple of every bin
# Its guard counts connections, and a hundred of them are the most.
KEPT_OF = {"uvicorn, guarded": 50}
MODELS = ("tasks", "loop", "threads", "cluster", "prefork", "tasks-x4")
OPTIONS = {"tasks-x4": ("--model=tasks", "--processes=4")}


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    what: str
    urls: tuple  # (weight, path), or (weight, path, a header of its own)
    connections: int  # with which the search for saturation begins

    def arguments(self, port):
        return [word for weight, path, *headers in self.urls
                for word in (f"--weight={weight}", *[f"--url-header={one}" for one in headers],
                             f"http://127.0.0.1:{port}{path}")]


API = Workload("api", "2 ms of CPU time", ((1, "/cpu?ms=2"),), 8)
WAITS = Workload("waits", "50 ms on a backend between 0.1 and 0.4 ms of CPU time",
                 ((1, "/work?before_us=100&wait_ms=50&after_us=400"),), 16)
MIX = Workload("mix", "90 % 0.2 ms of CPU time; 10 % 1 ms, a wait of 20 ms, and 4 ms more",
               ((9, "/work?before_us=200"), (1, "/work?before_us=1000&wait_ms=20&after_us=4000")),
               8)
HELLO = Workload("hello", "a greeting", ((1, "/hello/world"),), 8)
WORKLOADS = {workload.name: workload for workload in (API, WAITS, MIX)}


@dataclasses.dataclass(frozen=True)
class Capacity:
    rate: float          # C: the largest that is kept within the objective
    saturation: float    # X: what a closed loop gets
    unloaded_ms: float   # R0
    objective_ms: float  # Lo


class Shortcoming(RuntimeError):
    """This row, or this server, cannot be measured here; the text says why."""


# -- priorities ----------------------------------------------------------------------------------

def can_be_first():
    return os.geteuid() == 0


def put_first(pid):
    """The session's share of the core, where sessions share cores by group."""
    if not can_be_first():
        return
    for process in servers.tree(pid):
        try:
            pathlib.Path(f"/proc/{process}/autogroup").write_text("-20")
            return
        except OSError:
            pass


SERVER_PREFIX = ("nice", "-n", "-20") if can_be_first() else ()
GENERATOR_PREFIX = ("chrt", "-f", "50") if can_be_first() else ()


def two_cores():
    """(of the server, of the generators, whether they share it)"""
    all_cores = common.cores()
    return all_cores[0], all_cores[-1], len(all_cores) == 1


# -- the journal ---------------------------------------------------------------------------------

class Journal:
    """What was measured, a JSON object a line, so that an interrupted run goes on where it was.
    The first line says under which conditions; under others the rest counts for nothing."""

    def __init__(self, path, settings):
        self.path = path
        self.settings = settings
        self.known = {}
        self.differs = None
        lines = self.lines()
        if lines:
            before = lines[0]
            self.differs = next((name for name in settings if before.get(name) != settings[name]),
                                None)
            if self.differs is None:
                self.known = {line["key"]: line["result"] for line in lines[1:]}
        self.write_known()

    def write_known(self):
        """Anew, because what stands behind a torn line would not be read."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as out:
            out.write(json.dumps(self.settings) + "\n")
            for key, result in self.known.items():
                out.write(json.dumps({"key": key, "result": result}) + "\n")
        os.replace(new, self.path)

    def lines(self):
        """As far as they are whole."""
        found = []
        try:
            for line in self.path.read_text().splitlines():
                found.append(json.loads(line))
        except (OSError, ValueError):
            pass
        return found

    def add(self, key, result):
        self.known[key] = result
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"key": key, "result": result}) + "\n")

    def get(self, key, measure):
        if key not in self.known:
            self.add(key, measure())
        return self.known[key]

    def end(self):
        self.path.unlink(missing_ok=True)


# -- servers -------------------------------------------------------------------------------------

class Server(servers.Server):
    """A server with an admin endpoint, if it is weir."""

    def __init__(self, name, command, core, seconds=servers.START_SECONDS_MAX):
        self.admin = servers.free_port()
        super().__init__(name, command, core, SERVER_PREFIX, seconds)

    def wait(self, seconds):
        put_first(self.pid)
        super().wait(seconds)

    def metric(self, name, labels=""):
        """The sum of what the admin endpoint has under that name, with labels that contain a
        text; 0 if it has none."""
        text = subprocess.run(["curl", "-s", "-m", "5", f"http://127.0.0.1:{self.admin}/metrics"],
                              capture_output=True, text=True, check=False).stdout
        total = 0.0
        for line in text.splitlines():
            found = re.match(r"(\w+)(\{.*\})? (\S+)$", line)
            if found and found.group(1) == name and labels in (found.group(2) or ""):
                total += float(found.group(3))
        return total

    def signal_all(self, number):
        for pid in servers.tree(self.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def pause(self, seconds):
        """All of it stands still; its clients do not know."""
        self.signal_all(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self.signal_all(signal.SIGCONT)


# -- generators ----------------------------------------------------------------------------------

class Load:
    """weir load, running."""

    def __init__(self, field, arguments, seconds, lead_s=0.0):
        self.lead_s = lead_s
        path = FOLDER / f"load-{os.getpid()}-{field.loads}.json"
        field.loads += 1
        self.path = path
        self.bound_s = seconds + 30
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*servers.as_child(field.generator_core), *GENERATOR_PREFIX, str(field.weir), "load",
             f"--json={path}", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=servers.environment())

    def result(self):
        try:
            _, said = self.process.communicate(timeout=self.bound_s)
            if self.process.returncode not in (0, 1, 3) or not self.path.exists():
                raise RuntimeError(f"weir load: {said.strip()}")
            text = self.path.read_text()
            if not text:
                raise RuntimeError(f"weir load: {said.strip()}")
            return judge.without_lead(json.loads(text), self.lead_s)
        finally:
            self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.path.unlink(missing_ok=True)


def steps_text(steps):
    """(rate, seconds) as --rate has them."""
    return ",".join(f"{rate:.3f}:{seconds * 1000:.0f}ms" for rate, seconds in steps)


class Field:
    """What the rows measure with."""

    def __init__(self, options, journal, say):
        self.build = options.build.resolve()
        self.weir = self.build / "weir"
        self.unit_s = options.seconds
        self.quick = options.quick
        self.seeds = options.seeds
        self.journal = journal
        self.say = say
        self.loads = 0
        self.kept = CONNECTIONS_KEPT  # by the clients of the present server
        self.server_core, self.generator_core, self.shared = two_cores()
        self.peers = json.loads((PEERS / "peers.json").read_text())
        self.prepared = set()
        self.serve_help = self.help_of("serve")
        self.load_help = self.help_of("load")

    def help_of(self, command):
        return subprocess.run([str(self.weir), command, "--help"], capture_output=True, text=True,
                              check=False).stdout

    def has_switch(self):
        return "--admission" in self.serve_help

    def need(self, text, option, what):
        if option not in text:
            raise Shortcoming(f"{what} has no {option}")

    def serve(self, model, *options, control=True, core="own"):
        """`weir serve` under a model.  Without control, admission is off, if that can be."""
        self.kept = CONNECTIONS_KEPT
        off = ["--admission=off"] if not control and self.has_switch() else []
        chosen = OPTIONS.get(model, (f"--model={model}",))

        def command(server):
            return [str(self.weir), "serve", *chosen, "--listen=127.0.0.1:PORT",
                    f"--admin=127.0.0.1:{server.admin}", *off, *options]
        return Server(model, command, self.server_core if core == "own" else core)

    # -- peers -----------------------------------------------------------------------------------

    def peer(self, name):
        """What peers.json says of one, prepared; or why it cannot be had."""
        entry = next(one for one in self.peers if one["name"] == name)
        for need in entry["needs"]:
            if servers.find(need["command"]) is None:
                raise Shortcoming(f"{need['command']} is not installed "
                                  f"(Debian package {need['package']})")
        if entry.get("prepare") and name not in self.prepared:
            self.say(f"building {name}")
            built = subprocess.run(self.filled(entry["prepare"]), capture_output=True, text=True,
                                   env={**servers.environment(), "PATH": servers.TOOL_PATH,
                                        "GOCACHE": str(FOLDER / "go-cache"),
                                        **entry.get("prepare_environment", {})}, check=False)
            if built.returncode != 0:
                raise Shortcoming(f"it cannot be built: {built.stderr.strip()[-200:]}")
            self.prepared.add(name)
        return entry

    @staticmethod
    def filled(words, port="PORT"):
        values = {"{work}": str(FOLDER), "{peers}": str(PEERS), "{port}": port, "{cores}": "1"}
        found = []
        for word in words:
            for mark, value in values.items():
                word = word.replace(mark, value)
            found.append(word)
        return found

    def serve_peer(self, name):
        entry = self.peer(name)
        self.kept = KEPT_OF.get(name, CONNECTIONS_KEPT)
        more = [f"{key}={value}" for key, value in
                zip(entry.get("environment", {}),
                    self.filled(entry.get("environment", {}).values()))]
        command = ["env", f"PATH={servers.TOOL_PATH}", *more, *self.filled(entry["run"])]
        return Server(name, lambda _: command, self.server_core)

    # -- generators ------------------------------------------------------------------------------

    def start(self, target, steps, seed, *options, bin_ms=1000, workload=API, timeout_ms=1000,
              lead_s=LEAD_S, kept=None):
        """Starts an open loop of (rate, seconds).  It waits for `lead_s` first, so that no request
        is late because its or other generators' connections are opened and accepted."""
        lead = [(0, lead_s)] if lead_s > 0 else []
        count = self.kept if kept is None else kept
        first = [] if "--close" in options else [f"--open-first={count}"]
        return Load(self, [*first, f"--rate={steps_text([*lead, *steps])}", f"--seed={seed}",
                           f"--bin={bin_ms}ms", f"--timeout={timeout_ms}ms", *options,
                           *workload.arguments(target)],
                    lead_s + sum(seconds for _, seconds in steps), lead_s)

    def run(self, target, steps, seed, *options, **more):
        return self.start(target, steps, seed, *options, **more).result()

    def closed(self, target, connections, seconds, workload=API, seed=1):
        return Load(self, [f"--connections={connections}", f"--for={seconds * 1000:.0f}ms",
                           f"--seed={seed}", *workload.arguments(target)], seconds).result()

    # -- what a server can do --------------------------------------------------------------------

    def saturation(self, target, workload, seconds):
        """The rate of a closed loop whose connections double until that brings less than 2 %: X."""
        best, best_connections = 0.0, 0
        connections = workload.connections
        while connections <= CONNECTIONS_MAX:
            rate = self.closed(target, connections, seconds, workload)["ok_per_second"]
            if rate < best * 1.02:
                break
            best, best_connections = rate, connections
            connections *= 2
        # Once more for longer: in a second, the first answers' wait is too much of it.
        longer = self.closed(target, best_connections or workload.connections,
                             max(self.probe_s(), 2 * seconds), workload)["ok_per_second"]
        return max(best, longer)

    def probe_s(self):
        return max(2.0, self.unit_s * 0.8)

    def search(self, target, workload, seed):
        """One search for C; a probe that the generator spoiled is tried once more."""
        self.closed(target, workload.connections, max(0.5, self.unit_s / 10), workload)
        unloaded = self.closed(target, 1, max(0.5, self.unit_s / 10), workload)["ok_ms_p50"]
        saturation = self.saturation(target, workload, max(1.0, self.unit_s / 5))
        if saturation <= 0:
            raise Shortcoming("it answered no request well")
        within = judge.objective_ms(unloaded)
        halving = judge.Bisection(0.75 * saturation, 1.03 * saturation)
        for _ in range(PROBES_MAX):
            rate = halving.next()
            if rate is None:
                break
            for _ in range(2):
                result = self.run(target, [(rate, self.probe_s())], seed, workload=workload)
                kept = judge.keeps_up(result, within)
                if kept or judge.spoiled(result) is None:
                    break
            halving.tell(rate, kept)
        # A probe ends before the queue of a rate just above X has passed a long objective.
        return {"rate": min(halving.found, saturation), "saturation": saturation,
                "unloaded_ms": unloaded, "objective_ms": within}

    def capacity(self, name, start, workload):
        """C and what belongs to it, measured once for each server: with one seed in a quick run,
        else the median.  `start` starts the server without control."""
        def measure():
            self.say(f"{name}, {workload.name}: what it can do")
            found = []
            for seed in range(1, (1 if self.quick else self.seeds) + 1):
                with start() as server:
                    found.append(self.search(server.port, workload, seed))
            return {key: statistics.median(one[key] for one in found) for key in found[0]}
        found = self.journal.get(f"capacity/{name}/{workload.name}", measure)
        return Capacity(**found)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
