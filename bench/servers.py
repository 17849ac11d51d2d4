# SPDX-License-Identifier: MIT
"""Starting, watching and ending the servers that are measured, and what they use meanwhile.

Everything is read from /proc of the process tree; processes are ended by their own ids.  Should
this process vanish, the kernel tells each to end, so that nothing outlives a measurement."""
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from common import FOLDER, ROOT

sys.path.insert(0, str(ROOT / "tool"))
from processes import free_port, resident_bytes, tree  # noqa: E402,F401

PEERS = ROOT / "bench" / "peers"
START_SECONDS_MAX = 15
END_SECONDS_MAX = 5
LARGE_BYTES = 65536
RESOURCES = 100
TOOL_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/usr/local/go/bin"

# tool: (what it is called, the Debian package that brings it)
PACKAGES = {"nginx": ("nginx", "nginx"), "go": ("Go", "golang-go"), "node": ("Node", "nodejs"),
            "wrk": ("wrk", "wrk"), "valgrind": ("valgrind", "valgrind")}


def find(tool):
    return shutil.which(tool, path=TOOL_PATH)


def missing(tool):
    """Why a tool's rows are left out; None when it is there."""
    if find(tool):
        return None
    called, package = PACKAGES[tool]
    return f"{called} is not installed (Debian package {package})"


def raise_open_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def as_child(core=None):
    """What stands before a child's command: it is ended with its parent, and stays on a core."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    return ["setpriv", "--pdeathsig", "TERM", "--", *pinned]


def environment():
    """Without what would give weir options behind the back of the command line."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}


def cpu_ns(pid):
    """CPU time, user and system, of every living thread of the tree, by the scheduler's own
    account."""
    total = 0
    for process in tree(pid):
        for stat in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(stat.read_text().split()[0])
            except (OSError, IndexError):
                pass
    return total


def words_of(command, core=None, seconds=120):
    """What a program that ends by itself prints, as words; on one core or on all."""
    done = subprocess.run([*as_child(core), *map(str, command)], capture_output=True, text=True,
                          timeout=seconds, env=environment(), check=False)
    if done.returncode != 0:
        called = " ".join([pathlib.Path(command[0]).name, *map(str, command[1:])])
        raise RuntimeError(f"{called} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout.split()


class Server:
    """One server process tree on a port of its own."""

    def __init__(self, name, command, core=None, prefix=(), seconds=START_SECONDS_MAX):
        self.name = name
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        # nginx's worker is another user if this one is root.
        os.chmod(self.folder, 0o755)
        self.process = None
        try:
            argv = [word.replace("PORT", str(self.port)) for word in command(self)]
            self.log = open(pathlib.Path(self.folder) / "log", "w+", encoding="utf-8")
            self.process = subprocess.Popen(
                [*as_child(core), *prefix, *argv], stdin=subprocess.DEVNULL, stdout=self.log,
                stderr=self.log, env=environment(), start_new_session=True)
            self.wait(seconds)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.process.pid

    def said(self):
        """The end of what it printed."""
        self.log.seek(0)
        return self.log.read()[-500:].strip()

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self.process.returncode} "
                                   f"instead of listening; it said: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen after {seconds} s")

    def end(self, seconds=END_SECONDS_MAX):
        """Ends it in good order if it lets itself be; the status, or None if it had to be
        killed."""
        if self.process is None:
            return None
        pids = tree(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
            return None

    def stop(self):
        self.end()
        if self.process is not None:
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# -- how each is started -------------------------------------------------------------------------

def weir(build, *options):
    return lambda server: [str(build / "bench" / "http"), "--listen=127.0.0.1:PORT", *options]


FULL = ("--max-running=1", "--max-waiting=1,10m")


def fill(server, stack):
    """One request runs and one waits, as many as FULL allows: every other is refused.  Both keep
    their places until the stack is unwound."""
    for _ in range(2):
        held = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
        held.sendall(b"GET /hold HTTP/1.1\r\nHost: bench\r\n\r\n")
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", server.port), 10) as asked:
            asked.settimeout(1)
            asked.sendall(b"GET /hello/a HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            try:
                if b" 503 " in asked.recv(64):
                    return
            except TimeoutError:
                pass
    raise RuntimeError(f"{server.name} refuses nothing with two requests held")


def floor(build, *options):
    return lambda server: [str(build / "bench" / "floor"), "PORT", *options]


def nginx(server):
    folder = pathlib.Path(server.folder)
    (folder / "body").write_text("x" * LARGE_BYTES)
    many = [f'location /many/r{number:02}/ {{ return 200 "item 7 of 42\\n"; }}'
            for number in range(RESOURCES)]
    text = (PEERS / "nginx.conf").read_text()
    for word, value in (("        MANY", "\n".join(many)), ("PORT", str(server.port)),
                        ("FOLDER", server.folder)):
        text = text.replace(word, value)
    path = folder / "nginx.conf"
    path.write_text(text)
    return [find("nginx"), "-p", server.folder, "-e", "stderr", "-c", str(path)]


def node(server):
    return [find("node"), str(PEERS / "http.js"), "PORT"]


def go(server):
    return [str(FOLDER / "http-go"), "PORT"]


def build_go(source, program):
    """Builds a program of bench/peers.  None, or why it cannot be had."""
    if missing("go"):
        return missing("go")
    FOLDER.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [*as_child(), find("go"), "build", "-o", str(FOLDER / program), str(PEERS / source)],
        capture_output=True, text=True,
        env={**os.environ, "GO111MODULE": "off", "GOCACHE": str(FOLDER / "go-cache")})
    if built.returncode == 0:
        return None
    return f"go cannot build bench/peers/{source}: {built.stderr.strip()[:200]}"


def go_version():
    """As "go1.22.1"."""
    said = subprocess.run([find("go"), "env", "GOVERSION"], capture_output=True, text=True,
                          check=True)
    return said.stdout.strip()


def peers():
    """(name, command) of the peers that are here, and a line for each that is not."""
    wanted = (("nginx", nginx, missing("nginx")),
              ("Go net/http", go, build_go("http.go", "http-go")),
              ("Node http", node, missing("node")))
    return ([(name, command) for name, command, why in wanted if why is None],
            [why for _, _, why in wanted if why is not None])
