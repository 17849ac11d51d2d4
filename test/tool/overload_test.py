#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/overload concludes from measurements, and its clients that weir load is not.

Goal: a bar that is missed is never called met, nor is a measurement that the generator spoiled; an
interrupted run goes on only under the same conditions.  Method: measurements made up here, and a
small server in this process for the clients."""
import json
import pathlib
import socket
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench" / "overload"))
import clients  # noqa: E402
import field  # noqa: E402
import judge  # noqa: E402
import loads  # noqa: E402
import troubles  # noqa: E402

GOOD = {"requests": 1000, "ok": 1000, "not_sent": 0, "send_late_ms_p99": 0.1, "own_cpu": 0.2,
        "ok_ms_p99": 50.0, "shed_ms_p99": 1.0, "ok_per_second": 100.0}
BOUND_SECONDS = 20


def sample(figures, void=None):
    return {"figures": figures, "void": void or {}, "notes": []}


class Halving(unittest.TestCase):
    def search(self, low, high, kept_up_to):
        halving = judge.Bisection(low, high)
        tried = []
        while (rate := halving.next()) is not None:
            tried.append(rate)
            self.assertLess(len(tried), 40, "it ends")
            halving.tell(rate, rate <= kept_up_to)
        return halving.found, tried

    def test_it_finds_a_capacity_within_the_range_to_two_per_cent(self):
        for capacity in (401, 455, 470, 499):
            found, _ = self.search(375, 515, capacity)
            self.assertLessEqual(found, capacity)
            self.assertGreater(found, capacity / 1.025)

    def test_a_capacity_below_the_range_is_found_too(self):
        found, tried = self.search(375, 515, 100)
        self.assertLessEqual(found, 100)
        self.assertGreater(found, 97)
        self.assertIn(375, tried)

    def test_a_capacity_above_the_range_is_found_too(self):
        for capacity in (516, 600, 2000):
            found, _ = self.search(375, 515, capacity)
            self.assertLessEqual(found, capacity)
            self.assertGreater(found, capacity / 1.025)

    def test_what_it_finds_was_tried(self):
        for capacity in (100, 376, 500, 700):
            found, tried = self.search(375, 515, capacity)
            self.assertIn(found, tried)

    def test_an_empty_range_is_refused(self):
        with self.assertRaises(ValueError):
            judge.Bisection(0, 0)


class OneRun(unittest.TestCase):
    def test_the_objective_is_the_larger_of_the_two(self):
        self.assertEqual(judge.objective_ms(2), 102)
        self.assertEqual(judge.objective_ms(50), 500)

    def test_one_in_a_thousand_may_fail_and_no_more(self):
        self.assertTrue(judge.keeps_up({**GOOD, "ok": 999}, 100))
        self.assertFalse(judge.keeps_up({**GOOD, "ok": 998}, 100))
        self.assertFalse(judge.keeps_up(GOOD, 49))
        self.assertFalse(judge.keeps_up({**GOOD, "requests": 0, "ok": 0}, 100))

    def test_a_generator_that_was_the_limit_spoils_it(self):
        self.assertIsNone(judge.spoiled(GOOD))
        for change in ({"not_sent": 1}, {"send_late_ms_p99": 1.1}, {"own_cpu": 0.71}):
            self.assertIsNotNone(judge.spoiled({**GOOD, **change}))

    def test_generators_that_share_a_core_are_judged_together(self):
        self.assertIsNone(troubles.together(GOOD, GOOD))
        self.assertIsNotNone(troubles.together(GOOD, GOOD, GOOD, GOOD))

    def test_the_pause_before_a_run_is_no_part_of_it(self):
        given = {**GOOD, "ok": 30, "seconds": 4.0, "steps": ["pause", "a", "b"],
                 "series": [{"at_ms": at, "ok": 1} for at in (0.0, 500.0, 1000.0, 1500.0)]}
        found = judge.without_lead(given, 1.0)
        self.assertEqual((found["seconds"], found["ok_per_second"]), (3.0, 10.0))
        self.assertEqual(found["steps"], ["a", "b"])
        self.assertEqual([one["at_ms"] for one in found["series"]], [0.0, 500.0])
        self.assertEqual(judge.without_lead(given, 0), given)

    def test_fairness_is_one_over_n_where_one_gets_all(self):
        self.assertEqual(judge.jain([3, 3, 3]), 1)
        self.assertAlmostEqual(judge.jain([1, 0, 0, 0]), 0.25)
        self.assertEqual(judge.jain([0, 0]), 0)

    def test_growth_is_the_slope(self):
        self.assertAlmostEqual(judge.slope([(0, 5), (1, 7), (2, 9)]), 2)
        self.assertEqual(judge.slope([(1, 5)]), 0)


class Bins(unittest.TestCase):
    SERIES = [{"at_ms": 50.0 * index, "ok": index} for index in range(20)]

    def test_bins_of_several_steps_are_added_up(self):
        self.assertEqual(judge.pooled(self.SERIES, "ok", [100, 500], 3), [12, 14, 16])

    def test_a_series_that_ends_early_adds_nothing(self):
        self.assertEqual(judge.pooled(self.SERIES, "ok", [950], 3), [19, 0, 0])

    def test_it_is_reached_where_a_window_has_enough(self):
        counts = [0, 0, 5, 10, 10, 10, 10]
        self.assertEqual(judge.reached_ms(counts, 50, 10, 2), 150)
        self.assertEqual(judge.reached_ms([10, 10], 50, 10, 2), 0)
        self.assertEqual(judge.reached_ms([10, 0, 10, 0], 50, 10, 2), float("inf"))


class Bars(unittest.TestCase):
    MOST = judge.Bar("most", ("a", "b/1"), "<=", 0.1, 0.5, "%")
    LEAST = judge.Bar("least", ("a",), ">=", 0.9)

    def test_the_worst_figure_decides(self):
        found = judge.judge(self.MOST, [sample({"a": 0.05, "b/1": 0.2})])
        self.assertEqual((found.word, found.value, found.where), (judge.MISSED, 0.2, "b/1"))

    def test_the_limit_itself_is_met(self):
        self.assertEqual(judge.judge(self.LEAST, [sample({"a": 0.9})]).word, judge.OK)
        self.assertEqual(judge.judge(self.LEAST, [sample({"a": 0.899})]).word, judge.MISSED)

    def test_the_median_over_the_seeds_counts(self):
        samples = [sample({"a": value}) for value in (0.1, 0.95, 0.92)]
        self.assertEqual(judge.judge(self.LEAST, samples).value, 0.92)

    def test_a_void_figure_counts_for_nothing(self):
        samples = [sample({"a": 0.1}, {"": "late"}), sample({"a": 0.95})]
        found = judge.judge(self.LEAST, samples)
        self.assertEqual((found.word, found.value), (judge.OK, 0.95))
        self.assertIn("late", found.voids[0])

    def test_void_figures_are_named_by_the_beginning_of_their_names(self):
        one = sample({"up/2/p99": 1, "up/20/p99": 1}, {"up/2": "late"})
        self.assertEqual(judge.void_reason(one, "up/2/p99"), "late")
        self.assertIsNone(judge.void_reason(one, "up/20/p99"))

    def test_all_void_is_void_and_neither_met_nor_missed(self):
        found = judge.judge(self.LEAST, [sample({"a": 0.1}, {"": "late"})])
        self.assertEqual((found.word, found.value), (judge.VOID, None))

    def test_what_is_partly_void_is_not_met(self):
        self.assertEqual(judge.judge(self.MOST, [sample({"a": 0.05})]).word, judge.VOID)

    def test_what_is_partly_void_can_be_missed(self):
        self.assertEqual(judge.judge(self.MOST, [sample({"a": 0.5})]).word, judge.MISSED)

    def test_the_short_form_names_what_it_leaves_out(self):
        kept, left_out = judge.rough([self.MOST, self.LEAST])
        self.assertEqual(([bar.limit for bar in kept], left_out), ([0.5], ["least"]))

    def test_the_status_tells_missed_from_void(self):
        words = {(judge.OK,): 0, (judge.OK, judge.VOID): 3, (judge.MISSED, judge.VOID): 1}
        for given, status in words.items():
            entries = [judge.Judgement("", "<=", 1, "", 1, "", word) for word in given]
            self.assertEqual(judge.status(entries), status)

    def test_the_table_says_bar_value_and_verdict(self):
        found = judge.judge(self.MOST, [sample({"a": 0.05, "b/1": 0.2})])
        line = judge.verdicts([("A", "tasks", found)])[1]
        for word in ("A", "tasks", "most", "at most 10 %", "20 %", "MISSED"):
            self.assertIn(word, line)

    def test_a_row_that_never_recovered_says_so(self):
        self.assertEqual(judge.number(float("inf"), "ms"), "never")
        self.assertEqual(judge.number(None), "-")


class Rows(unittest.TestCase):
    """The bars of a ramp ask for figures that the ramp measures."""

    def test_each_bar_of_a_ramp_is_of_a_step_of_it(self):
        for quick in (False, True):
            of = unittest.mock.Mock(quick=quick, unit_s=1)
            ramp = loads.Ramp()
            steps = {f"{leg}/{x:g}" for leg in ("up", "down") for x in ramp.multiples(of, "api")}
            for bar in ramp.bars(of, "tasks/api"):
                for name in bar.figures:
                    self.assertIn(name.rsplit("/", 1)[0], steps)
                    self.assertNotEqual(name.rsplit("/", 1)[0], "down/10")

    def test_only_the_loads_that_a_bar_names_are_held_against_it(self):
        of = unittest.mock.Mock(quick=False, unit_s=1)
        bars = {bar.title: bar for bar in loads.Ramp().bars(of, "tasks/waits")}
        goodput = bars["goodput / C, 1x to 5x"]
        self.assertEqual(goodput.limit, 0.93)
        self.assertEqual(goodput.figures[:2], ("up/1/goodput", "up/1.1/goodput"))
        self.assertNotIn("goodput / C, 10x", bars)

    def step(self, ok_in_overload):
        """A run of row B with so many ok of 50 in each bin of the steps."""
        row = loads.Step()
        of = unittest.mock.Mock(quick=True)
        parts = [{**GOOD, "seconds": 1.0, "requests": 500, "ok": 500}] * 5
        for _ in range(row.STEPS):
            for seconds, x in ((0.2, 5), (0.3, 5), (1.0, 5), (1.0, 0.5), (1.0, 0.5)):
                due = 1000 * x * seconds
                ok = 20 * seconds * ok_in_overload if x == 5 else due
                parts.append({**GOOD, "seconds": seconds, "requests": due, "ok": ok})
        seconds = sum(part["seconds"] for part in parts)
        series = [{"at_ms": 50.0 * index, "ok": ok_in_overload}
                  for index in range(round(seconds * 20))]
        result = {**GOOD, "steps": parts, "series": series}
        found = row.sample_of(of, result, field.Capacity(1000, 1000, 2, 102), 5, 5)
        return {judged.title: judged.word for judged in
                (judge.judge(bar, [found]) for bar in row.bars(of, "tasks/5x"))}

    def test_a_step_that_is_held_meets_all_bars(self):
        self.assertEqual(set(self.step(48).values()), {judge.OK})

    def test_a_step_that_is_not_held_is_missed(self):
        words = self.step(40)
        self.assertEqual(words["0.9 C reached after"], judge.MISSED)
        self.assertEqual(words["goodput / C from 200 ms on"], judge.MISSED)


class Remembering(unittest.TestCase):
    SETTINGS = {"build": "abc", "seconds": 10}

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-overload-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "below" / "journal.jsonl"

    def journal(self, **changes):
        return field.Journal(self.path, {**self.SETTINGS, **changes})

    def test_an_interrupted_run_goes_on(self):
        self.journal().add("A/tasks/1", {"figures": {"x": 1}})
        self.assertEqual(self.journal().known, {"A/tasks/1": {"figures": {"x": 1}}})

    def test_what_is_known_is_not_measured_again(self):
        self.journal().add("k", 1)
        self.assertEqual(self.journal().get("k", lambda: self.fail("it was measured")), 1)

    def test_another_build_begins_anew_and_says_what_differs(self):
        self.journal().add("k", 1)
        other = self.journal(build="def")
        self.assertEqual((other.known, other.differs), ({}, "build"))
        self.assertEqual(json.loads(self.path.read_text())["build"], "def")

    def test_a_torn_last_line_is_no_harm(self):
        self.journal().add("k", 1)
        with self.path.open("a") as out:
            out.write('{"key": "half')
        again = self.journal()
        self.assertEqual(again.known, {"k": 1})
        again.add("m", 2)
        self.assertEqual(self.journal().known, {"k": 1, "m": 2})

    def test_a_run_that_was_through_leaves_none(self):
        journal = self.journal()
        journal.end()
        self.assertFalse(self.path.exists())


class Answering:
    """A server in this process: notes who connects, and answers each request with a status."""

    def __init__(self, status):
        self.status = status
        self.peers = []
        self.heads = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        have = b""
        try:
            while piece := connection.recv(4096):
                have += piece
                while b"\r\n\r\n" in have:
                    head, have = have.split(b"\r\n\r\n", 1)
                    self.heads.append(head)
                    connection.sendall(f"HTTP/1.1 {self.status} X\r\nContent-Length: 2\r\n\r\nok"
                                       .encode())
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()


class Clients(unittest.TestCase):
    def eventually(self, condition, what):
        end = time.monotonic() + BOUND_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)

    def test_each_small_client_has_its_own_address_and_account(self):
        with Answering(200) as server:
            with clients.Small(server.port, 3, 40, "/x", 0.5, 1, timeout_s=BOUND_SECONDS) as small:
                self.eventually(lambda: sum(small.due) == len(small.schedule)
                                and sum(small.ok) == len(small.schedule), "all are answered")
                small.timeout_s = 0
            self.assertEqual(set(server.peers), {"127.0.1.1", "127.0.1.2", "127.0.1.3"})
            self.assertEqual(small.ok, small.due)
            self.assertTrue(server.heads[0].startswith(b"GET /x HTTP/1.1"))

    def test_a_refusal_is_not_ok(self):
        with Answering(503) as server:
            with clients.Small(server.port, 2, 40, "/x", 0.2, 1, timeout_s=BOUND_SECONDS) as small:
                self.eventually(lambda: sum(small.refused) == len(small.schedule),
                                "all are refused")
                small.timeout_s = 0
            self.assertEqual(sum(small.ok), 0)

    def test_slow_clients_are_open_at_once_and_come_again(self):
        with Answering(200) as server, clients.Slow(server.port, {"head": 5, "body": 2,
                                                                  "reader": 2}) as slow:
            self.eventually(lambda: len(server.peers) >= 9, "all have come")
            self.eventually(lambda: len(server.open) >= 9, "all are accepted")
            for connection in list(server.open):
                connection.shutdown(socket.SHUT_RDWR)
            self.eventually(lambda: slow.opened >= 16, "they come again")
            self.assertLessEqual(slow.count(), 9)

    def test_a_backend_refuses_the_share_that_it_is_to(self):
        with clients.Backend() as backend:
            for refused, wanted in ((0.0, b"200"), (1.0, b"503")):
                backend.refused = refused
                with socket.create_connection(("127.0.0.1", backend.port), BOUND_SECONDS) as one:
                    for _ in range(3):
                        one.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                        answer = b""
                        while not answer.endswith(b"\r\n\r\nok\n"):
                            answer += one.recv(1000)
                        self.assertIn(wanted, answer.split(b"\r\n")[0])
            self.assertEqual(backend.requests, 6)


if __name__ == "__main__":
    unittest.main()
