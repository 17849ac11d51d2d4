#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many user-space instructions does weir need for one operation?

usage: bench/instructions.py BUILD_DIR [--rows ROW,...]
       bench/instructions.py BUILD_DIR --check | --update | --profile [ROW/MODEL...]

Times move by tens of per cent on a busy machine; the number of instructions does not.  Each row is
run twice under valgrind's callgrind, with a smaller and a larger number of operations; the
difference, divided by the difference of the numbers, is the cost of one: what starting, ending and
connecting take is in both and cancels.  Requests go one at a time (sixteen at a time in the rows
`pipelined` and `reject`, where otherwise it depended on time which look at the poller finds the
next one), over eight connections in turn, the next when the answer is there, so that nothing
depends on what happens to arrive together.  The work of the kernel is not in the figures, nor that
of weir's monitor, which depends on time.

  --check   compares with bench/baseline.json, and fails where a row differs by more than 3 per
            cent.  One that grew is a loss to mend or to defend; one that shrank is a gain to keep
  --update  writes what was counted to bench/baseline.json
  --profile shows which functions the instructions of each ROW are spent in

The baseline holds for one compiler (its major version), its options for optimization, one
architecture and one C library; elsewhere the check is skipped and says so."""
import concurrent.futures
import contextlib
import json
import pathlib
import platform
import re
import socket
import statistics
import subprocess
import sys
import time

import common
import servers
from core import OPERATIONS

BASELINE = common.ROOT / "bench" / "baseline.json"
MODELS = ("tasks", "loop")
TOLERANCE = 0.03
REPEATS = 3              # of a row that seems to differ; the median counts
CONNECTIONS = 8
RECEIVE_BYTES = 1 << 20
PROFILE_LEAST = 5        # instructions with callees; functions below are not shown
RUN_SECONDS_MAX = 120
START_SECONDS_MAX = 60
FLAGS = re.compile(r"^(-O\S*|-m\S+|-flto\S*|-fsanitize\S*|-DNDEBUG)$")

# row: (path, requests at a time, a connection each, fewer requests, more requests).  The fewer are
# more than those from which admission learns what a route costs, which are measured all.
HTTP_ROWS = {
    "hello": ("/hello/world", 1, False, 400, 2000),
    "pipelined": ("/hello/world", 16, False, 320, 3520),
    "body": ("/body", 1, False, 400, 2000),
    "many": ("/many/r57/42/items/7", 1, False, 400, 2000),
    "close": ("/hello/world", 1, True, 320, 1120),
    "reject": ("/hello/world", 16, False, 320, 3520),
}
# Fewer and more operations.  Of the tree a power of ten; each further prime costs more.
CORE_COUNTS = {"skynet": (1000, 10000), "sieve": (40, 120)}
CORE_COUNTS_OTHERS = (2000, 42000)
TIMED = ("contended",)      # whether they get into each other's way depends on time
CORE_ROWS = [operation for operation in OPERATIONS if operation not in TIMED]
ROWS = [*HTTP_ROWS, *CORE_ROWS]


def rows_of(names):
    return [f"{row}/{model}" for row in names for model in MODELS]


def all_rows():
    return rows_of(ROWS)


# -- one bounded run -----------------------------------------------------------------------------

def callgrind(out):
    return [servers.find("valgrind"), "--tool=callgrind", "--separate-threads=yes",
            f"--callgrind-out-file={out}", "--"]


def profiles(out):
    """What callgrind wrote of each thread but the monitor, whose work depends on time."""
    texts = [path.read_text() for path in sorted(out.parent.glob(f"{out.name}-*"))]
    if not texts:
        raise RuntimeError(f"valgrind has left no {out}-*")
    return [text for text in texts
            if not re.search(r"^c?fn=\(\d+\) monitor_main$", text, re.MULTILINE)]


def collected(out):
    return sum(int(re.search(r"^totals: (\d+)", text, re.MULTILINE).group(1))
               for text in profiles(out))


def spent(text):
    """{function: (instructions of its own, those with what it calls)} of one thread, from
    callgrind's format: a name follows its number once, costs stand behind a line number, and the
    line after "calls=" has the cost of the calls."""
    names, costs = {}, {}
    function, called = None, False
    for line in text.splitlines():
        named = re.match(r"(c?)fn=(\(\d+\))(?: (.*))?$", line)
        if named:
            names.setdefault(named.group(2), named.group(3))
            if not named.group(1):
                function = names[named.group(2)]
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[-+*\d]\S* \d+$", line) and function is not None:
            cost = int(line.split()[1])
            own, all_of_it = costs.get(function, (0, 0))
            costs[function] = (own + (0 if called else cost), all_of_it + cost)
            called = False
    return costs


def spent_each(few, many, operations):
    """{function: (own, with callees)} of one operation, from the profiles of two runs."""
    each = {}
    for sign, out in ((-1, few), (1, many)):
        for costs in map(spent, profiles(out)):
            for function, cost in costs.items():
                before = each.get(function, (0, 0))
                each[function] = tuple(old + sign * new / operations
                                       for old, new in zip(before, cost))
    return each


def read_answer(stream, status):
    """Reads a whole answer, whose length is given."""
    head = b"".join(iter(stream.readline, b"\r\n"))
    length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
    if status not in head.split(b"\r\n", 1)[0] or len(stream.read(length)) != length:
        raise RuntimeError(f"a wrong answer: {head[:200]!r}")


def connect(port):
    connection = socket.socket()
    # Room for whole answers, so that the server's writes do not depend on our reading.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(RUN_SECONDS_MAX)
    connection.connect(("127.0.0.1", port))
    return connection, connection.makefile("rb", RECEIVE_BYTES)


def sleeps(pid):
    """Whether each thread of the process waits for something."""
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            # The name before the state may have anything in it, but not after its bracket.
            if stat.read_text().rpartition(")")[2].split()[0] != "S":
                return False
        except OSError:
            return False
    return True


def let_sleep(pid):
    """Waits until the server has nothing to do.  Twice, for threads wake each other while we look
    at one after the other."""
    end = time.monotonic() + RUN_SECONDS_MAX
    while not (sleeps(pid) and sleeps(pid)):
        if time.monotonic() > end:
            raise RuntimeError(f"the server is still busy after {RUN_SECONDS_MAX} s")


def ask_kept(server, request, at_a_time, count, status):
    kept = [connect(server.port) for _ in range(CONNECTIONS)]
    try:
        for number in range(count // at_a_time):
            connection, stream = kept[number % CONNECTIONS]
            connection.sendall(request * at_a_time)
            for _ in range(at_a_time):
                read_answer(stream, status)
    finally:
        for connection, stream in kept:
            stream.close()
            connection.close()


def ask_closing(server, request, count):
    for _ in range(count):
        connection, stream = connect(server.port)
        with connection, stream:
            # Else what we do next may be there when the server looks, or not.
            let_sleep(server.pid)
            connection.sendall(request)
            read_answer(stream, b" 200 ")
            if stream.read(1) != b"":
                raise RuntimeError("the server sends more than was asked for")
            let_sleep(server.pid)


def serve(build, row, model, count, out):
    """Instructions of a server that was asked `count` requests."""
    path, at_a_time, closing, _, _ = HTTP_ROWS[row]
    fields = "Host: bench\r\n" + ("Connection: close\r\n" if closing else "")
    request = f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()
    full = servers.FULL if row == "reject" else ()
    command = servers.weir(build, f"--model={model}", "--cores=1", *full)
    with servers.Server(f"weir {model}", command, prefix=callgrind(out),
                        seconds=START_SECONDS_MAX) as server, contextlib.ExitStack() as held:
        if full:
            servers.fill(server, held)
        if closing:
            ask_closing(server, request, count)
        else:
            ask_kept(server, request, at_a_time, count, b" 503 " if full else b" 200 ")
        held.close()
        status = server.end(RUN_SECONDS_MAX)
        server.log.seek(0)
        text = server.log.read()
        if status != 0:
            raise RuntimeError(f"{row}/{model} ended with {status}: {text.strip()[-400:]}")
    return collected(out)


def operate(build, operation, model, count, out):
    """Instructions of a program that did `count` operations."""
    done = subprocess.run(
        [*servers.as_child(), *callgrind(out), str(build / "bench" / "core_ops"), operation, model,
         str(count)],
        capture_output=True, text=True, timeout=RUN_SECONDS_MAX, env=servers.environment(),
        check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{operation}/{model}: {done.stderr.strip()[-400:]}")
    return collected(out)


def counts_of(row):
    """Fewer and more operations."""
    what = row.split("/")[0]
    if what in HTTP_ROWS:
        return HTTP_ROWS[what][3:]
    return CORE_COUNTS.get(what, CORE_COUNTS_OTHERS)


def profile_of(row, count):
    return common.FOLDER / "callgrind" / f"{row.replace('/', '.')}.{count}"


def count_row(build, row):
    """Instructions of one operation; the profiles stay in build/bench/callgrind."""
    what, model = row.split("/")
    once = serve if what in HTTP_ROWS else operate
    totals = []
    for count in counts_of(row):
        out = profile_of(row, count)
        out.parent.mkdir(parents=True, exist_ok=True)
        for old in out.parent.glob(f"{out.name}*"):
            old.unlink()
        totals.append(once(build, what, model, count, out))
    fewer, more = counts_of(row)
    return (totals[1] - totals[0]) / (more - fewer)


def count_rows(build, rows, each):
    """Counts on every core; times do not matter.  Calls each(row, count) as they come in order."""
    with concurrent.futures.ThreadPoolExecutor(len(common.cores())) as pool:
        try:
            for row, count in zip(rows, pool.map(lambda row: count_row(build, row), rows)):
                each(row, count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# -- the baseline --------------------------------------------------------------------------------

def compiler(build):
    """The compiler's name and major version, and its options for optimization."""
    commands = json.loads((build / "compile_commands.json").read_text())
    words = next(entry["command"] for entry in commands
                 if entry["file"].endswith("/bench/http.c")).split()
    version = subprocess.run([words[0], "--version"], capture_output=True, text=True,
                             check=True).stdout
    name = "clang" if "clang" in version else "gcc"
    major = re.search(r"\b(\d+)\.\d+\.\d+", version).group(1)
    return f"{name} {major}", " ".join(word for word in words if FLAGS.match(word))


def conditions(build):
    """What instruction counts depend on beside the source."""
    called, flags = compiler(build)
    processor = common.MACHINE_FILE.read_text()
    return {"compiler": called, "flags": flags, "architecture": platform.machine(),
            "library": " ".join(platform.libc_ver()),
            "vectors": "avx2" if re.search(r"\bavx2\b", processor) else "no avx2"}


def other_conditions(baseline, here):
    """Why the baseline does not hold here; None if it does."""
    for name, value in baseline["conditions"].items():
        if here.get(name) != value:
            return (f"bench/baseline.json is for the {name} \"{value}\", and this is "
                    f"\"{here.get(name)}\"")
    return None


def complaint(row, counted, baseline):
    """What is wrong with a row; None if it is as the baseline has it."""
    was = baseline["instructions"].get(row)
    if was is None:
        return "it is not in bench/baseline.json; --update adds it"
    change = counted / was - 1
    if abs(change) <= TOLERANCE:
        return None
    if change > 0:
        return (f"{counted:.1f} instructions, {change:.1%} more than the {was:.1f} of the "
                "baseline: find out why; --update if they are worth it")
    return (f"{counted:.1f} instructions, {-change:.1%} fewer than the {was:.1f} of the baseline: "
            "keep the gain with --update")


def judged(build, row, counted, baseline):
    """complaint(), after a second and a third opinion on what seems to differ."""
    found = complaint(row, counted, baseline)
    if found is None or row not in baseline["instructions"]:
        return found
    again = [counted] + [count_row(build, row) for _ in range(REPEATS - 1)]
    return complaint(row, statistics.median(again), baseline)


def begin_case(name):
    print(f"[ RUN      ] {name}")


def end_case(name, word):
    print(f"[ {word:>8} ] {name}", flush=True)


def check(build, rows):
    """The exit status.  The lines are those of a test program, so tool/test counts rows."""
    baseline = json.loads(BASELINE.read_text())
    why_not = other_conditions(baseline, conditions(build))
    if why_not is not None:
        return only_count(build, rows, why_not)
    failures = 0

    def case(row, counted):
        nonlocal failures
        begin_case(row)
        wrong = judged(build, row, counted, baseline)
        failures += wrong is not None
        print(f"{row}: {wrong or f'{counted:.1f} instructions'}")
        end_case(row, "FAILED" if wrong else "OK")

    count_rows(build, rows, case)
    return 1 if failures else 0


def only_count(build, rows, why_not):
    """Without a baseline it can still be seen that everything runs under valgrind."""
    begin_case("all_rows_can_be_counted")
    count_rows(build, rows, lambda row, counted: print(f"{row}: {counted:.1f} instructions"))
    end_case("all_rows_can_be_counted", "OK")
    begin_case("they_are_those_of_the_baseline")
    print(f"SKIP: {why_not}")
    end_case("they_are_those_of_the_baseline", "SKIPPED")
    return 0


def update(build, rows):
    """Writes the rows that were counted; the others stay, if they were counted alike."""
    here = conditions(build)
    known = {}
    if BASELINE.exists():
        baseline = json.loads(BASELINE.read_text())
        if other_conditions(baseline, here) is None:
            known = baseline["instructions"]

    def note(row, counted):
        was = f", was {known[row]:.1f}" if row in known else ""
        print(f"{row:20} {counted:12.1f}{was}", flush=True)
        known[row] = round(counted, 1)

    count_rows(build, rows, note)
    kept = {row: known[row] for row in all_rows() if row in known}
    BASELINE.write_text(json.dumps({"conditions": here, "instructions": kept}, indent=2) + "\n")
    print(f"written to {BASELINE.relative_to(common.ROOT)}")
    return 0


def profile(build, rows):
    """Shows where the instructions of each row go."""
    for row in rows:
        counted = count_row(build, row)
        fewer, more = counts_of(row)
        each = spent_each(profile_of(row, fewer), profile_of(row, more), more - fewer)
        print(f"\n{row}: {counted:.1f} instructions\n{'own':>10} {'with callees':>13}")
        for function, (own, all_of_it) in sorted(each.items(), key=lambda item: -item[1][0]):
            if all_of_it >= PROFILE_LEAST:
                print(f"{own:10.1f} {all_of_it:13.1f}  {function}", flush=True)
    return 0


# -- as a part of bench/run ----------------------------------------------------------------------

def seconds(run):
    return len(rows_of(run.chosen(ROWS))) * 2.2 / len(common.cores())


def measure(run):
    """Counts for the rows of the other programs, which add them to theirs."""
    if servers.missing("valgrind"):
        run.leave_out(f"instructions: {servers.missing('valgrind')}")
        return
    run.progress.note(f"\n{'instructions each':20} {'tasks':>10} {'loop':>10}")

    def note(row, counted):
        run.instructions[row] = counted
        run.progress.step(2.2 / len(common.cores()))
        run.progress.show(row)
        what, model = row.split("/")
        if model == MODELS[-1]:
            shown = " ".join(f"{run.instructions[f'{what}/{name}']:10.1f}" for name in MODELS)
            run.progress.note(f"{what:20} {shown}")

    count_rows(run.build, rows_of(run.chosen(ROWS)), note)


def main():
    modes = {"--check": check, "--update": update, "--profile": profile}
    mode = next((mode for mode in modes if mode in sys.argv), None)
    if mode is None:
        return common.main(sys.modules[__name__])
    parser = common.parser(__doc__, rows=False)
    chosen = parser.add_mutually_exclusive_group()
    for name in modes:
        chosen.add_argument(name, action="store_true")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these, as hello/tasks")
    options = parser.parse_intermixed_args()
    common.check_arguments(options)
    rows = options.rows or all_rows()
    for row in rows:
        if row not in all_rows():
            parser.error(f"no row {row}; there are {', '.join(all_rows())}")
    common.end_on_signals()
    if servers.missing("valgrind"):
        print(f"SKIP: {servers.missing('valgrind')}")
        return 77
    try:
        return modes[mode](options.build.resolve(), rows)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"bench/instructions: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
