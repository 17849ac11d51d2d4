#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""weir's HTTP codec beside two others that Debian ships: Node's parser, and nginx, both as a parser
of its own and as a proxy in front of weir.

Each case is a pipeline of requests out of a grammar, about half of them with one or two deviations
that parsers are known to disagree on, and behind it a plain request that ends the connection.  All
servers get the same bytes.  For each request they tell what they understood (mirror.c, mirror.js),
or refuse it, or wait for more.  A disagreement must be explained by a row of STRICTER, or it is a
defect: above all where weir takes what another refuses (LAXER), or sees another request or body.
The case is tried again alone and patiently first, so that a busy machine is not mistaken for one.

The same cases every time; WEIR_TEST_SEED=N tries others, and WEIR_HEAVY=1 many thousands.
ctest: timeout=150 heavy=1500"""
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from service import Skip, check, eventually, free_port

HERE = pathlib.Path(__file__).resolve().parent
CASES = 20000 if os.environ.get("WEIR_HEAVY") else 400
AT_ONCE = 16
PATIENCE_SECONDS = 20
END = b"GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
KNOWN = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
FIELDS = ("Host", "X-One", "X-Two", "Content-Type", "Connection")

# Why weir may refuse what another takes: deviation -> (reason, section of the RFC).
STRICTER = {
    "bare-lf": "RFC 9112 2.2: a recipient MAY take a bare LF; the peer behind may not",
    "bare-cr": "RFC 9112 2.2: a bare CR is invalid",
    "obs-fold": "RFC 9112 5.2: a server MUST refuse a folded field or replace it",
    "space-before-colon": "RFC 9112 5.1: a server MUST refuse it",
    "field-name": "RFC 9110 5.1: a name is a token",
    "field-value": "RFC 9110 5.5: control bytes are invalid in a value",
    "host": "RFC 9112 3.2: exactly one valid Host",
    "two-lengths": "RFC 9112 6.3: differing or repeated lengths; weir takes one field only",
    "length": "RFC 9110 8.6: 1*DIGIT",
    "length-and-chunked": "RFC 9112 6.1: ought to be handled as an error",
    "coding": "RFC 9112 6.1: a coding not understood, or chunked not last",
    "old-chunked": "RFC 9112 6.1: Transfer-Encoding in HTTP/1.0 is faulty framing",
    "chunk": "RFC 9112 7.1: chunk-size is 1*HEXDIG, then extensions, then CRLF",
    "extension": "RFC 9112 7.1.1: bad or overlong extensions",
    "trailer": "RFC 9112 7.1.2: trailers are fields",
    "request-line": "RFC 9112 3: exactly method SP target SP version",
    "target": "RFC 9112 3.2: the target's bytes, RFC 3986 2",
    "dot-segment": "RFC 3986 6.2.2.3: a client removes them; behind a proxy they escape its rules",
    "version": "RFC 9112 2.3: HTTP/1.0 and 1.1 in capitals",
    "method": "RFC 9110 15.6.2: a method that weir does not know is 501",
    "lead": "RFC 9112 2.2: at most an empty line before a request",
    "expect": "RFC 9110 10.1.1: an expectation that is not understood",
    "random": "RFC 9112 2.2: whatever deviates from the grammar may be refused",
}

# What weir takes though another refuses it: (peer, deviation) -> reason.
LAXER = {
    ("node", "extension"): "RFC 9112 7.1.1: white space around an extension MUST be parsed",
    ("node", "version"): "RFC 9110 2.5: a higher minor version is taken as the highest known",
    ("nginx", "host-tab"): "RFC 9110 5.5: a tab before a value is white space as a space is",
    ("nginx-proxy", "host-tab"): "as above",
    ("nginx", "host-dots"): "RFC 3986 3.2.2: a registered name may have empty labels",
    ("nginx-proxy", "host-dots"): "as above",
    ("node", "method"): "RFC 9110 9.1: any token is a method; this route takes all of them",
    ("nginx", "method"): "as above",
    ("nginx-proxy", "method"): "as above",
}

# What a random change may turn out to be: deviation -> where it shows.
BY_CHANCE = {
    "host-tab": rb"(?i)host: *\t|host:[^\r\n]*\t\r",
    "host-dots": rb"(?i)host:[^\r\n]*\.\.",
    "extension": rb"\r\n[0-9a-fA-F]+[ \t]*;[^\r\n]*\r\n",
}

NGINX = """daemon off;
master_process off;
pid FOLDER/pid;
error_log FOLDER/error crit;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path FOLDER/1;
    proxy_temp_path FOLDER/2;
    fastcgi_temp_path FOLDER/3;
    uwsgi_temp_path FOLDER/4;
    scgi_temp_path FOLDER/5;
    ignore_invalid_headers off;
    underscores_in_headers on;
    client_max_body_size 64k;
    server {
        listen 127.0.0.1:PROXY;
        location / {
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_pass http://127.0.0.1:WEIR;
        }
    }
    server {
        listen 127.0.0.1:ALONE;
        location / { return 200 "taken"; }
    }
}
"""


# -- the servers ---------------------------------------------------------------------------------

class Servers:
    """weir's mirror, Node's, and nginx with two faces; as a context.  Ports by name."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-differential-"))
        self.children = []
        self.ports = {}

    def start(self, name, *command, **more):
        log = open(self.folder / name, "w")
        child = subprocess.Popen(command, stderr=log, **more)
        log.close()
        self.children.append(child)
        return child

    def __enter__(self):
        try:
            self.ports["weir"] = free_port()
            mirror = pathlib.Path(os.environ["WEIR_BUILD"]) / "test" / "e2e" / "mirror"
            self.start("weir", mirror, f"--listen=127.0.0.1:{self.ports['weir']}",
                       stdin=subprocess.DEVNULL)
            node = shutil.which("node")
            if node:
                child = self.start("node", node, HERE / "mirror.js", stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
                self.ports["node"] = int(child.stdout.readline())
            nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
            if nginx:
                self.start_nginx(nginx)
            if len(self.ports) == 1:
                raise Skip("neither node (package nodejs) nor nginx (package nginx-light) is here")
            for name in self.ports:
                eventually(lambda name=name: self.listens(name), f"{name} listens")
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_nginx(self, path):
        self.ports["nginx-proxy"], self.ports["nginx"] = free_port(), free_port()
        text = NGINX.replace("FOLDER", str(self.folder))
        for word, name in (("PROXY", "nginx-proxy"), ("ALONE", "nginx"), ("WEIR", "weir")):
            text = text.replace(word, str(self.ports[name]))
        (self.folder / "nginx.conf").write_text(text)
        self.start("nginx", path, "-c", self.folder / "nginx.conf", "-p", self.folder,
                   stdin=subprocess.DEVNULL)

    def listens(self, name):
        for child in self.children:
            check(child.poll() is None, f"a server ended: {self.complaints()}")
        try:
            socket.create_connection(("127.0.0.1", self.ports[name]), PATIENCE_SECONDS).close()
            return True
        except ConnectionRefusedError:
            return False

    def complaints(self):
        return {name: (self.folder / name).read_text(errors="replace")[-500:]
                for name in ("weir", "node", "nginx") if (self.folder / name).exists()}

    def alive(self):
        for child in self.children:
            check(child.poll() is None, f"a server ended under the test: {self.complaints()}")

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


# -- the cases -----------------------------------------------------------------------------------

class Request:
    """A request in parts, so that a deviation can be put where it belongs."""

    def __init__(self, rng):
        self.rng = rng
        self.method = rng.choice(("GET", "GET", "POST", "POST", "PUT", "DELETE", "PATCH"))
        self.target = "/" + "/".join(self.segment() for _ in range(rng.randrange(1, 4)))
        if rng.random() < 0.3:
            self.target += "?" + rng.choice(("a=b", "a", "a=%20&b=c+d", "?", "", "x=/:@"))
        self.version = "HTTP/1.1"
        self.lead = b""
        self.fields = [["Host", rng.choice(("h", "h:80", "example.org", "127.0.0.1", "[::1]:8"))]]
        self.eol = b"\r\n"
        self.body = b""
        for name in ("X-One", "X-Two", "Content-Type"):
            if rng.random() < 0.4:
                self.fields.append([self.spell(name), self.value()])
        if self.method in ("POST", "PUT", "PATCH"):
            self.add_body()
        rng.shuffle(self.fields)

    def segment(self):
        return "".join(self.rng.choice("abcXYZ019-._~!$&'()*+,;=:@") for _ in
                       range(self.rng.randrange(1, 8))) + self.rng.choice(("", "", "%2F", "%41"))

    def spell(self, name):
        return self.rng.choice((name, name.lower(), name.upper()))

    def value(self):
        text = "".join(self.rng.choice("abcdefXYZ0123 \t,;:=\"'()/\\@[]{}!#$%&*+-.^_`|~\xe9\xff")
                       for _ in range(self.rng.randrange(0, 20)))
        return text.strip(" \t")

    def add_body(self):
        data = bytes(self.rng.randrange(256) for _ in range(self.rng.choice((0, 1, 5, 300, 5000))))
        if self.rng.random() < 0.5:
            self.fields.append([self.spell("Content-Length"), str(len(data))])
            self.body = data
            return
        self.fields.append([self.spell("Transfer-Encoding"),
                            self.rng.choice(("chunked", "Chunked", "CHUNKED"))])
        while data:
            count = self.rng.randrange(1, len(data) + 1)
            size = f"{count:x}" if self.rng.random() < 0.7 else f"{count:05X}"
            extension = self.rng.choice(("", "", "", ";a", ";a=b", ';a="b c"'))
            self.body += f"{size}{extension}\r\n".encode() + data[:count] + b"\r\n"
            data = data[count:]
        trailer = self.rng.choice((b"", b"", b"", b"X-Trailer: t\r\n"))
        self.body += b"0\r\n" + trailer + b"\r\n"

    def bytes(self):
        head = [f"{self.method} {self.target} {self.version}"]
        head += [line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in self.fields]
        text = [line.encode("latin-1") + self.eol for line in head]
        return self.lead + b"".join(text) + self.eol + self.body


def has(request, name):
    return next((field for field in request.fields
                 if not isinstance(field, str) and field[0].lower() == name), None)


def deviate_line(request, rng):
    pick = rng.randrange(6)
    if pick == 0:
        request.method = rng.choice(("get", "BREW", "", "G(T", "GET\t", "PROPFIND", "M" * 40))
        return "method"
    if pick == 1:
        request.version = rng.choice(("HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.10", "HTTP/01.1",
                                      "HTTP/1.", "HTTP/1.1 ", "", "HTTP/0.9", "ICY/1.1"))
        return "version"
    if pick == 2:
        request.target += rng.choice(("\x01", "\x7f", "\xe9", "\xff", "%", "%zz", "%00", "#f", "\\",
                                      "\"", "<>", "{", "|", "^", "`", "/../../x", "//", "/./"))
        return "target"
    if pick == 3:
        request.target = rng.choice(("*", "", "h:80", "http://h/x", "HTTP://h/x", "http:///x",
                                     "https://u@h/x", "x", "http://h"))
        return "target"
    if pick == 4:
        request.target = rng.choice((" ", "\t", "/a ")) + request.target
        return "request-line"
    request.lead = rng.choice((b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\r", b"\0", b"\r\n \r\n"))
    return "lead"


def deviate_field(request, rng):
    pick = rng.randrange(8)
    at = rng.randrange(len(request.fields) + 1)
    if pick == 0:
        request.fields.insert(at, rng.choice(("X-One : v", "X-One\t: v", "Host : h")))
        return "space-before-colon"
    if pick == 1:
        request.fields.insert(max(at, 1), rng.choice((" folded", "\tfolded", " X-One: v")))
        return "obs-fold"
    if pick == 2:
        request.fields.insert(at, rng.choice((": v", "X(One: v", "X One: v", "no colon", "X\xe9: v",
                                              "X\0: v", "X\x01: v", "\"X\": v", "X;: v", "@: v")))
        return "field-name"
    if pick == 3:
        request.fields.insert(at, rng.choice(("X-One: a\0b", "X-One: a\x01b", "X-One: \x7f",
                                              "X-One: a\x0bb", "X-One: a\x1fb")))
        return "field-value"
    if pick == 4:
        request.fields = [f for f in request.fields if isinstance(f, str) or f[0] != "Host"]
        request.fields += rng.choice(([], [["Host", "a"], ["Host", "b"]], [["Host", "a b"]],
                                      [["Host", "a/b"]], [["Host", ""]], [["Host", "a,b"]],
                                      [["Host", "a:b"]], [["Host", "u@a"]], [["Host", "a"]] * 2))
        return "host"
    if pick == 5:
        request.eol = b"\n"
        return "bare-lf"
    if pick == 6:
        request.fields.insert(at, rng.choice(("X-One: a\rb", "X-One: a\r", "X-One\r: a", "\rX: a")))
        return "bare-cr"
    request.fields.insert(at, rng.choice((["Expect", "100-continue"], ["Expect", "magic"])))
    return "expect"


def deviate_framing(request, rng):
    pick = rng.randrange(6)
    length = str(len(request.body))
    at = rng.randrange(len(request.fields) + 1)
    if pick == 0:
        request.fields = [f for f in request.fields if isinstance(f, str) or
                          f[0].lower() not in ("content-length", "transfer-encoding")]
        request.fields.append(["Content-Length", rng.choice((
            "+" + length, "-" + length, "0x5", length + " 0", length + ",", "", "1e1", "5.0",
            "18446744073709551616", "99999999999999999999", "00" + length, length + ", " + length,
            "\x0b" + length, "_5"))])
        return "length"
    if pick == 1:
        request.fields.insert(at, ["Content-Length", length])
        request.fields.insert(at, ["Content-Length", rng.choice((length, "0", "7"))])
        return "two-lengths"
    if pick == 2:
        request.fields = [f for f in request.fields if isinstance(f, str) or
                          f[0].lower() not in ("content-length", "transfer-encoding")]
        request.fields.insert(0, ["Content-Length", rng.choice((length, "0", "3"))])
        request.fields.insert(at, ["Transfer-Encoding", "chunked"])
        return "length-and-chunked"
    if pick == 3:
        request.fields = [f for f in request.fields if isinstance(f, str) or
                          f[0].lower() not in ("content-length", "transfer-encoding")]
        request.fields.append(["Transfer-Encoding", rng.choice((
            "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "xchunked", "chunkedx",
            "identity", "", "chunked;a=b", "\"chunked\"", ", chunked", "chunked ,", "chun ked",
            "chunked\x0b", "identity, chunked"))])
        return "coding"
    if pick == 4 and has(request, "transfer-encoding"):
        request.version = "HTTP/1.0"
        return "old-chunked"
    return deviate_chunks(request, rng)


def deviate_chunks(request, rng):
    """A chunked body that is odd in one place."""
    request.method = "POST"
    request.fields = [f for f in request.fields if isinstance(f, str) or
                      f[0].lower() not in ("content-length", "transfer-encoding")]
    request.fields.append(["Transfer-Encoding", "chunked"])
    kind = rng.choice(("chunk", "chunk", "extension", "trailer", "bare-lf"))
    if kind == "chunk":
        request.body = rng.choice((
            b"0x5\r\nriver\r\n", b"+5\r\nriver\r\n", b"-5\r\nriver\r\n", b" 5\r\nriver\r\n",
            b"5 \r\nriver\r\n", b"5\t\r\nriver\r\n", b"g\r\nriver\r\n", b"\r\nriver\r\n",
            b"5\r\nriver", b"5\r\nriverx\r\n", b"5\r\nrive\r\n", b"5\r\r\nriver\r\n",
            b"00000000000000000005\r\nriver\r\n", b"10000000000000005\r\nriver\r\n",
            b"ffffffffffffffff\r\nriver\r\n", b"5_\r\nriver\r\n", b"5,5\r\nriver\r\n",
            b"5\r\nriver\r\r\n", b"\x005\r\nriver\r\n")) + b"0\r\n\r\n"
    elif kind == "extension":
        request.body = b"5" + rng.choice((
            b";", b";;a", b"; a", b" ;a", b";a =b", b";a= b", b";a=\"b", b";a=\"b\\\"\"",
            b";a=\x01", b";a=\"\r\n\"", b";a\nb", b";a\rb", b";=b", b";" + b"a" * 5000))
        request.body += b"\r\nriver\r\n0\r\n\r\n"
    elif kind == "trailer":
        request.body = b"5\r\nriver\r\n0\r\n" + rng.choice((
            b"X One: v\r\n", b": v\r\n", b"no colon\r\n", b"X: a\0b\r\n", b"X: a\nY: b\r\n",
            b" X: a\r\n", b"Content-Length: 5\r\n", b"Host: b\r\n", b"X : v\r\n", b"X: a\rb\r\n",
            b"Transfer-Encoding: chunked\r\n", b"X: v\r\n folded\r\n")) + b"\r\n"
    else:
        request.body = rng.choice((b"5\nriver\r\n0\r\n\r\n", b"5\r\nriver\n0\r\n\r\n",
                                   b"5\r\nriver\r\n0\n\r\n", b"5\r\nriver\r\n0\r\n\n",
                                   b"5\nriver\n0\n\n"))
    return kind


def deviate_bytes(data, rng):
    """Anything anywhere: a byte changed, put in, taken out, or a piece doubled."""
    at = rng.randrange(len(data))
    pick = rng.randrange(4)
    odd = rng.choice((b"\0", b"\r", b"\n", b" ", b"\t", b":", b"\x80", bytes([rng.randrange(256)])))
    if pick == 0:
        return data[:at] + odd + data[at + 1:]
    if pick == 1:
        return data[:at] + odd + data[at:]
    if pick == 2:
        return data[:at] + data[at + 1:]
    count = rng.randrange(1, 12)
    return data[:at + count] + data[at:]


def make_case(seed, number):
    """(bytes, deviations) of one case."""
    rng = random.Random(seed * 1000003 + number)
    requests = [Request(rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    labels = set()
    if rng.random() < 0.55:
        for _ in range(rng.choice((1, 1, 1, 2))):
            deviate = rng.choice((deviate_line, deviate_field, deviate_framing))
            labels.add(deviate(rng.choice(requests), rng))
    data = b"".join(request.bytes() for request in requests)
    if rng.random() < 0.15:
        data = deviate_bytes(data, rng)
        labels.add("random")
        labels.update(name for name, pattern in BY_CHANCE.items() if re.search(pattern, data))
    if any(segment in (".", "..") for request in requests
           for segment in request.target.split("?")[0].replace("%2F", "/").split("/")):
        labels.add("dot-segment")
    return data + END, labels


# -- what a server made of it --------------------------------------------------------------------

class Taken(collections.namedtuple("Taken", "method target fields body")):
    """A request as a server understood it."""


def read_until_end(connection, quiet_seconds):
    """Everything that comes; after a quiet time our end is closed, so that a server that waits for
    more gives up."""
    have = b""
    finished = False
    connection.settimeout(quiet_seconds)
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionError:
            return have, finished
        except TimeoutError:
            if finished:
                return have, finished
            finished = True
            connection.settimeout(PATIENCE_SECONDS)
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                return have, finished
            continue
        if not piece:
            return have, finished
        have += piece


def converse(port, data, quiet_seconds):
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(data)
        except ConnectionError:
            pass  # refused before the end; the answers count
        return read_until_end(connection, quiet_seconds)


def split_answer(have):
    """(status, fields, body, rest) of the first answer, or None where it is cut."""
    if b"\r\n\r\n" not in have:
        return None
    head, rest = have.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, value in
              (line.split(":", 1) for line in lines[1:])}
    status = int(lines[0].split(" ")[1])
    if status < 200:
        return status, fields, b"", rest
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while b"\r\n" in rest:
            size, rest = rest.split(b"\r\n", 1)
            count = int(size, 16)
            body, rest = body + rest[:count], rest[count + 2:]
            if count == 0:
                return status, fields, body, rest
        return None
    if "content-length" in fields:
        count = int(fields["content-length"])
        return (status, fields, rest[:count], rest[count:]) if count <= len(rest) else None
    return status, fields, rest, b""


def taken(body):
    lines = dict(line.split(" ", 1) for line in body.decode("latin-1").splitlines())
    text = {name: bytes.fromhex(value).decode("latin-1") for name, value in lines.items()}
    fields = {name: text[name].strip(" \t") for name in FIELDS if name in text}
    return Taken(text["method"], text["target"], fields, text["body"].encode("latin-1"))


def verdicts(port, data, quiet_seconds):
    """What the server made of the bytes: one entry for each request, the last says how it ended."""
    have, waited = converse(port, data, quiet_seconds)
    found = []
    while have:
        answer = split_answer(have)
        if answer is None:
            break
        status, fields, body, have = answer
        if status < 200:
            continue
        if status != 200:
            found.append("waits" if waited else "refused")
            return found
        found.append(taken(body) if "x-mirror" in fields else "taken")
    found.append("waits" if waited else "closed")
    return found


# -- judging -------------------------------------------------------------------------------------

def plain_target(target):
    """Of an absolute target a proxy hands on the path."""
    lower = target.lower()
    if lower.startswith("http://"):
        rest = target[7:]
        at = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
        return rest[at:] if rest[at:].startswith("/") else "/" + rest[at:]
    return target


def differs(own, other, peer):
    """In what two understandings of a request differ, or None."""
    if "taken" in (own, other):
        return None
    if own.method != other.method:
        return f"method {own.method!r}, there {other.method!r}"
    if plain_target(own.target) != plain_target(other.target):
        return f"target {own.target!r}, there {other.target!r}"
    if own.body != other.body:
        return f"a body of {len(own.body)} bytes, there {len(other.body)}"
    for name in FIELDS:
        if peer == "nginx-proxy" and name == "Connection":
            continue  # of each hop
        if own.fields.get(name) != other.fields.get(name):
            return f"{name} {own.fields.get(name)!r}, there {other.fields.get(name)!r}"
    return None


def compare(own, other, peer, labels):
    """What is wrong, or None."""
    for mine, theirs in zip(own, other):
        if not isinstance(mine, str) or mine == "taken":
            mine_word = "taken"
        else:
            mine_word = mine
        theirs_word = theirs if isinstance(theirs, str) else "taken"
        if mine_word == theirs_word == "taken":
            difference = differs(mine, theirs, peer)
            if difference:
                return f"understood differently: {difference}"
            continue
        if mine_word == theirs_word:
            return None
        if peer == "nginx" and (mine_word, theirs_word) == ("waits", "taken"):
            return None  # it answers without waiting for the body
        if mine_word == "refused":
            if labels & STRICTER.keys():
                return None
            return f"refused, where {peer} says {theirs_word}, for no stated reason"
        if mine_word == "taken" and mine.method not in KNOWN:
            labels = labels | {"method"}
        if theirs_word == "refused" and any((peer, label) in LAXER for label in labels):
            return None
        return f"{mine_word}, where {peer} says {theirs_word}"
    return None


def judge(servers, data, labels, quiet_seconds):
    """What is wrong with the case, by peer."""
    own = verdicts(servers.ports["weir"], data, quiet_seconds)
    wrong = {}
    for peer in servers.ports:
        if peer == "weir":
            continue
        text = compare(own, verdicts(servers.ports[peer], data, quiet_seconds), peer, labels)
        if text:
            wrong[peer] = text
    return wrong


def try_cases(servers, seed):
    suspects = []
    counts = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        def one(number):
            data, labels = make_case(seed, number)
            return number, labels, judge(servers, data, labels, 0.5)
        for number, labels, wrong in pool.map(one, range(CASES)):
            counts.update(labels or {"none"})
            if wrong:
                suspects.append(number)
    servers.alive()
    check(len(counts) > 15, f"the cases deviate in few ways: {counts}")
    defects = []
    for number in suspects:
        data, labels = make_case(seed, number)
        for peer, text in judge(servers, data, labels, 4).items():
            defects.append((number, peer, sorted(labels), text, data))
    return defects, counts


def main():
    seed = int(os.environ.get("WEIR_TEST_SEED", 1))
    print(f"WEIR_TEST_SEED={seed}: {CASES} cases", flush=True)
    began = time.monotonic()
    try:
        with Servers() as servers:
            print("beside", ", ".join(name for name in servers.ports if name != "weir"))
            defects, counts = try_cases(servers, seed)
    except Skip as reason:
        print(f"SKIP: {reason}")
        return 77
    for number, peer, labels, text, data in defects[:40]:
        print(f"FAIL  case {number} ({', '.join(labels) or 'no deviation'}), {peer}: {text}")
        print(f"      {data[:600]!r}")
    print(f"{CASES} cases, {len(defects)} defects, {time.monotonic() - began:.0f} s; deviations: "
          + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
