#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hundreds of slow clients at once: heads that come at a byte a second, bodies at a byte a second,
readers that never read.  Meanwhile every good request is answered, about as fast as without them;
what one of them makes the server hold is bounded; and all of them are sent away when their time is
up, the heads and bodies with a 408.

Under prefork a request holds its process by the model's nature, so there the slow ones are heads
only: a process must not be held before a request is whole.  Under threads fewer are slow in a body
than requests may run.  WEIR_HEAVY=1 takes thousands, under every model.
ctest: timeout=150 processors=2 heavy=600"""
import os
import resource
import selectors
import socket
import statistics
import threading
import time

from process_support import Managed, run, total
from service import MODELS, Connection, check, check_equal, eventually, own_bytes, request

HEAVY = bool(os.environ.get("WEIR_HEAVY"))
SLOW = 2400 if HEAVY else 300
BODIES = 100            # with the readers fewer than the 256 requests that threads run at once
READERS = 100 if HEAVY else 20
GOOD = 150
LATE_SECONDS = 90       # limits are 5 s, but filling a reader's buffers may take longer
GROWTH_MAX = {"head": 20 * 1024, "body": 160 * 1024, "reader": 256 * 1024}


class Slow:
    """One client that is slow in a way."""

    def __init__(self, service, kind):
        self.kind = kind
        self.answer = b""
        self.ended = False
        self.sent_at = time.monotonic()
        self.socket = socket.socket()
        if kind == "reader":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", service.port))
        self.socket.sendall({
            "head": b"GET /hello/slow HTTP/1.1\r\nHost: h\r\nX-Slow: ",
            "body": b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
            "reader": b"GET /stream?n=1000000&ms=0 HTTP/1.1\r\nHost: h\r\n\r\n"}[kind])
        self.socket.setblocking(False)

    def trickle(self):
        try:
            self.socket.send(b"x")
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True  # a reset; what was read before counts

    def take(self):
        try:
            piece = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self.answer += piece
        self.ended = self.ended or not piece


class Crowd(threading.Thread):
    """Keeps the slow clients going until all heads and bodies have been sent away."""

    def __init__(self, slow):
        super().__init__(daemon=True)
        self.slow = slow
        self.stop = threading.Event()
        self.selector = selectors.DefaultSelector()
        for one in slow:
            if one.kind != "reader":
                self.selector.register(one.socket, selectors.EVENT_READ, one)

    def run(self):
        due = time.monotonic() + 1
        while not self.stop.is_set():
            for key, _ in self.selector.select(0.1):
                key.data.take()
                if key.data.ended:
                    self.selector.unregister(key.data.socket)
            if time.monotonic() < due:
                continue
            due += 1
            for one in self.slow:
                if one.kind != "reader" and not one.ended:
                    one.trickle()

    def left(self):
        return sum(one.kind != "reader" and not one.ended for one in self.slow)

    def close(self):
        self.stop.set()
        self.join()
        self.selector.close()
        for one in self.slow:
            one.socket.close()


def kinds(model):
    """How many of each."""
    if model == "prefork":
        return {"head": SLOW}
    return {"head": SLOW - BODIES - READERS, "body": BODIES, "reader": READERS}


def good_median(service):
    """The median seconds of good requests, every one of which is answered: half of them on one
    connection, half on new ones."""
    took = []
    with Connection(service, 60) as kept:
        for number in range(GOOD):
            began = time.monotonic()
            if number % 2 == 0:
                kept.send(request("/hello/good"))
                status, _, body = kept.answer()
            else:
                with Connection(service, 60) as fresh:
                    fresh.send(request("/hello/good", "GET", "Connection: close"))
                    status, _, body = fresh.answer()
            took.append(time.monotonic() - began)
            check_equal((status, body), (200, b"Hello, good!\n"), "a good request")
    return statistics.median(took)


def held(service):
    return own_bytes(service.pid)


def slow_clients_hold_nobody_up(model):
    count = kinds(model)
    with Managed(model, "--max-waiting=4000,20s") as service:
        alone = good_median(service)
        before = held(service)
        slow = [Slow(service, kind) for kind, number in count.items() for _ in range(number)]
        crowd = Crowd(slow)
        crowd.start()
        try:
            check(total(service.admin.numbers(), "weir_connections") > 0, "nobody is connected")
            beside = good_median(service)
            grown = held(service) - before
            # On a quiet machine they are alike; one client that holds up others costs seconds.
            check(beside < 20 * alone + 0.25,
                  f"the median good request took {beside * 1e3:.1f} ms, {alone * 1e3:.1f} alone")
            allowed = sum(GROWTH_MAX[kind] * number for kind, number in count.items())
            if not os.environ.get("WEIR_SANITIZE"):
                check(grown < allowed + (8 << 20),
                      f"{SLOW} slow clients took {grown >> 10} KiB, allowed are {allowed >> 10}")
            eventually(lambda: crowd.left() == 0, "all slow clients are sent away", LATE_SECONDS)
            eventually(lambda: total(service.admin.numbers(), "weir_connections") <= 1,
                       "no slow client is left", LATE_SECONDS)
            check_ends(slow)
            good_median(service)
        finally:
            crowd.close()


def check_ends(slow):
    """The heads are told why.  A 408 may be lost to a reset, since these clients send on; most are
    not.  (A body's answer has begun with its first bytes, which the handler sends back.)"""
    heads = [one for one in slow if one.kind == "head"]
    told = [one for one in heads if one.answer.startswith(b"HTTP/1.1 408 ")]
    wrong = [one.answer[:100] for one in heads if one.answer and one not in told]
    check(not wrong, f"a slow head was answered {wrong[:1]}")
    check(len(told) > len(heads) // 10, f"only {len(told)} of {len(heads)} slow heads were told")


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
run([(slow_clients_hold_nobody_up, MODELS if HEAVY else ("tasks",))])
