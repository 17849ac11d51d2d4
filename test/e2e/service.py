# SPDX-License-Identifier: MIT
"""The demo service as a child process, and small things that the HTTP tests of this folder share.

A test is a list of functions; run() calls each under each model, prints one line for each and
exits with 0, 1, or 77 when nothing could run.  Nothing here waits a fixed time for an event: it
waits until the event is seen or the bound is passed.  Processes are ended by their own ids."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tool"))
from processes import free_port, own_bytes, resident_bytes, tree  # noqa: E402,F401

MODELS = ("loop", "cluster", "tasks", "threads", "prefork")
BOUND_SECONDS = 20


class Skip(Exception):
    """This case cannot run here; the text says why."""


class Failure(AssertionError):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def check_equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {short(got)}, wanted {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:160]}... ({len(text)} characters)"


def eventually(condition, what, seconds=BOUND_SECONDS):
    """Waits until the condition holds, and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def need(tool):
    """The path of a client that may not be installed."""
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        raise Skip(f"{tool} is not installed")
    return path


def tool_path():
    path = os.environ.get("WEIR_BIN")
    if not path or not os.access(path, os.X_OK):
        print("WEIR_BIN must name the tool weir")
        sys.exit(1)
    return path


class Service:
    """`weir serve` under one model.  As a context: started, listening, and ended cleanly."""

    def __init__(self, model, *options, unix=False):
        self.model = model
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.socket = os.path.join(self.folder, "s") if unix else None
        self.port = None if unix else free_port()
        self.address = f"unix:{self.socket}" if unix else f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.process = subprocess.Popen(
            [tool_path(), "serve", f"--model={model}", f"--listen={self.address}", *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as text:
            return text.read()

    def connect(self, seconds=BOUND_SECONDS):
        if self.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(self.socket)
            return connection
        return socket.create_connection(("127.0.0.1", self.port), seconds)

    def listens(self):
        check(self.process.poll() is None,
              f"weir serve ended with status {self.process.returncode}: {self.output()}")
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def __enter__(self):
        try:
            eventually(self.listens, "weir serve listens")
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self):
        for pid in reversed(tree(self.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.clean()

    def clean(self):
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, kind, *_):
        ended = self.process.poll()
        if kind is not None or ended is not None:
            text = self.output()
            self.kill()
            if text:
                print("    " + text[-2000:].replace("\n", "\n    "))
            if kind is None:
                raise Failure(f"weir serve ended with status {ended} under the test")
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(BOUND_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("weir serve did not end on SIGTERM") from None
        text = self.output()
        self.clean()
        check_equal(status, 0, f"status after SIGTERM (output: {text[-500:]})")


class Connection:
    """Raw bytes to the service, and a plain reader of its answers that trusts nothing."""

    def __init__(self, service, seconds=BOUND_SECONDS):
        self.socket = service.connect(seconds)
        self.have = b""

    def send(self, data):
        self.socket.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def more(self):
        piece = self.socket.recv(65536)
        self.have += piece
        return len(piece) > 0

    def until(self, mark):
        while mark not in self.have:
            if not self.more():
                raise EOFError(f"closed after {short(self.have)}")
        found, self.have = self.have.split(mark, 1)
        return found

    def exactly(self, count):
        while len(self.have) < count:
            if not self.more():
                raise EOFError(f"closed after {len(self.have)} of {count} bytes")
        found, self.have = self.have[:count], self.have[count:]
        return found

    def chunks(self):
        body = b""
        while True:
            size = int(self.until(b"\r\n"), 16)
            body += self.exactly(size)
            check_equal(self.exactly(2), b"\r\n", "the end of a chunk")
            if size == 0:
                return body

    def answer(self, to_head=False, interim=False):
        """(status, fields, body) of the next answer; interim ones are skipped unless wanted."""
        while True:
            lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            version, status = lines[0].split(" ")[:2]
            check_equal(version, "HTTP/1.1", "the version of an answer")
            fields = {}
            for line in lines[1:]:
                name, value = line.split(":", 1)
                check(name.lower() not in fields, f"the field {name} comes twice")
                fields[name.lower()] = value.strip()
            status = int(status)
            if 100 <= status < 200:
                if interim:
                    return status, fields, b""
                continue
            if to_head or status in (204, 304):
                return status, fields, b""
            if fields.get("transfer-encoding") == "chunked":
                check("content-length" not in fields, "an answer framed twice")
                return status, fields, self.chunks()
            if "content-length" not in fields:
                # What an HTTP/1.0 client gets of a stream: everything until the end.
                check_equal(fields.get("connection"), "close", "the end of an unframed answer")
                while self.more():
                    pass
                body, self.have = self.have, b""
                return status, fields, body
            return status, fields, self.exactly(int(fields["content-length"]))

    def closed(self):
        """Whether the server closes, as opposed to sending more."""
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        return self.have == b""


def request(target="/hello/a", method="GET", *fields, body=b""):
    head = [f"{method} {target} HTTP/1.1", "Host: h", *fields]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def client(*command, seconds=60, data=None):
    """Runs a client program to its end."""
    return subprocess.run([need(command[0]), *command[1:]], input=data, capture_output=True,
                          timeout=seconds)


def run(cases, models=MODELS, options=(), unix=False):
    """Each case under each model.  `options` are for the service."""
    passed, failed, skips = 0, 0, []
    for model in models:
        for case in cases:
            name = f"{model}: {case.__name__}"
            began = time.monotonic()
            try:
                with Service(model, *options, unix=unix) as service:
                    case(service)
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
        sys.exit(1)
    if passed == 0:
        print(f"SKIP: {skips[0] if skips else 'no case'}")
        sys.exit(77)
    sys.exit(0)
