# SPDX-License-Identifier: MIT
"""What the tests of `weir load` share: running it, and small servers that behave badly or count."""
import json
import socket
import subprocess
import threading

from service import BOUND_SECONDS, check, check_equal, tool_path

KINDS = ("ok", "shed_503", "other_status", "late", "timeout", "error", "abandoned", "not_sent")
IN_SERIES = {"due": "requests", "ok": "ok", "shed": "shed_503", "other": "other_status",
             "late": "late", "timeout": "timeout", "error": "error"}


def weir_load(*options, stdout=subprocess.PIPE, **more):
    return subprocess.run([tool_path(), "load", *options], stdout=stdout, stderr=subprocess.PIPE,
                          timeout=120, text=True, **more)


def check_account(result):
    """What holds for every result: that each request is counted once wherever it is counted."""
    check_equal(sum(result[kind] for kind in KINDS), result["requests"],
                "the kinds of outcome together")
    for parts in (result["steps"], result["urls"]):
        for kind in ("requests", *KINDS):
            check_equal(sum(part[kind] for part in parts), result[kind], f"{kind} of all parts")
    for name, kind in IN_SERIES.items():
        check_equal(sum(one[name] for one in result["series"]), result[kind], f"{name} of all bins")
    check_equal(sum(one["sent"] for one in result["series"]),
                result["requests"] - result["not_sent"], "what was sent of all bins")
    for parts in (result["steps"], result["series"], [{"attempts": value} for value in
                                                      result["attempts_by_outcome"].values()]):
        check_equal(sum(part["attempts"] for part in parts), result["attempts"], "all attempts")
    if result["retries"] == 0:
        check_equal(result["attempts"], result["requests"] - result["not_sent"], "attempts")
    check_equal(sum(error["count"] for error in result["errors"]), result["error"], "all errors")
    check_equal(result["schedule_kept"], result["void"] is None, "schedule_kept")


def load(*options, status=0):
    """A run with its result as JSON.  On a busy machine an open loop may be void: status 3."""
    done = weir_load("--json=-", *options)
    result = json.loads(done.stdout)
    wanted = 3 if status == 0 and result["void"] is not None else status
    check_equal(done.returncode, wanted, f"status of weir load {options} ({done.stderr})")
    check_account(result)
    return result


def one_line(done, status, *words):
    """A mistake is one line to standard error that names it."""
    check_equal(done.returncode, status, f"status of {done.args[2:]} ({done.stderr})")
    lines = done.stderr.splitlines()
    check(len(lines) == 1, f"one line: {done.stderr!r}")
    for word in words:
        check(word in lines[0], f"'{word}' in: {lines[0]}")


class Scripted:
    """A server on loopback that gives each connection to a function of its own thread, and counts
    what the functions return."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.seen = []
        self.threads = []
        self.open = set()
        self.acceptor = threading.Thread(target=self.accept, daemon=True)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.open.add(connection)
            thread = threading.Thread(target=self.handle, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def handle(self, connection):
        try:
            self.serve(self, connection)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def note(self, thing):
        with self.lock:
            self.seen.append(thing)

    def __enter__(self):
        self.acceptor.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(BOUND_SECONDS)
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for thread in self.threads:
            thread.join(BOUND_SECONDS)
        self.listener.close()


def requests_of(connection):
    """Yields (line, fields as a list of pairs, body) of each request on a connection."""
    have = b""
    while True:
        while b"\r\n\r\n" not in have:
            piece = connection.recv(65536)
            if not piece:
                return
            have += piece
        head, have = have.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        length = sum(int(value) for name, value in fields if name.lower() == "content-length")
        while len(have) < length:
            piece = connection.recv(65536)
            if not piece:
                return
            have += piece
        body, have = have[:length], have[length:]
        yield lines[0], fields, body


def answers_ok(server, connection):
    """Notes every request and answers it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in requests_of(connection):
        server.note(request)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
