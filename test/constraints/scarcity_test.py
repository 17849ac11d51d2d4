#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demo service where something is scarce: cores and memory (cgroups), descriptors, processes,
address space, system calls that a sandbox withholds.

Under each model it either serves, or ends with one line that says what is missing and which limit
to raise; it never listens without serving, and nothing hangs.  What it makes of the limits shows in
its metrics.  Limits of cgroups need the right to make one, those of processes the right to become
another user; without it these cases are skipped.  ctest: timeout=600 processors=2"""
import ctypes
import http.client
import os
import pathlib
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import time
import traceback

BOUND_SECONDS = 30
MODELS = ("loop", "cluster", "tasks", "threads", "prefork")
READY = re.compile(r"listening on http://127\.0\.0\.1:(\d+) \(admin http://127\.0\.0\.1:(\d+)\)")
MIB = 1 << 20
FIRST_USER = 61000  # nobody's, so that its processes can be counted


class Failure(AssertionError):
    pass


class Skip(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def read_line(stream, seconds):
    """One line, or what there was at the end of the stream or of the time."""
    end = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
        piece = os.read(stream.fileno(), 1) if ready else b""
        if not piece:
            break
        line += piece
    return line.decode(errors="replace").rstrip("\n")


class Service:
    """`weir serve` under limits; ended however the case ends.  `said` is its first line."""

    def __init__(self, model, limits, *options, shell=None, **user):
        command = [os.environ["WEIR_BIN"], "serve", f"--model={model}",
                   "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", *options]
        if shell:
            command = ["sh", "-c", f'{shell} && exec "$@"', "sh", *command]
        self.model = model
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        bufsize=0, preexec_fn=limits, **user)

    def __enter__(self):
        self.said = read_line(self.process.stderr, BOUND_SECONDS)
        found = READY.search(self.said)
        self.ports = (int(found[1]), int(found[2])) if found else None
        return self

    def get(self, path, admin=False):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[1 if admin else 0],
                                                timeout=BOUND_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def serves(self):
        check(self.ports, f"not started: {self.said!r}")
        for number in range(5):
            status, body = self.get(f"/hello/{number}")
            check((status, body) == (200, f"Hello, {number}!\n"), f"{status} {body!r}")

    def metrics(self):
        status, text = self.get("/metrics", admin=True)
        check(status == 200, f"/metrics: {status}")
        return text

    def ends_cleanly(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(BOUND_SECONDS)
        check(status == 0, f"status {status} after SIGTERM")

    def refuses(self, *words):
        """It has ended by itself, with one line that has the words."""
        check(self.ports is None, f"it listens: {self.said!r}")
        status = self.process.wait(BOUND_SECONDS)
        more = self.process.stderr.read().decode(errors="replace")
        check(status == 1, f"status {status}: {self.said!r} {more!r}")
        check(more == "", f"more than one line: {self.said!r} {more!r}")
        check(any(word in self.said for word in words), f"none of {words} in {self.said!r}")

    def serves_or_refuses(self, *words):
        if self.ports is None:
            self.refuses(*words)
            return False
        self.serves()
        self.ends_cleanly()
        return True

    def __exit__(self, *_):
        if self.process.poll() is None:
            children = []
            for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
                children += [int(child) for child in task.read_text().split()]
            for pid in [self.process.pid, *children]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait()
        self.process.stderr.close()


# -- cgroups --------------------------------------------------------------------------------------

class Cgroup:
    """A group of its own with one limit, in whichever hierarchy offers the controller."""

    ROOT = pathlib.Path("/sys/fs/cgroup")

    def __init__(self, controller, v2, v1):
        for base, files in ((self.ROOT, v2), (self.ROOT / "unified", v2),
                            (self.ROOT / controller, v1)):
            if not base.is_dir() or (files is v2 and not self.offers(base, controller)):
                continue
            self.folder = base / f"weir-test-{os.getpid()}-{controller}"
            try:
                self.folder.mkdir()
                for name, value in files.items():
                    (self.folder / name).write_text(value)
                return
            except OSError as error:
                self.remove()
                raise Skip(f"no limit on {controller} could be set: {error}") from None
        raise Skip(f"no cgroup hierarchy here offers {controller}")

    @staticmethod
    def offers(base, controller):
        try:
            return controller in (base / "cgroup.subtree_control").read_text().split()
        except OSError:
            return False

    def join(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        end = time.monotonic() + BOUND_SECONDS
        while self.folder.exists():
            try:
                self.folder.rmdir()
            except OSError:  # a process that has just ended is still counted
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def info(service, label):
    return int(re.search(rf'weir_model_info{{.*{label}="(\d+)"', service.metrics())[1])


def usable_cores_follow_the_cpu_quota(model):
    """Half a core's time counts as one core, one and a half as one."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("one core is all there is")
    for quota in (50000, 150000):
        with Cgroup("cpu", {"cpu.max": f"{quota} 100000"},
                    {"cpu.cfs_quota_us": str(quota)}) as group, \
                Service(model, group.join) as service:
            service.serves()
            cores = info(service, "workers") * info(service, "processes")
            check(cores == 1, f"quota {quota}: {cores} cores")
            service.ends_cleanly()


def a_memory_limit_is_lived_with(model):
    with Cgroup("memory", {"memory.max": str(64 * MIB)},
                {"memory.limit_in_bytes": str(64 * MIB)}) as group, \
            Service(model, group.join) as service:
        service.serves()
        service.ends_cleanly()


# -- rlimits --------------------------------------------------------------------------------------

def limit(what, value):
    return lambda: resource.setrlimit(what, (value, value))


def few_descriptors(model):
    """Too few are refused at once; the fewest that are not do serve, and running out of them in
    service is lived with."""
    for most in (6, 8, 10, 16, 31):
        with Service(model, limit(resource.RLIMIT_NOFILE, most)) as service:
            service.refuses("ulimit -n")
    with Service(model, limit(resource.RLIMIT_NOFILE, 32)) as service:
        service.serves()
        service.ends_cleanly()


def connections_beyond_the_descriptors_wait(model):
    """What does not fit is neither refused nor lost: it waits for one that ends."""
    with Service(model, limit(resource.RLIMIT_NOFILE, 40)) as service:
        service.serves()
        held = []
        for _ in range(120):
            held.append(http.client.HTTPConnection("127.0.0.1", service.ports[0],
                                                   timeout=BOUND_SECONDS))
            held[-1].connect()
        said = read_line(service.process.stderr, BOUND_SECONDS)
        check("others wait" in said or "cannot accept" in said, f"no word of it: {said!r}")
        open_now = re.search(r"^weir_connections{.*} (\d+)$", service.metrics(), re.MULTILINE)
        most = 40 * info(service, "processes")
        check(int(open_now[1]) < most, f"{open_now[1]} connections are open")
        first, last = held[0], held[-1]
        first.request("GET", "/hello/first")
        check(first.getresponse().read() == b"Hello, first!\n", "the first is served")
        for connection in held[:-1]:
            connection.close()
        last.request("GET", "/hello/last")
        check(last.getresponse().read() == b"Hello, last!\n", "the last is served in its turn")
        last.close()
        service.ends_cleanly()


def few_processes_and_threads(model):
    if os.geteuid() != 0:
        raise Skip("only root may become the user whose processes are counted")
    served = []
    # The first user that is still without processes: those of the last case may be on their way.
    for number, most in enumerate((1, 2, 3, 4, 6, 24)):
        user = FIRST_USER + MODELS.index(model) * 10 + number
        with Service(model, limit(resource.RLIMIT_NPROC, most), user=user, group=user,
                     extra_groups=[]) as service:
            if service.ports is None and service.process.poll() is None and \
                    "the next starts in" in service.said:
                continue  # one process serves, another is tried again and again, and says so
            if model == "threads" and service.ports and most < 24:
                status, _ = service.get("/hello/x")
                check(status in (200, 503), f"status {status}")
                service.ends_cleanly()
                continue
            served.append(service.serves_or_refuses("ulimit -u"))
    check(served[-1], "24 processes and threads are enough to serve")


def little_address_space(model):
    """From too little to load the program to more than enough."""
    served = False
    for kib in (6000, 8000, 10000, 14000, 20000, 32000, 64000):
        with Service(model, None, shell=f"ulimit -v {kib}") as service:
            if "error while loading shared libraries" in service.said or \
                    "failed to map segment" in service.said:
                continue
            if service.ports:
                status, _ = service.get("/hello/x")
                check(status in (200, 503), f"{kib} KiB: status {status}")
                served = status == 200
                service.ends_cleanly()
                continue
            service.refuses("ulimit -v", "out of memory")
            check(not served, f"{kib} KiB are refused, fewer were not")
    check(served, "64 MiB of address space are enough to serve")


# -- sandboxes ------------------------------------------------------------------------------------

# What came to Linux late or is withheld by the filters of container runtimes, on x86-64 and, where
# it is another, on aarch64.
IO_URING = (425, 426, 427)
MACHINES = {
    "x86_64": (0xC000003E, {"membarrier": 324, "rseq": 334}),
    "aarch64": (0xC00000B7, {"membarrier": 283, "rseq": 293}),
}
COMMON = {"clone3": 435, "epoll_pwait2": 441, "close_range": 436, "openat2": 437,
          "pidfd_open": 434, "faccessat2": 439, "futex_waitv": 449}
ENOSYS, EPERM = 38, 1
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def bpf(code, jump_true, jump_false, value):
    return struct.pack("=HBBI", code, jump_true, jump_false, value)


def filter_program(denied):
    """denied: [(number, error)].  linux/seccomp.h: load the number, compare, return."""
    program = b""
    load, equal, give = 0x20, 0x15, 0x06
    program += bpf(load, 0, 0, 0)
    for number, error in denied:
        program += bpf(equal, 0, 1, number)
        program += bpf(give, 0, 0, 0x00050000 | error)
    return program + bpf(give, 0, 0, 0x7FFF0000)


def sandbox(denied):
    program = filter_program(denied)
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))

    class Fprog(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    fprog = Fprog(len(program) // 8, ctypes.cast(code, ctypes.c_void_p))

    def enter():
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
                libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(fprog), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")
    return enter


def system_calls_that_sandboxes_withhold(model):
    machine = os.uname().machine
    if machine not in MACHINES:
        raise Skip(f"the numbers of system calls on {machine} are not known here")
    calls = dict(MACHINES[machine][1], **COMMON)
    absent = [(number, ENOSYS) for number in (*calls.values(), *IO_URING)]
    # clone3 stays absent: with EPERM glibc itself makes no thread.
    forbidden = [(number, ENOSYS if name == "clone3" else EPERM) for name, number in calls.items()]
    forbidden += [(number, EPERM) for number in IO_URING]
    for denied in (absent, forbidden):
        with Service(model, sandbox(denied)) as service:
            service.serves()
            text = service.metrics()
            check(re.search(r'weir_poller_info{kind="\w[^"]*"} 1', text), "which poller runs")
            check(re.search(r'weir_stack_guard_info{kind="\w[^"]*"} 1', text) or
                  model == "threads", "which guard runs")
            service.ends_cleanly()


CASES = (usable_cores_follow_the_cpu_quota, a_memory_limit_is_lived_with, few_descriptors,
         connections_beyond_the_descriptors_wait, few_processes_and_threads, little_address_space,
         system_calls_that_sandboxes_withhold)


def main():
    passed, failed, skips = 0, 0, []
    for case in CASES:
        for model in MODELS:
            name = f"{model}: {case.__name__}"
            began = time.monotonic()
            try:
                case(model)
            except Skip as reason:
                skips.append(str(reason))
                print(f"skip  {name}: {reason}", flush=True)
                continue
            except Exception as error:
                failed += 1
                print(f"FAIL  {name}: {error}", flush=True)
                if not isinstance(error, Failure):
                    traceback.print_exc(file=sys.stdout)
                continue
            passed += 1
            print(f"ok    {name}  ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, {len(skips)} skipped")
    if failed:
        return 1
    if passed == 0:
        print(f"SKIP: {skips[0]}")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
