#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much memory does an idle keep-alive connection hold in a server?

usage: bench/idle.py BUILD_DIR [--quick] [--rounds N]

Each server is warmed up with a hundred connections, which are closed again; its resident memory
then is the base.  Then ten thousand connections are opened (two thousand with --quick); each is
answered one request and stays open.  What the server has grown by, divided by their number, is the
figure: memory of the kernel is not in it."""
import socket
import statistics
import sys
import time

import common
import servers

CONNECTIONS = 10000
QUICK_CONNECTIONS = 2000
WARM_CONNECTIONS = 100
MODELS = ("tasks", "loop", "threads", "cluster")
UNIT = "bytes resident per idle connection"
REQUEST = b"GET /hello/world HTTP/1.1\r\nHost: bench\r\n\r\n"
END = b"Hello, world!\n"
SETTLE_SECONDS_MAX = 5
SETTLE_STEP_SECONDS = 0.2
SERVERS_EXPECTED = 7


def connections_of(run):
    """As many as the limit on open files permits both sides."""
    room = servers.raise_open_files() - 200
    return max(min(QUICK_CONNECTIONS if run.quick else CONNECTIONS, room), 1)


def turn_seconds(run):
    return 0.7 + (QUICK_CONNECTIONS if run.quick else CONNECTIONS) / 4000


def seconds(run):
    return SERVERS_EXPECTED * run.rounds * turn_seconds(run)


def ask(connection):
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(END):
        piece = connection.recv(4096)
        if not piece:
            raise RuntimeError("the server closed a connection")
        answer += piece


def open_connections(port, count, into):
    for _ in range(count):
        into.append(socket.create_connection(("127.0.0.1", port), 10))
        ask(into[-1])


def close_connections(connections):
    while connections:
        connections.pop().close()


def settled_bytes(pid):
    """Resident memory once two looks in a row agree within a per cent, or time is up."""
    end = time.monotonic() + SETTLE_SECONDS_MAX
    last = servers.resident_bytes(pid)
    while time.monotonic() < end:
        time.sleep(SETTLE_STEP_SECONDS)
        now = servers.resident_bytes(pid)
        if abs(now - last) <= last * 0.01:
            return now
        last = now
    return last


def weigh(name, command, count):
    """(bytes before, bytes per connection)."""
    connections = []
    with servers.Server(name, command) as server:
        try:
            open_connections(server.port, WARM_CONNECTIONS, connections)
            close_connections(connections)
            base = settled_bytes(server.pid)
            open_connections(server.port, count, connections)
            return base, (settled_bytes(server.pid) - base) / count
        finally:
            close_connections(connections)


def measure(run):
    count = connections_of(run)
    have, missing = servers.peers()
    for line in missing:
        run.leave_out(line)
    contestants = [(f"weir {model}", servers.weir(run.build, f"--model={model}"))
                   for model in MODELS] + have
    found = {name: [] for name, _ in contestants}
    for number in range(run.rounds):
        for name, command in contestants:
            run.progress.show(f"round {number + 1} of {run.rounds}, {name}")
            found[name].append(weigh(name, command, count))
            run.progress.step(turn_seconds(run))

    run.progress.note(f"\n{count} connections  {'start-up MB':>12} {'bytes/connection':>17}")
    each = {}
    for name, figures in found.items():
        base = statistics.median(base for base, _ in figures)
        each[name] = [value for _, value in figures]
        run.progress.note(f"{name:18} {base / 1e6:12.1f} {statistics.median(each[name]):17,.0f}")
    for model in MODELS:
        for peer, _ in have:
            run.add(common.comparison(f"http/idle/{model}", UNIT, each[f"weir {model}"], peer,
                                      each[peer], connections=count))


if __name__ == "__main__":
    sys.exit(common.main(sys.modules[__name__]))
