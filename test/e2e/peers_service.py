#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weir serve` has for comparisons with peers: a health answer always; a shared counter and a
route that crashes only on request, since anybody who reaches the service can use them.
ctest: timeout=120 processors=2"""
import concurrent.futures
import subprocess
import sys

from service import (BOUND_SECONDS, MODELS, Connection, Failure, Service, check, check_equal,
                     eventually, request, run, tool_path, tree)

ONE_PROCESS = ("loop", "tasks", "threads")
SUPERVISED = ("cluster", "prefork")
CLIENTS = 8
EACH = 50


def ask(service, target, method="GET"):
    with Connection(service) as connection:
        connection.send(request(target, method))
        status, _, body = connection.answer()
        return status, body


def without_being_asked_it_neither_counts_nor_crashes(service):
    check_equal(ask(service, "/healthz"), (200, b"ok\n"), "/healthz")
    for target, method in (("/count", "GET"), ("/count", "POST"), ("/crash", "GET")):
        check_equal(ask(service, target, method)[0], 404, f"the status of {method} {target}")
    text = ask(service, "/")[1].decode()
    check("/healthz" in text, "the list of routes does not name /healthz")
    check("/count" not in text and "/crash" not in text, f"it lists what it has not:\n{text}")


def the_counter_counts_each_request_once(model):
    with Service(model, "--state") as service:
        check("/count" in ask(service, "/")[1].decode(), "the list of routes does not name /count")
        check_equal(ask(service, "/crash")[0], 404, "the status of /crash")
        check_equal(ask(service, "/count"), (200, b"0\n"), "the counter at the start")

        def client():
            seen = []
            with Connection(service) as connection:
                for _ in range(EACH):
                    connection.send(request("/count", "POST"))
                    status, _, body = connection.answer()
                    check_equal(status, 200, "the status of POST /count")
                    seen.append(int(body))
            return seen
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            jobs = [pool.submit(client) for _ in range(CLIENTS)]
            seen = sorted(value for job in jobs for value in job.result())
        check_equal(seen, list(range(1, CLIENTS * EACH + 1)), "the values that clients saw")
        check_equal(ask(service, "/count"), (200, b"%d\n" % (CLIENTS * EACH)), "the sum")


def state_is_refused_under_processes(model):
    done = subprocess.run([tool_path(), "serve", "--state", f"--model={model}",
                           "--listen=127.0.0.1:0"], capture_output=True, text=True,
                          timeout=BOUND_SECONDS, stdin=subprocess.DEVNULL, check=False)
    check_equal((done.returncode, done.stdout), (2, ""), "status and output")
    check_equal(len(done.stderr.splitlines()), 1, f"lines in {done.stderr!r}")
    for word in ("WEIR_STATE_LOCKED", model, "loop, tasks, threads"):
        check(word in done.stderr, f"{word!r} is not in {done.stderr!r}")


def crash(service):
    """Whether the connection ended without a word."""
    with Connection(service) as connection:
        connection.send(request("/crash"))
        return connection.closed()


def a_crash_ends_the_only_process(model):
    try:
        with Service(model, "--crash") as service:
            check("/crash" in ask(service, "/")[1].decode(), "the list of routes lacks /crash")
            check(crash(service), "/crash was answered")
            check_equal(service.process.wait(BOUND_SECONDS), -9, "the status after /crash")
    except Failure as failure:
        # As a context the service insists on a clean end, which is not what was asked of it.
        check("ended with status -9 under the test" in str(failure), str(failure))


def a_crash_costs_a_supervised_process_only(model):
    with Service(model, "--crash", "--cores=2") as service:
        before = eventually(lambda: len(tree(service.pid)) == 3 and tree(service.pid), "workers")
        check(crash(service), "/crash was answered")
        eventually(lambda: len(set(tree(service.pid)) - set(before)) == 1 and
                   len(tree(service.pid)) == 3, "the worker was replaced")
        check_equal(ask(service, "/hello/again"), (200, b"Hello, again!\n"), "an answer")


def both_are_explained(model):
    del model
    text = subprocess.run([tool_path(), "serve", "--help"], capture_output=True, text=True,
                          timeout=BOUND_SECONDS, stdin=subprocess.DEVNULL, check=True).stdout
    for word in ("--state", "--crash"):
        check(word in text, f"{word} is not in the help")


def alone(cases):
    """Cases that start services of their own: (case, models)."""
    failed = 0
    for case, models in cases:
        for model in models:
            try:
                case(model)
                print(f"ok    {model}: {case.__name__}", flush=True)
            except Exception as error:  # whatever it is, the other cases shall run
                failed += 1
                print(f"FAIL  {model}: {case.__name__}: {error!r}", flush=True)
    return failed


if __name__ == "__main__":
    if alone(((the_counter_counts_each_request_once, ONE_PROCESS),
              (state_is_refused_under_processes, SUPERVISED),
              (a_crash_ends_the_only_process, ONE_PROCESS),
              (a_crash_costs_a_supervised_process_only, SUPERVISED),
              (both_are_explained, ("any",)))):
        sys.exit(1)
    run([without_being_asked_it_neither_counts_nor_crashes], MODELS)
