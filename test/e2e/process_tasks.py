#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service tells what its tasks do: on SIGQUIT, which ends it or not, and at /tasks.
ctest: timeout=120 processors=2"""
import os
import pathlib
import signal
import subprocess

from process_signals import gone
from process_support import SUPERVISED, Managed, run
from service import MODELS, Connection, check, check_equal, eventually, free_port, request, tree


def all_ready(service):
    numbers = service.admin.numbers()
    return numbers['weir_processes{state="ready"}'] == numbers['weir_processes{state="wanted"}']


def waiting(service):
    """A client whose request's handler waits, of a service all of whose workers serve."""
    eventually(lambda: all_ready(service), "all workers are ready")
    connection = Connection(service)
    connection.send(request("/wait?ms=60000"))
    eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
    if service.model not in SUPERVISED:  # where it counts before it has come to its wait
        eventually(lambda: ": sleep, for " in service.admin.get("/tasks")[1], "it waits")
    return connection


def check_told(text, what, model):
    """The handler of the request, where it waits, and the stack to its line."""
    check("scheduler " in text, f"{what}: no heading: {text}")
    check('"/wait", spawned at ' in text, f"{what}: no task: {text}")
    if model in SUPERVISED:
        return
    check("has waited for " in text and ": sleep, for " in text, f"{what}: no wait: {text}")
    check("weir_sleep " in text and "calls.c:" in text, f"{what}: no stack: {text}")
    check("cmd/weir/" in text, f"{what}: the handler's file is missing: {text}")


def sigquit_tells_and_ends(model):
    with Managed(model, "--drain-timeout=50ms") as service:
        processes = tree(service.pid)
        with waiting(service):
            service.process.send_signal(signal.SIGQUIT)
            status, output = service.end()
            check_equal(status, 2, "status after SIGQUIT")
            check_told(output, "standard error", model)
            check("that was every task" in output, output)
            eventually(gone(processes), "no process is left")


def sigquit_tells_and_stays(model):
    with Managed(model, "--sigquit=stay", "--drain-timeout=50ms") as service:
        workers = set(service.workers())
        with waiting(service):
            service.process.send_signal(signal.SIGQUIT)
            eventually(lambda: service.output().count("that was every task") >= len(workers),
                       "everybody has told")
            check_told(service.output(), "standard error", model)
            check_equal(set(service.workers()), workers, "workers")
            check(service.admin.ready(), "it is not ready any more")


def one_worker_may_be_asked_alone(model):
    with Managed(model, "--sigquit=stay", "--drain-timeout=50ms") as service:
        with waiting(service):
            os.kill(service.workers()[0], signal.SIGQUIT)
            eventually(lambda: "that was every task" in service.output(), "it has told")
            check_equal(service.output().count("that was every task"), 1, "who told")


def the_admin_endpoint_tells(model):
    with Managed(model, "--drain-timeout=50ms") as service:
        with waiting(service):
            status, body, _ = service.admin.get("/tasks")
            check_equal(status, 200, "status of /tasks")
            if model in SUPERVISED:
                for pid in service.workers():
                    check(f"process {pid}" in body, f"worker {pid} is not named: {body}")
            else:
                check_told(body, "/tasks", model)


def a_start_that_waits_for_itself_ends_with_a_report(model):
    """Nothing could ever end it, so it must not look like a service that starts slowly."""
    stuck = pathlib.Path(os.environ["WEIR_BUILD"]) / "test" / "e2e" / "stuck"
    end = subprocess.run([stuck, f"--model={model}", f"--listen=127.0.0.1:{free_port()}",
                          "--processes=1" if model in SUPERVISED else "--cores=2"],
                         capture_output=True, text=True, timeout=60)
    check_equal(end.returncode, 1 if model in SUPERVISED else 2, f"status; {end.stderr}")
    check("error stuck" in end.stderr and ": deadlock: 1 task waits" in end.stderr, end.stderr)
    check("receive from channel 0x" in end.stderr, end.stderr)
    check("stuck.c:" in end.stderr, end.stderr)
    if model in SUPERVISED:
        check("worker 0 ended with status 2 at its start" in end.stderr, end.stderr)


# ThreadSanitizer has threads of its own, in a forked child more than elsewhere: there nobody can
# tell that no other thread is left.
TELLS_DEADLOCKS = MODELS
if os.environ.get("WEIR_SANITIZE") == "thread":
    TELLS_DEADLOCKS = [model for model in MODELS if model not in SUPERVISED]


if __name__ == "__main__":
    run([(sigquit_tells_and_ends, MODELS),
         (sigquit_tells_and_stays, MODELS),
         (one_worker_may_be_asked_alone, SUPERVISED),
         (the_admin_endpoint_tells, MODELS),
         (a_start_that_waits_for_itself_ends_with_a_report, TELLS_DEADLOCKS)])
