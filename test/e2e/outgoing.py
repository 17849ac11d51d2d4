#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a service does to a backend that refuses half of its calls, or all, is bounded: at most 12 %
more attempts than calls, under every model.  ctest: timeout=120 processors=2"""
import socketserver
import threading

from service import Connection, check, check_equal, request, run

CLIENTS = 8
REQUESTS = 50  # of each client
FAN = 4
AMPLIFICATION_MAX = 1.12

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Backend(socketserver.ThreadingTCPServer):
    """Refuses `percent` of each hundred requests, evenly, and counts all."""
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, percent):
        super().__init__(("127.0.0.1", 0), BackendConnection)
        self.percent = percent
        self.lock = threading.Lock()
        self.count = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def refuses(self):
        with self.lock:
            before = self.count * self.percent // 100
            self.count += 1
            return self.count * self.percent // 100 != before


class BackendConnection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        try:
            while self.rfile.readline():
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                self.wfile.write(REFUSED if self.server.refuses() else OK)
        except OSError:
            pass


BACKEND = Backend(0)


def ask_many(service, answered):
    with Connection(service) as connection:
        for _ in range(REQUESTS):
            connection.send(request(f"/fan?n={FAN}"))
            body = connection.answer()[2]
            if body.endswith(b" answered\n"):  # else it was the service that refused
                answered.append(int(body.split()[0]))


def offered(service, percent):
    """(calls, attempts that the backend saw, answers) with so many per cent refused."""
    BACKEND.percent = percent
    before = BACKEND.count
    answered = []
    threads = [threading.Thread(target=ask_many, args=(service, answered)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(len(answered) > CLIENTS * REQUESTS / 2, f"{len(answered)} requests were served")
    return FAN * len(answered), BACKEND.count - before, sum(answered)


def a_backend_that_refuses_half_sees_little_more(service):
    calls, attempts, answers = offered(service, 50)
    check(attempts <= AMPLIFICATION_MAX * calls, f"{attempts} attempts of {calls} calls")
    check(answers > 0, "nothing was answered")


def a_backend_that_refuses_everything_is_left_alone(service):
    calls, attempts, answers = offered(service, 100)
    check(attempts <= 0.7 * calls, f"{attempts} attempts of {calls} calls")
    check_equal(answers, 0, "answers")


with BACKEND:
    run([a_backend_that_refuses_half_sees_little_more,
         a_backend_that_refuses_everything_is_left_alone],
        options=(f"--backend={BACKEND.url}",))
