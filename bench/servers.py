# SPDX-License-Identifier: MIT
"""Starting, watching and ending the servers that are measured, and what they use meanwhile.

Everything is read from /proc of the process tree; processes are ended by their own ids."""
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
REPORT = ROOT / "build" / "bench" / "report.json"
START_SECONDS_MAX = 15


def cores():
    return sorted(os.sched_getaffinity(0))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_open_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def on_core(core):
    """What a child does before it runs: it pins itself and may open many files."""
    def prepare():
        if core is not None:
            os.sched_setaffinity(0, {core})
        raise_open_files()
    return prepare


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


def cpu_ns(pid):
    """CPU time of every living thread of the tree, by the scheduler's own account."""
    total = 0
    for process in tree(pid):
        for stat in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(stat.read_text().split()[0])
            except (OSError, IndexError):
                pass
    return total


def resident_bytes(pid):
    """Resident memory of the tree; what processes share is counted once (Pss)."""
    total = 0
    for process in tree(pid):
        try:
            for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


class Server:
    """One server process tree on a port of its own."""

    def __init__(self, name, command, core=None):
        self.name = name
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        argv = [word.replace("PORT", str(self.port)) for word in command(self)]
        self.process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, preexec_fn=on_core(core), start_new_session=True)
        self.url = f"http://127.0.0.1:{self.port}/hello/world"
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.process.pid

    def wait(self):
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen after {START_SECONDS_MAX} s")

    def stop(self):
        pids = tree(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def weir(build, *options):
    return lambda server: [str(build / "weir"), "serve", "--listen=127.0.0.1:PORT", *options]


def floor(build):
    return lambda server: [str(build / "bench" / "floor"), "PORT"]


def nginx(server):
    text = (PEERS / "nginx.conf").read_text()
    text = text.replace("PORT", str(server.port)).replace("FOLDER", server.folder)
    path = pathlib.Path(server.folder) / "nginx.conf"
    path.write_text(text)
    return [find("nginx"), "-p", server.folder, "-e", "stderr", "-c", str(path)]


def node(server):
    return [find("node"), str(PEERS / "hello.js"), "PORT"]


def go(server):
    return [str(REPORT.parent / "hello-go"), "PORT"]


def find(tool):
    return shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/go/bin")


def build_go():
    """Builds the Go peer.  None, or why it cannot be had."""
    if not find("go"):
        return "go is not installed"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    built = subprocess.run([find("go"), "build", "-o", str(REPORT.parent / "hello-go"),
                            str(PEERS / "hello.go")], capture_output=True, text=True,
                           env={**os.environ, "GO111MODULE": "off",
                                "GOCACHE": str(REPORT.parent / "go-cache")})
    return None if built.returncode == 0 else f"go build failed: {built.stderr.strip()[:200]}"


def peers():
    """(name, command) of the peers that are here, and a line for each that is not."""
    have, missing = [], []
    if find("nginx"):
        have.append(("nginx", nginx))
    else:
        missing.append("nginx is not installed")
    why = build_go()
    if why is None:
        have.append(("Go net/http", go))
    else:
        missing.append(why)
    if find("node"):
        have.append(("Node http", node))
    else:
        missing.append("node is not installed")
    return have, missing


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{len(cores())} cores of {model}, Linux {os.uname().release}"


def append_report(entry):
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(),
             **entry}
    with REPORT.open("a") as out:
        out.write(json.dumps(entry) + "\n")
