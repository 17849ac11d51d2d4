#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What does one small request cost a server in CPU time, above the least that is possible?

usage: bench/hello.py BUILD_DIR [--rounds N] [--seconds S]

The servers take turns, round by round, so that a busy machine disturbs all of them alike: the
floor (bench/floor.c), weir under `tasks` and `loop` with one core, and nginx, Go and Node where
they are installed.  Each is pinned to one core; wrk, one thread and 64 keep-alive connections,
has another.  CPU time is the scheduler's (schedstat) over all threads of the process tree,
divided by the requests that wrk counted; the ratio is to the floor of the same round."""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys

import servers

CONNECTIONS = 64


def measure(server, core, seconds):
    """(CPU us per request, requests per second)."""
    before = servers.cpu_ns(server.pid)
    run = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", server.url],
                         capture_output=True, text=True, preexec_fn=servers.on_core(core))
    used = servers.cpu_ns(server.pid) - before
    found = re.search(r"(\d+) requests in", run.stdout)
    if run.returncode != 0 or not found or int(found.group(1)) == 0:
        raise RuntimeError(f"wrk against {server.name}: {run.stdout}{run.stderr}")
    if "Non-2xx" in run.stdout or "Socket errors" in run.stdout:
        print(f"  {server.name}: {run.stdout.strip().splitlines()[-3:]}", file=sys.stderr)
    count = int(found.group(1))
    return used / count / 1000, float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout).group(1))


def contestants(build):
    have, missing = servers.peers()
    own = [("floor", servers.floor(build)),
           ("weir tasks", servers.weir(build, "--model=tasks", "--cores=1")),
           ("weir loop", servers.weir(build, "--model=loop", "--cores=1"))]
    return own + have, missing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    build = options.build.resolve()

    if not servers.find("wrk"):
        print("bench/hello: wrk is not installed (Debian package wrk)", file=sys.stderr)
        return 1
    cores = servers.cores()
    server_core, wrk_core = cores[0], cores[-1]
    print(__doc__.splitlines()[0])
    print(f"{servers.machine()}; server on core {server_core}, wrk -t1 -c{CONNECTIONS} on core "
          f"{wrk_core}; {options.rounds} rounds of {options.seconds} s each")
    if server_core == wrk_core:
        print("one core only: server and wrk share it, the figures are rough")

    names, missing = contestants(build)
    for line in missing:
        print(f"left out: {line}")
    results = {name: [] for name, _ in names}
    for number in range(options.rounds):
        for name, command in names:
            with servers.Server(name, command, server_core) as server:
                measure(server, wrk_core, 1)
                results[name].append(measure(server, wrk_core, options.seconds))
            print(f"  round {number + 1}  {name:12} {results[name][-1][0]:7.2f} us", flush=True)

    print(f"\n{'server':14} {'CPU us/request':>14} {'ratio to floor':>15} {'(range)':>14}"
          f" {'requests/s':>11}")
    for name, _ in names:
        cpu = [value for value, _ in results[name]]
        ratios = [mine / least[0] for mine, least in zip(cpu, results["floor"])]
        rate = statistics.median(value for _, value in results[name])
        print(f"{name:14} {statistics.median(cpu):14.2f} {statistics.median(ratios):15.2f} "
              f"{f'({min(ratios):.2f}-{max(ratios):.2f})':>14} {rate:11,.0f}")
        servers.append_report({
            "bench": "hello", "server": name, "cpu_us_per_request": statistics.median(cpu),
            "ratio_to_floor": statistics.median(ratios), "ratios": ratios,
            "requests_per_second": rate, "rounds": options.rounds, "seconds": options.seconds})
    print("\nMedians of the rounds.  A ratio of 1.10 means: ten per cent more CPU time than the "
          "floor.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
