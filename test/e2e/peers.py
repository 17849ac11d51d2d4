#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reference servers in peers/: each that can run here answers as `weir serve` does, burns the
CPU time it is asked for, sheds if it is guarded, comes back from a crash if it is supervised, and
ends in order.  A comparison with servers that do less, or otherwise, would be worth nothing.

Peers run side by side, each with one core's setting and with two.  What is not installed is named
with the package that brings it.  ctest: timeout=240 processors=2"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from service import (BOUND_SECONDS, Connection, Failure, Service, check, check_equal, eventually,
                     free_port, request, tree)

ROOT = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PEERS = ROOT / "peers"
SEARCH = os.environ.get("PATH", "") + ":/usr/local/go/bin:/usr/bin:/usr/sbin"
SIDE_BY_SIDE = 6
START_SECONDS = 60
PREPARE_SECONDS = 180

CPU_MS = 20
CPU_REQUESTS = 5
CPU_ROUNDS = 3
COUNTED = 20
WAITERS = 300    # more than twice what any guard lets through for one core
BURNERS = 8
BURN_MS = 300    # of one request: what lets a loop run three times as late as its guard admits


class Peer:
    """One row of peers.json, as a child process."""

    def __init__(self, row, cores, work):
        self.row = row
        self.cores = cores
        self.port = free_port()
        self.words = {"port": str(self.port), "cores": str(cores), "peers": str(PEERS),
                      "work": work}
        environment = os.environ | {"PATH": SEARCH} | {
            name: self.fill(value) for name, value in row.get("environment", {}).items()}
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [self.fill(word) for word in row["run"]], env=environment, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True, cwd=work)

    def fill(self, text):
        return re.sub(r"\{(\w+)\}", lambda found: self.words[found[1]], text)

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        self.log.seek(0)
        return self.log.read()[-1500:]

    def connect(self, seconds=BOUND_SECONDS):
        return Service.connect(self, seconds)

    socket = None  # for Service.connect(): it listens on a port

    def healthy(self):
        check(self.process.poll() is None, f"ended with status {self.process.returncode}")
        try:
            return ask(self, "/healthz")[0] == 200
        except (OSError, EOFError, Shed):
            return False

    def wait_end(self, pids):
        try:
            status = self.process.wait(BOUND_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there after {BOUND_SECONDS} s") from None
        eventually(lambda: not any(alive(pid) for pid in pids), "its children have ended")
        return status

    def kill(self):
        for pid in reversed(tree(self.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.log.close()


def state_of(pid):
    """The letter of /proc for it; that of the dead where there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def alive(pid):
    return state_of(pid) != "Z"


def stopped(pid):
    return state_of(pid) == "T"


def cpu_ms(pid):
    """CPU time of all living threads of the process tree, by the scheduler's own account."""
    total = 0
    for process in tree(pid):
        for stat in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(stat.read_text().split()[0])
            except (OSError, IndexError):
                pass
    return total / 1e6


class Shed(Failure):
    """A guard refused what is being checked: on a busy machine it may, and is asked again."""


def served(answer):
    if answer[0] == 503:
        raise Shed("answered 503")
    return answer


def ask(server, target, method="GET", *fields, body=b""):
    """(status, fields, body) on a connection of its own."""
    with Connection(server) as connection:
        connection.send(request(target, method, *fields, body=body))
        return served(connection.answer(to_head=method == "HEAD"))


# -- what is checked of each -----------------------------------------------------------------------

# Answers must be the same, byte for byte but for what /cpu found.
SAME = [
    ("/hello/world",), ("/hello/J%C3%B6rg%20A",), ("/hello/world", "HEAD"),
    ("/cpu?ms=1",), ("/cpu?ms=0",), ("/wait?ms=2",), ("/block?ms=2",),
    ("/stream?n=3&ms=2",), ("/stream?n=1&ms=0",), ("/healthz",),
    ("/wait?ms=x",), ("/wait?ms=-1",), ("/wait?ms=",), ("/block?ms=60001",), ("/cpu?ms=1.5",),
    ("/stream?n=1000001",),
]
ECHOES = [
    ((), b"some bytes"),
    (("Content-Type: application/x-mine",), bytes(range(256)) * 400),
]
CHUNKED = (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5\r\nfirst\r\n7\r\n second\r\n0\r\n\r\n")
# Of these only the status is the same: the words are each language's own.
SAME_STATUS = [("/nope",), ("/",), ("/hello/",), ("/echo",), ("/wait", "POST")]


def essence(answer):
    status, fields, body = answer
    body = re.sub(rb"[0-9a-f]{16}\n", b"FOUND\n", body)
    if status == 200:
        return status, fields.get("content-type", "").replace(" ", ""), body
    return status, body.strip()


def sent_chunked(server):
    with Connection(server) as connection:
        connection.send(CHUNKED)
        status, _, body = served(connection.answer())
        return status, body


def reference(weir):
    """What weir answers to all of the above, by request."""
    answers = {}
    for what in SAME:
        answers[what] = essence(ask(weir, *what))
    for what in SAME_STATUS:
        if what != ("/",):
            answers[what] = ask(weir, *what)[0]
    return answers


def answers_are_the_same(peer, wanted):
    for what in SAME:
        check_equal(essence(ask(peer, *what)), wanted[what], f"{what}")
    for what in SAME_STATUS:
        check_equal(ask(peer, *what)[0], wanted.get(what, 404), f"the status of {what}")
    for fields, body in ECHOES:
        status, got, text = ask(peer, "/echo", "POST", *fields, body=body)
        check_equal((status, text), (200, body), "the echo")
        for field in fields:
            name, value = field.split(": ")
            check_equal(got.get(name.lower()), value, "the echo's type")
    check_equal(sent_chunked(peer), (200, b"first second"), "the echo of chunks")


def connections_are_kept_or_closed_as_said(peer, _):
    with Connection(peer) as connection:
        answered = 0
        for _ in range(3):
            connection.send(request("/hello/again"))
            status, fields, body = served(connection.answer())
            check_equal((status, body), (200, b"Hello, again!\n"), "an answer")
            answered += 1
            if fields.get("connection", "").lower() == "close":
                check(connection.closed(), "announced to close, and sends more")
                break
        if peer.row["model"] == "one request per process":
            check_equal(answered, 1, "requests on one connection")
        else:
            check_equal(answered, 3, "requests on one connection")
            if peer.row["model"] == "threads per process":
                return  # gunicorn's threads forget what came behind a request
            connection.send(request("/wait?ms=1") + request("/hello/next"))
            check_equal(served(connection.answer())[2], b"waited 1 ms\n", "the first of two")
            check_equal(served(connection.answer())[2], b"Hello, next!\n", "the second")
    status, fields, _ = ask(peer, "/hello/last", "GET", "Connection: close")
    check_equal((status, fields.get("connection")), (200, "close"), "the last answer")


def counting_is_right_where_it_says_so(peer, _):
    seen = []
    lock = threading.Lock()

    def count():
        for _ in range(COUNTED // 4):
            status, _, body = ask(peer, "/count", "POST")
            check_equal(status, 200, "status of POST /count")
            with lock:
                seen.append(int(body))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(count) for _ in range(4)]:
            done.result()
    if peer.row["counts_right"]:
        check_equal(sorted(seen), list(range(1, COUNTED + 1)), "what was counted")
        check_equal(ask(peer, "/count")[2], b"%d\n" % COUNTED, "the sum")
    else:
        check(all(value >= 1 for value in seen), f"counted {seen}")


def cpu_time_is_burned_as_asked(peer, _):
    """Node's pool threads have no clock of their own and burn what was calibrated, on a machine
    that was perhaps faster or slower then.  With a guard the same handlers run, but on a busy
    machine it is right to refuse some of the requests."""
    if peer.cores != 1 or peer.row["guarded"]:
        return
    low, high = (0.5, 2.5) if peer.row["model"] == "event loop and thread pool" else (0.95, 1.5)
    spent = cpu_ms_of_rounds(peer)
    found = statistics.median(spent)
    check(low * CPU_MS <= found <= high * CPU_MS,
          f"/cpu?ms={CPU_MS} took {found:.1f} ms of CPU time (rounds: {spent})")


def cpu_ms_of_rounds(peer):
    """The mean of each round.  One connection is open throughout where the server keeps it: a
    thread may live as long as it, and takes its account along."""
    connection = Connection(peer)
    try:
        connection.send(request("/hello/first"))
        keeps = served(connection.answer())[1].get("connection", "").lower() != "close"
        spent = []
        for _ in range(CPU_ROUNDS):
            before = cpu_ms(peer.pid)
            for _ in range(CPU_REQUESTS):
                if not keeps:
                    connection.socket.close()
                    connection = Connection(peer)
                connection.send(request(f"/cpu?ms={CPU_MS}"))
                check_equal(served(connection.answer())[0], 200, "status of /cpu")
            spent.append((cpu_ms(peer.pid) - before) / CPU_REQUESTS)
        return spent
    finally:
        connection.socket.close()


def a_guard_sheds(peer, _):
    if not peer.row["guarded"]:
        return
    overload = burners if peer.row["family"] == "node" else waiters
    statuses = overload(peer)
    check(503 in statuses, f"no 503 among {statuses}")
    eventually(peer.healthy, "it serves again")


def waiters(peer):
    """Many requests at once that need no core; the statuses of their answers."""
    connections = []
    try:
        for _ in range(WAITERS):
            connections.append(Connection(peer))
        for connection in connections:
            connection.send(request("/wait?ms=1500"))
        return set(map(status_of, connections))
    finally:
        for connection in connections:
            connection.socket.close()


def status_of(connection):
    try:
        return connection.answer()[0]
    except (OSError, EOFError):
        return "closed"


def burners(peer):
    """A request each on many kept connections, all there before the loop sees the first: once that
    one has burned, the loop is late for the rest.  Requests on connections of their own would not
    do: a cluster's primary hands over one in a turn of the worker's loop, which then is in time
    however many wait.  The statuses of their answers."""
    connections = []
    pids = tree(peer.pid)
    try:
        for _ in range(BURNERS):
            connections.append(Connection(peer))
            connections[-1].send(request("/hello/first"))
            served(connections[-1].answer())
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            eventually(lambda: all(map(stopped, pids)), "its processes stop")
            for connection in connections:
                connection.send(request(f"/cpu?ms={BURN_MS}"))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        return set(map(status_of, connections))
    finally:
        for connection in connections:
            connection.socket.close()


def a_crash_costs_its_process(peer, _):
    if not peer.row["supervised"] and peer.cores == 1:
        return  # it is to end in order instead
    pids = tree(peer.pid)
    with Connection(peer) as connection:
        connection.send(request("/crash"))
        if not connection.closed():
            served(connection.answer())
            raise Failure("/crash was answered")
    if peer.row["supervised"]:
        eventually(lambda: any(not alive(pid) for pid in pids), "a process died")
        eventually(lambda: sum(map(alive, tree(peer.pid))) == len(pids), "it was replaced")
        eventually(peer.healthy, "it serves again")
    else:
        eventually(lambda: any(not alive(pid) or pid == peer.pid and
                               peer.process.poll() is not None for pid in pids), "it died")


def it_ends_in_order(peer, _):
    if peer.process.poll() is not None:
        return
    if not peer.row["supervised"] and peer.cores != 1:  # a worker of it is dead by now
        pids = tree(peer.pid)
        peer.process.send_signal(signal.SIGTERM)
        peer.wait_end(pids)
        return
    with Connection(peer) as connection:
        # Longer than Python's servers take to see that they shall end.
        connection.send(request("/stream?n=2&ms=800" if peer.cores == 1 else
                                "/stream?n=2&ms=100"))
        head = connection.until(b"\r\n\r\n")
        served((int(head.split(b" ")[1]),))
        connection.until(b"chunk 1 of 2\n")
        pids = tree(peer.pid)
        peer.process.send_signal(signal.SIGTERM)
        connection.until(b"chunk 2 of 2\n")
    status = peer.wait_end(pids)
    check_equal(status, 0, "status after SIGTERM")


def what_is_malformed_is_refused(peer, _):
    """Of the one server whose HTTP is written here."""
    if peer.row["name"] != "Python asyncio":
        return
    for lines, wanted in (
            (["GARBAGE"], 400),
            (["GET /hello/a HTTP/1.1"], 400),
            (["GET /hello/a HTTP/2.0", "Host: h"], 400),
            (["GET /hello/a HTTP/1.1", "Host: h", "Host: h"], 400),
            (["GET /hello/a HTTP/1.1", "Host: h", " folded"], 400),
            (["GET /hello/a HTTP/1.1", "Host: h", "Name : value"], 400),
            (["POST /echo HTTP/1.1", "Host: h", "Content-Length: 1", "Content-Length: 1"], 400),
            (["POST /echo HTTP/1.1", "Host: h", "Content-Length: +1"], 400),
            (["POST /echo HTTP/1.1", "Host: h", "Content-Length: 1",
              "Transfer-Encoding: chunked"], 400),
            (["POST /echo HTTP/1.1", "Host: h", "Transfer-Encoding: gzip"], 400),
            (["POST /echo HTTP/1.1", "Host: h", "Content-Length: 99999999"], 413),
            (["GET /hello/a HTTP/1.1", "Host: h", "Long: " + "x" * 20000], 431)):
        with Connection(peer) as connection:
            connection.send(("\r\n".join(lines) + "\r\n\r\n").encode())
            status, fields, _ = connection.answer()
            check_equal((status, fields.get("connection")), (wanted, "close"), f"{lines}"[:200])
            check(connection.closed(), "it goes on after what it did not understand")


def a_body_in_chunks_is_bounded(peer, _):
    """Of the servers whose chunks are read here: a large body in two pieces, and less than none."""
    if peer.row["name"] not in ("Python asyncio", "Python ThreadingHTTPServer",
                                "Python prefork"):
        return
    half = 5 << 20
    for body, wanted in ((b"%x\r\n%b\r\n%x\r\n" % (half, b"x" * half, half), 413),
                         (b"-5\r\n", 400)):
        with Connection(peer) as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                            + body)
            check_equal(connection.answer()[0], wanted, f"the status of chunks {body[-10:]}")


CHECKS = (
    answers_are_the_same,
    what_is_malformed_is_refused,
    a_body_in_chunks_is_bounded,
    connections_are_kept_or_closed_as_said,
    counting_is_right_where_it_says_so,
    cpu_time_is_burned_as_asked,
    a_guard_sheds,
    a_crash_costs_its_process,
    it_ends_in_order,
)


# -- the run ---------------------------------------------------------------------------------------

def missing(row):
    return [need for need in row["needs"] if shutil.which(need["command"], path=SEARCH) is None]


def prepare(rows, work):
    """Runs each distinct preparation once."""
    done = set()
    for row in rows:
        command = [word.format(work=work, peers=PEERS) for word in row.get("prepare", [])]
        if not command or tuple(command) in done:
            continue
        done.add(tuple(command))
        environment = os.environ | {"PATH": SEARCH} | row.get("prepare_environment", {})
        run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=work,
                             stdin=subprocess.DEVNULL, timeout=PREPARE_SECONDS, check=False)
        check_equal(run.returncode, 0, f"status of {' '.join(command)}: {run.stderr[-1000:]}")


def take(step, peer, wanted):
    end = time.monotonic() + 3 * BOUND_SECONDS
    while True:
        try:
            return step(peer, wanted)
        except Shed:
            if not peer.row["guarded"] or time.monotonic() > end:
                raise
            time.sleep(0.1)


def examine(row, cores, work, wanted):
    """One peer through all checks.  What failed, as text; None: nothing."""
    peer = Peer(row, cores, work)
    step = None
    try:
        eventually(peer.healthy, "it listens", START_SECONDS)
        for step in CHECKS:
            take(step, peer, wanted)
        return None
    except (Failure, OSError, EOFError, ValueError) as error:
        where = step.__name__ if step else "the start"
        return f"{where}: {type(error).__name__}: {error}\n    {peer.output()}"
    finally:
        peer.kill()


def the_manifest_is_complete(rows):
    names = [row["name"] for row in rows]
    check_equal(len(set(names)), len(names), "distinct names")
    for row in rows:
        for key in ("family", "model", "guarded", "shares_memory", "counts_right", "processes",
                    "needs", "run", "settings", "supervised"):
            check(key in row, f"{row['name']} has no {key}")
        check(not row["guarded"] or row["guard"], f"{row['name']} does not say what guards it")


def main():
    if os.environ.get("WEIR_SANITIZE", "OFF") not in ("", "OFF"):
        print("SKIP: the peers are the same programs whatever weir is built with")
        sys.exit(77)
    rows = json.loads((PEERS / "peers.json").read_text())
    the_manifest_is_complete(rows)
    only = sys.argv[1:]
    rows = [row for row in rows if not only or row["name"] in only]
    packages = {need["package"] for row in rows for need in missing(row)}
    for package in sorted(packages):
        print(f"not installed: {package}; its peers are left out")
    rows = [row for row in rows if not missing(row)]
    if not rows:
        print(f"SKIP: no peer can run here; install one of {', '.join(sorted(packages))}")
        sys.exit(77)

    failed = 0
    with tempfile.TemporaryDirectory(prefix="weir-peers-") as work:
        prepare(rows, work)
        with Service("tasks", "--state") as weir:
            wanted = reference(weir)
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            jobs = [(f"{row['name']}, {cores} of the cores",
                     pool.submit(examine, row, cores, work, wanted))
                    for row in rows for cores in (1, 2)]
            for name, job in jobs:
                trouble = job.result()
                failed += trouble is not None
                print(f"FAIL  {name}: {trouble}" if trouble else f"ok    {name}", flush=True)
    print(f"{len(jobs) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
