# SPDX-License-Identifier: MIT
"""The handler class of the servers on http.server: plain, blocking code."""
import time
from http.server import BaseHTTPRequestHandler

import work

IDLE_SECONDS = 60


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    # An answer is written in one piece, and not held back for the acknowledgement of the last.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def answer(self):
        try:
            body = self.read_body()
            kind, arguments = work.find(self.command, self.path)
            getattr(self, "on_" + kind)(*arguments, **({"body": body} if kind == "echo" else {}))
        except work.Refusal as refusal:
            self.send(refusal.status, refusal.text.encode(), allow=refusal.allow)

    def on_text(self, text):
        self.send(200, text.encode())

    def on_cpu(self, milliseconds):
        self.on_text(work.burn(milliseconds))

    def on_wait(self, milliseconds):
        time.sleep(milliseconds / 1000)
        self.on_text(work.waited(milliseconds))

    def on_block(self, milliseconds):
        self.on_text(work.block(milliseconds))

    def on_echo(self, body):
        self.send(200, body, self.headers.get("Content-Type"))

    def on_crash(self):
        work.crash()

    def on_stream(self, count, milliseconds):
        chunked = self.request_version == "HTTP/1.1"
        self.send_response(200)
        self.send_header("Content-Type", work.TEXT)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection or not chunked:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        for index in range(1, count + 1):
            piece = work.chunk(index, count)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            self.wfile.flush()
            if index < count:
                time.sleep(milliseconds / 1000)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def send(self, status, body, kind=work.TEXT, allow=None):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if allow:
            self.send_header("Allow", allow)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self):
        """The whole body.  http.server knows of neither its length nor its chunks."""
        coding = self.headers.get("Transfer-Encoding", "").lower()
        length = self.headers.get("Content-Length")
        if coding == "chunked" and length is None:
            return self.read_chunks()
        if coding or (length is not None and not (length.isascii() and length.isdigit())):
            self.close_connection = True
            raise work.Refusal(400, "the body is framed in no known way\n")
        return self.read_exactly(int(length or 0))

    def read_exactly(self, count):
        if count > work.BODY_BYTES_MAX:
            self.close_connection = True
            raise work.Refusal(413, "body too large\n")
        data = self.rfile.read(count)
        if len(data) < count:
            raise ConnectionResetError("the client left in its body")
        return data

    def read_chunks(self):
        pieces, total = [], 0
        try:
            while size := int(self.rfile.readline(100).partition(b";")[0], 16):
                total += size
                if size < 0:
                    raise ValueError
                pieces.append(self.read_exactly(size if total <= work.BODY_BYTES_MAX else total))
                if self.rfile.readline(3) != b"\r\n":
                    raise ValueError
            while self.rfile.readline(8192) not in (b"\r\n", b""):  # trailers
                pass
        except ValueError:
            self.close_connection = True
            raise work.Refusal(400, "a chunk is badly framed\n") from None
        return b"".join(pieces)

    def log_message(self, format, *args):
        """No access log; none of the servers that are compared writes one."""
