# SPDX-License-Identifier: MIT
"""What the tests of processes share: a service with an admin endpoint, its numbers, and clients
that keep it busy and remember every request that did not get its answer."""
import http.client
import os
import pathlib
import re
import socket
import threading
import time

from service import BOUND_SECONDS, Connection, Service, check, eventually, free_port, request

SUPERVISED = ("cluster", "prefork")


class Admin:
    """The admin endpoint of a service."""

    def __init__(self, port):
        self.port = port

    def get(self, path, seconds=BOUND_SECONDS):
        """(status, body, seconds it took)"""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            return answer.status, body, time.monotonic() - began
        finally:
            connection.close()

    def numbers(self):
        """{sample: value} of /metrics."""
        status, body, _ = self.get("/metrics")
        check(status == 200, f"/metrics answers {status}")
        return parse_metrics(body)

    def number(self, name):
        """The sum of all samples of a metric."""
        return total(self.numbers(), name)

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False


def parse_metrics(text):
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            check(name not in samples, f"the sample {name} comes twice")
            samples[name] = float(value)
    return samples


def total(samples, name):
    found = [value for sample, value in samples.items()
             if sample == name or sample.startswith(name + "{")]
    check(found, f"no metric {name}")
    return sum(found)


class Managed(Service):
    """A service with an admin endpoint that is ready."""

    def __init__(self, model, *options):
        self.admin = Admin(free_port())
        self.ended = False
        super().__init__(model, f"--admin=127.0.0.1:{self.admin.port}", *options)

    def __enter__(self):
        super().__enter__()
        eventually(self.admin.ready, "the service is ready")
        return self

    def __exit__(self, kind, *rest):
        if kind is None and self.ended:
            self.clean()
            return
        super().__exit__(kind, *rest)

    def end(self, seconds=BOUND_SECONDS):
        """Waits for an end that the test has asked for: (status, output)."""
        status = self.process.wait(seconds)
        self.ended = True
        return status, self.output()

    def workers(self):
        """The serving processes, by their parent's word."""
        children = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").glob("*/children"):
            children += [int(child) for child in task.read_text().split()]
        return children or [self.pid]

    def wanted(self):
        return int(self.admin.numbers()['weir_processes{state="wanted"}'])


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def ports_of(pid, port):
    """Remote ports of the connections to `port` that the process has open."""
    inodes = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
        except OSError:
            continue
        if found:
            inodes.add(found[1])
    ports = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[9] in inodes and int(words[1].split(":")[1], 16) == port:
            ports.add(int(words[2].split(":")[1], 16))
    return ports


class Client(threading.Thread):
    """Sends the same request again and again over kept connections.  What goes wrong after a
    connection was made is a failure: (local port, instant, what)."""

    def __init__(self, service, target, stop, fresh=False):
        super().__init__(daemon=True)
        self.service, self.target, self.stop, self.fresh = service, target, stop, fresh
        self.answers, self.failures, self.statuses, self.refused = 0, [], {}, 0
        self.connection, self.port = None, 0

    def connect(self):
        """False: nobody took the connection, which fails no accepted request."""
        try:
            self.connection = Connection(self.service, 5)
        except OSError:
            self.refused += 1
            self.connection = None
            return False
        self.port = self.connection.socket.getsockname()[1]
        return True

    def ask(self):
        """True if the connection may be used again."""
        try:
            self.connection.send(request(self.target))
            status, fields, _ = self.connection.answer()
        except (OSError, EOFError) as error:
            self.failures.append((self.port, time.monotonic(), f"{type(error).__name__}: {error}"))
            return False
        self.answers += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return fields.get("connection") != "close"

    def run(self):
        while not self.stop.is_set():
            if self.connection is None and not self.connect():
                if self.service.process.poll() is not None:
                    return
                time.sleep(0.01)
                continue
            if not self.ask() or self.fresh:
                self.connection.socket.close()
                self.connection = None


class Crowd:
    """Clients at work; as a context."""

    def __init__(self, service, target, count, fresh=0):
        self.stop = threading.Event()
        self.clients = [Client(service, target, self.stop, fresh=index < fresh)
                        for index in range(count)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for client in self.clients:
            client.join(BOUND_SECONDS)

    def answers(self):
        return sum(client.answers for client in self.clients)

    def failures(self):
        return [failure for client in self.clients for failure in client.failures]

    def statuses(self):
        sums = {}
        for client in self.clients:
            for status, count in client.statuses.items():
                sums[status] = sums.get(status, 0) + count
        return sums

    def working(self):
        """Waits until every client got an answer since now."""
        before = [client.answers for client in self.clients]
        eventually(lambda: all(client.answers > had
                               for client, had in zip(self.clients, before)),
                   "every client gets answers")


def idle_socket(port):
    return socket.create_connection(("127.0.0.1", port), BOUND_SECONDS)


def run(cases):
    """Each case is (function, models); the function makes its own services.  As service.run()."""
    import sys
    import traceback
    passed, failed = 0, 0
    for case, models in cases:
        for model in models:
            name = f"{model}: {case.__name__}"
            began = time.monotonic()
            try:
                case(model)
            except Exception as error:
                failed += 1
                print(f"FAIL  {name}: {error}", flush=True)
                traceback.print_exc(file=sys.stdout)
                continue
            passed += 1
            print(f"ok    {name}  ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)
