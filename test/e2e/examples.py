#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The example programs do what they claim to, and say so in numbers that are checked here.
ctest: timeout=120 processors=2"""
import os
import pathlib
import re
import socket
import subprocess
import sys

from service import BOUND_SECONDS, check, check_equal, eventually, free_port

BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
USED = re.compile(r"used: (\d+) process\w*, (\d+) threads?, ([\d.]+) of (\d+) cores")


def output(path):
    done = subprocess.run([BUILD / "example" / path], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    check_equal(done.returncode, 0, f"{path} ({done.stdout} {done.stderr})")
    return done.stdout


def used(text):
    """(processes, threads, cores used, cores) of the first account in the text."""
    found = USED.search(text)
    check(found, f"no account in: {text}")
    return int(found[1]), int(found[2]), float(found[3]), int(found[4])


def cluster_runs_a_process_for_each_core():
    text = output("article/cluster")
    processes, _, _, cores = used(text)
    check_equal(processes, cores + 1, "processes")
    check_equal(len(re.findall(r"the primary forked worker", text)), cores, "workers")
    answered = [int(one) for one in re.findall(r"answered (\d+) of", text)]
    check_equal(sum(answered), cores * 12, "requests answered")
    check(min(answered) > 0, f"a worker answered nothing: {answered}")


def go_runs_ten_thousand_tasks_on_few_threads():
    # A thread that the kernel holds up looks like one that computes for long, which gets a relief:
    # a busy machine makes for more threads than cores, but not for one per task.
    text = output("article/go")
    processes, threads, _, cores = used(text)
    check("10000 tasks ran" in text, text)
    check(processes == 1 and threads <= 2 * cores + 100, f"{threads} threads on {cores} cores")
    most = int(re.search(r"at most (\d+) of them waiting", text)[1])
    # ThreadSanitizer takes about as long to begin a task as a task here waits.
    if os.environ.get("WEIR_SANITIZE") != "thread":
        check(most > 1000, f"only {most} waited at the same time")


def threads_share_memory_and_compute_at_once():
    processes, threads, _, cores = used(output("article/thread"))
    check_equal((processes, threads), (1, cores + 1), "processes and threads")


def processes_share_nothing_and_crash_alone():
    text = output("article/process")
    check_equal(used(text)[0], used(text)[3] + 1, "processes")
    check("parent's own count is still 0" in text and "took nobody with it" in text, text)


def async_waits_at_once_on_one_thread():
    # A busy machine may hold one run up; waiting one after the other would never take less.
    times = []
    while len(times) < 5 and min(times, default=600) >= 600:
        text = output("article/async")
        check_equal(used(text)[:2], (1, 1), "processes and threads")
        check("deadline" in text.split("150 ms for both:")[1], text)
        times.append(int(re.search(r"600 ms of waiting took (\d+) ms", text)[1]))
    check(300 <= min(times) < 600, f"took {times} ms")


def hello_serves():
    port = free_port()
    process = subprocess.Popen([BUILD / "example" / "hello", f"--listen=127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)

    def connect():
        try:
            return socket.create_connection(("127.0.0.1", port), BOUND_SECONDS)
        except OSError:
            return None
    try:
        with eventually(connect, "hello listens") as connection:
            connection.sendall(b"GET /hello/you HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
        check(answer.endswith(b"\r\n\r\nHello, you!\n"), f"{answer}")
        process.terminate()
        check_equal(process.wait(BOUND_SECONDS), 0, "status after SIGTERM")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def a_libuv_program_turns_weir():
    if not (BUILD / "example/embed-uv/embed-uv").exists():
        return "libuv's headers are not installed"
    times = []  # as above
    while len(times) < 5 and min(times, default=1600) >= 1600:
        text = output("embed-uv/embed-uv")
        check("NO" not in text, text)
        times.append(int(re.search(r"took (\d+) ms together", text)[1]))
    check(200 <= min(times) < 1600, f"eight blocking queries of 200 ms took {times} ms: one by one")
    return None


failed = 0
for case in (cluster_runs_a_process_for_each_core, go_runs_ten_thousand_tasks_on_few_threads,
             threads_share_memory_and_compute_at_once, processes_share_nothing_and_crash_alone,
             async_waits_at_once_on_one_thread, hello_serves, a_libuv_program_turns_weir):
    try:
        reason = case()
        print(f"skip  {case.__name__}: {reason}" if reason else f"ok    {case.__name__}")
    except Exception as error:
        failed += 1
        print(f"FAIL  {case.__name__}: {error}")
sys.exit(1 if failed else 0)
