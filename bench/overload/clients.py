# SPDX-License-Identifier: MIT
"""Clients that weir load is not, slow ones by the thousand and small ones with addresses of their
own; and a backend whose trouble is a row's.  One thread each, started and stopped by the rows."""
import asyncio
import random
import selectors
import socket
import threading
import time

TURN_S = 0.05
CONNECT_AT_ONCE = 100


class Slow:
    """Connections that are as slow as they are permitted to be.  What the server closes is opened
    again, at most so many a turn.

    kinds: head (a byte of a head a second), body (a byte of a body a second), reader (asks for a
    long answer and reads nothing)."""
    HEAD = b"GET /hello/slow HTTP/1.1\r\nHost: h\r\nX-Slow: "
    BODY = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
    READER = b"GET /stream?n=100000&ms=0 HTTP/1.1\r\nHost: h\r\n\r\n"

    def __init__(self, port, counts):
        self.port = port
        self.counts = counts  # {kind: how many}
        self.open = {kind: [] for kind in counts}
        self.opened = 0
        self.failed = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.turn, daemon=True)

    def connect(self, kind):
        connection = socket.socket()
        if kind == "reader":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        try:
            connection.connect_ex(("127.0.0.1", self.port))
        except OSError:
            connection.close()
            self.failed += 1
            return
        self.opened += 1
        self.open[kind].append([connection, 0])

    def feed(self, kind, entry):
        """The first bytes, or one more; False where the server has had enough."""
        connection, sent = entry
        first = {"head": self.HEAD, "body": self.BODY, "reader": self.READER}[kind]
        try:
            if sent == 0:
                connection.send(first)
            elif kind == "reader":
                return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            else:
                connection.send(b"x")
            entry[1] += 1
            if kind != "reader":
                connection.recv(1)  # an answer before the request is whole, or the end
                return False
            return True
        except BlockingIOError:
            return True
        except OSError:
            return False

    def turn(self):
        """A twentieth of each kind in each turn, so that everybody has one a second."""
        part = 0
        while not self.stopping.is_set():
            began = time.monotonic()
            for kind, wanted in self.counts.items():
                for entry in self.open[kind][part::20]:
                    if not self.feed(kind, entry):
                        entry[0].close()
                        self.open[kind].remove(entry)
                for _ in range(min(CONNECT_AT_ONCE, wanted - len(self.open[kind]))):
                    self.connect(kind)
            part = (part + 1) % 20
            self.stopping.wait(max(0.0, TURN_S - (time.monotonic() - began)))

    def count(self):
        return sum(len(entries) for entries in self.open.values())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for entries in self.open.values():
            for connection, _ in entries:
                connection.close()


class Small:
    """Clients with an address each (127.0.1.N), a connection each, and so many requests a second
    each, at random: what they are answered, by client.  A request that comes while the one before
    is unanswered waits for it; its time counts from when it was due."""

    def __init__(self, port, clients, rate, path, seconds, seed, timeout_s=1.0):
        self.port = port
        self.rate = rate
        self.request = f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        self.timeout_s = timeout_s
        self.ok = [0] * clients
        self.due = [0] * clients
        self.refused = [0] * clients
        self.sockets = [None] * clients
        self.waiting = [[] for _ in range(clients)]  # when they were due; the first is sent
        self.heard = [b""] * clients
        self.selector = selectors.DefaultSelector()
        self.schedule = self.plan(clients, seconds, random.Random(seed))
        self.seconds = seconds
        self.thread = threading.Thread(target=self.turn, daemon=True)

    def plan(self, clients, seconds, rng):
        due = []
        for client in range(clients):
            at = rng.expovariate(self.rate)
            while at < seconds:
                due.append((at, client))
                at += rng.expovariate(self.rate)
        return sorted(due)

    def send(self, client):
        try:
            if self.sockets[client] is None:
                connection = socket.socket()
                connection.bind((f"127.0.1.{client + 1}", 0))
                connection.connect(("127.0.0.1", self.port))
                connection.setblocking(False)
                self.sockets[client] = connection
                self.selector.register(connection, selectors.EVENT_READ, client)
            self.sockets[client].send(self.request)
        except OSError:
            self.drop(client)
            self.waiting[client].pop(0)

    def drop(self, client):
        connection, self.sockets[client] = self.sockets[client], None
        self.heard[client] = b""
        if connection is not None:
            try:
                self.selector.unregister(connection)
            except KeyError:
                pass
            connection.close()

    def answered(self, client, now):
        """Whether the answer is whole, and what it was; small ones with a length only."""
        head, mark, body = self.heard[client].partition(b"\r\n\r\n")
        if not mark:
            return False
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        if len(body) < length:
            return False
        status = int(head.split(b" ")[1])
        due = self.waiting[client].pop(0)
        if status < 400 and now - due <= self.timeout_s:
            self.ok[client] += 1
        elif status == 503:
            self.refused[client] += 1
        self.heard[client] = b""
        if b"connection: close" in head.lower():
            self.drop(client)
        return True

    def read(self, client, now):
        try:
            piece = self.sockets[client].recv(4096)
        except OSError:
            piece = b""
        if not piece:
            self.drop(client)
            if self.waiting[client]:
                self.waiting[client].pop(0)
        else:
            self.heard[client] += piece
            if not self.answered(client, now):
                return
        if self.waiting[client]:
            self.send(client)

    def give_up(self, now):
        for client, waiting in enumerate(self.waiting):
            if waiting and now - waiting[0] > self.timeout_s:
                self.drop(client)
                self.waiting[client] = waiting[1:]
                if self.waiting[client]:
                    self.send(client)

    def turn(self):
        began = time.monotonic()
        index = 0
        while True:
            now = time.monotonic()
            if now > began + self.seconds + self.timeout_s:
                break
            while index < len(self.schedule) and began + self.schedule[index][0] <= now:
                at, client = self.schedule[index]
                index += 1
                self.due[client] += 1
                self.waiting[client].append(began + at)
                if len(self.waiting[client]) == 1:
                    self.send(client)
            self.give_up(now)
            wait = self.schedule[index][0] + began - now if index < len(self.schedule) else 0.05
            for key, _ in self.selector.select(max(0.0005, min(wait, 0.05))):
                self.read(key.data, time.monotonic())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        for client in range(len(self.sockets)):
            self.drop(client)
        self.selector.close()


class Backend:
    """Answers every request after `delay_s`, and refuses the share `refused` of them with 503; both
    can be changed at any time."""

    def __init__(self, delay_s=0.0, refused=0.0, seed=1):
        self.delay_s = delay_s
        self.refused = refused
        self.rng = random.Random(seed)
        self.requests = 0
        self.port = None
        self.loop = asyncio.new_event_loop()
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self.turn, daemon=True)

    async def converse(self, reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                refuse = self.rng.random() < self.refused
                if self.delay_s > 0:
                    await asyncio.sleep(self.delay_s)
                status = b"503 Service Unavailable" if refuse else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 3\r\n\r\nok\n")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def listen(self):
        server = await asyncio.start_server(self.converse, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()

    def turn(self):
        self.loop.run_until_complete(self.listen())
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self):
        self.thread.start()
        self.listening.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
