#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weir load` makes of bad services and bad places for its results, when a run is void, and
that histograms survive the way through files.  ctest: timeout=120"""
import json
import os
import tempfile

from load_support import Scripted, answers_ok, check_account, load, one_line, requests_of, weir_load
from service import check, check_equal, free_port, run

PERCENTS = ("p50", "p90", "p99", "p99.9", "max")


# --- services that misbehave: counted, one line, status 1 ---

def closes_at_once(server, connection):
    server.note(connection.recv(1000))


def answers_garbage(server, connection):
    server.note(connection.recv(1000))
    connection.sendall(b"SSH-2.0-none\r\n")


def closes_in_the_body(server, connection):
    server.note(connection.recv(1000))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def never_answers(server, connection):
    while connection.recv(1000):
        server.note(1)


def nothing_good_comes_of_bad_services():
    for serve, kind, word in ((closes_at_once, "error", "closed"),
                              (answers_garbage, "error", "status line"),
                              (closes_in_the_body, "error", ""),
                              (never_answers, "timeout", "0.1 s")):
        for loop in ("--connections=2", "--rate=30"):
            with Scripted(serve) as server, tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "json")
                # On a busy machine an error may take its time; it must not pass for a timeout.
                patience = "100ms" if kind == "timeout" else "20s"
                done = weir_load(loop, "--for=200ms", f"--timeout={patience}", f"--json={path}",
                                 server.url)
                one_line(done, 1, "weir load: none of ", word)
                with open(path) as file:
                    result = json.load(file)
                check_account(result)
                check(result[kind] > 0 and result["ok"] == 0, f"{serve.__name__}: {result}")
                check(server.seen, "the service was asked")


def an_unreachable_service_is_told():
    url = f"http://127.0.0.1:{free_port()}/"
    for loop in ("--connections=2", "--rate=50"):
        result = load(loop, "--for=100ms", url, status=1)
        check_equal(result["error"], result["requests"], "errors")
        check_equal(result["errors"][0]["what"], "connection refused", "the reason")
    for loop in ("--connections=2", "--rate=5"):
        done = weir_load(loop, "--for=30s", url, "http://no..such.test/")
        one_line(done, 1, "no..such.test")


def what_is_refused_is_told_apart_from_what_is_not_there():
    def sheds(server, connection):
        for request in requests_of(connection):
            server.note(request)
            bad = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(bad if len(server.seen) % 2 else bad.replace(b"503", b"404"))
    with Scripted(sheds) as server:
        result = load("--connections=1", "--for=200ms", "--timeout=10s", server.url)
        check(0 <= result["shed_503"] - result["other_status"] <= 1, f"{result}")
        check_equal(result["requests"], len(server.seen), "requests")
        check(result["shed_ms_p50"] > 0 and result["ok_ms_max"] == 0, f"{result}")


# --- void runs ---

def a_bound_that_is_hit_voids_the_run(service):
    options = ("--rate=100", "--arrivals=even", "--for=400ms", "--timeout=20s",
               "--in-flight-max=5", service.url + "/wait?ms=900")
    result = load(*options)
    check("--in-flight-max" in result["void"] and not result["schedule_kept"], f"{result['void']}")
    check_equal((result["requests"], result["in_flight_peak"]), (40, 5), "due and in flight")
    check(result["not_sent"] > 0, "the sixth finds five under way")
    check_equal(result["ok"] + result["not_sent"], 40, "the others were answered")
    done = weir_load(*options)
    check_equal(done.returncode, 3, "status of a void run")
    check("VOID" in done.stdout and "--in-flight-max" in done.stdout, done.stdout)


def a_closed_loop_has_no_schedule_to_keep():
    with Scripted(answers_ok) as server:
        result = load("--connections=2", "--for=200ms", "--timeout=10s", server.url)
        check_equal((result["void"], result["arrivals"]), (None, None), "void and arrivals")


def too_few_files_are_told_before_the_run():
    import resource
    done = weir_load("--connections=50", "http://127.0.0.1:1/", preexec_fn=lambda:
                     resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)))
    one_line(done, 1, "ulimit")


# --- results that cannot be written ---

def a_full_disk_is_one_line():
    with Scripted(answers_ok) as server, open("/dev/full", "w") as full:
        options = ("--connections=1", "--for=50ms", "--timeout=10s", server.url)
        one_line(weir_load("--json=/dev/full", *options), 1, "/dev/full", "disk")
        one_line(weir_load("--hist=/dev/full", *options), 1, "/dev/full", "disk")
        one_line(weir_load("--json=-", *options, stdout=full), 1, "standard output")
        one_line(weir_load(*options, stdout=full), 1, "standard output")
        one_line(weir_load("--schedule", "--rate=10", *options[1:], stdout=full), 1, "standard")
        with tempfile.TemporaryDirectory() as folder:
            hist = os.path.join(folder, "hist")
            done = weir_load("--json=/dev/full", f"--hist={hist}", *options)
            one_line(done, 1, "/dev/full")
            with open(hist) as file:
                check_equal(file.read().splitlines()[-1], "end", "the other result is whole")
    one_line(weir_load("--json=/no/such/folder/x", "http://127.0.0.1:1/"), 1, "/no/such/folder/x")


# --- histograms in files ---

def read_histograms(path):
    found = {}
    with open(path) as file:
        lines = file.read().splitlines()
    check_equal((lines[0], lines[-1]), ("weir-histograms 1", "end"), "first and last line")
    for line in lines[1:-1]:
        words = line.split()
        if words[0] == "histogram":
            one = found[words[1]] = {words[i]: int(words[i + 1]) for i in range(2, 10, 2)}
            one["buckets"] = []
        else:
            one["buckets"].append(tuple(map(int, words)))
    for name, one in found.items():
        check_equal(sum(bucket[2] for bucket in one["buckets"]), one["count"], f"count of {name}")
        ends = [end for low, high, _ in one["buckets"] for end in (low, high)]
        check_equal(ends, sorted(ends), f"order of {name}")
    return found


def percentile_of(buckets, percent):
    """Bounds of the bucket that holds it."""
    rank = max(1, -(-sum(bucket[2] for bucket in buckets) * percent // 100))
    for low, high, count in buckets:
        rank -= count
        if rank <= 0:
            return low, high
    return buckets[-1][:2]


def histograms_can_be_written_and_merged():
    with tempfile.TemporaryDirectory() as folder, Scripted(answers_ok) as server:
        files = [os.path.join(folder, name) for name in "ab"]
        results = [load("--rate=200", "--for=300ms", "--timeout=10s", f"--seed={i}",
                        f"--hist={path}", server.url) for i, path in enumerate(files)]
        parts = [read_histograms(path) for path in files]
        for part, result in zip(parts, results):
            check_equal(part["ok"]["count"], result["ok"], "ok")
            check_equal(part["503"]["count"], 0, "503")
            check_equal(part["send_late"]["count"], result["requests"], "sent")
            check(abs(part["ok"]["max"] / 1e6 - result["ok_ms_max"]) < 1e-5, "max")
            low, high = percentile_of(part["ok"]["buckets"], 50)
            check(low <= result["ok_ms_p50"] * 1e6 + 1 and result["ok_ms_p50"] * 1e6 - 1 <= high,
                  f"the median {result['ok_ms_p50']} is in its bucket {low}..{high}")
        both = os.path.join(folder, "both")
        done = weir_load("--merge", f"--hist={both}", "--json=-", *files)
        check_equal((done.returncode, done.stderr), (0, ""), "status of merging")
        merged = json.loads(done.stdout)
        check_equal((merged["files"], merged["ok"]), (2, sum(one["ok"] for one in results)), "sum")
        check_equal(merged["ok_ms_max"], max(one["ok_ms_max"] for one in results), "max")
        for name in PERCENTS:
            ends = sorted(one[f"ok_ms_{name}"] for one in results)
            # Within a bucket's width, which is what a percentile is known to.
            check(ends[0] * 0.96 <= merged[f"ok_ms_{name}"] <= ends[1] * 1.04, f"{name}: {merged}")
        check_equal(read_histograms(both)["ok"]["count"], merged["ok"], "the merged file")
        again = weir_load("--merge", "--json=-", both)
        check_equal({**json.loads(again.stdout), "files": 2}, merged, "merging one is the same")
        text = weir_load("--merge", *files)
        check(text.returncode == 0 and "p99.9" in text.stdout, text.stdout)


def files_that_are_no_histograms_are_named():
    with tempfile.TemporaryDirectory() as folder, Scripted(answers_ok) as server:
        path = os.path.join(folder, "hist")
        load("--rate=100", "--for=200ms", "--timeout=10s", f"--hist={path}", server.url)
        with open(path) as file:
            good = file.read()
        lines = good.splitlines(keepends=True)
        bucket = next(i for i, line in enumerate(lines) if line[0].isdigit())
        low, high, count = lines[bucket].split()
        other = lines[:bucket] + [f"{low} {high} {int(count) + 1}\n"] + lines[bucket + 1:]
        odd = lines[:bucket] + [f"{int(low) + 1} {high} {count}\n"] + lines[bucket + 1:]
        cases = (("", "begin"), ("{}", "begin"), ("".join(lines[:-1]), "end"),
                 ("".join(lines[:bucket + 1]), ""), ("".join(other), "add up"),
                 ("".join(odd), "bucket"), (good.replace("histogram 503", "x"), "line"),
                 ("".join(lines[:bucket + 1] + lines[bucket:]), "bucket"),
                 ("x" * 2000000, "large"), (good + good, "behind its end"))
        for content, word in cases:
            with open(path, "w") as file:
                file.write(content)
            done = weir_load("--merge", path)
            one_line(done, 1, path, word)
        one_line(weir_load("--merge", folder + "/none"), 1, "none")
        one_line(weir_load("--merge"), 2, "--merge")


def case(function):
    def wrapped(_):
        function()
    wrapped.__name__ = function.__name__
    return wrapped


run([a_bound_that_is_hit_voids_the_run, *(case(one) for one in (
    nothing_good_comes_of_bad_services, an_unreachable_service_is_told,
    what_is_refused_is_told_apart_from_what_is_not_there, a_closed_loop_has_no_schedule_to_keep,
    too_few_files_are_told_before_the_run, a_full_disk_is_one_line,
    histograms_can_be_written_and_merged, files_that_are_no_histograms_are_named))],
    models=("loop",))
