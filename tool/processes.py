# SPDX-License-Identifier: MIT
"""Small questions about processes and ports, for the tests in test/e2e and the measurements in
bench."""
import pathlib
import socket


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid):
    """The process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                pass
    return found


def resident_bytes(pid):
    """Resident memory of the tree; what processes share is counted once (Pss)."""
    return sum_of(pid, ("Pss:",))


def own_bytes(pid):
    """Of that, what is not mapped from files.  The share that a process has in the pages of a
    program or library grows when a stranger that maps them too ends: who looks for growth must
    leave them out."""
    return sum_of(pid, ("Pss_Anon:", "Pss_Shmem:"))


def sum_of(pid, words):
    total = 0
    for process in tree(pid):
        try:
            for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith(words):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total
