#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Beyond --max-running and --max-waiting the excess is refused at once, politely, and nothing else
suffers: under every model.  ctest: timeout=90 processors=2"""
import os
import selectors
import time

from service import Connection, MODELS, check, check_equal, request, run

RUNNING = 2
WAITING = 3
AGE_SECONDS = 0.6
WORK_SECONDS = 2.0
CLIENTS = 40


def answers_at_once(connections):
    """(seconds, status, fields) of each, as they come."""
    began = time.monotonic()
    selector = selectors.DefaultSelector()
    for c in connections:
        selector.register(c.socket, selectors.EVENT_READ, c)
    found = []
    while selector.get_map():
        ready = selector.select(20)
        check(ready, "an answer is missing")
        for key, _ in ready:
            selector.unregister(key.fileobj)
            status, fields, _ = key.data.answer()
            found.append((time.monotonic() - began, status, fields))
    return found


def burst(service, processes):
    """Asks for more than may run and wait, checks all answers, and says how many were refused
    before one that waits is, and when the last was."""
    connections = [Connection(service) for _ in range(CLIENTS)]
    for c in connections:
        c.send(request(f"/wait?ms={int(WORK_SECONDS * 1000)}"))
    found = answers_at_once(connections)

    served = [seconds for seconds, status, _ in found if status == 200]
    refused = [(seconds, fields) for seconds, status, fields in found if status == 503]
    check_equal(len(served) + len(refused), CLIENTS, "answers of 200 and 503")
    check(RUNNING <= len(served) <= RUNNING * processes, f"{len(served)} were served")
    for _, fields in refused:
        check(int(fields["retry-after"]) >= 1, f"{fields}")
        check("connection" not in fields, "a refusal closes the connection")

    for c in connections:
        c.send(request("/hello/again"))
        check_equal(c.answer()[2], b"Hello, again!\n", "the same connection, after the burst")
        c.socket.close()
    at_once = sum(seconds < AGE_SECONDS - 0.05 for seconds, _ in refused)
    return at_once, max(seconds for seconds, _ in refused)


def the_excess_is_refused_at_once(service):
    """A busy machine may hold up a burst, and this program that reads the answers; a service that
    refuses late does so every time."""
    processes = len(os.sched_getaffinity(0)) if service.model in ("cluster", "prefork") else 1
    least = CLIENTS - (RUNNING + WAITING) * processes
    seen = []
    for _ in range(5):
        seen.append(burst(service, processes))
        if seen[-1][0] >= least and seen[-1][1] < WORK_SECONDS - 0.1:
            return
    check(False, f"of {CLIENTS}, so many were refused at once, and the last after so long: {seen}")


def blocking_handlers_are_bounded_as_well(service):
    with Connection(service) as c:
        connections = [Connection(service) for _ in range(CLIENTS)]
        for one in connections:
            one.send(request("/block?ms=200"))
        found = answers_at_once(connections)
        statuses = {status for _, status, _ in found}
        check_equal(statuses, {200, 503}, "statuses")
        c.send(request("/hello/after"))
        check_equal(c.answer()[2], b"Hello, after!\n", "after the burst")


run([the_excess_is_refused_at_once, blocking_handlers_are_bounded_as_well], models=MODELS,
    options=(f"--max-running={RUNNING}", f"--max-waiting={WAITING},{int(AGE_SECONDS * 1000)}ms"))
