# SPDX-License-Identifier: MIT
"""What the Python servers share: which routes there are, and what their work is.

find() turns a request into (kind, arguments) or raises Refusal.  How a server waits, blocks and
streams is its own; that is what makes one server differ from another."""
import os
import re
import signal
import threading
import time
from urllib.parse import parse_qs, unquote

MS_MAX = 60000
CHUNKS_MAX = 1000000
BODY_BYTES_MAX = 8 << 20
TEXT = "text/plain; charset=utf-8"

PIECE_NS = 50_000
PROBE_ROUNDS = 20_000


class Refusal(Exception):
    """An answer that is no result: (status, text), and the methods for a 405."""

    def __init__(self, status, text, allow=None):
        super().__init__(text)
        self.status = status
        self.text = text
        self.allow = allow


def number(query, name, fallback, maximum):
    text = query.get(name, [None])[0]
    if text is None:
        return fallback
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) > maximum:
        raise Refusal(400, f"{name} must be a whole number from 0 to {maximum}\n")
    return int(text)


METHODS = {
    "/cpu": ("GET",), "/wait": ("GET",), "/block": ("GET",), "/stream": ("GET",),
    "/echo": ("POST",), "/healthz": ("GET",), "/count": ("GET", "POST"), "/crash": ("GET",),
}


def find(method, target):
    """The kind of work and its arguments; ("text", text) when there is none to do."""
    path, _, query_text = target.partition("?")
    method = "GET" if method == "HEAD" else method
    name = path[7:] if path.startswith("/hello/") and "/" not in path[7:] else ""
    methods = ("GET",) if name else METHODS.get(path)
    if methods is None:
        raise Refusal(404, "not found\n")
    if method not in methods:
        raise Refusal(405, "method not allowed\n", ", ".join(methods))
    if name:
        return "text", (f"Hello, {unquote(name)}!\n",)

    query = parse_qs(query_text, keep_blank_values=True)
    if path == "/cpu":
        return "cpu", (number(query, "ms", 1, MS_MAX),)
    if path in ("/wait", "/block"):
        return path[1:], (number(query, "ms", 50, MS_MAX),)
    if path == "/stream":
        return "stream", (number(query, "n", 10, CHUNKS_MAX), number(query, "ms", 100, MS_MAX))
    if path == "/count":
        return "text", (count(1 if method == "POST" else 0),)
    if path == "/healthz":
        return "text", ("ok\n",)
    return path[1:], ()  # echo and crash


def multiply(value, rounds):
    for _ in range(rounds):
        value = (value * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return value


def calibrate():
    """Rounds of about PIECE_NS, from the fastest probe: interrupts only make one slower."""
    best = None
    for _ in range(5):
        began = time.thread_time_ns()
        multiply(1, PROBE_ROUNDS)
        used = time.thread_time_ns() - began
        if used > 0 and (best is None or used < best):
            best = used
    return max(10, PROBE_ROUNDS * PIECE_NS // best) if best else 10


PIECE_ROUNDS = calibrate()


def burn(milliseconds):
    """Burns CPU time until the clock of this thread says that it is enough: a request so costs the
    same on a slow day of the machine as on a fast one."""
    end = time.thread_time_ns() + milliseconds * 1_000_000
    value = end
    while time.thread_time_ns() < end:
        value = multiply(value, PIECE_ROUNDS)
    return f"burned {milliseconds} ms of CPU time, to find {value:016x}\n"


def block(milliseconds):
    """Blocks the thread, as a library does that knows of nothing else."""
    time.sleep(milliseconds / 1000)
    return f"blocked a thread for {milliseconds} ms\n"


def waited(milliseconds):
    return f"waited {milliseconds} ms\n"


def chunk(index, count_of):
    return f"chunk {index} of {count_of}\n".encode()


_count = 0
_count_lock = threading.Lock()


def count(more):
    """Adding to a variable is not atomic in Python: threads need the lock."""
    global _count
    with _count_lock:
        _count += more
        return f"{_count}\n"


def crash():
    """What a fault in an extension, or the kernel short of memory, does to a process."""
    os.kill(os.getpid(), signal.SIGKILL)
