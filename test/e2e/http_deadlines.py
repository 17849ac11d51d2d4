#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that say how long they wait, truly or not, and clients that leave: who is late or gone is
not begun, what runs for nobody ends, and nobody else hears of it.  Under every model.
ctest: timeout=120 processors=2"""
import random
import signal
import socket
import struct
import threading
import time

from process_support import Managed, run
from service import Connection, MODELS, check, check_equal, eventually, request

LONG_MS = 50000      # nothing here waits for the end of that
LATE = "Weir-Timeout-Ms: 20"
SHED_LATE = ("weir_sheds_total", 'reason="late"')
BURSTS, BURST = 4, 150
# One line, and clients that come again at once whatever they are told are not refused by admission.
ONE = ("--processes=1", "--admission=off")


def reset(connection):
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()


def number(service, name, label=""):
    """The sum of the samples of a metric that carry the label."""
    return sum(value for sample, value in service.admin.numbers().items()
               if sample.split("{")[0] == name and label in sample)


def await_number(service, wanted, name, label=""):
    """A handler is counted when it has ended, which is after its client has the answer."""
    eventually(lambda: number(service, name, label) >= wanted, f"{name} is {wanted}")
    check_equal(number(service, name, label), wanted, name)


def lies_move_no_deadline(model):
    past = ("Weir-Timeout-Ms: 0", "Weir-Timeout-Ms: -1", "grpc-timeout: 0S", "grpc-timeout: -1H",
            "Weir-Timeout-Ms: -99999999999999999999999", "X-Envoy-Expected-Rq-Timeout-Ms: 0")
    void = ("Weir-Timeout-Ms: 99999999999999999999999", "Weir-Timeout-Ms: 9223372036854775807",
            "Weir-Timeout-Ms:", "Weir-Timeout-Ms: +1", "Weir-Timeout-Ms: 0x0",
            "Weir-Timeout-Ms: 0.0", "Weir-Timeout-Ms: 0, 0", "Weir-Timeout-Ms: \x80\xff",
            "Weir-Timeout-Ms: " + "9" * 4000, "grpc-timeout: 0", "grpc-timeout: S",
            "grpc-timeout: 000000000S", "grpc-timeout: 99999999H", "X-Weir-Timeout-Ms: 0")
    with Managed(model) as service, Connection(service) as c:
        for field in past + void:
            text = "\r\n".join(("GET /hello/a HTTP/1.1", "Host: h", field, "", ""))
            c.send(text.encode("latin-1"))
            check_equal(c.answer()[0], 504 if field in past else 200, f"with {field[:60]!r}")
        c.send(request("/hello/a", "GET", *(["Weir-Timeout-Ms: 60000"] * 90), "grpc-timeout: 0n"))
        check_equal(c.answer()[0], 504, "with many fields, of which one says that it is late")
        await_number(service, len(past) + 1, *SHED_LATE)


def a_deadline_ends_a_wait(model):
    with Managed(model) as service, Connection(service) as c:
        for field in (LATE, "grpc-timeout: 20000u", "X-Envoy-Expected-Rq-Timeout-Ms: 20"):
            c.send(request(f"/wait?ms={LONG_MS}", "GET", field))
            check_equal(c.answer()[0], 504, f"a wait with {field}")
        c.send(request("/hello/after"))
        check_equal(c.answer()[0], 200, "the next request")


def who_is_late_in_the_queue_is_not_begun(model):
    """One runs for as long as it takes the others to pass their deadlines."""
    with Managed(model, *ONE, "--max-running=1", "--max-waiting=1000,60s") as service:
        with Connection(service) as first:
            behind = [Connection(service) for _ in range(20)]
            eventually(lambda: number(service, "weir_connections") == 21, "all are accepted")
            first.send(request(f"/wait?ms={LONG_MS}"))
            eventually(lambda: number(service, "weir_requests_running") == 1, "the first runs")
            for c in behind:
                c.send(request("/hello/late", "GET", LATE))
            for c in behind:
                check_equal(c.answer()[0], 504, "behind its deadline")
                c.socket.close()
            await_number(service, 20, *SHED_LATE)
            check_equal(number(service, "weir_requests_running"), 1, "of the first alone")
            reset(first)
            await_number(service, 1, "weir_requests_total")


def who_leaves_ends_its_handler(model):
    with Managed(model, *ONE) as service:
        gone = 0
        for target in (f"/wait?ms={LONG_MS}", "/stream?n=1000000&ms=50"):
            for leave in (reset, lambda c: c.socket.close()):
                c = Connection(service)
                c.send(request(target))
                eventually(lambda: number(service, "weir_requests_running") == 1, "it runs")
                leave(c)
                eventually(lambda: number(service, "weir_requests_running") == 0, "it has ended")
                gone += 1
                await_number(service, gone, "weir_clients_gone_total")
        # One whose task had not come to its handler yet was turned away, and is no request.
        check(number(service, "weir_requests_total") <= gone, "a request was counted twice")


def who_leaves_fills_no_log(model):
    """A handler that goes on without its client fails as it answers, for which it cannot help."""
    with Managed(model, *ONE) as service:
        for _ in range(3):
            with Connection(service) as c:
                c.send(request("/cpu?ms=300"))
                eventually(lambda: number(service, "weir_requests_running") == 1, "it runs")
                reset(c)
            eventually(lambda: number(service, "weir_requests_running") == 0, "it has ended")
        check_equal(number(service, "weir_handler_errors_total"), 0, "handlers that failed")
        service.process.send_signal(signal.SIGTERM)
        status, output = service.end()
        check_equal(status, 0, "status after SIGTERM")
        check("WEIR_E" not in output, output)


def nobody_else_is_canceled(model):
    """Clients leave at about the instant at which their short handler ends, while others wait for
    the place, the task and perhaps the connection's record."""
    odd = []

    def stays(service):
        with Connection(service) as c:
            for i in range(100):
                c.send(request("/wait?ms=1"))
                status = c.answer()[0]
                if status != 200:
                    odd.append((i, status))

    def leaves(service, seed):
        dice = random.Random(seed)
        for i in range(100):
            c = Connection(service)
            c.send(request("/wait?ms=1"))
            time.sleep(dice.random() * 0.003)
            if i % 3 == 0:
                c.socket.close()
            else:
                reset(c)

    with Managed(model, *ONE, "--max-running=2", "--max-waiting=1000,60s") as service:
        threads = [threading.Thread(target=stays, args=(service,)) for _ in range(3)]
        threads += [threading.Thread(target=leaves, args=(service, seed)) for seed in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check_equal(odd, [], "answers to clients that stayed")


def few_are_begun_in_vain(model):
    """Of 30 % with a deadline of 20 ms, in bursts that take far longer, hardly any is begun that
    ends too late: the one that runs as the instant passes."""
    dice = random.Random(5)
    with Managed(model, *ONE, "--max-running=2", "--max-waiting=1000,60s") as service:
        connections = [Connection(service) for _ in range(BURST)]
        eventually(lambda: number(service, "weir_connections") == BURST, "all are accepted")
        for _ in range(BURSTS):
            for c in connections:
                c.send(request("/cpu?ms=2", "GET", *([LATE] if dice.random() < 0.3 else [])))
            for c in connections:
                check(c.answer()[0] in (200, 503, 504), "an answer of another kind")
        for c in connections:
            c.socket.close()
        vain = number(service, "weir_late_replies_total")
        check(vain <= BURSTS * BURST // 20, f"{vain} of {BURSTS * BURST} were begun in vain")
        check(number(service, *SHED_LATE) > 0, "none was late")


if __name__ == "__main__":
    run([(case, MODELS) for case in (
        lies_move_no_deadline, a_deadline_ends_a_wait, who_is_late_in_the_queue_is_not_begun,
        who_leaves_ends_its_handler, who_leaves_fills_no_log,
        nobody_else_is_canceled, few_are_begun_in_vain)])
