#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How a service ends: in order on SIGTERM and SIGINT, within its bound, at once when asked twice,
and never with a process left behind.  ctest: timeout=150 processors=2"""
import os
import signal
import time

from process_support import SUPERVISED, Crowd, Managed, alive, run
from service import (BOUND_SECONDS, MODELS, Connection, Service, check, check_equal, eventually,
                     request, tree)

STARTS = 10


def gone(pids):
    return lambda: not any(alive(pid) for pid in pids)


def a_drain_under_load_fails_no_accepted_request(model):
    with Managed(model, "--max-waiting=1000,20s") as service:
        processes = tree(service.pid)
        with Crowd(service, "/wait?ms=5", 16, fresh=8) as crowd:
            crowd.working()
            service.process.send_signal(signal.SIGTERM)
            status, output = service.end()
        check_equal(status, 0, "status after SIGTERM")
        check(crowd.answers() > 16, "the clients did not work")
        check_equal(crowd.failures(), [], "failed after they were accepted")
        check_equal(set(crowd.statuses()), {200}, "statuses")
        check("SIGTERM: draining" in output, output)
        eventually(gone(processes), "no process is left")


def requests_in_flight_and_streams_end_whole(model):
    with Managed(model) as service:
        with Connection(service) as waiting:
            waiting.send(request("/wait?ms=700"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            service.process.send_signal(signal.SIGINT)
            status, fields, _ = waiting.answer()
            check_equal((status, fields.get("connection")), (200, "close"), "the answer in flight")
            check(waiting.closed(), "the connection stays open after the drain")
        check_equal(service.end()[0], 0, "status after SIGINT")


def what_does_not_end_is_cut_at_the_bound(model):
    with Managed(model, "--drain-timeout=300ms") as service:
        processes = tree(service.pid)
        with Connection(service) as waiting:
            waiting.send(request("/wait?ms=60000"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            status, _ = service.end()
            took = time.monotonic() - began
            check_equal(status, 0, "status after a cut")
            check(0.3 <= took < 8, f"ended after {took:.2f} s; without the option it is 10")
            eventually(gone(processes), "no process is left")


def what_cannot_be_cut_is_killed_after_the_bound(model):
    with Managed(model, "--drain-timeout=300ms") as service:
        processes = tree(service.pid)
        with Connection(service) as burning:
            burning.send(request("/cpu?ms=20000"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            status, output = service.end()
            took = time.monotonic() - began
            check(0.3 <= took < 15, f"ended after {took:.2f} s; the handler takes 20")
            check(status in (0, 1), f"status {status}")
            check("drain timeout" in output, output)
            eventually(gone(processes), "no process is left")


def a_second_signal_ends_at_once(model):
    with Managed(model, "--drain-timeout=10m") as service:
        processes = tree(service.pid)
        with Connection(service) as waiting:
            waiting.send(request("/wait?ms=60000"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            service.process.send_signal(signal.SIGINT)
            eventually(lambda: service.admin.get("/readyz")[0] == 503, "it drains")
            service.process.send_signal(signal.SIGINT)
            check_equal(service.end()[0], 1, "status after the second signal")
            eventually(gone(processes), "no process is left")


def a_signal_to_the_whole_group_drains_once(model):
    """As ^C in a terminal: every process hears it, only the primary decides."""
    with Managed(model) as service:
        with Connection(service) as waiting:
            waiting.send(request("/wait?ms=500"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            os.killpg(service.pid, signal.SIGINT)
            check_equal(waiting.answer()[0], 200, "the answer in flight")
        check_equal(service.end()[0], 0, "status")


def who_finds_it_listening_may_end_it(model):
    """The first connection is there before the process is ready, and the signal may be too."""
    for _ in range(STARTS):
        service = Service(model, unix=True)
        bound = time.monotonic() + BOUND_SECONDS
        while not service.listens():
            check(time.monotonic() < bound, "weir serve listens")
        service.__exit__(None)


def nobody_outlives_a_killed_primary(model):
    with Managed(model) as service:
        processes = tree(service.pid)
        check(len(processes) >= 2, f"processes: {processes}")
        with Crowd(service, "/cpu?ms=20", 4) as crowd:
            crowd.working()
            service.process.send_signal(signal.SIGKILL)
            check_equal(service.end()[0], -signal.SIGKILL, "status")
            eventually(gone(processes), "no worker is left", 5)


if __name__ == "__main__":
    run([(a_drain_under_load_fails_no_accepted_request, MODELS),
         (requests_in_flight_and_streams_end_whole, MODELS),
         (what_does_not_end_is_cut_at_the_bound, MODELS),
         (what_cannot_be_cut_is_killed_after_the_bound, ("loop", "cluster", "tasks")),
         (a_second_signal_ends_at_once, MODELS),
         (a_signal_to_the_whole_group_drains_once, ("tasks",) + SUPERVISED),
         (who_finds_it_listening_may_end_it, MODELS),
         (nobody_outlives_a_killed_primary, SUPERVISED)])
