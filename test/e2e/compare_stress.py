#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What takes `weir compare` longer to show: crashes, a blocking library, a journal of other
settings, the forms with bisection and step.  ctest: timeout=900 processors=2"""
import json
import os
import signal
import sys

from compare_support import (BOUND_SECONDS, TINY, example, interrupt, rows, run_cases, write_peers)
from service import check, check_equal, eventually


def a_crash_is_recovered_from(compare):
    compare.run(*TINY, "--models=tasks", "--peers=none", "--workloads=crash")
    row = rows(compare.report(), "crash")["weir tasks"]
    check(row["crashes"] > 0 and row["recover_ms"] > 0 and row["lost_per_crash"] >= 0, f"{row}")


def another_setting_begins_anew(compare):
    options, _ = interrupt(compare, signal.SIGTERM)
    _, error = compare.run(*options, "--seed=2")
    check("differs in its seed" in error, error)
    check_equal(compare.report()["seed"], 2, "the seed")


def a_blocking_library_loses_in_the_block_row(compare):
    compare.run(*TINY, f"--app={example('sleeper')}", "--url=/slow", "--models=loop",
                "--workloads=block", "--peers=none")
    found = rows(compare.report(), "block")
    wrong, right = found["sleeper loop"], found["weir loop"]
    check(wrong["capacity"] < right["capacity"] / 2, f"{wrong['capacity']} {right['capacity']}")
    check(".blocking" in wrong.get("note", ""), f"{wrong}")
    compare.run(*TINY, f"--app={example('sleeper')}", "--url=/slow", "--models=loop",
                "--workloads=block", "--peers=none", "--", "--right")
    row = rows(compare.report(), "block")["sleeper loop"]
    check(row["capacity"] > 2 * wrong["capacity"] and "note" not in row, f"{row}")


def the_full_form_has_all_its_parts(compare):
    compare.run("--full", "--seconds=0.5", "--timeout=1s", "--models=tasks", "--peers=none",
                "--workloads=api")
    row = rows(compare.report(), "api")["weir tasks"]
    check_equal([point["multiple"] for point in row["points"]], [0.5, 0.9, 1, 1.5, 2, 3, 5, 10],
                "points")
    check(row["capacity"] <= row["saturation"], f"{row['capacity']} of {row['saturation']}")
    check(len(row["series"]) >= 3, f"the step has {len(row['series'])} intervals")
    check(max(one["offered"] for one in row["series"]) > row["capacity"], "no step")
    check(all(point["resident_bytes"] > 0 for point in row["points"]), "no memory")
    storm_is_told_rightly(row["storm"], 1.5)


def storm_is_told_rightly(storm, watched_s):
    """The verdict is worked out again from the series: from the moment of recovery on, of the
    requests that were due in each second 95 % were answered."""
    series = storm["series"]
    bin_s = series[1]["s"] - series[0]["s"]
    window = int(1 / bin_s + 0.5)
    check_equal((storm["watched_s"], storm["burst_end_s"] - storm["burst_s"]), (watched_s, 0.5),
                "the parts of the storm")
    after = [one for one in series if one["s"] >= storm["burst_end_s"] - 1e-6]
    first = max(0, len(after) - window)

    def well(at):
        part = after[at:at + window]
        return sum(one["goodput"] for one in part) >= 0.95 * sum(one["offered"] for one in part)
    check_equal(storm["recovered"], well(first), f"recovered, of {after}")
    if not storm["recovered"]:
        check("recover_s" not in storm, f"{storm.get('recover_s')}")
        return
    while first > 0 and well(first - 1):
        first -= 1
    check(abs(storm["recover_s"] - first * bin_s) < 1e-6, f"{storm['recover_s']}, {first} bins")


# One request at a time, each for 20 ms, first come, first served: also those that nobody waits for
# any more.
QUEUE = """
import asyncio, sys
turn = asyncio.Lock()
async def serve(reader, writer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            async with turn:
                await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
            await writer.drain()
    except (OSError, EOFError):
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()
asyncio.run(main())
"""


def a_queue_of_the_dead_outlasts_the_burst(compare):
    script = compare.folder / "queue.py"
    script.write_text(QUEUE)
    peer = {"name": "endless", "run": [sys.executable, str(script), "{port}"]}
    folder = write_peers(compare.folder / "peers", [peer])
    # Half a second of seven times its capacity is three seconds of work: no answer comes within a
    # second to those who ask in the second and a half that is watched.
    options = ("--full", "--seconds=0.5", "--timeout=1s", "--models=none", "--peers=test",
               f"--peers-dir={folder}", "--workloads=api")
    with compare.start(*options) as process:
        eventually(lambda: "|storm" in journal_of(compare) or process.poll() is not None,
                   "a storm is journalled", 240)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=BOUND_SECONDS)
    kept = next(json.loads(line) for line in journal_of(compare).splitlines() if '|storm"' in line)
    _, error = compare.run(*options)
    check("measurements done" in error, error)
    storm = rows(compare.report(), "api")["endless"]["storm"]
    check_equal(storm["series"], kept["result"]["storm"]["series"],
                "what was measured before the interruption")
    storm_is_told_rightly(storm, 1.5)
    check_equal(storm["recovered"], False, f"recovered: {storm}")
    check(storm["attempts_per_request"] > 1.2, f"nobody tried again: {storm}")


def journal_of(compare):
    try:
        return (compare.out / "journal.jsonl").read_text()
    except OSError:
        return ""


def a_mix_is_offered_by_weight(compare):
    compare.run(*TINY, "--models=tasks", "--peers=none", "--workloads=mix,wait,stream")
    for workload in ("mix", "wait", "stream"):
        row = rows(compare.report(), workload)["weir tasks"]
        check(row["capacity"] > 0 and "failed" not in row, f"{workload}: {row}")


if __name__ == "__main__":
    os.environ.pop("WEIR_MODEL", None)
    run_cases([a_crash_is_recovered_from, another_setting_begins_anew,
               a_blocking_library_loses_in_the_block_row, the_full_form_has_all_its_parts,
               a_queue_of_the_dead_outlasts_the_burst,
               a_mix_is_offered_by_weight])
