#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every route of the demo service answers as its page says, under every model, to a client that
checks each byte of the framing.  ctest: timeout=120 processors=2"""
import email.utils
import time

from service import Connection, check, check_equal, request, run


def greets_by_name_with_date_and_length(service):
    with Connection(service) as c:
        c.send(request("/hello/world"))
        status, fields, body = c.answer()
        check_equal((status, body), (200, b"Hello, world!\n"), "answer")
        check_equal(fields["content-type"], "text/plain; charset=utf-8", "type")
        check("connection" not in fields, "an HTTP/1.1 answer that keeps the connection says so")
        stamp = email.utils.parsedate_to_datetime(fields["date"]).timestamp()
        check(abs(stamp - time.time()) < 5, f"Date is off: {fields['date']}")
        c.send(request("/hello/J%C3%BCrgen%20X"))
        check_equal(c.answer()[2], "Hello, Jürgen X!\n".encode(), "decoded parameter")


def one_connection_carries_many_requests(service):
    with Connection(service) as c:
        for number in range(300):
            c.send(request(f"/hello/{number}"))
            check_equal(c.answer()[2], f"Hello, {number}!\n".encode(), "answer")
        c.send(request("/hello/last", "GET", "Connection: close"))
        status, fields, _ = c.answer()
        check_equal((status, fields.get("connection")), (200, "close"), "last answer")
        check(c.closed(), "the connection stays open after Connection: close")


def head_has_the_fields_of_get_and_no_body(service):
    with Connection(service) as c:
        c.send(request("/hello/world", "HEAD"))
        status, fields, _ = c.answer(to_head=True)
        check_equal((status, fields["content-length"]), (200, "14"), "answer to HEAD")
        c.send(request("/hello/x"))
        check_equal(c.answer()[2], b"Hello, x!\n", "the answer after HEAD")


def unknown_paths_and_methods_are_told(service):
    with Connection(service) as c:
        c.send(request("/nowhere"))
        check_equal(c.answer()[0], 404, "unknown path")
        c.send(request("/hello/a", "DELETE"))
        status, fields, _ = c.answer()
        check_equal(status, 405, "wrong method")
        allowed = {word.strip() for word in fields["allow"].split(",")}
        check({"GET", "HEAD"} <= allowed, f"Allow: {fields['allow']}")
        c.send(request("/cpu?ms=many"))
        check_equal(c.answer()[0], 400, "a number that is none")
        c.send(request("/work?before_us=60000000&wait_ms=0&after_us=60000001"))
        check_equal(c.answer()[0], 400, "one of three numbers out of range")
        c.send(request("/wait?ms=99999999"))
        check_equal(c.answer()[0], 400, "a number out of range")
        c.send(request("/"))
        status, _, body = c.answer()
        check(status == 200 and b"/stream?n=N&ms=M" in body, "the page of routes")


def waits_and_blocks_take_their_time(service):
    with Connection(service) as c:
        for path, least in (("/wait?ms=80", 0.08), ("/block?ms=80", 0.08), ("/cpu?ms=20", 0.02),
                            ("/work?before_us=5000&wait_ms=60&after_us=5000", 0.07)):
            began = time.monotonic()
            c.send(request(path))
            status = c.answer()[0]
            passed = time.monotonic() - began
            check_equal(status, 200, path)
            check(passed >= least, f"{path} took only {passed * 1000:.1f} ms")


def waiting_requests_do_not_hold_each_other_up(service):
    """Except under prefork, which takes one at a time by its nature: there all are answered."""
    count = 4 if service.model == "prefork" else 20
    began = time.monotonic()
    connections = [Connection(service) for _ in range(count)]
    for c in connections:
        c.send(request("/wait?ms=300"))
    for c in connections:
        check_equal(c.answer()[0], 200, "/wait")
        c.socket.close()
    passed = time.monotonic() - began
    if service.model != "prefork":
        check(passed < 0.3 * count * 0.8, f"{count} waits of 0.3 s took {passed:.1f} s: one by one")


def streams_arrive_piece_by_piece(service):
    gaps = []  # a busy machine may hold the reader up; chunks sent together never come apart
    with Connection(service) as c:
        while len(gaps) < 5 and max(gaps, default=0) <= 0.2:
            began = time.monotonic()
            c.send(request("/stream?n=5&ms=100"))
            c.until(b"chunk 1 of 5\n")
            first = time.monotonic() - began
            c.until(b"chunk 5 of 5\n")
            last = time.monotonic() - began
            check_equal(c.until(b"0\r\n\r\n"), b"\r\n", "the end of the stream")
            check(last >= 0.4, f"five chunks 100 ms apart came within {last:.2f} s")
            gaps.append(last - first)
        check(max(gaps) > 0.2, f"the first chunk waited for the rest: {gaps}")
        c.send(request("/hello/x"))
        check_equal(c.answer()[2], b"Hello, x!\n", "the answer after a stream")


def echo_sends_back_what_it_gets(service):
    with Connection(service) as c:
        for body in (b"", b"x", bytes(range(256)) * 64):
            c.send(request("/echo", "POST", "Content-Type: image/x-any", body=body))
            status, fields, got = c.answer()
            check(status == 200 and got == body, f"echo of {len(body)} bytes gave {len(got)}")
        check_equal(fields["content-type"], "image/x-any", "type of the echo")
        c.send(request("/echo", "POST", "Transfer-Encoding: chunked"))
        c.send(b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer-Field: v\r\n\r\n")
        check_equal(c.answer()[2], b"hello world", "chunked echo")


run([greets_by_name_with_date_and_length, one_connection_carries_many_requests,
     head_has_the_fields_of_get_and_no_body, unknown_paths_and_methods_are_told,
     waits_and_blocks_take_their_time, waiting_requests_do_not_hold_each_other_up,
     streams_arrive_piece_by_piece, echo_sends_back_what_it_gets])
