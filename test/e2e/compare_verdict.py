#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`weir compare --render` judges what a report says: the right winner and loser, whatever is
absent, void, failed or refused in it, and nobody where the machine was too busy; the advice follows
from that, and the tables say it.  ctest: timeout=150"""
import copy
import re

import compare_sample
from compare_render import at, crash, rendered, run, state, tiny
from service import check, check_equal

CASES = (
    # name, rows, winner, clear, loser, a part of the words
    ("the larger goodput wins", [("weir a", at(400)), ("Go b", at(200))],
     "weir a", True, "Go b", "ahead of Go b"),
    ("weir loses in words", [("weir a", at(200)), ("Go b", at(400))],
     "Go b", True, "weir a", "weir loses here"),
    ("a lead within the spread is none", [("weir a", at(400)), ("Go b", at(390))],
     "weir a", False, None, "within the spread"),
    ("a row's own spread counts", [("weir a", at(400, 0.5)), ("Go b", at(250))],
     "weir a", False, None, "within the spread (50 %)"),
    ("an unknown spread is a wide one", [("weir a", at(400, None)), ("Go b", at(340))],
     "weir a", False, None, "within the spread (20 %)"),
    ("a tie has no winner in words", [("weir a", at(400)), ("Go b", at(400, p99_ms=9))],
     "weir a", False, None, "Go b answers soonest"),
    ("nothing against something", [("weir a", at(400)), ("Go b", at(0)), ("Go c", at(0))],
     "weir a", True, "Go c", "not one reply in time"),
    ("nobody answers", [("weir a", at(0)), ("Go b", at(0))],
     None, None, None, "Nobody wins"),
    ("a void point decides nothing",
     [("weir a", at(900, void="late")), ("Go b", at(400)), ("Go c", at(200))],
     "Go b", True, "Go c", "Not judged: weir a (void)"),
    ("a failed row decides nothing",
     [("weir a", dict(at(900), failed="it died")), ("Go b", at(400)), ("Go c", at(200))],
     "Go b", True, "Go c", "weir a (failed)"),
    ("a refused row decides nothing",
     [("weir a", {"refused": "state"}), ("Go b", at(400)), ("Go c", at(200))],
     "Go b", True, "Go c", "weir a (refused)"),
    ("only what two have decides", [("weir a", at(900, multiple=10)),
                                    ("weir b", at(300, multiple=2)),
                                    ("Go c", at(100, multiple=2))],
     "weir b", True, "Go c", "weir a (not measured)"),
    ("below the capacity nothing is decided",
     [("weir a", dict(at(250, multiple=0.5), capacity=300)),
      ("Go b", dict(at(200, multiple=0.5), capacity=600))],
     "Go b", True, "weir a", "capacity"),
    ("at the capacity nothing is decided",
     [("weir a", dict(at(250, multiple=1), capacity=300)),
      ("Go b", dict(at(200, multiple=1), capacity=600))],
     "Go b", True, "weir a", "capacity"),
    ("one alone is told, not judged", [("weir a", at(400))], None, None, None, "Only weir a"),
    ("two of which one failed", [("weir a", at(400)), ("Go b", {"failed": "no"})],
     None, None, None, "Only weir a"),
    ("nobody at all", [("weir a", {"failed": "no"})], None, None, None, "Nobody has figures"),
    ("no rows", [], None, None, None, "Nobody has figures"),
    ("figures that are none", [("weir a", at("NaN")), ("Go b", at(None)), ("Go c", at(-5))],
     "weir a", False, None, "capacity"),
    ("all cores, when there is nothing else", [("weir a", at(400, cores="all")),
                                               ("Go b", at(200, cores="all"))],
     "weir a", True, "Go b", "all cores"),
    ("fewer lost requests win", [("weir a", crash(30)), ("Go b", crash(1))],
     "Go b", True, "weir a", "1 request lost per crash"),
    ("few crashes show little", [("weir a", crash(1.4, 5)), ("Go b", crash(1, 5))],
     "Go b", False, None, "within the spread"),
    ("nothing lost is best", [("weir a", crash(0)), ("Go b", crash(3))],
     "weir a", True, "Go b", "0 requests lost"),
    ("without a crash nothing is judged", [("weir a", crash(0, 0)), ("Go b", crash(3)),
                                           ("Go c", crash(20))],
     "Go b", True, "Go c", "weir a (not measured)"),
    ("right counts before capacity", [("weir a", state(2500, 9000)), ("Go b", state(5000, 100))],
     "Go b", True, "weir a", "off by 50 %"),
    ("right counts, then capacity", [("weir a", state(5000, 900)), ("Go b", state(5000, 500))],
     "weir a", True, "Go b", "a right counter"),
    ("counting twice is wrong too", [("weir a", state(5001, 900)), ("Go b", state(5000, 500))],
     "Go b", True, "weir a", "Go b wins"),
    ("a large spread behind one that is apart", [("Go b", at(430)), ("Go c", at(300)),
                                                 ("weir a", at(266, 0.69))],
     "Go b", True, None, "too uneven to say that it is beaten"),
    ("a large spread, and another that is apart", [("Go b", at(430)), ("weir a", at(266, 0.69)),
                                                   ("Go c", at(100))],
     "Go b", False, "Go c", "within the spread"),
    ("most void: no verdict", [("weir a", at(400)), ("Go b", at(200, void="late")),
                               ("Go c", at(100, void="late"))],
     None, False, None, "No verdict: this machine was too busy to tell (2 of 3 points"),
    ("a lower multiple does not decide for the highest",
     [(name, dict(at(value), points=at(value, multiple=2)["points"] +
                  at(value, void="late")["points"])) for name, value in
      (("weir a", 400), ("Go b", 200))],
     None, False, None, "2 of 2 points that decide are void"),
    ("services that got too little", [("weir a", dict(at(400), cpu_us_per_request=1000)),
                                      ("Go b", dict(at(200), cpu_us_per_request=1000))],
     None, False, None, "2 of 2 services got less than 70 % of their core"),
    ("one service that got too little", [("weir a", dict(at(400), cpu_us_per_request=2000)),
                                         ("Go b", dict(at(200), cpu_us_per_request=1000))],
     "weir a", True, "Go b", "ahead of Go b"),
    ("nobody counts right", [("weir a", state(1, 900)), ("Go b", state(2, 500))],
     None, None, None, "Nobody counted right"),
)


def verdicts_follow_the_figures():
    for what, rows, winner, clear, loser, words in CASES:
        verdict = rendered(tiny(rows))[0]["workloads"][0]["verdict"]
        check_equal(verdict.get("winner"), winner, f"{what}: winner ({verdict['words']})")
        check_equal(verdict.get("clear"), clear, f"{what}: clear")
        check_equal(verdict.get("loser"), loser, f"{what}: loser")
        check(words in verdict["words"], f"{what}: {words!r} not in {verdict['words']!r}")
        check(loser is not None or "loses" not in verdict["words"], f"{what}: {verdict['words']}")
        if winner is not None:
            check(0 <= verdict["lead"] <= 1 and verdict["spread"] > 0, f"{what}: {verdict}")
            check_equal(clear, verdict["lead"] > verdict["spread"], f"{what}: clear by its figures")
            check_equal(verdict["even"][0], winner, f"{what}: the first of the even")


def a_busy_machine_recommends_nobody():
    rows = [("weir a", at(400)), ("Go b", at(200))]
    calm = rendered(tiny(rows, machine={"busy": 0.1}))[0]
    check(calm["advice"].startswith("Choose weir a because"), calm["advice"])
    report = tiny(rows, machine={"busy": 0.4}, command="weir compare --short")
    judged, _, printed = rendered(report)
    for words in ("No recommendation", "others used 40 % of it", "weir compare --short"):
        check(words in judged["advice"], f"{words!r} not in {judged['advice']!r}")
    check("Choose" not in judged["advice"], judged["advice"])
    check("No recommendation" in printed and "No verdict" in printed, "it is printed")
    check("*" not in printed.split("503;")[0].split("adding")[0], "nobody is marked as winner")
    # The whole is judged anew on a better day.
    judged["machine"]["busy"] = 0
    check_equal(rendered(judged)[0]["workloads"][0]["verdict"]["winner"], "weir a", "judged anew")
    voids = tiny([(name, dict(row, points=[dict(row["points"][0], void="late")]))
                  for name, row in rows], command="weir compare")
    advice = rendered(voids)[0]["advice"]
    check("No recommendation" in advice and "2 of 2 points that decide are void" in advice, advice)
    # One workload in doubt does not silence the others.
    mixed = tiny(rows, command="weir compare")
    mixed["workloads"].append(dict(voids["workloads"][0], name="wait"))
    judged = rendered(mixed)[0]
    check(judged["advice"].startswith("Choose weir a because"), judged["advice"])
    check("No verdict" in judged["workloads"][1]["verdict"]["words"], "the doubt is said")
    # What was refused was refused whatever the machine did.
    refused = tiny(rows + [("weir c", {"refused": "its state is shared"})],
                   {"weir a": "app", "weir c": "app"}, app={"command": "./mine", "url": "/"},
                   machine={"busy": 0.9})
    advice = rendered(refused)[0]["advice"]
    check("No recommendation" in advice and "weir c was refused: its state is shared" in advice,
          advice)
    # So is a counter that is wrong.
    counted = tiny([("weir a", state(2500, 900)), ("Go b", state(5000, 500))],
                   machine={"busy": 0.9})
    words = rendered(counted)[0]["workloads"][0]["verdict"]["words"]
    check("No verdict" in words and "Wrong on any machine: weir a (a counter off by 50 %)" in words,
          words)


def reasons_are_one_sentence():
    for shares in (True, False):
        report = tiny([("weir a", dict(at(400), speed_up=1.57)), ("Go b", at(200))])
        report["contestants"][0]["shares_memory"] = shares
        advice = rendered(report)[0]["advice"]
        words = (", all cores make it 1.57 times as fast as one, and its requests may share memory."
                 if shares else "(p99 50 ms) and all cores make it 1.57 times as fast as one.")
        check(words in advice, advice)


def a_name_is_no_model():
    blocked = dict(at(40), capacity=50, cpu_us_per_request=300)
    blocked["points"].append({"cores": "one", "multiple": 0.5, "p50_ms": 20})
    report = tiny([("tasksd threads", blocked), ("tasksd prefork", blocked)],
                  {"tasksd threads": "app", "tasksd prefork": "app"},
                  app={"command": "./tasksd", "url": "/"})
    advice = rendered(report)[0]["advice"]
    check("block" not in advice, advice)


def what_was_left_out_is_told_once():
    report = tiny([("weir a", at(400)), ("Go b", at(200))])
    for name, why in (("Node c", "node is missing: install nodejs"), ("Lua d", "lua is missing"),
                      ("Node e, guarded", "node is missing: install nodejs")):
        report["contestants"].append({"name": name, "family": "node", "model": "loop",
                                      "settings": [f"SETTING_OF={name}"], "left_out": why})
    printed = rendered(report)[2]
    check_equal(printed.count("install nodejs"), 1, "lines for one reason")
    check("Node c; Node e, guarded: node is missing: install nodejs" in printed, printed)
    check("Lua d: lua is missing" in printed, printed)
    check("SETTING_OF" not in printed, "settings of who did not run")


def shares_add_up():
    rest = {"shed": 900, "late": 200, "timeout": 300, "error": 100, "other": 100, "goodput": 400}
    printed = rendered(tiny([("weir a", dict(at(0), points=[dict(at(0)["points"][0], **rest)])),
                             ("Go b", at(200))], machine={"cores": 2}))[2]
    lines = [line for line in printed.split("\n") if re.match(r"[* ] weir a .*\d", line)]
    # 503, late with timeouts, errors with other statuses, and what was not sent: 20 % are left.
    check(any(re.search(r" 36 +20 +8 +20 ", line + " ") for line in lines), f"{lines}")


def a_speed_up_beyond_the_cores_is_marked():
    rows = [("weir a", dict(at(400), speed_up=3.45)), ("Go b", dict(at(200), speed_up=2.2))]
    judged, _, printed = rendered(tiny(rows, machine={"cores": 2}))
    check("3.45?" in printed, printed)
    check("2.2?" not in printed, "within what measuring adds")
    check("3.45" not in judged["advice"], judged["advice"])


def judging_again_changes_nothing():
    once = rendered(compare_sample.report())[0]
    check_equal(rendered(once)[0], once, "a report judged twice")
    changed = copy.deepcopy(once)
    changed["workloads"] = changed["workloads"][:1]
    for row in changed["workloads"][0]["rows"]:
        row.pop("points")
        row["capacity"] = 1000 if row["contestant"] == "Node http" else 10
        row.pop("cpu_us_per_request")
    again = rendered(changed)[0]
    check_equal(again["workloads"][0]["verdict"]["winner"], "Node http", "the new winner")
    check(again["advice"].startswith("Choose Node http"), again["advice"])


def the_sample_is_judged_as_it_was_made():
    report, _, printed = rendered(compare_sample.report())
    verdicts = {one["name"]: one["verdict"] for one in report["workloads"]}
    check("weir tasks" in verdicts["api"]["even"], f"{verdicts['api']}")
    check("weir prefork" in verdicts["crash"]["even"], f"{verdicts['crash']}")
    check("weir cluster does worst" in verdicts["block"]["words"], verdicts["block"]["words"])
    check("weir prefork wins if a request may crash" in report["advice"], report["advice"])
    check("block the thread" in report["advice"], report["advice"])
    check("gunicorn, prefork failed: ended with status 3" in printed, "the failure is told")
    check("install nodejs" in printed, "what is missing is told")


def advice_names_only_what_the_app_permits():
    report, _, printed = rendered(compare_sample.app_report())
    advice = report["advice"]
    check(advice.startswith("Choose mine tasks because"), advice)
    check("mine cluster was refused: its state is shared" in advice, advice)
    check("mine loop loses because its handlers block the thread" in advice, advice)
    for word in ("Choose Go", "Go net/http wins", "mine cluster wins"):
        check(word not in advice, advice)
    check(advice.split()[1] in printed, "the advice is printed")
    # One at a time on an idle core is blocked, also when nobody does better.
    blocked = dict(at(40), capacity=50, cpu_us_per_request=300)
    blocked["points"].append({"cores": "one", "multiple": 0.5, "p50_ms": 20})
    busy = dict(blocked, cpu_us_per_request=20000)
    families = {"mine loop": "app", "mine tasks": "app"}
    app = {"command": "./mine", "url": "/"}
    advice = rendered(tiny([("mine loop", blocked), ("mine tasks", blocked)], families,
                           app=app))[0]["advice"]
    check("mine loop loses because" in advice and "mine tasks likewise" in advice, advice)
    advice = rendered(tiny([("mine loop", busy), ("mine tasks", busy)], families,
                           app=app))[0]["advice"]
    check("block" not in advice, advice)
    # On a machine that others use, an idle core proves nothing.
    shared = tiny([("mine loop", blocked), ("mine tasks", blocked)], families, app=app)
    shared["machine"] = {"busy": 0.4}
    check("block" not in rendered(shared)[0]["advice"], "a busy machine is taken for a block")
    noted = tiny([("mine loop", dict(blocked, note="it waits for itself"))], families, app=app)
    check("it waits for itself" in rendered(noted)[2], "a row's note is told")
    refused = tiny([("mine loop", {"refused": "state"}), ("Go b", at(400))],
                   {"mine loop": "app"}, app={"command": "./mine", "url": "/"})
    advice = rendered(refused)[0]["advice"]
    check("No model can be recommended" in advice and "mine loop was refused: state" in advice,
          advice)


if __name__ == "__main__":
    run((verdicts_follow_the_figures, a_busy_machine_recommends_nobody, reasons_are_one_sentence,
         a_name_is_no_model, what_was_left_out_is_told_once, shares_add_up,
         a_speed_up_beyond_the_cores_is_marked, judging_again_changes_nothing,
         the_sample_is_judged_as_it_was_made, advice_names_only_what_the_app_permits))
