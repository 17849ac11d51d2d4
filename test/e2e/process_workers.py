#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers that die: only what they had in hand is lost, the others go on, a successor comes, and
no number falls.  ctest: timeout=150 processors=2"""
import os
import signal

from process_support import SUPERVISED, Crowd, Managed, alive, ports_of, run, total
from service import Connection, check, check_equal, eventually, request

CUSTOM = ("tasks",)


def options_of(model):
    """A cluster of tasks is a model too."""
    return ("--processes=2",) if model == "tasks" else ()


def killed_under_load_only_its_own_requests_fail(model):
    # The crowd asks as fast as it is answered, which is more than one process left alone can take:
    # that it would be refused then is another test's claim.
    options = ("--max-waiting=1000,20s", "--admission=off", *options_of(model))
    with Managed(model, *options) as service:
        with Crowd(service, "/wait?ms=10", 16) as crowd:
            crowd.working()
            wanted = service.wanted()
            victim = service.workers()[0]
            counted = service.admin.number("weir_requests_total")
            own = ports_of(victim, service.port)
            answered = crowd.answers()
            os.kill(victim, signal.SIGKILL)

            def whole_again():
                numbers = service.admin.numbers()
                check(total(numbers, "weir_requests_total") >= counted, "a counter fell")
                return (numbers['weir_processes{state="ready"}'] == wanted
                        and numbers["weir_respawns_total"] >= 1)
            eventually(whole_again, "as many workers as before are ready")
            crowd.working()
            failures = crowd.failures()
        check(crowd.answers() > answered, "nothing was answered after the death")
        strangers = [failure for failure in failures if failure[0] not in own]
        check_equal(strangers, [], "failures of other workers' requests")
        check(len(failures) <= len(own), f"{len(failures)} failures on {len(own)} connections")
        check_equal(set(crowd.statuses()), {200}, "statuses")
        check(not alive(victim), "the victim lives")
        # What the dead one counted is still there, but for answers that were not counted yet.
        eventually(lambda: (service.admin.number("weir_requests_total")
                            >= crowd.answers() - len(own)), "the answers are counted")


def counters_never_fall_over_many_deaths(model):
    with Managed(model, *options_of(model)) as service:
        wanted = service.wanted()
        highest = {}

        def look():
            numbers = service.admin.numbers()
            for sample, value in numbers.items():
                # CPU time is the kernel's count for one process; a new process begins again.
                if "_total" in sample and "process_cpu" not in sample:
                    check(value >= highest.get(sample, 0), f"{sample} fell to {value}")
                    highest[sample] = value
            return numbers
        answered = 0
        for death in range(1, 4):
            for _ in range(20):
                with Connection(service) as connection:
                    connection.send(request("/hello/x"))
                    check_equal(connection.answer()[0], 200, "/hello")
                    answered += 1
            # An answer is counted when it is on its way, not before.
            eventually(lambda: total(look(), "weir_replies_total") == answered,
                       "all answers are counted")
            os.kill(service.workers()[0], signal.SIGKILL)

            def back():
                numbers = look()
                return (numbers["weir_respawns_total"] == death
                        and numbers['weir_processes{state="ready"}'] == wanted)
            eventually(back, "the successor is ready")
            check_equal(total(look(), "weir_connections"), 0, "connections of the dead")
        check_equal(total(look(), "weir_replies_total"), answered, "answers over all lives")


def a_worker_told_to_end_drains_and_is_replaced(model):
    with Managed(model, *options_of(model)) as service:
        wanted = service.wanted()
        with Crowd(service, "/wait?ms=10", 8) as crowd:
            crowd.working()
            old = service.workers()[0]
            os.kill(old, signal.SIGTERM)
            eventually(lambda: not alive(old), "the old worker ends")
            eventually(lambda: service.admin.numbers()['weir_processes{state="ready"}'] == wanted,
                       "its successor is ready")
            crowd.working()
        check_equal(crowd.failures(), [], "failures")


def a_stopped_worker_does_not_stop_the_others(model):
    """A worker that does nothing at all keeps what it has, and only that."""
    with Managed(model, *options_of(model)) as service:
        victim = service.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            answered = 0
            for _ in range(20):
                with Connection(service, 2) as connection:
                    try:
                        connection.send(request("/hello/x"))
                        answered += connection.answer()[0] == 200
                    except OSError:
                        pass
            check(answered >= 18, f"{answered} of 20 were answered beside a stopped worker")
            check_equal(service.admin.get("/healthz")[0], 200, "/healthz")
        finally:
            os.kill(victim, signal.SIGCONT)


def a_drain_ends_though_workers_die_meanwhile(model):
    with Managed(model, *options_of(model)) as service:
        with Connection(service) as waiting:
            waiting.send(request("/wait?ms=600"))
            eventually(lambda: service.admin.number("weir_requests_running") >= 1, "it runs")
            workers = service.workers()
            service.process.send_signal(signal.SIGTERM)
            eventually(lambda: service.admin.get("/readyz")[0] == 503, "it drains")
            for worker in workers:
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            check_equal(service.end()[0], 1, "status when workers were lost in the drain")


if __name__ == "__main__":
    run([(killed_under_load_only_its_own_requests_fail, SUPERVISED + CUSTOM),
         (counters_never_fall_over_many_deaths, SUPERVISED + CUSTOM),
         (a_worker_told_to_end_drains_and_is_replaced, SUPERVISED),
         (a_stopped_worker_does_not_stop_the_others, SUPERVISED),
         (a_drain_ends_though_workers_die_meanwhile, SUPERVISED)])
