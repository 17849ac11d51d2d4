#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`weir compare --render` shows what a report says, however hostile it is: tables keep to their
width; files that are no report are one clear line; the page needs nothing else and draws its charts
in a browser.  ctest: timeout=150"""
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
import tempfile
import termios
import zlib

import compare_sample
from compare_render import at, render, rendered, run, tiny
from service import Failure, Skip, check, check_equal, tool_path

HOSTILE = ("</script><script>document.documentElement.dataset.broken=1</script>",
           "\"'><img src=x onerror=\"document.documentElement.dataset.broken=1\">",
           "<!--<script>", "\u001b[31mred\u0007\u009b2J", "\u2028line\u2029",
           "日本語 ünï %s %n {{x}} `${1}`")

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


def overload_has_a_table_of_its_own():
    report = compare_sample.report()
    api = report["workloads"][0]
    api["rows"][1]["storm"]["void"] = "the generator was late"
    report["workloads"] = [api]
    for width in (80, 120):
        printed = printed_at(report, width)
        table = printed.partition("At 5 times the capacity of each\n")[2]
        table = re.sub(r"\n\n(?! )", "\n", table)  # blocks of one table
        lines = [line for line in table.split("\n") if line.strip()[:2] != "--"]
        for name, cells in (("weir tasks", ("95", "0.2", "9")), ("weir loop", ("0.2?",)),
                            ("Go net/http", (">60",)), ("Go net/http, guarded", ("83",))):
            found = " ".join(line for line in lines if re.match(rf"[ *] {name}\s\s", line)).split()
            for cell in cells:
                check(cell in found, f"{width}: no {cell} for {name}: {found}")
    for row in api["rows"]:
        row["points"] = [point for point in row["points"] if point["multiple"] != 5]
    check("At 5 times" not in printed_at(report, 80), "a table of what was not measured")


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
    # Two for each of five workloads, two of the step, two of the storm, two of crashes, one of the
    # counter, five of costs.
    check(charts_of(text) >= 22, f"{charts_of(text)} charts")
    for words in ("At 5 times the capacity of each", "a retry storm is over", "not in 60 s",
                  "in 0.2 s", "CPU time of a refusal (503) at 5×", "Memory at 1× and at 5×",
                  "A step: goodput over time", "A retry storm: what is asked",
                  "Everybody at a glance", "within the spread", "install nodejs",
                  "How to repeat this", "Connection in use", "they decide nothing"):
        check(words in text, f"{words!r} is not on the page")


def a_browser_shows_one_void_point_among_sound_ones():
    """At the very multiple that decides, where the overview shows it too."""
    report = compare_sample.report()
    for workload in report["workloads"]:
        for point in workload["rows"][-1].get("points", []):
            point["void"] = "the generator was late"
    with tempfile.TemporaryDirectory() as folder:
        text = drawn(report, folder)
    check(charts_of(text) >= 18, f"{charts_of(text)} charts")


def a_browser_shows_what_is_void():
    """Where every point is void the charts show them all the same, as such, and what was left out
    is told apart from them."""
    report = compare_sample.report()
    report["workloads"] = report["workloads"][:2]
    for row in (row for workload in report["workloads"] for row in workload["rows"]):
        for point in row["points"]:
            point["void"] = "the generator was late"
    report["workloads"][0]["rows"][0]["speed_up"] = 3.5
    with tempfile.TemporaryDirectory() as folder:
        text = drawn(report, folder)
    points = [point for workload in report["workloads"] for row in workload["rows"]
              for point in row["points"] if point["cores"] == "one"]
    drawn_points = int(re.search(r'<html[^>]* data-voids="(\d+)"', text).group(1))
    check_equal(drawn_points, len(points) + sum("p99_ms" in point for point in points),
                "void points within the axes of their charts")
    for words in ("grey, hollow and dotted: void", "no verdict: too busy a machine",
                  "No recommendation", "3.50×?"):
        check(words in text, f"{words!r} is not on the page")
    out = re.search(r'<section id="out">(.*?)</section>', text, flags=re.DOTALL).group(1)
    told, _, voids = out.partition("<details>")
    check("install nodejs" in told and "generator was late" not in told, told)
    check_equal(voids.count("the generator was late"), 14 * 2 * 2 * 4, "void points")


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


if __name__ == "__main__":
    run((tables_keep_to_the_width, overload_has_a_table_of_its_own,
         the_page_is_whole_and_needs_nothing,
         terminals_are_not_commanded, what_is_no_report_is_one_line,
         odd_kinds_are_taken_for_absent, a_full_disk_is_told, a_browser_draws_the_charts,
         a_browser_shows_one_void_point_among_sound_ones, a_browser_shows_what_is_void,
         a_browser_runs_nothing_that_a_text_says))
