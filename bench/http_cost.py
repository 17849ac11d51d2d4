#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What does a request cost a server in CPU time, above the least that is possible?

usage: bench/http_cost.py BUILD_DIR [--quick] [--rounds N]

The rows: hello (the smallest answer), pipelined (sixteen of them asked for at once), body (65,536
bytes), many (one of 500 routes, with two parameters), close (a connection for each request) and
reject (what 503 costs a server that may run nothing more, on a connection that is kept).

The servers take turns, round by round: the floor (bench/floor.c, which knows no routes, and sends
each pipelined answer by itself as the others do), weir under `tasks` and `loop` with one core,
and nginx, Go and Node where they are installed.  All of them share one core; wrk, one thread and
64 connections, has another.  CPU time is user and system by the scheduler's account (schedstat)
over all threads of the process tree, divided by the requests that wrk counted."""
import contextlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

import common
import servers

CONNECTIONS = 64
WARM_REQUESTS = 30000
WARM_SECONDS_MAX = 6
TRIES = 4
WARM_SLICE_SECONDS = 0.5
START_SECONDS = 1.2     # of a server, warm-up included, as a rule
MODELS = ("tasks", "loop")
UNIT = "us of CPU time per request"

REJECT = "reject"
REJECT_AIM = 1.15

# name: (path, options of the floor, options of wrk, bytes that the answer must have or 0)
ROWS = {
    "hello": ("/hello/world", (), (), 14),
    "pipelined": ("/hello/world", (), ("-s", str(servers.PEERS / "pipeline.lua")), 14),
    "body": ("/body", (str(servers.LARGE_BYTES),), (), servers.LARGE_BYTES),
    "many": ("/many/r57/42/items/7", (), (), 0),
    "close": ("/hello/world", ("0", "close"), ("-H", "Connection: close"), 14),
    REJECT: ("/hello/world", ("0", "refuse"), (), 11),
}


def round_seconds(run):
    return 0.5 if run.quick else 2.0


def seconds(run):
    """About how long it takes: rounds, and starting and warming up the servers of each row."""
    started = sum(1 + len(MODELS) + (0 if row == REJECT else 3) for row in run.chosen(ROWS))
    return started * (run.rounds * (round_seconds(run) + 0.1) + START_SECONDS)


def read_answer(stream, name, wanted_status, wanted_bytes):
    """Reads one answer and complains about a wrong one: a server that fails is fast."""
    status = stream.readline()
    if wanted_status not in status:
        raise RuntimeError(f"{name} answers {status!r}")
    length = None
    for line in iter(stream.readline, b""):
        if line == b"\r\n":
            break
        field, _, value = line.partition(b":")
        if field.lower() == b"content-length":
            length = int(value)
    if not length or len(stream.read(length)) != length:
        raise RuntimeError(f"{name} sends a body without its length, or cuts it")
    if wanted_bytes and length != wanted_bytes:
        raise RuntimeError(f"{name} sends {length} bytes, not {wanted_bytes}")


def try_out(server, row):
    """Sees that the answer is the right one."""
    path, _, _, wanted = ROWS[row]
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        with connection.makefile("rb") as stream:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            read_answer(stream, server.name, b" 503 " if row == REJECT else b" 200 ", wanted)


def load(server, row, core, seconds_wanted):
    """Requests that wrk saw answered in so many seconds: none, where other work left it no time.
    wrk counts in whole seconds and ends in good order on SIGINT."""
    path, _, options, _ = ROWS[row]
    command = [*servers.as_child(core), servers.find("wrk"), "-t1", f"-c{CONNECTIONS}",
               f"-d{int(seconds_wanted) + 5}s", *options,
               f"http://127.0.0.1:{server.port}{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds_wanted)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
        except BaseException:
            process.kill()
            raise
    found = re.search(r"(\d+) requests in", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    wanted = found.group(1) if found and row == REJECT and found.group(1) != "0" else None
    if not found or (refused.group(1) if refused else None) != wanted:
        said = " ".join(output.split())[-200:]
        raise RuntimeError(f"wrk against {server.name} failed; it said: {said}")
    return int(found.group(1))


def turn(server, row, core, seconds_wanted):
    """CPU us per request."""
    for _ in range(TRIES):
        before = servers.cpu_ns(server.pid)
        count = load(server, row, core, seconds_wanted)
        if count > 0:
            return (servers.cpu_ns(server.pid) - before) / count / 1000
    raise RuntimeError(f"{server.name} answered nothing in {TRIES} times {seconds_wanted:g} s")


def contestants(run, row):
    own = [("floor", servers.floor(run.build, *ROWS[row][1]))]
    full = servers.FULL if row == REJECT else ()
    own += [(f"weir {model}", servers.weir(run.build, f"--model={model}", "--cores=1", *full))
            for model in MODELS]
    if row == REJECT:
        return own
    have, missing = servers.peers()
    for line in missing:
        run.leave_out(line)
    return own + have


def warm_up(server, row, core):
    """Enough requests for just-in-time compilers to have settled before it counts."""
    end = time.monotonic() + WARM_SECONDS_MAX
    count = 0
    while count < WARM_REQUESTS and time.monotonic() < end:
        count += load(server, row, core, WARM_SLICE_SECONDS)


def start(run, row, core, wrk_core, stack):
    """The servers of a row, each seen to answer rightly and warmed up."""
    running = []
    for name, command in contestants(run, row):
        run.progress.show(f"{row}: starting {name}")
        try:
            server = stack.enter_context(servers.Server(name, command, core))
            if row == REJECT and name.startswith("weir "):
                servers.fill(server, stack)
            try_out(server, row)
            warm_up(server, row, wrk_core)
        except (OSError, RuntimeError) as error:
            run.leave_out(f"{row}: {error}")
            continue
        finally:
            run.progress.step(START_SECONDS)
        running.append(server)
    return running


def measure_row(run, row):
    """CPU us per request by server, for each round; without a server that failed in one."""
    server_core, wrk_core = common.cores()[0], common.cores()[-1]
    results = {}
    with contextlib.ExitStack() as stack:
        running = start(run, row, server_core, wrk_core, stack)
        for number in range(run.rounds):
            for server in list(running):
                run.progress.show(f"{row}: round {number + 1} of {run.rounds}, {server.name}")
                run.progress.step(round_seconds(run) + 0.1)
                try:
                    figure = turn(server, row, wrk_core, round_seconds(run))
                except (OSError, RuntimeError) as error:
                    run.leave_out(f"{row}: {error}")
                    running.remove(server)
                    results.pop(server.name, None)
                    continue
                results.setdefault(server.name, []).append(figure)
    return results


def show(run, row, results):
    run.progress.note(f"\n{row:14} {'CPU us/request':>14} {'ratio to floor':>15} {'(range)':>14}")
    for name, figures in results.items():
        line = f"{name:14} {statistics.median(figures):14.2f}"
        ratios = [mine / least for mine, least in zip(figures, results.get("floor", []))]
        if ratios:
            span = f"({min(ratios):.2f}-{max(ratios):.2f})"
            line += f" {statistics.median(ratios):15.2f} {span:>14}"
        run.progress.note(line)


def measure(run):
    if servers.missing("wrk"):
        run.leave_out(f"all HTTP rows: {servers.missing('wrk')}")
        return
    if len(common.cores()) < 2:
        run.progress.note("one core only: servers and wrk share it, the figures are rough")
    for row in run.chosen(ROWS):
        results = measure_row(run, row)
        show(run, row, results)
        for model in MODELS:
            mine = results.get(f"weir {model}")
            aim = {"aim": REJECT_AIM} if row == REJECT else {}
            for peer, figures in results.items():
                if mine and not peer.startswith("weir "):
                    run.add(common.comparison(f"http/{row}/{model}", UNIT, mine, peer, figures,
                                              **aim))
    run.progress.note("\nMedians of the rounds.  A ratio of 1.10 means ten per cent more CPU time "
                      "than the floor.")


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
