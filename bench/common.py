# SPDX-License-Identifier: MIT
"""What the measuring programs of this folder share: their options, a line of progress, the report
and an orderly end.

A program is a module with a docstring whose first line is its question, seconds(run), which is
about how long it will take, and measure(run), which prints a table and adds rows to run.report.
bench/run calls them all; main() here calls one by itself.

Where a program can measure some of its rows alone, ROWS has their names.

A row compares one model of weir with one peer.  Both were measured in the same rounds, in turn, so
what disturbs the machine disturbs both; the ratio is the median over the rounds of weir's figure
divided by the peer's, and less is better for every unit used here."""
import argparse
import json
import os
import pathlib
import signal
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench"
MACHINE_FILE = pathlib.Path("/proc/cpuinfo")


def cores():
    return sorted(os.sched_getaffinity(0))


def machine():
    model = "unknown processor"
    for line in MACHINE_FILE.read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{len(cores())} cores of {model}, Linux {os.uname().release}"


def spread(values):
    """How far the rounds lie apart: (largest - smallest) / median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def comparison(name, unit, weir, peer_name, peer, **more):
    """A row of the report, from the figures of each round."""
    ratios = [mine / other for mine, other in zip(weir, peer) if other > 0]
    if not ratios:
        raise RuntimeError(f"{name}: {peer_name} has no figure to compare with")
    return {"name": name, "unit": unit, "weir": significant(statistics.median(weir)),
            "peer": significant(statistics.median(peer)), "peer_name": peer_name,
            "ratio": significant(statistics.median(ratios)), "rounds": len(ratios),
            "spread": significant(spread(ratios)), **more}


def claim(name, unit, weir, peer_name, peer, aim, met, **more):
    """A row that no ratio says: what weir has, from the figures of each round, what stands beside
    it if anything does, what is aimed at in words, and whether it was met; None where nothing is
    aimed at."""
    beside = {"peer": significant(statistics.median(peer))} if peer else {}
    return {"name": name, "unit": unit, "weir": significant(statistics.median(weir)), **beside,
            "peer_name": peer_name, "rounds": len(weir), "spread": significant(spread(weir)),
            "aim": aim, "met": met, **more}


def significant(value):
    return float(f"{value:.4g}")


class Report:
    """Rows, one JSON object a line.  The file appears whole, once all is measured: an interrupted
    run leaves the former one as it was."""

    def __init__(self, path, quick=False):
        self.path = path
        self.rows = []
        self.common = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                       "machine": machine(), "quick": quick}

    def add(self, row):
        self.rows.append({**row, **self.common})

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        try:
            with new.open("w", encoding="utf-8") as out:
                for row in self.rows:
                    out.write(json.dumps(row) + "\n")
            os.replace(new, self.path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise RuntimeError(f"cannot write {self.path}: {error.strerror}; the tables above "
                               "are all that is left of this run") from error


class Progress:
    """How far a run of a known length is.  A line that the next one replaces where a person
    watches; elsewhere one line per table, by note()."""

    def __init__(self, seconds):
        self.total = max(seconds, 1.0)
        self.done = 0.0
        self.began = time.monotonic()

    def left(self):
        elapsed = time.monotonic() - self.began
        if self.done < 1:
            return self.total
        return max(self.total - self.done, 0.0) * elapsed / self.done

    def show(self, what):
        if sys.stdout.isatty():
            text = f"  {what}; about {self.left():.0f} s left"
            print(f"\r\033[K{text[:99]}", end="", flush=True)

    def step(self, seconds):
        """So much of the plan is behind us."""
        self.done += seconds

    def verdict(self, met, text="", columns=0):
        """"text met" or "text missed", filled up to so many columns; coloured where a person
        watches."""
        words = f"{text} {'met' if met else 'missed'}".strip().ljust(columns)
        if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
            return f"\033[{32 if met else 31}m{words}\033[0m"
        return words

    def note(self, what=""):
        """A line that stays."""
        if sys.stdout.isatty():
            print("\r\033[K", end="")
        print(what, flush=True)


class Run:
    """What a program is to do: with which build, how long, and where its results go."""

    def __init__(self, options, report_path):
        self.build = options.build.resolve()
        self.quick = options.quick
        self.rounds = options.rounds or (2 if options.quick else 5)
        self.rows = [name for name in options.only.split(",") if name]
        self.report = Report(report_path, options.quick)
        self.progress = Progress(1)
        self.instructions = {}  # operation/model: user-space instructions of one, if counted
        self.left_out = []      # what could not be measured, and why

    def add(self, row):
        """Adds the instructions that one operation took, where they were counted."""
        counted = self.instructions.get(row["name"].split("/", 1)[1])
        if counted is not None:
            row = {**row, "instructions_per_op": significant(counted)}
        self.report.add(row)

    def chosen(self, names):
        """Those of a program's rows that are wanted, in its order: all, unless some were named."""
        return [name for name in names if not self.rows or name in self.rows]

    def leave_out(self, why):
        if why not in self.left_out:
            self.left_out.append(why)
            self.progress.note(f"left out: {why}")


def end_on_signals():
    """SIGTERM and SIGHUP become an exception as SIGINT is one, so that what was started is ended
    on the way out; further ones do not disturb that."""
    def leave(number, _frame):
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        raise SystemExit(128 + number)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, leave)


def parser(text, rows=True):
    """Of every program's options; --rows, if rows can be chosen."""
    found = argparse.ArgumentParser(description=text.splitlines()[0],
                                    epilog="\n".join(text.splitlines()[1:]),
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("build", type=pathlib.Path, help="a build folder, as build/release")
    found.add_argument("--quick", action="store_true",
                       help="short rounds, to see that all works; rough figures")
    found.add_argument("--rounds", type=int, default=0, metavar="N",
                       help="how often everybody takes a turn (5; with --quick 2)")
    found.set_defaults(only="")
    if rows:
        found.add_argument("--rows", dest="only", default="", metavar="ROW,...",
                           help="only these rows, of the programs that have them")
    return found


def with_rows(run, modules):
    """The programs that have something to do.  Ends this one if a row is nobody's."""
    known = [name for module in modules for name in getattr(module, "ROWS", ())]
    for name in run.rows:
        if name not in known:
            print(f"bench: no row {name}; there are {', '.join(known) or 'none'}", file=sys.stderr)
            sys.exit(2)
    return [module for module in modules
            if not run.rows or run.chosen(getattr(module, "ROWS", ()))]


def perform(run, modules):
    """Runs the programs in turn and saves what they found.  The exit status."""
    modules = with_rows(run, modules)
    run.progress = Progress(sum(module.seconds(run) for module in modules))
    run.progress.note(f"{machine()}; about {run.progress.total:.0f} s")
    status = 0
    for module in modules:
        run.progress.note(f"\n## {module.__name__}: {module.__doc__.splitlines()[0]}")
        try:
            module.measure(run)
        except (OSError, RuntimeError) as error:
            run.progress.note(f"bench: {module.__name__} could not go on: {error}")
            status = 1
    try:
        run.report.save()
    except RuntimeError as error:
        run.progress.note(f"bench: {error}")
        return 1
    run.progress.note(f"\n{len(run.report.rows)} rows in {run.report.path}")
    return status


def check_arguments(options):
    if not (options.build / "bench" / "http").exists():
        print(f"bench: there is no {options.build}/bench/http: build first, with "
              "`tool/build release programs`", file=sys.stderr)
        sys.exit(2)
    if not 0 <= options.rounds <= 1000:
        print("bench: --rounds takes 1 to 1000", file=sys.stderr)
        sys.exit(2)


def main(module):
    """One program by itself; its rows go to build/bench/NAME.json."""
    name = pathlib.Path(module.__file__).stem
    options = parser(module.__doc__).parse_args()
    check_arguments(options)
    end_on_signals()
    module.__name__ = name
    return perform(Run(options, FOLDER / f"{name}.json"), [module])
