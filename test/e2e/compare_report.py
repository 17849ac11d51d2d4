#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`weir compare --render` judges and shows what a report says: the right winner and loser, whatever
is absent, void, failed, refused or hostile in it; files that are no report are one clear line; the
page needs nothing else and draws its charts in a browser.  ctest: timeout=150"""
import copy
import fcntl
import html.parser
import json
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import traceback
import zlib

import compare_sample
from service import Failure, Skip, check, check_equal, tool_path

HOSTILE = ("</script><script>document.documentElement.dataset.broken=1</script>",
           "\"'><img src=x onerror=\"document.documentElement.dataset.broken=1\">",
           "<!--<script>", "\u001b[31mred\u0007\u009b2J", "\u2028line\u2029",
           "日本語 ünï %s %n {{x}} `${1}`")


def render(report, folder, status=0, before=None):
    """Runs the tool on a report (a document, or raw bytes); returns what it printed."""
    path = pathlib.Path(folder) / "in.json"
    path.write_bytes(report if isinstance(report, bytes)
                     else json.dumps(report).encode())
    out = pathlib.Path(folder) / "out"
    done = subprocess.run([tool_path(), "compare", f"--render={path}", f"--out={out}"],
                          capture_output=True, timeout=60, preexec_fn=before)
    check_equal(done.returncode, status, f"status ({done.stderr.decode()[-300:]})")
    return done.stdout.decode() if status == 0 else done.stderr.decode()


def rendered(report):
    """The judged report, the page and the terminal's text."""
    with tempfile.TemporaryDirectory() as folder:
        printed = render(report, folder)
        out = pathlib.Path(folder) / "out"
        return (json.loads((out / "report.json").read_text()), (out / "report.html").read_text(),
                printed)


# -- Verdicts

def tiny(rows, families=None, **more):
    """A report of one workload; rows are (name, members of the row)."""
    contestants = [{"name": name, "family": (families or {}).get(name, "weir" if "weir" in name
                                                                 else "go"),
                    "model": name.split()[-1], "settings": [], "shares_memory": True}
                   for name, _ in rows]
    return {"version": 1, "contestants": contestants,
            "workloads": [{"name": "api", "what": "work",
                           "rows": [dict(row, contestant=name) for name, row in rows]}], **more}


def at(goodput, spread=0.02, multiple=5, **more):
    """A row with a point."""
    row = {"capacity": 500, "points": [dict({"cores": "one", "multiple": multiple,
                                             "offered": 2500, "goodput": goodput,
                                             "p99_ms": 50}, **more)]}
    if spread is not None:
        row["spread"] = spread
    return row


def crash(lost, crashes=20):
    return {"capacity": 500, "lost_per_crash": lost, "crashes": crashes}


def state(seen, capacity, expected=5000):
    return {"capacity": capacity, "state_seen": seen, "state_expected": expected, "spread": 0.01}


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
        if winner is not None:
            check(0 <= verdict["lead"] <= 1 and verdict["spread"] > 0, f"{what}: {verdict}")
            check_equal(clear, verdict["lead"] > verdict["spread"], f"{what}: clear by its figures")
            check_equal(verdict["even"][0], winner, f"{what}: the first of the even")


def judging_again_changes_nothing():
    once = rendered(compare_sample.report())[0]
    check_equal(rendered(once)[0], once, "a report judged twice")
    changed = copy.deepcopy(once)
    changed["workloads"] = changed["workloads"][:1]
    for row in changed["workloads"][0]["rows"]:
        row.pop("points")
        row["capacity"] = 1000 if row["contestant"] == "Node http" else 10
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


# -- The terminal

def tables_keep_to_the_width():
    for report in (compare_sample.report(), compare_sample.app_report(), tiny([])):
        for width in (80, 120):
            printed = printed_at(report, width)
            for line in printed.split("\n"):
                # The last lines name the files.
                if "/" not in line or "report" not in line:
                    check(len(line) <= width, f"{len(line)} columns of {width}: {line!r}")
                check_equal(line, line.rstrip(), "a line without blanks at its end")


def printed_at(report, columns):
    """What the tool prints on a terminal of that width."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "in.json"
        path.write_text(json.dumps(report))
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        with subprocess.Popen([tool_path(), "compare", f"--render={path}", f"--out={folder}/out"],
                              stdin=subprocess.DEVNULL, stdout=slave) as child:
            os.close(slave)
            printed = read_to_end(master)
            check_equal(child.wait(timeout=60), 0, "status")
        os.close(master)
    return printed.replace("\r\n", "\n")


def read_to_end(master):
    """A terminal whose other side is closed ends with an error."""
    parts = []
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


# -- The page

class Page(html.parser.HTMLParser):
    """Elements in the order in which they begin, texts of scripts, and what is loaded."""

    VOID = ("meta", "br", "img", "link", "hr", "input")

    def __init__(self, text):
        super().__init__()
        self.begun, self.open, self.scripts, self.loads, self.title = [], [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.begun.append(tag)
        self.loads += [value for name, value in attrs
                       if name in ("src", "href") and not (value or "").startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            raise Failure(f"</{tag}> where {self.open} is open")
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        if self.open and self.open[-1] == "title":
            self.title += data


def hostile_report():
    """The sample with every text replaced by a hostile one; names stay unique."""
    report = compare_sample.app_report()
    names = {}
    for index, one in enumerate(report["contestants"]):
        names[one["name"]] = f"{HOSTILE[index % len(HOSTILE)]}{index}"
        one["name"] = names[one["name"]]
        one["model"] = one["family"] = HOSTILE[0]
        one["settings"] = list(HOSTILE)
    for workload in report["workloads"]:
        workload["name"], workload["what"] = HOSTILE[0], HOSTILE[1]
        for row in workload["rows"]:
            row["contestant"] = names[row["contestant"]]
            if "refused" in row:
                row["refused"] = HOSTILE[1]
        workload["rows"][0]["points"][-1]["void"] = HOSTILE[0]
    report["app"] = {"command": HOSTILE[0], "url": HOSTILE[1]}
    report["command"] = report["started"] = HOSTILE[0]
    report["machine"] = {"processor": HOSTILE[1], "kernel": HOSTILE[2], "cores": 2}
    return report


def the_page_is_whole_and_needs_nothing():
    for report in (compare_sample.report(), tiny([]), hostile_report()):
        judged, text, _ = rendered(report)
        page = Page(text)
        check_equal(page.open, [], "elements left open")
        check_equal(page.begun.count("script"), 3, "scripts")
        check("img" not in page.begun, "an element out of a text")
        check_equal(page.loads, [], "what the page loads")
        check("weir:" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
              .replace("weir: ", ""), "a place was not filled")
        attributes, data = page.scripts[0]
        check_equal(attributes.get("id"), "report", "the first script")
        check_equal(json.loads(data), judged, "the report in the page")
        check(page.title.startswith("weir compare"), page.title)
        if "app" in report:
            check_equal(page.title, "weir compare: " + report["app"]["command"], "the title")


def terminals_are_not_commanded():
    _, _, printed = rendered(hostile_report())
    bad = [character for character in printed
           if character != "\n" and (character < " " or "\x7f" <= character < "\xa0")]
    check_equal(bad, [], "control characters in the table")


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    raise Skip("no chromium here (Debian package chromium): the page was not drawn")


def drawn(report, folder):
    """The page's elements after its scripts have run, and what they complained of."""
    path = browser()
    render(report, folder)
    done = subprocess.run(
        [path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={folder}/profile", "--enable-logging=stderr", "--dump-dom",
         f"file://{folder}/out/report.html"], capture_output=True, timeout=90)
    complaints = [line for line in done.stderr.decode(errors="replace").split("\n")
                  if ":CONSOLE" in line]
    check_equal(complaints, [], "what the browser complains of")
    return done.stdout.decode()


def charts_of(text):
    found = re.search(r'<html[^>]* data-charts="(\d+)"', text)
    check(found, "the page's script did not come to its end")
    return int(found.group(1))


def a_browser_draws_the_charts():
    with tempfile.TemporaryDirectory() as folder:
        text = drawn(compare_sample.report(), folder)
    check_equal(charts_of(text), text.count('role="img"'), "charts with something in them")
    # Two for each of five workloads, two of the burst, two of crashes, one of the counter, three
    # of costs.
    check(charts_of(text) >= 18, f"{charts_of(text)} charts")
    for words in ("Everybody at a glance", "within the spread", "install nodejs",
                  "How to repeat this", "Connection in use", "they decide nothing"):
        check(words in text, f"{words!r} is not on the page")


def a_browser_runs_nothing_that_a_text_says():
    with tempfile.TemporaryDirectory() as folder:
        text = drawn(with_odd_kinds(hostile_report()), folder)
        check(charts_of(text) > 0, "charts of the figures that are left")
        check("data-broken" not in text.split(">")[1], "a text was run")
        check('data-broken="1"' not in text, "a text was run")
        check_equal(charts_of(drawn(tiny([]), folder)), 0, "charts of an empty report")


# -- Files that are no report

def what_is_no_report_is_one_line():
    sample = compare_sample.report()
    twice = copy.deepcopy(sample)
    twice["contestants"].append(twice["contestants"][0])
    stranger = copy.deepcopy(sample)
    stranger["workloads"][0]["rows"][0]["contestant"] = "nobody"
    for what, document, words in (
            ("empty", b"", "is not JSON"), ("garbage", b"\x00\xff\x7f{]", "is not JSON"),
            ("cut", json.dumps(sample).encode()[:5000], "is not JSON"),
            ("not UTF-8", b'{"version": 1, "weir": "\xff\xfe"}', "is not JSON"),
            ("a list", b"[]", "not a report"), ("other JSON", b'{"a": 1}', "not a report"),
            ("too new", b'{"version": 2, "weir": "9.1"}', "version 2"),
            ("too old", b'{"version": 0}', "version 0"),
            ("no rows", b'{"version":1,"contestants":[],"workloads":[{"name":"x"}]}', "damaged"),
            ("lists of nothing", b'{"version":1,"contestants":[1,null],"workloads":[]}', "damaged"),
            ("a name twice", twice, "damaged"), ("a row of nobody", stranger, "damaged"),
            ("deep", b"[" * 100000, "is not JSON")):
        with tempfile.TemporaryDirectory() as folder:
            said = render(document, folder, status=1)
            check(words in said, f"{what}: {words!r} not in {said!r}")
            check_equal(said.count("\n"), 1, f"{what}: lines of {said!r}")
            check(not (pathlib.Path(folder) / "out" / "report.html").exists(), f"{what}: a page")
    done = subprocess.run([tool_path(), "compare", "--render=/nowhere/report.json"],
                          capture_output=True, timeout=20, text=True)
    check_equal(done.returncode, 1, "status without the file")
    check("/nowhere/report.json" in done.stderr, done.stderr)


def with_odd_kinds(report):
    """The report with half of its figures replaced by what is none."""
    odd = (None, True, "x", [], {}, [None, 3, "y"], -1, 1e308, 1e-308)
    for index, workload in enumerate(report["workloads"]):
        for row in workload["rows"]:
            for key in list(row):
                if key != "contestant" and zlib.crc32(f"{row['contestant']} {key}".encode()) % 2:
                    row[key] = odd[(index + len(key)) % len(odd)]
        workload["verdict"] = odd[index % len(odd)]
    report["machine"] = report["layout"] = report["seconds"] = 3
    return report


def odd_kinds_are_taken_for_absent():
    rendered(with_odd_kinds(compare_sample.report()))


def a_full_disk_is_told():
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))

    with tempfile.TemporaryDirectory() as folder:
        said = render(tiny([("weir a", at(400)), ("Go b", at(200))]), folder, status=1,
                      before=small_files)
        check("report.html cannot be written" in said, said)
        check_equal(sorted(path.name for path in (pathlib.Path(folder) / "out").iterdir()),
                    ["report.json"], "what is left")


def main():
    cases = (verdicts_follow_the_figures, judging_again_changes_nothing,
             the_sample_is_judged_as_it_was_made, advice_names_only_what_the_app_permits,
             tables_keep_to_the_width, the_page_is_whole_and_needs_nothing,
             terminals_are_not_commanded, what_is_no_report_is_one_line,
             odd_kinds_are_taken_for_absent, a_full_disk_is_told, a_browser_draws_the_charts,
             a_browser_runs_nothing_that_a_text_says)
    failed = 0
    for case in cases:
        try:
            case()
            print(f"ok    {case.__name__}", flush=True)
        except Skip as reason:
            print(f"skip  {case.__name__}: {reason}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL  {case.__name__}: {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
