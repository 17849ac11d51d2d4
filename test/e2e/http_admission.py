#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Offered several times what the cores can do, with nothing configured: what is admitted is
answered in time, the rest is refused at once, batch first, and the numbers say so.
ctest: serial timeout=240 processors=2

A machine that is busy with other things may starve a service for a while, but not each time.  Not
under `threads`, where what others take of the cores falls on hundreds of threads at once."""
from load_support import KINDS, load
from process_support import Managed, run
from service import check

MODELS = ("loop", "cluster", "tasks", "prefork")
TRIES = 4
FLOOD = ("--rate=3000", "--for=1s", "--timeout=1s", "--late-max=1s")
WORK = "/cpu?ms=2"
CLASSES = ("interactive", "batch")


def sheds(service, kind):
    samples = service.admin.numbers()
    return sum(value for name, value in samples.items()
               if name.startswith("weir_sheds_total{") and f'class="{kind}"' in name)


def until_one_holds(attempt):
    """The attempt gives None, or what was wrong."""
    wrong = []
    for _ in range(TRIES):
        wrong.append(attempt())
        if wrong[-1] is None:
            return
    check(False, f"in {TRIES} tries: {wrong}")


def what_is_admitted_is_answered_in_time(model):
    def attempt():
        with Managed(model) as service:
            result = load(*FLOOD, service.url + WORK)
            late = result["timeout"] + result["late"] + result["error"]
            if result["ok"] < 10 or late > result["ok"] / 2 or result["shed_503"] < result["ok"]:
                return {kind: result[kind] for kind in KINDS}
            check(sheds(service, "interactive") > 0, "the sheds are not counted")
            check(sheds(service, "batch") == 0, "sheds of a class that nobody asked for")
            return None
    until_one_holds(attempt)


def batch_is_refused_first(model):
    def attempt():
        with Managed(model) as service:
            result = load(*FLOOD, "--weight=1", service.url + WORK,
                          "--weight=9", "--url-header=Priority: u=6", service.url + WORK)
            shares = [part["ok"] / max(1, part["requests"]) for part in result["urls"]]
            if shares[0] < 2 * shares[1] or result["ok"] == 0:
                return shares
            check(sheds(service, "batch") > 0, "the sheds of batch are not counted")
            return None
    until_one_holds(attempt)


def without_admission_nothing_is_refused_for_its_work(model):
    with Managed(model, "--admission=off") as service:
        load(*FLOOD, service.url + WORK)
        check(sheds(service, "interactive") + sheds(service, "batch") == 0, "sheds by admission")


run([(what_is_admitted_is_answered_in_time, MODELS),
     (batch_is_refused_first, MODELS),
     (without_admission_nothing_is_refused_for_its_work, ("loop", "tasks"))])
