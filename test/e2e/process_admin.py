#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The admin endpoint: it answers however busy the handlers are, counts what happened, and is as
strict and bounded as a server has to be.  ctest: timeout=150 processors=2"""
import re
import signal
import socket
import time

from process_support import Managed, idle_socket, parse_metrics, run, total
from service import BOUND_SECONDS, MODELS, Connection, check, check_equal, eventually, request

# Some seconds of computing, on a machine that may be busy with other things.
BURNING_SECONDS = 60

LINE = re.compile(r'([a-zA-Z_:][\w:]*)(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? -?\d+(\.\d+)?')


def health_answers_while_every_handler_burns(model):
    with Managed(model) as service:
        workers = len(service.workers())
        connections = []

        sent_at = [0.0]

        def one_runs_in_every_process():
            """Whoever is free takes a connection; one may be quicker than another.  The next is
            sent once the last has had time to arrive, since all must be burnt through."""
            if service.admin.number("weir_requests_running") >= workers:
                return True
            if time.monotonic() - sent_at[0] > 0.3:
                connections.append(Connection(service, BURNING_SECONDS))
                connections[-1].send(request("/cpu?ms=1200"))
                sent_at[0] = time.monotonic()
            return False
        eventually(one_runs_in_every_process, "a handler runs in every process")
        for _ in range(2):
            connections.append(Connection(service, BURNING_SECONDS))
            connections[-1].send(request("/cpu?ms=1200"))
        took = []
        until = time.monotonic() + 1
        while time.monotonic() < until:
            status, body, seconds = service.admin.get("/healthz")
            check_equal((status, body), (200, "ok\n"), "/healthz")
            took.append(seconds)
        check_equal(service.admin.get("/readyz")[0], 200, "/readyz")
        took.sort()
        # A handler burns for 1200 ms: an answer that waits for one takes about as long.
        check(took[len(took) // 2] < 0.5, f"the median answer took {took[len(took) // 2]:.2f} s")
        for connection in connections:
            # Where one runs at a time, those behind it may have waited too long: that is 503.
            status = connection.answer()[0]
            check(status in (200, 503), f"burning: {status}")
            connection.socket.close()


def metrics_are_well_formed_and_true(model):
    with Managed(model) as service:
        before = service.admin.numbers()
        with Connection(service) as connection:
            for number in range(20):
                connection.send(request(f"/hello/{number}"))
                connection.answer()
            connection.send(request("/nowhere"))
            check_equal(connection.answer()[0], 404, "an unknown path")

        def counted():
            now = service.admin.numbers()
            return all(total(now, name) - total(before, name) >= count for name, count in (
                ("weir_requests_total", 20), ("weir_replies_total", 21),
                ("weir_connections_accepted_total", 1)))
        eventually(counted, "the requests are counted")

        # The service is up with its first worker; the others follow.
        eventually(lambda: service.admin.numbers()['weir_processes{state="ready"}']
                   == len(service.workers()), "every worker is ready")
        status, text, _ = service.admin.get("/metrics")
        check_equal(status, 200, "/metrics")
        typed, described = {}, set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                check(name not in typed, f"{name} has two types")
                typed[name] = kind
            elif line.startswith("# HELP "):
                words = line.split(" ", 3)
                check(len(words) == 4 and words[3].endswith("."), f"help of {words[2]}")
                described.add(words[2])
            else:
                check(LINE.fullmatch(line), f"malformed: {line}")
                name = re.split(r"[{ ]", line)[0]
                check(name in typed and name in described, f"{name} has no HELP and TYPE")
                check((typed[name] == "counter") == name.endswith("_total"), f"type of {name}")
        samples = parse_metrics(text)
        workers = len(service.workers())
        check_equal(samples['weir_processes{state="alive"}'], workers, "processes alive")
        check_equal(samples['weir_processes{state="ready"}'], workers, "processes ready")
        check(any(name.startswith(f'weir_model_info{{model="{model}"') for name in samples),
              "the model's name")
        check(total(samples, "weir_process_resident_bytes") > 100000, "resident memory")
        check(total(samples, "weir_process_cpu_seconds_total") > 0, "CPU time")
        for name in ("weir_stack_guard_info", "weir_poller_info", "weir_build_info"):
            check(not any(sample.startswith(name) and '=""' in sample for sample in samples),
                  f"{name} is empty")


def requests_are_answered_or_refused_strictly(model):
    with Managed(model) as service:
        port = service.admin.port

        class Target:
            @staticmethod
            def connect(seconds=BOUND_SECONDS):
                return socket.create_connection(("127.0.0.1", port), seconds)

        with Connection(Target) as kept:
            for _ in range(5):
                kept.send(request("/healthz"))
                status, fields, body = kept.answer()
                check_equal((status, body), (200, b"ok\n"), "/healthz on a kept connection")
                check_equal(fields["connection"], "keep-alive", "Connection")
            kept.send(request("/healthz") + request("/readyz"))
            check_equal(kept.answer()[2], b"ok\n", "the first of two sent ahead")
            check_equal(kept.answer()[2], b"ready\n", "the second of two sent ahead")
            kept.send(request("/nowhere"))
            check_equal(kept.answer()[0], 404, "an unknown path")
            kept.send(request("/healthz", "POST"))
            status, fields, _ = kept.answer()
            check_equal((status, fields["allow"]), (405, "GET"), "POST")
            kept.send(request("/healthz", "GET", "Connection: close"))
            check_equal(kept.answer()[1]["connection"], "close", "Connection: close")
            check(kept.closed(), "the connection stays open after Connection: close")
        for bad, wanted in ((b"nonsense\r\n\r\n", 400), (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
                            (b"GET /healthz HTTP/1.1\r\nHost: h\r\n" + b"a" * 5000, 431),
                            (request("/healthz", "GET", body=b"body"), 400)):
            with Connection(Target) as connection:
                connection.send(bad)
                status, fields, _ = connection.answer()
                check_equal((status, fields["connection"]), (wanted, "close"), repr(bad[:40]))
                check(connection.closed(), f"the connection stays open after {bad[:40]}")


def a_hundred_silent_clients_keep_nobody_out(model):
    with Managed(model) as service:
        silent = [idle_socket(service.admin.port) for _ in range(100)]
        for client in silent[:50]:
            try:
                client.send(b"GET /hea")
            except OSError:
                pass
        check_equal(service.admin.get("/healthz")[0], 200, "/healthz behind silent clients")

        def closed(client):
            client.settimeout(0.001)
            try:
                return client.recv(100) == b""
            except (TimeoutError, socket.timeout):
                return False
            except OSError:
                return True
        # What the bound did not close at once, the patience of 5 s does.
        left = silent
        until = time.monotonic() + BOUND_SECONDS
        while left and time.monotonic() < until:
            left = [client for client in left if not closed(client)]
            time.sleep(0.02)
        check(not left, f"{len(left)} silent clients are still connected")
        for client in silent:
            client.close()


def readiness_follows_the_drain(model):
    with Managed(model) as service:
        with Connection(service) as connection:
            connection.send(request("/wait?ms=1500"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            service.process.send_signal(signal.SIGTERM)

            def draining():
                status, body, _ = service.admin.get("/readyz")
                return status == 503 and body == "draining\n"
            eventually(draining, "/readyz says draining")
            check_equal(service.admin.get("/healthz")[0], 200, "/healthz while draining")
            check_equal(connection.answer()[0], 200, "the request in flight")
        check_equal(service.end()[0], 0, "status after SIGTERM")


if __name__ == "__main__":
    run([(health_answers_while_every_handler_burns, MODELS),
         (metrics_are_well_formed_and_true, MODELS),
         (requests_are_answered_or_refused_strictly, ("tasks", "cluster")),
         (a_hundred_silent_clients_keep_nobody_out, ("loop", "cluster")),
         (readiness_follows_the_drain, MODELS)])
