#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs of the guides do what the guides say of them.  ctest: timeout=120 processors=2"""
import http.client
import os
import pathlib
import re
import subprocess
import sys

from service import BOUND_SECONDS, check, check_equal, eventually, free_port

GUIDE = pathlib.Path(os.environ["WEIR_BUILD"]) / "example" / "guide"
PAGES = pathlib.Path(os.environ["WEIR_SOURCE"]) / "doc" / "guide"
OUTPUT = re.compile(r"<!-- output of example/guide/(\S+) -->\n```text\n(.*?)```", re.S)


class Program:
    """A program of the guides while it serves."""

    def __init__(self, name, *options, env=None):
        self.port = free_port()
        self.process = subprocess.Popen(
            [GUIDE / name, f"--listen=127.0.0.1:{self.port}", *options], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})})

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND_SECONDS)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def answers(self):
        try:
            return self.ask("GET", "/")[0] == 404
        except OSError:
            check(self.process.poll() is None, "the program ended")
            return False

    def __enter__(self):
        eventually(self.answers, "the program serves")
        return self

    def __exit__(self, *error):
        try:
            self.process.terminate()
            status = self.process.wait(BOUND_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        if error[0] is None:
            check_equal(status, 0, "status after SIGTERM")


def notes_are_kept_listed_and_bounded():
    for model in ("loop", "tasks", "threads"):
        with Program("notes", f"--model={model}") as notes:
            check_equal(notes.ask("GET", "/notes/7"), (404, "there is no note 7\n"), model)
            check_equal(notes.ask("PUT", "/notes/7", b"hello"), (204, ""), model)
            check_equal(notes.ask("GET", "/notes/7"), (200, "hello"), model)
            check_equal(notes.ask("PUT", "/notes/7", b"x" * 4000)[0], 204, model)
            check_equal(notes.ask("PUT", "/notes/9", b"x" * 4001)[0], 413, model)
            check_equal(notes.ask("GET", "/notes"), (200, "7 4000\n"), model)
            check_equal(notes.ask("GET", "/notes/x")[0], 400, model)
            check_equal(notes.ask("GET", "/notes/100")[0], 400, model)


def notes_are_refused_where_memory_is_not_shared():
    for model in ("cluster", "prefork"):
        done = subprocess.run([GUIDE / "notes", f"--model={model}"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=BOUND_SECONDS)
        check(done.returncode != 0, f"{model} was not refused")
        check_equal(len(done.stderr.strip().splitlines()), 1, f"lines about {model}")
        check("WEIR_STATE_LOCKED" in done.stderr and model in done.stderr, done.stderr)


def calls_that_block_are_made():
    for model in ("loop", "tasks", "prefork"):
        with Program("lookup", f"--model={model}") as lookup:
            check_equal(lookup.ask("GET", "/resolve/localhost"), (200, "127.0.0.1\n"), model)
            check_equal(lookup.ask("GET", "/resolve/not..a..name")[0], 404, model)
            check_equal(lookup.ask("GET", "/report"), (200, "sum 21\n"), model)
            check_equal(lookup.ask("GET", "/locale"), (200, "point is .\n"), model)


def shop(price, model):
    return Program("shops", f"--model={model}", env={"SHOP_PRICE": str(price)})


def shops_are_asked_at_once_and_one_that_is_down_costs_its_price():
    for model in ("loop", "tasks", "threads", "cluster"):
        with shop(30, model) as dear, shop(20, model) as cheap:
            shops = f"127.0.0.1:{dear.port},127.0.0.1:{cheap.port},127.0.0.1:{free_port()}"
            with Program("shops", f"--model={model}", env={"SHOPS": shops}) as front:
                # A busy machine may let the 300 ms pass.
                eventually(lambda: front.ask("GET", "/best/tea") == (200, "2 of 3 shops: 20\n"),
                           f"the best of two shops under {model}")
                check_equal(front.ask("GET", "/price/tea")[0], 404, model)
                numbers = front.ask("GET", "/numbers")[1].split()
                check(model == "cluster" or int(numbers[1]) >= 3, f"{model}: {numbers}")
        # Nobody is left to ask.
        with Program("shops", f"--model={model}", env={"SHOPS": shops}) as front:
            check_equal(front.ask("GET", "/best/tea"), (503, "no shop has answered\n"), model)


def turned(seconds):
    """What the program says whose input stays open that long."""
    process = subprocess.Popen([GUIDE / "turned"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    try:
        process.stdin.write("one\n")
        process.stdin.flush()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        check(process.poll() is None, "it ended before its input")
        text, _ = process.communicate("two\nthree\n", timeout=BOUND_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    check_equal(process.returncode, 0, "status")
    check("3 lines" in text, text)
    return text


def a_loop_by_hand_turns_weir():
    seconds = 0.1
    while "and weir ticked" not in turned(seconds):  # its first tick is due after 10 ms
        seconds *= 2
        check(seconds < BOUND_SECONDS, "weir never ticked")


def pages_have_what_programs_print():
    found = [one for page in PAGES.glob("*.md") for one in OUTPUT.findall(page.read_text())]
    check(found, "no page quotes an output")
    for name, text in found:
        for scheduler in ("tasks", "loop", "threads"):
            done = subprocess.run([GUIDE / name, scheduler], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=BOUND_SECONDS)
            check_equal((done.returncode, done.stdout, done.stderr), (0, text, ""),
                        f"{name} {scheduler}")


failed = 0
for case in (notes_are_kept_listed_and_bounded, notes_are_refused_where_memory_is_not_shared,
             calls_that_block_are_made,
             shops_are_asked_at_once_and_one_that_is_down_costs_its_price,
             a_loop_by_hand_turns_weir, pages_have_what_programs_print):
    try:
        case()
        print(f"ok    {case.__name__}")
    except Exception as error:
        failed += 1
        print(f"FAIL  {case.__name__}: {error}")
sys.exit(1 if failed else 0)
