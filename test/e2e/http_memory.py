#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Back-pressure, measured: what a slow peer makes the server hold is bounded, whatever is sent.

A short, scaled form of the uploads and downloads of a gibibyte: eight connections at once send or
could receive far more than the bound; the server's memory, taken before and while all of them are
stalled, may grow by 256 KiB for each.  ctest: timeout=150 processors=2"""
import os
import threading
import time

from service import Connection, check, own_bytes, request, run

CONNECTIONS = 8
GROWTH_MAX = 256 * 1024
UPLOAD_BYTES = 32 << 20
STALLED_SECONDS = 0.7
PIECE = b"0123456789abcdef" * 4096


def count(service):
    """One at a time is all that prefork takes."""
    return 1 if service.model == "prefork" else CONNECTIONS


def warm(service):
    for _ in range(20):
        with Connection(service) as c:
            c.send(request("/echo", "POST", body=PIECE))
            check(c.answer()[2] == PIECE, "echo")


def grown(service, base):
    if os.environ.get("WEIR_SANITIZE"):
        return 0  # shadow memory and quarantine are not the server's
    return own_bytes(service.pid) - base


def until_stalled(connections, data, total):
    """Sends on all of them until the server has taken no more for a while.  The bytes sent on each,
    and which took some last: the others may have been stalled for nearly the five seconds, on a
    busy machine, after which the server gives up clients that do not read."""
    sent = [0] * len(connections)
    last = 0
    for c in connections:
        c.socket.setblocking(False)
    quiet_since = time.monotonic()
    while min(sent) < total and time.monotonic() - quiet_since < STALLED_SECONDS:
        for i, c in enumerate(connections):
            try:
                taken = c.socket.send(data[:total - sent[i]]) if sent[i] < total else 0
            except BlockingIOError:
                continue
            sent[i] += taken
            if taken:
                quiet_since, last = time.monotonic(), i
        time.sleep(0.002)
    for c in connections:
        c.socket.settimeout(20)
    return sent, last


def finish_upload(connection, sent):
    """Sends the rest while reading everything back; both ends now run at full speed."""
    def rest():
        left = UPLOAD_BYTES - sent
        while left > 0:
            piece = PIECE[:min(left, len(PIECE))]
            connection.send(piece)
            left -= len(piece)
    sender = threading.Thread(target=rest)
    sender.start()
    head = connection.until(b"\r\n\r\n")
    check(head.startswith(b"HTTP/1.1 200 "), f"{head}")
    got = len(connection.have)
    while got < UPLOAD_BYTES:
        piece = connection.socket.recv(1 << 20)
        check(piece, f"closed after {got} bytes of the echo")
        got += len(piece)
    sender.join()
    check(got == UPLOAD_BYTES, f"{got} bytes came back")


def an_upload_whose_echo_nobody_reads_is_not_taken_in(service):
    warm(service)
    base = own_bytes(service.pid)
    connections = [Connection(service) for _ in range(count(service))]
    for c in connections:
        c.send(f"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n"
               .encode())
    sent, last = until_stalled(connections, PIECE, UPLOAD_BYTES)
    growth = grown(service, base)
    check(max(sent) < UPLOAD_BYTES, "the server swallowed a whole upload")
    check(growth <= GROWTH_MAX * len(connections),
          f"the server grew by {growth / len(connections) / 1024:.0f} KiB a connection")
    finish_upload(connections[last], sent[last])
    for c in connections:
        c.socket.close()


def a_download_that_nobody_reads_is_not_prepared(service):
    warm(service)
    base = own_bytes(service.pid)
    connections = [Connection(service) for _ in range(count(service))]
    for c in connections:
        c.send(request("/stream?n=1000000&ms=0"))
        c.until(b"chunk 1 of")
    # Stalled is when memory stands still: two looks that agree.
    last = -1
    end = time.monotonic() + 3
    now = own_bytes(service.pid)
    while now != last and time.monotonic() < end:
        time.sleep(0.2)
        last, now = now, own_bytes(service.pid)
    growth = grown(service, base)
    check(growth <= GROWTH_MAX * len(connections),
          f"the server grew by {growth / len(connections) / 1024:.0f} KiB a connection")
    for c in connections:
        c.socket.close()


def many_requests_leave_nothing_behind(service):
    """Resident memory and descriptors after ten thousand requests are those after a thousand."""
    def descriptors():
        return len(os.listdir(f"/proc/{service.pid}/fd"))

    def ask(requests):
        for _ in range(requests // 100):
            with Connection(service) as c:
                c.send(request("/hello/a") * 100)
                for _ in range(100):
                    c.answer()
    ask(1000)
    before, files = own_bytes(service.pid), descriptors()
    ask(10000)
    growth = grown(service, before)
    check(growth < 512 * 1024, f"10,000 requests left {growth / 1024:.0f} KiB behind")
    check(descriptors() <= files + 4, f"{files} descriptors became {descriptors()}")


run([an_upload_whose_echo_nobody_reads_is_not_taken_in,
     a_download_that_nobody_reads_is_not_prepared, many_requests_leave_nothing_behind])
