#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes doc/figures.md from what was measured last.

usage: bench/figures.py [--report FILE] [--output FILE]

Reads build/bench/report.json, which `make bench` writes, and bench/baseline.json, which
`bench/instructions.py --update` writes.  The page has ratios where figures move with the machine,
and figures where they do not."""
import argparse
import json
import pathlib
import sys
import textwrap

import common

BASELINE = common.ROOT / "bench" / "baseline.json"

# A part of the page: the rows whose names begin so, the program, the heading and the words.
PARTS = (
    ("http/", "http_cost", "CPU time per request",
     """User and system CPU time of one request, weir's divided by the peer's: below 1.00 weir
     needs less. One core for the server, another for wrk with 64 connections. The floor is
     `bench/floor.c`, the least that a server on epoll can do. The rows: the smallest answer,
     sixteen of them asked for at once, 65,536 bytes, one of 500 routes, a connection for each
     request."""),
    ("http/idle/", "idle", "Memory of an idle connection",
     """What resident memory grows by with each idle keep-alive connection, weir's divided by the
     peer's."""),
    ("core/", "core", "Core operations",
     """Time of one operation, weir's divided by that of Go: on one worker and with `GOMAXPROCS=1`,
     both on one core; the rows of `tasks-2` on two workers and with `GOMAXPROCS=2`.
     `bench/core_ops.c` says what each does. The aim is what the ratio should be at most; one
     in bold is missed."""),
    ("parked/", "parked", "Memory of a parked task",
     """Resident memory and page tables of a task that waits on a channel, with a stack of 64 KiB,
     beside a goroutine. `old`: without the kernel's newer features only some of the stacks have
     guards, made by mprotect."""),
    ("tree/", "tree", "Speed-up of tasks that compute",
     """How much faster two workers compute a tree of tasks than one, beside plain threads on two
     cores and on one, which have the most that the machine gives."""),
    ("hogs/", "hogs", "Timers beside hogs",
     """How late the timers of a task are, at the 99th percentile, while so many others compute on
     two workers and never wait, beside those of a plain thread of the same process."""),
)


def paragraph(words):
    return textwrap.fill(" ".join(words.split()), 100, break_on_hyphens=False)


def read_report(path):
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        sys.exit(f"bench/figures: {path}: {error.strerror}; `make bench` writes it first")
    except ValueError as error:
        sys.exit(f"bench/figures: {path} is no report: {error}; `make bench` makes it anew")
    if not rows:
        sys.exit(f"bench/figures: {path} has no row; see what `make bench` left out")
    return rows


def rows_of(rows, prefix):
    """Those of a part; idle memory has one of its own."""
    return [row for row in rows if row["name"].startswith(prefix)
            and (prefix != "http/" or not row["name"].startswith("http/idle/"))]


def ratio(row):
    digits = 2 if row["ratio"] >= 0.1 else 3
    return f"{row['ratio']:.{digits}f} ±{row['spread'] / 2:.0%}"


def table(rows):
    """A line for each thing measured and model, a column for each peer, and one for the aims if
    there are any."""
    peers = list(dict.fromkeys(row["peer_name"] for row in rows))
    aims = ["aim"] if any("aim" in row for row in rows) else []
    lines = ["| row | weir under | " + " | ".join([f"to {peer}" for peer in peers] + aims) + " |",
             "|---|---|" + "---:|" * len(peers + aims)]
    for name in dict.fromkeys(row["name"] for row in rows):
        _, what, model = name.split("/")
        found = {row["peer_name"]: ratio(row) for row in rows if row["name"] == name}
        cells = [found.get(peer, "–") for peer in peers]
        cells += [aim_of(name, rows) for _ in aims]
        lines.append(f"| {what} | `{model}` | {' | '.join(cells)} |")
    return lines


def claims(rows):
    """A line for each row that no ratio says."""
    lines = [f"| row | weir under | {rows[0]['unit']} | {rows[0]['peer_name']} | aim | |",
             "|---|---|---:|---:|---|---|"]
    for row in rows:
        _, what, model = row["name"].split("/")
        beside = f"{row['peer']:,.10g}" if "peer" in row else "–"
        met = {True: "met", False: "**missed**", None: ""}[row["met"]]
        lines.append(f"| {what} | `{model}` | {row['weir']:,.10g} | {beside} "
                     f"| {row['aim'] or '–'} | {met} |")
    return lines


def derived(rows):
    """What others would need, in words."""
    told = [f"{row['name'].split('/')[1]}: " + ", ".join(
        f"{library} {row['derived'][library]:.0f} ns" for library in row["derived"])
        + f", weir {row['weir']:.0f} ns" for row in rows
        if "derived" in row and row["name"].endswith("/tasks")]
    if not told:
        return []
    return [paragraph(f"""Derived, not measured: two C libraries whose tasks share one thread, and
        are not safe across threads, as they stood to Go 1.19 on another machine, times Go's figure
        here. On one worker: {'; '.join(told)}."""), ""]


def aim_of(name, rows):
    """The aim of a row, in bold where it is missed."""
    row = next(row for row in rows if row["name"] == name)
    if "aim" not in row:
        return "–"
    return f"{row['aim']:.2f}" if row["ratio"] <= row["aim"] else f"**{row['aim']:.2f}**"


def rounds(rows):
    count = rows[0]["rounds"]
    return f"{count} round{'s' if count > 1 else ''}"


def versions(rows):
    """Of the peers whose version matters."""
    known = dict.fromkeys(row["peer_version"] for row in rows if row.get("peer_version"))
    return "".join(f", {version}" for version in known)


def measured_part(rows, prefix, program, heading, words):
    mine = rows_of(rows, prefix)
    if not mine:
        return []
    lines = table(mine) if "ratio" in mine[0] else claims(mine)
    return [f"## {heading}", "", paragraph(words), "", *lines, "", *derived(mine),
            f"`bench/run build/release {program}`, {rounds(mine)}{versions(mine)}.", ""]


def counted_part(baseline):
    """Instructions need no peer and no quiet machine."""
    names = list(dict.fromkeys(name.split("/")[0] for name in baseline["instructions"]))
    models = list(dict.fromkeys(name.split("/")[1] for name in baseline["instructions"]))
    lines = ["## Instructions", "", paragraph(
        """User-space instructions of one operation, counted by valgrind; they repeat within a per
        cent on any machine, loaded or not. `make check-all` fails where one moves by more than 3
        per cent. A pipelined request is one of sixteen."""), "",
             "| row | " + " | ".join(f"`{model}`" for model in models) + " |",
             "|---|" + "---:|" * len(models)]
    for name in names:
        counts = [baseline["instructions"].get(f"{name}/{model}") for model in models]
        cells = " | ".join("–" if count is None else f"{count:,.0f}" for count in counts)
        lines.append(f"| {name} | {cells} |")
    had = baseline["conditions"]
    lines += ["", f"`bench/instructions.py build/release`; {had['compiler']} {had['flags']}, "
              f"{had['architecture']}, {had['library']}, {had['vectors']}.", ""]
    return lines


def page(rows, baseline):
    first = rows[0]
    lines = ["# Figures", "",
             "<!-- Written by `make figures` from build/bench/report.json and "
             "bench/baseline.json. -->", "",
             f"Measured on {first['time'][:10]}, on {first['machine']}.", "", paragraph(
                 """Nanoseconds and microseconds differ from machine to machine and from hour to
                 hour, so what is timed is given as a ratio: everybody took a turn in each round,
                 and the ratio is the median over the rounds, with half the range of the rounds
                 behind the ±. `make bench` measures again on your machine, and `make figures`
                 writes this page from it."""), ""]
    if any(row["quick"] for row in rows):
        lines += ["These are rough: they were taken with `--quick`, in short rounds.", ""]
    for part in PARTS:
        lines += measured_part(rows, *part)
    return "\n".join(lines + counted_part(baseline)).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=pathlib.Path, default=common.FOLDER / "report.json")
    parser.add_argument("--output", type=pathlib.Path, default=common.ROOT / "doc" / "figures.md")
    options = parser.parse_args()
    text = page(read_report(options.report), json.loads(BASELINE.read_text()))
    try:
        options.output.write_text(text, encoding="utf-8")
    except OSError as error:
        sys.exit(f"bench/figures: {options.output}: {error.strerror}")
    print(f"written: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
