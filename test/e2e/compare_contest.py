#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`weir compare` measures what it says and keeps it: the report is whole, an interrupted run goes
on where it was, nothing that it started is left behind, and mistakes are one line.
ctest: timeout=240 processors=2"""
import json
import os
import resource
import signal
import time

from compare_support import BOUND_SECONDS, TINY, interrupt, rows, run_cases, write_peers
from service import check, check_equal, eventually

FIGURES = ("capacity", "saturation", "spread", "cpu_us_per_request", "resident_bytes", "processes",
           "threads", "points")
OF_POINT = ("cores", "multiple", "offered", "seed", "goodput", "late", "shed", "other", "error",
            "timeout")


def the_report_is_whole(compare):
    output, error = compare.run(*TINY, "--models=loop,tasks", "--peers=none", "--workloads=api")
    report = compare.report()
    check_equal((report["version"], report["form"], report["seed"]), (1, "short", 1), "the frame")
    check_equal([one["name"] for one in report["contestants"]], ["weir loop", "weir tasks"],
                "contestants")
    for one in report["contestants"]:
        check(one["start_ms"] > 0 and one["processes"] == 1 and one["threads"] >= 1, f"{one}")
    for name, row in rows(report, "api").items():
        check("failed" not in row and "refused" not in row, f"{name}: {row}")
        check(all(member in row for member in FIGURES), f"{name} lacks a figure: {sorted(row)}")
        check(0 < row["capacity"] <= 520, f"{name}: 2 ms each give {row['capacity']}/s")
        check(row["cpu_us_per_request"] >= 1900, f"{name}: {row['cpu_us_per_request']} us")
        check_equal([point["multiple"] for point in row["points"]], [1, 5], "points")
        for point in row["points"]:
            check(all(member in point for member in OF_POINT), f"{name}: {point}")
        if report["machine"]["cores"] > 1:
            check("speed_up" in row and "capacity_all" in row, f"{name}: no figures of all cores")
    check((compare.out / "report.html").stat().st_size > 0, "report.html is empty")
    check("report.html" in output, "the path of the report is not shown")
    check("seed 1" in error and "about" in error, f"no estimate, no seed: {error}")
    check(not (compare.out / "journal.jsonl").exists(), "the journal outlived the report")


def state_counts_and_models_are_refused(compare):
    compare.run(*TINY, "--models=tasks,cluster", "--peers=none", "--workloads=state")
    found = rows(compare.report(), "state")
    check(found["weir tasks"]["state_expected"] > 0, f"{found}")
    check_equal(found["weir tasks"]["state_seen"], found["weir tasks"]["state_expected"], "counted")
    check("does not fit" in found["weir cluster"]["refused"], f"{found}")


def an_interrupted_run_goes_on(compare):
    options, done = interrupt(compare, signal.SIGINT)
    with open(compare.out / "journal.jsonl", encoding="utf-8") as journal:
        entries = [json.loads(line) for line in journal.readlines()[1:]]
    start = next(one["result"] for one in entries if one["key"].endswith("|start"))
    with open(compare.out / "journal.jsonl", "a", encoding="utf-8") as journal:
        journal.write('{"key": "cut o')
    _, error = compare.run(*options)
    check(f"{done} measurements done" in error, error)
    check_equal(compare.report()["contestants"][0]["start_ms"], start["start_ms"],
                "what was measured before the interruption")


def begun_anew(compare, options):
    """What is said by one that replaces the settings of the journal."""
    def settings():
        return (compare.out / "journal.jsonl").read_text().splitlines()[0]

    before = settings()
    with compare.start(*options) as process:
        eventually(lambda: settings() != before, "the journal has other settings", 60)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=BOUND_SECONDS)
    return error


def other_peers_are_another_comparison(compare):
    absent = {"name": "absent", "needs": [{"command": "no-such-tool", "package": "none"}]}
    here = write_peers(compare.folder / "here", [absent])
    there = write_peers(compare.folder / "there", [absent])
    options, _ = interrupt(compare, signal.SIGINT, f"--peers-dir={here}")
    elsewhere = [one.replace(str(here), str(there)) for one in options]
    error = begun_anew(compare, elsewhere)
    check("differs in its path of peers.json" in error, error)
    write_peers(there, [absent, absent | {"name": "absent too"}])
    error = begun_anew(compare, elsewhere)
    check("differs in its content of peers.json" in error, error)


def serves_under_load(compare):
    commands = [compare.command(pid) for pid in compare.processes()]
    return any("load" in one for one in commands) and any("serve" in one for one in commands)


def a_killed_comparison_leaves_nothing(compare):
    with compare.start(*TINY, "--models=cluster", "--peers=none", "--workloads=api") as process:
        eventually(lambda: serves_under_load(compare), "service and generator run", 60)
        process.kill()
        process.communicate(timeout=BOUND_SECONDS)
    compare.nothing_is_left()


def a_full_disk_is_said_and_nothing_hangs(compare):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    # Python ignores SIGXFSZ, and so do its children if they are told to keep that.
    began = time.monotonic()
    _, error = compare.run(*TINY, "--models=loop", "--peers=none", "--workloads=api", status=1,
                           preexec_fn=small_files, restore_signals=False)
    check("cannot be written" in error, error)
    check(time.monotonic() - began < BOUND_SECONDS, "it took too long")
    check(not (compare.out / "report.json").exists(), "a report that is not whole")


def an_earlier_report_is_shown_again(compare):
    compare.run(*TINY, "--models=loop", "--peers=none", "--workloads=state")
    before = compare.report()
    (compare.out / "report.html").unlink()
    output, _ = compare.run(f"--render={compare.out / 'report.json'}")
    check("weir loop" in output, output)
    check((compare.out / "report.html").exists(), "the page is not written again")
    check_equal(compare.report()["workloads"][0]["rows"], before["workloads"][0]["rows"], "rows")


def mistakes_are_one_line(compare):
    nobody = compare.folder / "nobody.json"
    nobody.write_text("{}")
    twice = write_peers(compare.folder / "twice", [{"name": "one"}, {"name": "one"}])
    model = write_peers(compare.folder / "model", [{"name": "weir loop"}])
    cut = write_peers(compare.folder / "cut", [{"name": "x" + "ä" * 40}, {"name": "x" + "ä" * 41}])
    for options, word, status in (
            ((f"--peers-dir={twice}",), "called 'one'", 2),
            ((f"--peers-dir={model}",), "called 'weir loop'", 2),
            ((f"--peers-dir={cut}",), "called 'xäää", 2),
            (("--peers=,",), "--peers names nobody", 2),
            (("--workloads=sums",), "sums", 2), (("--models=goroutines",), "goroutines", 2),
            (("--peers=cobol",), "cobol", 2), (("--peers-dir=/nowhere",), "/nowhere", 2),
            (("--app=/nowhere", "--url=/"), "/nowhere", 2), (("--url=/",), "--url", 2),
            (("--app=/bin/true",), "--url", 2), (("--app=/bin/true", "--url=x"), "--url", 2),
            (("--app=/bin/true", "--url=/ü"), "%XX", 2),
            (("--app=/bin/true", "--url=/a#b"), "--url", 2),
            (("--workloads=api,api",), "twice", 2),
            (("--short", "--full"), "full", 2), (("--seconds=0",), "seconds", 2),
            (("--nothing",), "nothing", 2), (("word",), "word", 2), (("--", "x"), "--app", 2),
            ((f"--render={nobody}",), "nobody", 1), (("--render=/nowhere",), "/nowhere", 1),
            (("--out=/proc/weir", "--short"), "/proc/weir cannot be made: the ", 1),
            ((f"--out={nobody}/out",), "cannot be made: a file is in its way", 1)):
        output, error = compare.run(*options, status=status)
        check_equal(output, "", f"output of {options}")
        check_equal(error.count("\n"), 1, f"lines of {options}: {error}")
        check(word in error, f"{options}: {error}")
    output, _ = compare.run("--help")
    check("--app" in output and "--short" in output, output)


if __name__ == "__main__":
    os.environ.pop("WEIR_MODEL", None)
    run_cases([the_report_is_whole, state_counts_and_models_are_refused,
               an_interrupted_run_goes_on, other_peers_are_another_comparison,
               a_killed_comparison_leaves_nothing,
               a_full_disk_is_said_and_nothing_hangs, an_earlier_report_is_shown_again,
               mistakes_are_one_line])
