#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`weir load` beside wrk and h2load at low load, on a service that waits 20 ms before it answers.

Asserted is what must hold however busy the machine is: what the service counted is what the tool
counted; no answer is faster than the wait; N clients that each wait for their answer finish at most
N * time / wait requests.  The best medians of alternating runs agree within a factor of two.
ctest: timeout=120 processors=2"""
import os
import re
import statistics
import tempfile
import urllib.request

from load_support import load
from service import (BOUND_SECONDS, Service, Skip, check, check_equal, client, eventually,
                     free_port, need)

WAIT_MS = 20
CLIENTS = 4
ROUNDS = 2
ADMIN = f"127.0.0.1:{free_port()}"


def replies():
    try:
        with urllib.request.urlopen(f"http://{ADMIN}/metrics", timeout=BOUND_SECONDS) as page:
            text = page.read().decode()
    except OSError:
        return None  # not up yet
    found = re.search(r'^weir_replies_total\{[^}]*class="2xx"\} (\d+)', text, re.M)
    return int(found.group(1))


def settles_at(wanted, what):
    """A reply is counted after it was sent, so the count may come a little later."""
    eventually(lambda: replies() >= wanted, f"{what}: the service counts {wanted}")
    check_equal(replies(), wanted, f"{what}: requests that the service counted")


def closed_loop(url):
    result = load(f"--connections={CLIENTS}", "--for=400ms", "--timeout=20s", url)
    settles_at(result["ok"], "weir load, closed loop")
    check_equal(result["ok"], result["requests"], "answered")
    check(result["ok"] * WAIT_MS <= CLIENTS * result["seconds"] * 1000 * 1.02, f"{result}")
    return result["ok_ms_p50"]


def open_loop(url):
    result = load("--rate=150", "--for=400ms", "--timeout=20s", url)
    settles_at(result["ok"], "weir load, open loop")
    check_equal(result["ok"], result["requests"], "answered")
    return result["ok_ms_p50"]


def wrk(url):
    done = client("wrk", "-t1", f"-c{CLIENTS}", "-d1s", "--latency", url)
    text = done.stdout.decode()
    check_equal(done.returncode, 0, f"status of wrk: {text}")
    told = int(re.search(r"(\d+) requests in", text).group(1))
    # It counts no request that is under way when its time is over.
    eventually(lambda: replies() >= told, "the service counts what wrk did")
    check(replies() <= told + CLIENTS, f"wrk {told}, service {replies()}")
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", text).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def h2load(url):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        done = client("h2load", "--h1", "-n100", f"-c{CLIENTS}", f"--log-file={log}", url)
        check(b"100 succeeded" in done.stdout, f"h2load: {done.stdout.decode()}")
        with open(log) as lines:
            times = [int(line.split("\t")[2]) / 1000 for line in lines]
    settles_at(100, "h2load")
    return statistics.median(times)


def measure(tool):
    """On a service of its own: what an earlier tool left under way is not counted here."""
    with Service("loop", f"--admin={ADMIN}") as service:
        eventually(lambda: replies() is not None, "the admin page answers")
        return tool(f"{service.url}/wait?ms={WAIT_MS}")


def main():
    tools = [closed_loop, open_loop]
    skipped = []
    for name, other in (("wrk", wrk), ("h2load", h2load)):
        try:
            need(name)
            tools.append(other)
        except Skip as reason:
            skipped.append(str(reason))
    medians = {tool.__name__: [] for tool in tools}
    for _ in range(ROUNDS):
        for tool in tools:
            medians[tool.__name__].append(measure(tool))
    for name, found in medians.items():
        print(f"{name:12} p50 of {ROUNDS} rounds, ms: " + "  ".join(f"{one:.2f}" for one in found))
        # A bucket's middle may lie 1.6 % below the value.
        check(min(found) >= WAIT_MS * 0.98, f"{name}: faster than the service can be: {found}")
    best = {name: min(found) for name, found in medians.items()}
    check(max(best.values()) <= 2 * min(best.values()), f"medians differ: {best}")
    for reason in skipped:
        print(f"left out: {reason}")


main()
