#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much memory does an idle keep-alive connection hold in a server?

usage: bench/idle.py BUILD_DIR [--connections N]

Each server is warmed up with a hundred connections, which are closed again; its resident memory
then is the base.  Then N connections are opened; each is answered one request and stays open.
What the server has grown by, divided by N, is the figure: memory of the kernel is not in it."""
import argparse
import pathlib
import socket
import sys
import time

import servers

WARM_CONNECTIONS = 100
REQUEST = b"GET /hello/world HTTP/1.1\r\nHost: bench\r\n\r\n"
END = b"Hello, world!\n"
SETTLE_SECONDS_MAX = 5


def ask(connection):
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(END):
        piece = connection.recv(4096)
        if not piece:
            raise RuntimeError("the server closed a connection")
        answer += piece


def open_connections(port, count):
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), 10)
        ask(connection)
        connections.append(connection)
    return connections


def settled_bytes(pid):
    """Resident memory once two looks in a row agree within a per cent, or time is up."""
    end = time.monotonic() + SETTLE_SECONDS_MAX
    last = servers.resident_bytes(pid)
    while time.monotonic() < end:
        time.sleep(0.3)
        now = servers.resident_bytes(pid)
        if abs(now - last) <= last * 0.01:
            return now
        last = now
    return last


def measure(name, command, count):
    with servers.Server(name, command) as server:
        for connection in open_connections(server.port, WARM_CONNECTIONS):
            connection.close()
        base = settled_bytes(server.pid)
        connections = open_connections(server.port, count)
        full = settled_bytes(server.pid)
        for connection in connections:
            connection.close()
        return base, full


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--connections", type=int, default=10000)
    options = parser.parse_args()
    build = options.build.resolve()
    room = servers.raise_open_files() - 200
    count = min(options.connections, room)
    print(__doc__.splitlines()[0])
    print(f"{count} connections; {servers.machine()}")
    if count < options.connections:
        print(f"only {count}: this shell permits no more open files")

    have, missing = servers.peers()
    names = [(f"weir {model}", servers.weir(build, f"--model={model}"))
             for model in ("tasks", "loop", "threads", "cluster")] + have
    for line in missing:
        print(f"left out: {line}")
    print(f"\n{'server':14} {'start-up MB':>12} {'full MB':>10} {'bytes/connection':>17}")
    for name, command in names:
        base, full = measure(name, command, count)
        each = (full - base) / count
        print(f"{name:14} {base / 1e6:12.1f} {full / 1e6:10.1f} {each:17,.0f}", flush=True)
        servers.append_report({"bench": "idle", "server": name, "connections": count,
                               "base_bytes": base, "bytes_per_connection": each})
    return 0


if __name__ == "__main__":
    sys.exit(main())
