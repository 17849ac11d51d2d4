# SPDX-License-Identifier: MIT
"""HTTP/1.1 on asyncio's streams, standard library only: one thread, a coroutine per connection.

Strict: what is not well framed is answered once and the connection is closed.

Usage: aio.py --port=PORT"""
import argparse
import asyncio
import email.utils
import http
import re
import signal
import time

import work

HEAD_BYTES_MAX = 16384
IDLE_SECONDS = 60
BODY_SECONDS = 60
DRAIN_SECONDS = 10

REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[!-~]*) HTTP/(1)\.([01])")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Request:
    """A head that was understood."""

    def __init__(self, head):
        lines = head[:-4].split(b"\r\n")
        first = REQUEST_LINE.fullmatch(lines[0])
        if first is None:
            raise work.Refusal(400, "this is no HTTP/1 request\n")
        self.method = first[1].decode()
        self.target = first[2].decode()
        self.chunks_allowed = first[4] == b"1"
        self.fields = {}
        for line in lines[1:]:
            self.add(line)
        words = self.fields.get("connection", "").lower().replace(",", " ").split()
        self.keep = "close" not in words and (self.chunks_allowed or "keep-alive" in words)
        if self.chunks_allowed and "host" not in self.fields:
            raise work.Refusal(400, "the field Host is missing\n")
        self.chunked = self.fields.get("transfer-encoding", "").lower() == "chunked"
        length = self.fields.get("content-length", "0")
        if ("transfer-encoding" in self.fields and
                (not self.chunked or not self.chunks_allowed or "content-length" in self.fields)):
            raise work.Refusal(400, "the body is framed in no known way\n")
        if not re.fullmatch(r"[0-9]{1,18}", length):
            raise work.Refusal(400, "Content-Length is no number\n")
        self.length = int(length)
        self.expects = self.fields.get("expect", "").lower() == "100-continue"

    def add(self, line):
        field = FIELD.fullmatch(line)
        if field is None or FORBIDDEN.search(line):
            raise work.Refusal(400, "a field is malformed\n")
        name = field[1].decode().lower()
        if name in self.fields and name in ("content-length", "transfer-encoding", "host"):
            raise work.Refusal(400, f"the field {name} comes twice\n")
        value = field[2].decode("latin-1")
        self.fields[name] = f"{self.fields[name]}, {value}" if name in self.fields else value


class Connection:
    def __init__(self, server, reader, writer):
        self.server = server
        self.reader = reader
        self.writer = writer
        self.idle = True

    async def run(self):
        try:
            while not self.server.stopping and await self.serve_one():
                pass
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, or took too long
        finally:
            self.writer.close()

    async def serve_one(self):
        """One request; whether there may be another."""
        self.idle = True
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                head = await self.reader.readuntil(b"\r\n\r\n")
            self.idle = False
            request = Request(head)
            body = await self.read_body(request)
        except asyncio.LimitOverrunError:
            await self.send(None, 431, b"the head is too large\n")
            return False
        except work.Refusal as refusal:
            await self.send(None, refusal.status, refusal.text.encode())
            return False

        self.server.running += 1
        try:
            kind, arguments = work.find(request.method, request.target)
            await getattr(self, "on_" + kind)(request, body, *arguments)
        except work.Refusal as refusal:
            await self.send(request, refusal.status, refusal.text.encode(), allow=refusal.allow)
        finally:
            self.server.running -= 1
        return request.keep

    async def on_text(self, request, body, text):
        await self.send(request, 200, text.encode())

    async def on_cpu(self, request, body, milliseconds):
        await self.send(request, 200, work.burn(milliseconds).encode())

    async def on_wait(self, request, body, milliseconds):
        await asyncio.sleep(milliseconds / 1000)
        await self.send(request, 200, work.waited(milliseconds).encode())

    async def on_block(self, request, body, milliseconds):
        text = await asyncio.to_thread(work.block, milliseconds)
        await self.send(request, 200, text.encode())

    async def on_echo(self, request, body):
        await self.send(request, 200, body, request.fields.get("content-type"))

    async def on_crash(self, request, body):
        work.crash()

    async def on_stream(self, request, body, count, milliseconds):
        chunked = request.chunks_allowed
        request.keep = request.keep and chunked
        framing = "Transfer-Encoding: chunked" if chunked else None
        self.writer.write(self.head(request, 200, work.TEXT, framing))
        if request.method == "HEAD":
            count = 0
            chunked = False
        for index in range(1, count + 1):
            piece = work.chunk(index, count)
            self.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await self.writer.drain()
            if index < count:
                await asyncio.sleep(milliseconds / 1000)
        if chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def send(self, request, status, body, kind=work.TEXT, allow=None):
        length = f"Content-Length: {len(body)}"
        extra = f"{length}\r\nAllow: {allow}" if allow else length
        head = self.head(request, status, kind, extra)
        self.writer.write(head if request and request.method == "HEAD" else head + body)
        await self.writer.drain()

    def head(self, request, status, kind, extra):
        """The head of an answer; without a request that was understood the connection ends."""
        if self.server.stopping and request:
            request.keep = False
        keep = request is not None and request.keep
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
                 f"Date: {self.server.date()}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        if extra:
            lines.append(extra)
        if not keep:
            lines.append("Connection: close")
        elif not request.chunks_allowed:
            lines.append("Connection: keep-alive")
        return "\r\n".join(lines + ["", ""]).encode("latin-1")

    async def read_body(self, request):
        if not request.chunked and request.length == 0:
            return b""
        if request.length > work.BODY_BYTES_MAX:
            raise work.Refusal(413, "body too large\n")
        if request.expects:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with asyncio.timeout(BODY_SECONDS):
            if request.chunked:
                return await self.read_chunks()
            return await self.reader.readexactly(request.length)

    async def read_chunks(self):
        pieces, total = [], 0
        while True:
            line = await self.reader.readuntil(b"\r\n")
            size = re.fullmatch(rb"([0-9A-Fa-f]{1,8})(;.*)?\r\n", line)
            if size is None:
                raise work.Refusal(400, "a chunk is badly framed\n")
            total += int(size[1], 16)
            if total > work.BODY_BYTES_MAX:
                raise work.Refusal(413, "body too large\n")
            if int(size[1], 16) == 0:
                break
            data = await self.reader.readexactly(int(size[1], 16) + 2)
            if data[-2:] != b"\r\n":
                raise work.Refusal(400, "a chunk is badly framed\n")
            pieces.append(data[:-2])
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return b"".join(pieces)


class Server:
    def __init__(self):
        self.stopping = False
        self.running = 0
        self.connections = set()
        self.date_at = None
        self.date_text = ""

    def date(self):
        now = int(time.time())
        if now != self.date_at:
            self.date_at = now
            self.date_text = email.utils.formatdate(now, usegmt=True)
        return self.date_text

    async def on_connection(self, reader, writer):
        connection = Connection(self, reader, writer)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    async def run(self, port):
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        # The default backlog of 100 drops connections when many come together.
        server = await asyncio.start_server(self.on_connection, "127.0.0.1", port,
                                            backlog=1024, limit=HEAD_BYTES_MAX)
        await stop.wait()
        self.stopping = True
        server.close()
        for connection in self.connections:
            if connection.idle:
                connection.writer.close()
        end = loop.time() + DRAIN_SECONDS
        while self.connections and loop.time() < end:
            await asyncio.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    asyncio.run(Server().run(options.port))


if __name__ == "__main__":
    main()
