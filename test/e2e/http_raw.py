#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Legal but unusual ways to send and to read: pipelined, in single bytes, far too slowly, gone in
the middle.  Under every model.  ctest: timeout=120 processors=2"""
import socket
import time

from service import Connection, check, check_equal, request, run


def pipelined_answers_come_in_order(service):
    with Connection(service) as c:
        count = 200
        c.send(b"".join(request(f"/hello/{i}") for i in range(count)))
        for i in range(count):
            check_equal(c.answer()[2], f"Hello, {i}!\n".encode(), f"answer {i}")


def a_pipelined_request_waits_for_the_one_before(service):
    with Connection(service) as c:
        c.send(request("/wait?ms=150") + request("/hello/after") +
               request("/echo", "POST", body=b"abc") + request("/hello/end"))
        check(c.answer()[2].startswith(b"waited"), "the slow one comes first")
        check_equal(c.answer()[2], b"Hello, after!\n", "second")
        check_equal(c.answer()[2], b"abc", "third")
        check_equal(c.answer()[2], b"Hello, end!\n", "fourth")


def a_pipelining_client_that_does_not_read_is_held_back(service):
    """Far more answers than sockets hold: the server stops reading, and loses none."""
    with Connection(service) as c:
        one = request("/hello/" + "n" * 200)
        count = 40000
        c.socket.setblocking(False)
        data = memoryview(one * count)
        sent = 0
        quiet_since = time.monotonic()
        while sent < len(data) and time.monotonic() - quiet_since < 0.5:
            try:
                sent += c.socket.send(data[sent:sent + 65536])
                quiet_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        check(sent < len(data), "the server took everything without being read from")
        c.socket.settimeout(20)
        whole = sent // len(one)
        for i in range(whole):
            check_equal(c.answer()[0], 200, f"answer {i} of {whole}")


def a_head_may_come_in_single_bytes(service):
    with Connection(service) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("/hello/slow"):
            c.send(bytes([byte]))
        check_equal(c.answer()[2], b"Hello, slow!\n", "answer")
        for byte in (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"3\r\nabc\r\n0\r\n\r\n"):
            c.send(bytes([byte]))
        check_equal(c.answer()[2], b"abc", "chunked echo")


def a_client_may_close_its_sending_side(service):
    """It is answered, but counts as one that has left: what waits for its sake is ended."""
    with Connection(service) as c:
        c.send(request("/wait?ms=20") + request("/hello/half", "GET", "Connection: close"))
        c.socket.shutdown(socket.SHUT_WR)
        check_equal(c.answer()[0], 200, "answer to a request with another behind it")
        check_equal(c.answer()[0], 200, "answer after a half close")
        check(c.closed(), "the server does not close")
    with Connection(service) as c:
        began = time.monotonic()
        c.send(request("/wait?ms=15000"))
        c.socket.shutdown(socket.SHUT_WR)
        check_equal(c.answer()[0], 503, "answer of a handler that waits")
        check(time.monotonic() - began < 14, "it waited to its end")
        check(c.closed(), "the server does not close")


def clients_that_vanish_harm_nobody(service):
    for sent in (b"GET /hel", request("/wait?ms=60"), request("/stream?n=100000&ms=0"),
                 b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc"):
        for _ in range(10):
            c = Connection(service)
            c.send(sent)
            # A reset instead of an orderly end.
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c.socket.close()
    with Connection(service) as c:
        for _ in range(20):
            c.send(request("/hello/x"))
            check_equal(c.answer()[2], b"Hello, x!\n", "answer after clients vanished")


def an_early_refusal_reaches_a_client_that_still_sends(service):
    """404 for an upload: the answer must not be lost to a reset."""
    with Connection(service) as c:
        c.send(b"POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
        try:
            for _ in range(100):
                c.send(b"x" * 10000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        check_equal(c.answer()[0], 404, "answer to a refused upload")


run([pipelined_answers_come_in_order, a_pipelined_request_waits_for_the_one_before,
     a_pipelining_client_that_does_not_read_is_held_back, a_head_may_come_in_single_bytes,
     a_client_may_close_its_sending_side, clients_that_vanish_harm_nobody,
     an_early_refusal_reaches_a_client_that_still_sends])
