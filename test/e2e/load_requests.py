#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weir load` sends, seen by a server that notes every byte: methods, headers, bodies,
deadlines, connections; and that what it counts is what the server counted.  ctest: timeout=90"""
import json
import os
import tempfile
import time

from load_support import (Scripted, answers_ok, check_account, load, one_line, requests_of,
                          weir_load)
from service import check, check_equal, eventually, run


def written(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def field(request, name):
    return [value for key, value in request[1] if key.lower() == name.lower()]


def headers_and_bodies_come_from_files():
    with tempfile.TemporaryDirectory() as folder, Scripted(answers_ok) as server:
        body = bytes(range(256)) * 10
        body_file = written(folder, "body", body)
        fields = written(folder, "fields",
                         b"# a comment\r\n\r\nX-One: 1\r\n  X-Two:  two words \n")
        result = load("--rate=50", "--for=200ms", "--timeout=10s", "--method=PUT",
                      f"--headers-file={fields}", "--header=X-One: again",
                      "--header", "Accept: a/b",
                      "--header=Host: other.example:81", "--header=User-Agent: me",
                      f"--body-file={body_file}", server.url + "/x?y=1")
        check_equal(result["ok"], len(server.seen), "requests")
        check(len(server.seen) > 0, "none was sent")
        for request in server.seen:
            check_equal(request[0], "PUT /x?y=1 HTTP/1.1", "request line")
            check_equal(request[2] == body, True, "the body")
            for name, values in (("X-One", ["1", "again"]), ("X-Two", ["two words"]),
                                 ("Accept", ["a/b"]), ("Host", ["other.example:81"]),
                                 ("User-Agent", ["me"]), ("Content-Length", ["2560"])):
                check_equal(sorted(field(request, name)), values, name)


def a_large_body_and_an_empty_one():
    with tempfile.TemporaryDirectory() as folder, Scripted(answers_ok) as server:
        large = os.urandom(300000)
        for content, method in ((large, "POST"), (b"", "GET")):
            path = written(folder, "body", content)
            result = load("--rate=20", "--for=200ms", "--timeout=10s", f"--body-file={path}",
                          "--deadline-header", server.url)
            check_equal(result["ok"], result["requests"], "answered")
            check_equal(server.seen[-1][0], f"{method} / HTTP/1.1", "request line")
            check_equal(server.seen[-1][2] == content, True, "the body")
            check_equal(len(field(server.seen[-1], "Weir-Timeout-Ms")), 1, "a deadline")


def each_request_has_its_own_deadline():
    with Scripted(answers_ok) as server:
        load("--rate=200", "--for=250ms", "--timeout=20s", "--deadline-header", server.url)
        left = [int(field(one, "weir-timeout-ms")[0]) for one in server.seen]
        check(left and all(0 <= one <= 20000 for one in left), f"{left}")
        check(max(left) >= 15000, f"nothing takes a quarter of the time away: {left}")
    with Scripted(answers_ok) as server:
        load("--connections=1", "--for=50ms", "--timeout=7s", "--deadline-header=X-Left",
             server.url)
        check(all(field(one, "x-left") and not field(one, "weir-timeout-ms")
                  for one in server.seen), "the name that was asked for")


def connections_are_kept_or_not():
    with Scripted(answers_ok) as server:
        kept = load("--connections=3", "--for=200ms", "--timeout=10s", server.url)
        check_equal((kept["dialed"], len(server.threads)), (3, 3), "kept connections")
        check_equal(kept["ok"], len(server.seen), "requests")
    with Scripted(answers_ok) as server:
        closed = load("--rate=100", "--for=200ms", "--timeout=10s", "--close", server.url)
        check_equal((closed["dialed"], len(server.threads)), (closed["ok"], closed["ok"]),
                    "a connection for each request")
        check(all(field(one, "connection") == ["close"] for one in server.seen), "it is asked for")


def connections_can_be_there_before_the_first_request():
    options = ("--rate=20", "--arrivals=even", "--for=200ms", "--timeout=10s")
    with Scripted(answers_ok) as server:
        result = load(*options, "--open-first=7", server.url)
        check_equal((result["ok"], result["dialed"]), (4, 7), "answered, on connections opened")
    with Scripted(answers_ok) as server, Scripted(answers_ok) as other:
        load(*options, "--open-first=25", server.url, other.url)
        eventually(lambda: len(server.threads) == 13 and len(other.threads) == 12,
                   "the hosts take turns")
    one_line(weir_load(*options, "--open-first=7", server.url), 1, "cannot start", "refused")
    one_line(weir_load(*options, "--open-first=8", "--in-flight-max=7", "http://127.0.0.1:1/"), 1,
             "--open-first", "--in-flight-max")


def several_hosts_share_the_load():
    with Scripted(answers_ok) as one, Scripted(answers_ok) as two, \
            tempfile.TemporaryDirectory() as folder:
        urls = written(folder, "urls", f"# mix\n3 {one.url}/a\n\n{two.url}/b\n".encode())
        for options in (("--rate=300", "--for=500ms"), ("--connections=4", "--for=300ms")):
            before = [len(one.seen), len(two.seen)]
            result = load(*options, "--timeout=10s", f"--urls={urls}", f"{one.url}/c")
            got = [len(one.seen) - before[0], len(two.seen) - before[1]]
            counts = [url["requests"] for url in result["urls"]]
            check_equal(got, [counts[0] + counts[2], counts[1]], "what each host saw")
            check(counts[0] > counts[1] > 0, f"weights: {counts}")
            check_equal([url["weight"] for url in result["urls"]], [3, 1, 1], "weights")


def connections_of_several_hosts_are_bounded():
    """Few connections serve three hosts: one that is idle makes room."""
    def closes_now_and_then(server, connection):
        for count, request in enumerate(requests_of(connection)):
            server.note(request)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if count == 5:
                return
    with Scripted(answers_ok) as one, Scripted(closes_now_and_then) as two, \
            Scripted(answers_ok) as three:
        for loop in ("--connections=6", "--rate=1000"):
            # 32 descriptors are for other things than connections.
            done = weir_load(loop, "--for=400ms", "--timeout=10s", "--json=-", one.url, two.url,
                             three.url, preexec_fn=limit_files(38))
            check(done.returncode in (0, 3), f"{loop}: {done.returncode} {done.stderr}")
            result = json.loads(done.stdout)
            check_account(result)
            check(result["in_flight_peak"] <= 6, f"{loop}: in flight {result['in_flight_peak']}")
            check_equal(result["error"], 0, "errors")
        check(one.seen and two.seen and three.seen, "every host was asked")


def limit_files(count):
    import resource
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def a_kept_connection_that_was_closed_is_no_error():
    def answer_twice(server, connection):
        for count, request in enumerate(requests_of(connection)):
            server.note(request)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if count == 1:
                return
    with Scripted(answer_twice) as server:
        result = load("--connections=1", "--for=200ms", "--timeout=10s", server.url)
        check_equal((result["error"], result["ok"]), (0, len(server.seen)), "errors and ok")
        check_equal(result["reconnects"] + 1 >= result["dialed"], True, "each new one replaces one")


def endless(head, piece):
    """A handler that answers for as long as somebody reads."""
    def answer(_, connection):
        next(requests_of(connection))
        connection.sendall(head)
        while True:
            connection.sendall(piece * (65536 // len(piece)))
    return answer


def an_endless_answer_ends_with_the_timeout():
    ok = b"HTTP/1.1 200 OK\r\n"
    for answer in (endless(ok + b"Content-Length: 9223372036854775807\r\n\r\n", b"x"),
                   endless(ok + b"\r\n", b"x"), endless(b"", b"HTTP/1.1 102 Wait\r\n\r\n")):
        with Scripted(answer) as server:
            began = time.monotonic()
            result = load("--connections=2", "--for=300ms", "--timeout=200ms", f"{server.url}/x",
                          status=1)
            check(time.monotonic() - began < 20, "it went on after the timeout")
            check_equal(result["timeout"], result["requests"], f"all timed out: {result}")


def a_change_of_protocol_is_no_success():
    def switch(_, connection):
        for _ in requests_of(connection):
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")

    with Scripted(switch) as server:
        result = load("--connections=1", "--for=100ms", "--timeout=10s", f"{server.url}/x")
        check_equal((result["ok"], result["other_status"]), (0, result["requests"]), "outcomes")
        check_equal(result["dialed"], result["requests"], "a connection for each")


def a_time_without_any_request_is_said():
    done = weir_load("--rate=0.001", "--for=50ms", "http://127.0.0.1:1/")
    check_equal(done.returncode, 1, "status")
    check("no request was due" in done.stderr, done.stderr)


def mistakes_are_one_line():
    url = "http://127.0.0.1:1/"
    with tempfile.TemporaryDirectory() as folder:
        empty = written(folder, "empty", b"\n# nothing\n")
        bad = written(folder, "bad", b"2 http://h/\n0 http://h/\n")
        fields = written(folder, "fields", b"X: 1\nno colon here\n")
        binary = written(folder, "binary", b"X: 1\0\n")
        cut = written(folder, "cut", b"http://h/a\0b\n")
        long_head = "X: " + "y" * 17000
        for options, *words in (
                ([f"--urls={empty}"], "--urls", "no URL"), ([f"--urls={bad}"], "line 2", "WEIGHT"),
                ([f"--urls={cut}"], "--urls", "text"),
                ([f"--urls={folder}/none"], "--urls", "none"), (["--weight=0", url], "--weight"),
                ([url, "--weight=2"], "--weight"), (["--weight=-1", url], "--weight"),
                (["--header=X: a\r\nY: b", url], "--header", "line break"),
                (["--header=X: a\nb", url], "--header", "line break"),
                (["--header=X y: a", url], "--header", "name"), (["--header=: a", url], "name"),
                (["--header=Content-Length: 5", url], "Content-Length"),
                (["--header=transfer-encoding: chunked", url], "transfer-encoding"),
                (["--header=Host: a b", url], "Host"), ([f"--header={long_head}", url], "16384"),
                ([f"--headers-file={fields}", url], "line 2", "colon"),
                ([f"--headers-file={binary}", url], "text"),
                ([f"--headers-file={folder}", url], "--headers-file"),
                ([f"--body-file={folder}/none", url], "--body-file", "none"),
                ([f"--body-file={folder}", url], "--body-file"),
                (["--body-file=/dev/zero", url], "too large"),
                (["--deadline-header=a b", url], "--deadline-header"),
                (["--deadline-header=", url], "--deadline-header"),
                ([*["--header=A: b"] * 65, url], "64"), ([*[url] * 1001], "1000"),
                ([url, "http://a b/"], "URL 2"), (["http://h/\r\nX: y"], "URL")):
            one_line(weir_load(*options), 2, *words)
        if os.geteuid() != 0:
            os.chmod(bad, 0)
            one_line(weir_load(f"--body-file={bad}", url), 2, "--body-file")


def case(function):
    def wrapped(_):
        function()
    wrapped.__name__ = function.__name__
    return wrapped


run([case(one) for one in (
    headers_and_bodies_come_from_files, a_large_body_and_an_empty_one,
    each_request_has_its_own_deadline, connections_are_kept_or_not,
    connections_can_be_there_before_the_first_request, several_hosts_share_the_load,
    connections_of_several_hosts_are_bounded, a_kept_connection_that_was_closed_is_no_error,
    an_endless_answer_ends_with_the_timeout, a_change_of_protocol_is_no_success,
    a_time_without_any_request_is_said,
    mistakes_are_one_line)], models=("loop",))
