#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`weir load` counts what happened: every kind of outcome is produced on purpose and found in the
right place; mistakes are one line and status 2.  ctest: timeout=90 processors=2"""
import json
import signal
import socket
import subprocess
import threading
import time

from load_support import load
from service import BOUND_SECONDS, check, check_equal, free_port, run, tool_path

def closed_loop_is_answered(service):
    result = load("--connections=8", "--for=500ms", service.url + "/hello/a")
    check(result["ok"] > 16 and result["ok"] == result["requests"], f"{result}")
    check_equal(result["dialed"], 8, "connections")
    check(0 < result["ok_ms_p50"] <= result["ok_ms_p99"] <= result["ok_ms_max"], f"{result}")


def open_loop_follows_its_rate_and_seed(service):
    first = load("--rate=400", "--for=1s", "--seed=7", service.url + "/hello/a")
    again = load("--rate=400", "--for=1s", "--seed=7", service.url + "/hello/a")
    other = load("--rate=400", "--for=1s", "--seed=8", service.url + "/hello/a")
    check_equal(first["requests"], again["requests"], "requests of the same seed")
    check(first["requests"] != other["requests"] or first["bytes_out"] != other["bytes_out"],
          "another seed gives the same schedule")
    check(300 < first["requests"] < 500, f"{first['requests']} of 400 expected arrivals")
    even = load("--rate=200", "--arrivals=even", "--for=500ms", service.url + "/hello/a")
    check_equal(even["requests"], 100, "even arrivals")


def latency_counts_from_the_intended_time(service):
    result = load("--rate=20", "--for=500ms", "--timeout=5s", service.url + "/wait?ms=100")
    check(result["ok_ms_p50"] >= 99, f"p50 of a wait of 100 ms: {result['ok_ms_p50']}")


def timeouts_and_other_statuses_are_told_apart(service):
    result = load("--connections=2", "--for=300ms", "--timeout=50ms",
                  service.url + "/wait?ms=2000", status=1)
    check(result["timeout"] >= 2 and result["ok"] == 0, f"{result}")
    result = load("--connections=2", "--for=100ms", service.url + "/nowhere")
    check(result["other_status"] > 0 and result["ok"] == 0, f"{result}")


def bodies_large_and_small_come_back(service):
    for size in (1, 5000, 3000000):
        result = load("--connections=2", "--for=300ms", "--timeout=10s", f"--body-bytes={size}",
                      service.url + "/echo")
        check(result["ok"] > 0 and result["ok"] == result["requests"], f"{size}: {result}")
        check(result["bytes_in"] >= result["ok"] * size, f"{size}: {result}")


def a_new_connection_each_time(service):
    result = load("--connections=2", "--for=200ms", "--close", service.url + "/hello/a")
    check(result["ok"] > 0 and result["dialed"] >= result["ok"], f"{result}")


def refused_connections_are_errors(service):
    del service
    result = load("--connections=2", "--for=200ms", f"http://127.0.0.1:{free_port()}/", status=1)
    check(result["error"] > 0 and result["ok"] == 0, f"{result}")


def what_is_no_name_of_a_host_is_one_line(service):
    del service
    done = subprocess.run([tool_path(), "load", "http://no..such.test/"], timeout=20,
                          capture_output=True, text=True)
    check_equal((done.returncode, done.stdout), (1, ""), "status and output")
    check_equal(done.stderr.count("\n"), 1, f"lines of: {done.stderr}")
    check("no..such.test" in done.stderr, done.stderr)


def answers_that_are_no_http_are_errors(service):
    del service
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def babble():
            try:
                while True:
                    connection, _ = listener.accept()
                    connection.recv(1000)
                    connection.sendall(b"SSH-2.0-none\r\n")
                    connection.close()
            except OSError:
                pass
        threading.Thread(target=babble, daemon=True).start()
        port = listener.getsockname()[1]
        result = load("--connections=1", "--for=100ms", f"http://127.0.0.1:{port}/", status=1)
        check(result["error"] > 0, f"{result}")
        listener.shutdown(socket.SHUT_RDWR)


def an_interrupt_gives_the_result_so_far(service):
    began = time.monotonic()
    process = subprocess.Popen([tool_path(), "load", "--rate=100", "--for=60s", "--progress",
                                "--json=-", service.url + "/hello/a"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()  # the first second is told: it runs
    check("ok" in line, f"progress: {line}")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=BOUND_SECONDS)
    check(time.monotonic() - began < 15, "the interrupt was not heeded")
    result = json.loads(out)
    check(result["interrupted"] and result["ok"] > 20, f"{result}")
    check_equal(process.returncode, 0 if result["void"] is None else 3,
                "status after an interrupt")


def mistakes_are_one_line_and_status_2(service):
    url = service.url + "/"
    for wrong, word in ((["--rate=fast", url], "rate"), (["--no-such", url], "no-such"),
                        ([], "URL"), (["--rate=5", "--connections=5", url], "exclude"),
                        (["--open-first=5", url], "--rate"),
                        (["--open-first=5", "--rate=5", "--close", url], "exclude"),
                        (["--for=0s", url], "for"),
                        (["https://127.0.0.1/"], "https"), (["ftp://x/"], "http://"),
                        (["--method=GE T", url], "method"), (["--connections=0", url],
                                                             "connections")):
        done = subprocess.run([tool_path(), "load", *wrong], capture_output=True, text=True,
                              timeout=20)
        check_equal(done.returncode, 2, f"status of {wrong}")
        lines = done.stderr.strip().splitlines()
        check(len(lines) == 1 and word in lines[0] and not done.stdout, f"{wrong}: {done.stderr}")


def help_and_version_are_on_standard_output(service):
    del service
    for words in (["--help"], ["--version"], ["load", "--help"], ["serve", "--help"]):
        done = subprocess.run([tool_path(), *words], capture_output=True, text=True, timeout=20)
        check(done.returncode == 0 and "weir" in done.stdout and not done.stderr, f"{words}")
        check(all(len(line) <= 100 for line in done.stdout.splitlines()), f"{words}: long lines")
    done = subprocess.run([tool_path(), "no-such"], capture_output=True, text=True, timeout=20)
    check_equal(done.returncode, 2, "status of an unknown command")


run([closed_loop_is_answered, open_loop_follows_its_rate_and_seed,
     latency_counts_from_the_intended_time, timeouts_and_other_statuses_are_told_apart,
     bodies_large_and_small_come_back, a_new_connection_each_time, refused_connections_are_errors,
     what_is_no_name_of_a_host_is_one_line, answers_that_are_no_http_are_errors,
     an_interrupt_gives_the_result_so_far, mistakes_are_one_line_and_status_2,
     help_and_version_are_on_standard_output], models=("tasks",))
