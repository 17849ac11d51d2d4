#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands of tool/gdb.py, on a live process and on its core file, under every scheduler; and
that a backtrace ends where a task begins.  ctest: timeout=180 processors=2"""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

from service import ROOT, check, check_equal

SCHEDULERS = ("tasks", "loop", "threads")
WAITS = {  # by name: what it waits for
    "reader": r"waits: receive from channel 0x[0-9a-f]+",
    "locker": r"waits: lock mutex 0x[0-9a-f]+, held by task (\d+)",
    "joiner": r"waits: join task (\d+)",
    "on a thread": r"waits: receive from channel 0x[0-9a-f]+",
}
INNERMOST = {"reader": "receive", "locker": "lock", "joiner": "join", "on a thread": "receive"}


def gdb(*arguments):
    end = subprocess.run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", *arguments],
                         capture_output=True, text=True, timeout=100)
    return end.stdout + end.stderr


def commands(*lines):
    return [word for line in ("set width 0", f"source {ROOT}/tool/gdb.py") + lines
            for word in ("-ex", line)]


def listed(output):
    """{name: (number, what it does)} of the answer to `weir tasks`."""
    found = re.findall(r'^task (\d+)(?: "([^"]*)")?, spawned at \S+\n    (.*)$', output, re.M)
    return {name: (int(number), does) for number, name, does in found}


def check_list(output):
    tasks = listed(output)
    check_equal(set(tasks), set(WAITS) | {"main"}, f"tasks\n{output}")
    check("5 tasks\n" in output, output)
    for name, pattern in WAITS.items():
        check(re.fullmatch(pattern, tasks[name][1]), f"{name}: {tasks[name][1]}")
    check(re.fullmatch(r"runs on thread \d+", tasks["main"][1]), tasks["main"][1])
    check(tasks["locker"][1].endswith(f"held by task {tasks['main'][0]}"), tasks["locker"][1])
    check_equal(tasks["joiner"][1], f"waits: join task {tasks['reader'][0]}", "the joiner")
    return tasks


def frames(output):
    return re.findall(r"^#\d+\s+(?:0x[0-9a-f]+ in )?(\S+) \(", output, re.M)


def check_stack(output, name, on_thread):
    found = frames(output)
    check("corrupt" not in output and "Backtrace stopped" not in output, output)
    check_equal(found.count("wait_here"), 3, f"calls of {name}\n{output}")
    check("wi_task_run" in found, output)
    if not on_thread:
        check_equal(found[-1], "wi_context_begin", f"where {name} begins\n{output}")
    check(f"{INNERMOST[name]} (" in output or "debugged.c" in output, output)


def parts(output):
    """What stands between the lines of `echo`."""
    return output.split("-- part\n")


def check_all(start, scheduler):
    """`start` is what brings gdb to the process or the core file."""
    tasks = check_list(gdb(*start, *commands("weir tasks")))
    names = list(WAITS)
    lines = ["bt", "echo -- part\\n"]
    for name in names:
        lines += [f"weir task {tasks[name][0]} bt", "echo -- part\\n"]
    lines += ["bt", "echo -- part\\n", f"weir task {tasks['main'][0]} bt", "echo -- part\\n",
              "weir task 999999", "echo -- part\\n", "weir task", "echo -- part\\n",
              f"weir task {tasks['reader'][0]}"]
    output = gdb(*start, *commands(*lines))
    told = parts(output)
    before, stacks, after, main = told[0], told[1:5], told[5], told[6]
    for name, stack in zip(names, stacks):
        check_stack(stack, name, name == "on a thread" or scheduler == "threads")
    check_equal(frames(after), frames(before)[-len(frames(after)):], "the thread's own stack")
    check("corrupt" not in main and frames(main)[0] == "all_wait", main)
    if scheduler != "threads":
        check_equal(frames(main)[-1], "wi_context_begin", f"where the running task begins\n{main}")
    check("there is no task 999999 now" in output, output)
    check("weir tasks lists the numbers" in output, output)
    check('"reader", spawned at' in told[-1] and "wait_here" in told[-1], told[-1])


def at_the_wait(program, arguments):
    return ["-ex", "set breakpoint pending off", "-ex", "break all_wait",
            "-ex", f"run {arguments}", str(program)]


def core_of_gdb(program, scheduler, folder):
    """gdb takes a mapping no further than to the first page that it cannot read, and guards of the
    newer kind are such pages; so the program makes the older kind."""
    core = pathlib.Path(folder) / f"core.{scheduler}"
    said = gdb(*at_the_wait(program, f"{scheduler} old"), "-ex", f"generate-core-file {core}",
               "-ex", "kill")
    check(core.exists(), said)
    return core


def core_of_kernel(program, scheduler, folder):
    """None where the kernel puts it elsewhere, or may write none."""
    cores = pathlib.Path(folder) / scheduler
    cores.mkdir()
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    except (ValueError, OSError):
        return None
    gdb("-cd", str(cores), *at_the_wait(program, scheduler), "-ex", "signal SIGABRT")
    return next(cores.glob("core*"), None)


def run(program, scheduler, folder):
    check_all(at_the_wait(program, scheduler), scheduler)
    cores = [core_of_gdb(program, scheduler, folder)]
    if scheduler == "tasks":
        cores.append(core_of_kernel(program, scheduler, folder))
    for core in cores:
        if core is not None:
            check_all([str(program), str(core)], scheduler)
            core.unlink()


def main():
    if shutil.which("gdb") is None:
        print("SKIP: gdb is not installed")
        return 77
    if os.environ.get("WEIR_SANITIZE"):
        print("SKIP: sanitizers keep their shadow memory in core files, which takes too long")
        return 77
    program = pathlib.Path(os.environ["WEIR_BUILD"]) / "test" / "e2e" / "debugged"
    said = gdb("-ex", "run", str(program))
    if "exited normally" not in said:
        print(said)
        print("SKIP: gdb may not trace processes here")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        for scheduler in SCHEDULERS:
            run(program, scheduler, folder)
            print(f"ok    {scheduler}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
