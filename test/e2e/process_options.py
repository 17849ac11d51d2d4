#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the command line says: help that fits a terminal, one clear line for what is wrong, the
promised exit status, and nothing half-started.  ctest: timeout=120 processors=2"""
import os
import re
import signal
import socket
import subprocess
import tempfile

from process_support import SUPERVISED, Admin, run
from service import (BOUND_SECONDS, MODELS, Service, check, check_equal, eventually, free_port,
                     tool_path)

ANY = ("tasks",)


def serve(*options, env=None):
    """Runs `weir serve` to its end: (status, standard output, standard error)."""
    variables = {name: value for name, value in os.environ.items()
                 if not name.startswith("WEIR_")} | (env or {})
    done = subprocess.run([tool_path(), "serve", *options], capture_output=True, text=True,
                          timeout=BOUND_SECONDS, stdin=subprocess.DEVNULL, env=variables)
    return done.returncode, done.stdout, done.stderr


def one_line(text, *words):
    lines = text.splitlines()
    check_equal(len(lines), 1, f"lines in {text!r}")
    check(lines[0].startswith("weir serve: "), lines[0])
    for word in words:
        check(word in lines[0], f"{word!r} is not in {lines[0]!r}")


def wrong_options_end_with_status_2(model):
    del model
    for options, words in (
            (["--model=lop"], ["--model=lop", "did you mean loop?"]),
            (["--modle=loop"], ["--modle", "did you mean --model?"]),
            (["--cores=many"], ["--cores=many", "1 to 256"]),
            (["--processes", "0"], ["--processes=0", "1 to 256"]),
            (["--max-waiting=soon"], ["--max-waiting=soon", "200,500ms"]),
            (["--listen=127.0.0.1"], ["--listen=127.0.0.1"]),
            (["--listen=127.0.0.1:99999"], ["--listen=127.0.0.1:99999"]),
            (["--listen=nowhere:80"], ["--listen=nowhere:80"]),
            (["--admin=here", "--listen=127.0.0.1:0"], ["--admin=here"]),
            (["--drain-timeout=never"], ["--drain-timeout=never"]),
            (["stray"], ["stray"])):
        status, output, errors = serve(*options)
        check_equal((status, output), (2, ""), f"status and output of {options}")
        one_line(errors, *words)
    status, _, errors = serve(env={"WEIR_MODEL": "nod"})
    check_equal(status, 2, "status of a wrong variable")
    one_line(errors, "WEIR_MODEL=nod", "did you mean node?")


def a_malformed_address_opens_none_of_the_others(model):
    del model
    path = os.path.join(tempfile.mkdtemp(prefix="weir-e2e-"), "socket")
    status, _, errors = serve(f"--listen=unix:{path}", "--listen=bad")
    check_equal(status, 2, "status")
    one_line(errors, "--listen=bad")
    check(not os.path.exists(path), "the first listener was left behind")
    os.rmdir(os.path.dirname(path))


def an_address_in_use_ends_with_status_1(model):
    path = os.path.join(tempfile.mkdtemp(prefix="weir-e2e-"), "socket")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, output, errors = serve(f"--model={model}", f"--listen=unix:{path}",
                                       f"--listen={address}")
        check_equal((status, output), (1, ""), "status and output")
        one_line(errors, f"--listen={address}", "address in use")
        check(not os.path.exists(path), "the first listener was left behind")
        status, _, errors = serve(f"--model={model}", "--listen=127.0.0.1:0",
                                  f"--admin={address}")
        check_equal(status, 1, "status with the admin's address in use")
        one_line(errors, f"--admin={address}", "address in use")
    os.rmdir(os.path.dirname(path))


def help_and_version_are_answers_not_errors(model):
    del model
    for option in ("--help", "-h"):
        status, text, errors = serve(option, "--whatever")
        check_equal((status, errors), (0, ""), option)
        for line in text.splitlines():
            check(len(line) <= 80, f"{len(line)} columns: {line}")
            check(line == line.rstrip(), f"spaces at the end: {line!r}")
        for word in ("Usage: weir serve", "--model=NAME", "--listen=ADDRESS", "WEIR_MAX_RUNNING",
                     "--drain-timeout=TIME", "/healthz", "gunicorn", "python-threads", *MODELS):
            check(word in text, f"{word} is not in the help")
    status, text, errors = serve("--version")
    check_equal((status, errors), (0, ""), "--version")
    check(re.fullmatch(r"weir serve \(weir \d+\.\d+\.\d+\)\n", text), text)


def the_first_line_tells_what_runs_and_where(model):
    with tempfile.TemporaryDirectory(prefix="weir-e2e-") as folder:
        process = subprocess.Popen(
            [tool_path(), "serve", f"--model={model}", "--cores=2", "--listen=127.0.0.1:0",
             f"--listen=unix:{folder}/s", "--admin=127.0.0.1:0"],
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        line = process.stderr.readline()
        found = re.fullmatch(r"weir serve: (.*), listening on http://127\.0\.0\.1:(\d+), "
                             r"unix:(\S+) \(admin http://127\.0\.0\.1:(\d+)\)\n", line)
        check(found, f"the first line is {line!r}")
        words = {"loop": "loop", "cluster": "cluster of 2 processes", "tasks": "tasks on 2 cores",
                 "threads": "threads", "prefork": "prefork of 2 processes"}
        check_equal(found[1], words[model], "what runs")
        check_equal(Admin(int(found[4])).get("/readyz")[:2], (200, "ready\n"), "/readyz")
        with socket.create_connection(("127.0.0.1", int(found[2])), BOUND_SECONDS) as client:
            client.sendall(b"GET /hello/you HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            check(client.recv(1000).startswith(b"HTTP/1.1 200 "), "no answer over TCP")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(BOUND_SECONDS)
            client.connect(found[3])
            client.sendall(b"GET /hello/you HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            check(client.recv(1000).startswith(b"HTTP/1.1 200 "), "no answer over the socket")
        process.send_signal(signal.SIGTERM)
        check_equal(process.wait(BOUND_SECONDS), 0, "status")
        process.stderr.close()
        check_equal(os.listdir(folder), [], "what is left of the unix socket")


def the_environment_chooses_and_options_win(model):
    port, admin = free_port(), free_port()
    os.environ.update(WEIR_MODEL=model, WEIR_ADMIN=f"127.0.0.1:{admin}", WEIR_CORES="2")
    try:
        process = subprocess.Popen([tool_path(), "serve", f"--listen=127.0.0.1:{port}"],
                                   stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    finally:
        for name in ("WEIR_MODEL", "WEIR_ADMIN", "WEIR_CORES"):
            del os.environ[name]
    line = process.stderr.readline()
    check(f": {model}" in line and f":{port} " in line and f":{admin})" in line, line)
    process.send_signal(signal.SIGTERM)
    check_equal(process.wait(BOUND_SECONDS), 0, "status")
    process.stderr.close()


def a_stale_unix_socket_is_replaced_and_a_living_one_is_not(model):
    with Service(model, unix=True) as service:
        status, _, errors = serve(f"--listen=unix:{service.socket}")
        check_equal(status, 1, "status on a path in use")
        one_line(errors, "address in use")
        path = service.socket
        check(os.path.exists(path), "the path of the living service was removed")
    with tempfile.TemporaryDirectory(prefix="weir-e2e-") as folder:
        path = f"{folder}/s"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        process = subprocess.Popen([tool_path(), "serve", f"--listen=unix:{path}"],
                                   stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        line = process.stderr.readline()
        check("listening on" in line, line)
        process.send_signal(signal.SIGTERM)
        check_equal(process.wait(BOUND_SECONDS), 0, "status")
        process.stderr.close()


def nobody_reads_standard_error_and_it_serves_all_the_same(model):
    """The log's pipe is full: lines are lost, requests and health answers are not."""
    port, admin = free_port(), free_port()
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write_end, True)
    process = subprocess.Popen(
        [tool_path(), "serve", f"--model={model}", f"--listen=127.0.0.1:{port}",
         f"--admin=127.0.0.1:{admin}", "--log=debug"],
        stderr=write_end, stdin=subprocess.DEVNULL)
    os.close(write_end)

    def healthy():
        try:
            return Admin(admin).get("/readyz", 2)[0] == 200
        except OSError:
            return False
    try:
        eventually(healthy, "it is ready though nobody reads its log")
        for _ in range(3):  # each makes a blocked loop report itself
            with socket.create_connection(("127.0.0.1", port), BOUND_SECONDS) as client:
                client.sendall(b"GET /cpu?ms=150 HTTP/1.1\r\nHost: h\r\n"
                               b"Connection: close\r\n\r\n")
                check(client.recv(1000).startswith(b"HTTP/1.1 200 "), "no answer")
        check_equal(Admin(admin).get("/healthz")[0], 200, "/healthz")
        process.send_signal(signal.SIGTERM)
        check_equal(process.wait(BOUND_SECONDS), 0, "status")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(read_end)


if __name__ == "__main__":
    run([(wrong_options_end_with_status_2, ANY),
         (a_malformed_address_opens_none_of_the_others, ANY),
         (an_address_in_use_ends_with_status_1, ("tasks", "cluster")),
         (help_and_version_are_answers_not_errors, ANY),
         (the_first_line_tells_what_runs_and_where, MODELS),
         (the_environment_chooses_and_options_win, ANY + SUPERVISED),
         (a_stale_unix_socket_is_replaced_and_a_living_one_is_not, ("tasks", "cluster")),
         (nobody_reads_standard_error_and_it_serves_all_the_same, ("loop", "cluster"))])
