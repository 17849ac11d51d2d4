# SPDX-License-Identifier: MIT
"""Prefork on the standard library: processes that share a listening socket, each of which takes one
connection at a time, answers one request on it and closes it; one that dies is replaced.

Usage: prefork.py --port=PORT --cores=N"""
import argparse
import os
import signal
import sys
import time
from http.server import HTTPServer

from handler import Handler

DRAIN_SECONDS = 10
# A client that connects and says nothing holds a process; it must not hold it for long.
HEAD_SECONDS = 5
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


class OneRequestHandler(Handler):
    timeout = HEAD_SECONDS

    def answer(self):
        self.close_connection = True
        super().answer()


class Server(HTTPServer):
    request_queue_size = 1024
    timeout = 1  # how often a worker looks whether its parent lives

    def handle_error(self, request, client_address):
        """A client that leaves is no error worth a traceback."""


class Worker:
    """What runs in a forked process."""

    def __init__(self, server, parent):
        self.server = server
        self.parent = parent
        self.busy = False
        self.stopping = False

    def stop(self, *_):
        self.stopping = True
        if not self.busy:
            sys.exit(0)

    def process(self, request, client_address):
        self.busy = True
        HTTPServer.process_request(self.server, request, client_address)
        self.busy = False

    def run(self):
        self.server.process_request = self.process
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal; the parent will say
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        while not self.stopping and os.getppid() == self.parent:
            self.server.handle_request()


class Parent:
    """Waits for signals, and for nothing else: so none comes between two steps."""

    def __init__(self, server, count):
        self.server = server
        self.count = count
        self.workers = set()
        self.kill_at = None

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.fill()
        while self.workers:
            signalled = signal.sigtimedwait(SIGNALS, 1)
            if signalled and signalled.si_signo != signal.SIGCHLD and self.kill_at is None:
                self.kill_at = time.monotonic() + DRAIN_SECONDS
                self.tell(signal.SIGTERM)
            self.reap()
            if self.kill_at is None:
                self.fill()
            elif time.monotonic() > self.kill_at:
                self.tell(signal.SIGKILL)

    def fill(self):
        parent = os.getpid()
        while len(self.workers) < self.count:
            pid = os.fork()
            if pid > 0:
                self.workers.add(pid)
                continue
            try:
                Worker(self.server, parent).run()
            finally:
                os._exit(0)

    def reap(self):
        while self.workers:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self.workers.discard(pid)

    def tell(self, signal_number):
        for pid in self.workers:
            os.kill(pid, signal_number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), OneRequestHandler)
    # The rule of thumb that gunicorn's documentation gives.
    Parent(server, 2 * options.cores + 1).run()


if __name__ == "__main__":
    main()
