#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Unix socket is a listener like any other, under every model.  ctest: timeout=90"""
import json
import os
import subprocess

from service import Connection, check, check_equal, client, request, run, tool_path


def raw_requests_are_answered(service):
    with Connection(service) as c:
        c.send(request("/hello/a") + request("/hello/b"))
        check_equal(c.answer()[2], b"Hello, a!\n", "first")
        check_equal(c.answer()[2], b"Hello, b!\n", "second")


def curl_reaches_it(service):
    done = client("curl", "-sS", "--unix-socket", service.socket, "http://localhost/hello/u")
    check_equal(done.stdout, b"Hello, u!\n", "answer")


def weir_load_reaches_it(service):
    done = subprocess.run([tool_path(), "load", "--connections=4", "--for=300ms", "--json=-",
                           "--timeout=20s", f"unix:{service.socket}:/hello/u"],
                          capture_output=True, timeout=60)
    check_equal(done.returncode, 0, f"weir load: {done.stderr}")
    result = json.loads(done.stdout)
    check(result["ok"] > 0 and result["ok"] == result["requests"], f"{result}")


def the_socket_is_there_while_it_serves(service):
    check(os.path.exists(service.socket), "no socket")


run([raw_requests_are_answered, curl_reaches_it, weir_load_reaches_it,
     the_socket_is_there_while_it_serves], unix=True)
