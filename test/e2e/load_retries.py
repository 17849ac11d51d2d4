#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients of `weir load` that try again: which outcomes are tried, how often and how soon, and that
requests and attempts are counted apart; and headers that one URL alone has.  ctest: timeout=90"""
import itertools
import time

from load_support import Scripted, answers_ok, load, one_line, requests_of, weir_load
from service import check, check_equal, run

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
MISSING = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"


def answers(*texts):
    """A server that gives these answers in turn, over all connections, and notes when it was
    asked.  Behind half an answer it closes the connection."""
    turn = itertools.cycle(texts)

    def serve(server, connection):
        for _ in requests_of(connection):
            with server.lock:
                server.seen.append(time.monotonic())
                text = next(turn)
            connection.sendall(text)
            if text is HALF:
                return
    return Scripted(serve)


def silent(server, connection):
    for request in requests_of(connection):
        server.note(request)


def one_client(server, *options):
    result = load("--connections=1", "--for=300ms", "--timeout=20s", *options, server.url)
    check_equal(result["attempts"], len(server.seen), "attempts, as the server saw them")
    check(result["requests"] > 0, "there was no request")
    return result


def what_is_refused_is_tried_again_and_stays_one_request():
    with answers(REFUSED, REFUSED, OK) as server:
        result = one_client(server, "--retries=3", "--backoff=0ms")
        check_equal((result["ok"], result["shed_503"]), (result["requests"], 0), "outcomes")
        check_equal(result["attempts"], 3 * result["requests"], "attempts")
        check_equal(result["attempts_per_request"], 3, "attempts per request")
        check_equal(result["attempts_by_outcome"]["shed_503"], 2 * result["ok"], "refusals")
        check_equal((result["retries"], result["backoff_ms"]), (3, 0), "what was asked for")


def a_broken_connection_is_tried_again():
    with answers(HALF, OK) as server:
        result = one_client(server, "--retries=1", "--backoff=1ms")
        check_equal((result["ok"], result["error"]), (result["requests"], 0), "outcomes")
        check_equal(result["attempts_by_outcome"]["error"], result["ok"], "attempts that broke")


def the_last_attempt_decides():
    with answers(REFUSED) as server:
        result = one_client(server, "--retries=2", "--backoff=0ms")
        check_equal(result["shed_503"], result["requests"], "refused")
        check_equal(result["attempts"], 3 * result["requests"], "attempts")
    with Scripted(silent) as server:
        result = load("--connections=2", "--for=100ms", "--timeout=50ms", "--retries=2",
                      server.url, status=1)
        check_equal(result["timeout"], result["requests"], "timed out")
        check_equal(result["attempts"], 3 * result["requests"], "attempts")


def any_other_answer_is_final():
    with answers(MISSING) as server:
        result = one_client(server, "--retries=5")
        check_equal(result["attempts"], result["requests"], "attempts")
        check_equal(result["backoff_ms"], 20, "the usual pause")


def without_retries_attempts_are_requests():
    with answers(REFUSED, OK) as server:
        result = one_client(server)
        check_equal(result["attempts"], result["requests"], "attempts")
        check_equal(result["attempts_by_outcome"]["shed_503"], result["shed_503"], "refused")
        done = weir_load("--connections=1", "--for=50ms", "--timeout=20s", server.url)
        check("attempts" not in done.stdout, f"nothing to tell of attempts: {done.stdout}")


def it_waits_before_it_tries_again():
    with answers(REFUSED) as server:
        # One request takes longer than that; a busy machine may take some of it to begin.
        load("--connections=1", "--for=100ms", "--timeout=20s", "--retries=10", "--backoff=100ms",
             server.url)
        check_equal(len(server.seen), 11, "attempts")
        pauses = [after - before for before, after in zip(server.seen, server.seen[1:])]
        # Ten pauses up to 100 ms: this seed's are about half a second together.
        check(sum(pauses) > 0.2, f"it did not wait: {pauses}")
        check(max(pauses) - min(pauses) > 0.01, f"all pauses are the same: {pauses}")


def steps_and_bins_have_attempts_of_their_own():
    with answers(REFUSED, OK) as server:
        result = load("--rate=100:200ms,200:200ms", "--arrivals=even", "--bin=50ms",
                      "--timeout=20s", "--retries=9", "--backoff=0ms", server.url)
        check_equal(result["ok"], result["requests"], "outcomes")
        check_equal(len(result["steps"]), 2, "steps")
        check(all(step["attempts"] >= step["requests"] for step in result["steps"]), "steps")
        check_equal(result["attempts"], len(server.seen), "attempts")
        done = weir_load("--rate=100:100ms,200:100ms", "--bin=50ms", "--timeout=20s", "--series",
                         "--retries=9", "--backoff=3ms", server.url)
        for words in ("9 retries after up to 3 ms", "per request", "refused with 503"):
            check(words in done.stdout, f"{words!r} is not in {done.stdout}")
        headings = [line for line in done.stdout.splitlines() if "not sent" in line]
        check_equal(["attempts" in line for line in headings], [True, True],
                    f"columns of steps and bins: {headings}")


def an_url_may_have_headers_of_its_own():
    def field(request, name):
        return [value for key, value in request[1] if key == name]
    with Scripted(answers_ok) as server:
        result = load("--rate=200", "--for=300ms", "--timeout=20s", "--header=X-All: a",
                      f"{server.url}/plain", "--weight=2", "--url-header=Weir-Timeout-Ms: 20",
                      "--url-header=X-Class: batch", f"{server.url}/marked", f"{server.url}/last")
        for request in server.seen:
            marked = "/marked" in request[0]
            check_equal((field(request, "X-All"), field(request, "Weir-Timeout-Ms"),
                         field(request, "X-Class")),
                        (["a"], ["20"] if marked else [], ["batch"] if marked else []), request[0])
        check(all(url["requests"] > 0 for url in result["urls"]), "each was asked")


def mistakes_are_one_line():
    url = "http://127.0.0.1:1/"
    for options, *words in (
            (["--retries=-1", url], "--retries"), (["--retries=11", url], "--retries"),
            (["--retries=1.5", url], "--retries"), (["--retries=1", "--backoff=-1ms", url],
                                                    "--backoff"),
            (["--retries=1", "--backoff=61s", url], "--backoff"),
            (["--backoff=5ms", url], "--backoff", "--retries"),
            ([url, "--url-header=A: b"], "--url-header", "before the URL"),
            (["--url-header=A: b"], "--url-header"),
            (["--url-header=no colon", url], "colon"),
            (["--url-header=Content-Length: 1", url], "Content-Length"),
            ([*["--url-header=A: b"] * 65, url], "64"),
            ([*["--header=A: b"] * 64, "--url-header=A: b", url], "64"),
            ([*["--url-header=A: b"] * 257, url], "256")):
        one_line(weir_load(*options), 2, *words)


def case(function):
    def wrapped(_):
        function()
    wrapped.__name__ = function.__name__
    return wrapped


run([case(one) for one in (
    what_is_refused_is_tried_again_and_stays_one_request, a_broken_connection_is_tried_again,
    the_last_attempt_decides, any_other_answer_is_final, without_retries_attempts_are_requests,
    it_waits_before_it_tries_again, steps_and_bins_have_attempts_of_their_own,
    an_url_may_have_headers_of_its_own, mistakes_are_one_line)], models=("loop",))
