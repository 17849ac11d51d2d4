# SPDX-License-Identifier: MIT
"""A report as `weir compare` writes it, with invented figures: SAMPLE ONLY, measured nowhere.

The tests of what judges and shows a report need one of full size: fourteen contestants in seven
workloads, with what goes wrong in practice (void points, failures, refusals, a missing
toolchain).  The figures follow simple curves, so that a test knows who must win.

`python3 compare_sample.py FILE` writes it, to look at the page: weir compare --render=FILE"""
import json
import math
import random
import sys

MULTIPLES = (0.5, 1, 2, 5)

# name, family, model, guarded, shares memory, CPU us a request beyond the work, resident MB,
# processes, threads, start in ms, part of capacity that is kept at 2 and 5 times, settings
CONTESTANTS = (
    ("weir tasks", "weir", "goroutines", False, True, 9, 7.1, 1, 4, 4.2, (0.98, 0.95), ()),
    ("weir loop", "weir", "event loop", False, True, 8, 5.9, 1, 2, 3.6, (0.98, 0.95), ()),
    ("weir cluster", "weir", "cluster", False, False, 9, 12.8, 3, 4, 6.9, (0.98, 0.94), ()),
    ("weir threads", "weir", "threads", False, True, 16, 9.4, 1, 36, 4.5, (0.97, 0.92), ()),
    ("weir prefork", "weir", "one request per process", False, False, 14, 41.0, 9, 9, 14.0,
     (0.97, 0.91), ()),
    ("Go net/http", "go", "goroutines", False, True, 14, 19.0, 1, 7, 6.0, (0.0, 0.0),
     ("GOMAXPROCS=1",)),
    ("Go net/http, guarded", "go", "goroutines", True, True, 15, 15.5, 1, 7, 6.1, (0.9, 0.83),
     ("GOMAXPROCS=1", "LimitListener(64)")),
    ("Node http", "node", "event loop", False, False, 21, 68.0, 1, 11, 52.0, (0.0, 0.0), ()),
    ("Node http, guarded", "node", "event loop", True, False, 24, 71.0, 1, 11, 55.0, (0.81, 0.42),
     ("maxEventLoopDelay=100",)),
    ("Node cluster", "node", "cluster", False, False, 30, 201.0, 3, 33, 148.0, (0.02, 0.0), ()),
    ("Python ThreadingHTTPServer", "python", "threads, with a GIL", False, True, 420, 24.0, 1, 18,
     140.0, (0.55, 0.12), ("request_queue_size=1024",)),
    ("Python asyncio", "python", "async", False, True, 160, 27.0, 1, 1, 160.0, (0.03, 0.0), ()),
    ("gunicorn, prefork", "python", "one request per process", False, False, 310, 76.0, 4, 4,
     480.0, (0.4, 0.1), ("--workers=3", "--backlog=2048")),
    ("uvicorn, guarded", "python", "async", True, False, 230, 39.0, 1, 1, 390.0, (0.7, 0.38),
     ("--limit-concurrency=64",)),
)
NAMES = [row[0] for row in CONTESTANTS]

# name, what, CPU us of the work, wait in ms
WORKLOADS = (
    ("api", "2 ms of CPU per request", 2000, 0),
    ("wait", "50 ms on a backend, hardly any CPU", 120, 50),
    ("mix", "nine short requests, then one that waits and computes", 620, 5),
    ("block", "20 ms inside a library that blocks its thread", 60, 20),
    ("stream", "100 pieces of 1 KiB per reply", 700, 2),
    ("crash", "one request in a thousand kills its process", 500, 0),
    ("state", "every request adds one to a shared counter", 150, 0),
)
LOST_PER_CRASH = {"weir tasks": 31, "weir loop": 30, "weir cluster": 16, "weir threads": 32,
                  "weir prefork": 1.1, "Node cluster": 19, "gunicorn, prefork": 1.3}


def contestants():
    made = []
    for (name, family, model, guarded, shares, _, resident, processes, threads, start, _,
         settings) in CONTESTANTS:
        made.append({"name": name, "family": family, "model": model, "guarded": guarded,
                     "shares_memory": shares, "settings": list(settings), "start_ms": start,
                     "resident_bytes": int(resident * 1e6 * 0.8), "processes": processes,
                     "threads": threads})
    made.append({"name": "Node worker_threads", "family": "node", "model": "worker threads",
                 "guarded": False, "shares_memory": False, "settings": [],
                 "left_out": "this node lacks worker_threads: install nodejs"})
    return made


def point(cores, multiple, capacity, kept, base_ms, void_why, timeout_ms=1000):
    offered = capacity * multiple
    if multiple <= 1:
        goodput, shed = offered * (1 if multiple < 1 else 0.985), 0
        p50, p99 = base_ms * (1 + multiple / 4), base_ms * (2 + 14 * multiple ** 3) + 4
        late = offered - goodput
    else:
        part = kept[0] if multiple <= 2 else kept[1]
        goodput = capacity * part
        guarded = part > 0.6
        late = offered * (0.002 if guarded else 0.3 if part > 0 else 0.55)
        late = min(late, offered - goodput)
        shed = offered - goodput - late if guarded else 0
        p50 = base_ms * 3 + 8 if guarded else timeout_ms * 0.7
        p99 = base_ms * 6 + 30 if guarded else timeout_ms * 0.99
    made = {"cores": cores, "multiple": multiple, "offered": round(offered, 1), "seed": 1,
            "goodput": round(goodput, 1), "late": round(late, 1), "shed": round(shed, 1),
            "other": 0.0, "error": 0.0,
            "timeout": round(max(offered - goodput - late - shed, 0), 1),
            "cpu_us_per_request": 2000.0, "resident_bytes": int(9e6 + 1e6 * late / 100)}
    if shed > late:
        made["cpu_us_per_refusal"] = round(60 * (1.1 - kept[1]), 1)
    if goodput > 0:
        made.update(p50_ms=round(p50, 2), p99_ms=round(p99, 2))
    if void_why:
        made["void"] = void_why
    return made


def series(capacity, kept):
    made = []
    for step in range(80):
        second = step / 10
        above = 2 <= second < 5
        offered = capacity * (5 if above else 0.5)
        recovering = 5 <= second < 5 + (0.3 if kept > 0.6 else 2.4)
        goodput = capacity * kept * math.exp(-0.0 * step) if above else offered
        if above and kept <= 0.6:
            goodput = capacity * max(kept, 1 - (second - 2) * 1.4)
        if recovering and kept <= 0.6:
            goodput = capacity * 0.02
        made.append({"s": second, "offered": round(offered), "goodput": round(goodput),
                     "shed": round(offered - goodput) if above and kept > 0.6 else 0,
                     "p99_ms": 900.0 if (above or recovering) and kept <= 0.6 else
                     45.0 if above else 6.0})
    return made


def storm(capacity, kept):
    """Who keeps little beyond its capacity never comes back from a burst."""
    recovers = kept > 0.6
    made = []
    for bin_ in range(325):
        second = bin_ / 5
        burst = 3 <= second < 5
        base = 7 if burst else 0.7
        asked = base * (2.5 if burst else 1)
        if second >= 3 and not recovers:
            good, asked = 0.02, max(asked, 2.8)
        else:
            good = min(base, kept) if burst else base
        made.append({"s": second, "offered": capacity * base, "goodput": round(capacity * good),
                     "shed": 0, "attempts": round(capacity * asked), "p99_ms": 40.0})
    whole = {"burst_s": 3.0, "burst_end_s": 5.0, "watched_s": 60.0, "recovered": recovers,
             "attempts_per_request": 1.0 if recovers else 4.0, "series": made}
    if recovers:
        whole["recover_s"] = round(1.15 - kept, 2)
    return whole


def row(contestant, workload, dice):
    (name, family, model, guarded, shares, cost, resident, processes, threads, _, kept,
     _) = contestant
    work_name, _, cpu, wait = workload
    per_request = cpu + cost
    capacity = 0.96e6 / per_request
    if work_name == "block" and model in ("event loop", "async", "cluster"):
        capacity = 1000 / 21  # one request at a time
    elif work_name in ("block", "wait") and model == "one request per process":
        capacity = 8 * 1000 / (wait + 2)
    capacity *= 1 + dice.uniform(-0.01, 0.01)
    one_core = model in ("event loop", "async", "threads, with a GIL")
    speed_up = 1.02 if one_core else 1.93 - dice.uniform(0, 0.12)
    base_ms = wait + per_request / 1000
    made = {"contestant": name, "capacity": round(capacity, 1),
            "capacity_all": round(capacity * speed_up, 1), "speed_up": round(speed_up, 2),
            "spread": round(dice.uniform(0.01, 0.05), 3), "cpu_us_per_request": float(per_request),
            "resident_bytes": int(resident * 1e6 * dice.uniform(1, 1.2)), "processes": processes,
            "threads": threads}
    if work_name == "crash":
        made.update(lost_per_crash=LOST_PER_CRASH.get(name, 34 if family != "python" else 48),
                    crashes=17, recover_ms=4.0 if processes > 1 else 180.0 if family != "node"
                    else 300.0)
        return made
    if work_name == "state":
        right = shares or processes == 1
        made.update(state_expected=5000, state_seen=5000 if right else 5000 // processes + 13)
        return made
    made["points"] = []
    for cores in ("one", "all"):
        whole = capacity * (speed_up if cores == "all" else 1)
        for multiple in MULTIPLES:
            void_why = ("the generator used 83 % of its core" if work_name == "stream"
                        and cores == "all" and multiple == 5 and name == "weir tasks" else None)
            made["points"].append(point(cores, multiple, whole, kept, base_ms, void_why))
    if work_name == "api":
        made["series"] = series(capacity, kept[1])
        made["storm"] = storm(capacity, kept[1])
    return made


def report(form="default"):
    dice = random.Random(7)
    workloads = []
    for workload in WORKLOADS:
        rows = [row(contestant, workload, dice) for contestant in CONTESTANTS]
        workloads.append({"name": workload[0], "what": workload[1], "rows": rows})
    failed = workloads[4]["rows"][12]
    failed.clear()
    failed.update(contestant="gunicorn, prefork",
                  failed="ended with status 3 before it listened: Connection in use")
    return {"version": 1, "weir": "0.1.0", "form": form, "started": "2026-01-31T12:00:00Z",
            "seed": 1, "command": "weir compare --seed=1",
            "machine": {"processor": "SAMPLE, not measured", "kernel": "Linux 6.18", "cores": 2},
            "layout": {"server_cores": [0], "generator_cores": [1], "separate": True},
            "timeout_ms": 1000, "seconds": {"probe": 2, "point": 3},
            "contestants": contestants(), "workloads": workloads}


def app_report():
    """A user's program: `loop` blocks, `cluster` is refused, peers are for reference."""
    made = report()
    made["command"] = "weir compare --app './mine --db=x' --url /path"
    made["app"] = {"command": "./mine --db=x", "url": "/path"}
    made["contestants"] = [dict(one, name=one["name"].replace("weir", "mine"),
                                family="app" if one["family"] == "weir" else one["family"])
                           for one in made["contestants"]]
    work = made["workloads"][3]
    made["workloads"] = [dict(work, name="app", what="./mine /path")]
    for one in work["rows"]:
        one["contestant"] = one["contestant"].replace("weir", "mine")
    refused = work["rows"][2]
    refused.clear()
    refused.update(contestant="mine cluster", refused="its state is shared (WEIR_STATE_LOCKED), "
                   "and the processes of a cluster share none")
    return made


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(app_report() if "--app" in sys.argv else report(), file, indent=1)
