#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time limits against clients that hold a connection without using it, while others are served.
ctest: timeout=90"""
import time

from service import Connection, check, check_equal, request, run

GRACE = (4, 18)  # seconds; the limits are five, looked at now and then by a machine with other work


def idlers_in_a_head_and_a_body_get_408(service):
    """At the same time, so that the test takes the time of one."""
    with Connection(service, 20) as head, Connection(service, 20) as body:
        head.send(b"GET /hello/a HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        body.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        began = time.monotonic()
        with Connection(service) as good:
            for _ in range(50):
                good.send(request("/hello/x"))
                check_equal(good.answer()[0], 200, "a good client meanwhile")
        for name, c in (("head", head), ("body", body)):
            status, fields, _ = c.answer()
            passed = time.monotonic() - began
            check_equal((status, fields.get("connection")), (408, "close"), f"a slow {name}")
            check(GRACE[0] < passed < GRACE[1], f"408 for a slow {name} after {passed:.1f} s")
            check(c.closed(), f"the connection of a slow {name} stays open")


run([idlers_in_a_head_and_a_body_get_408], models=("loop", "cluster", "tasks", "threads"))
