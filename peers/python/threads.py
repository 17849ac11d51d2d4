# SPDX-License-Identifier: MIT
"""Python's ThreadingHTTPServer: a thread for each connection, one interpreter lock for all.

Usage: threads.py --port=PORT"""
import argparse
import signal
import threading
import time
from http.server import ThreadingHTTPServer

from handler import Handler

DRAIN_SECONDS = 10


class CountingHandler(Handler):
    """Knows how many requests are in flight, for an orderly end."""
    running = 0
    lock = threading.Lock()

    def answer(self):
        with self.lock:
            CountingHandler.running += 1
        try:
            super().answer()
            self.wfile.flush()
        finally:
            with self.lock:
                CountingHandler.running -= 1


class Server(ThreadingHTTPServer):
    # Five, the default, drops connections as soon as a few come together.
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that leaves is no error worth a traceback."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), CountingHandler)

    # shutdown() waits for serve_forever(), which runs on the thread that the signal interrupts.
    def stop(*_):
        threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever()
    server.server_close()
    end = time.monotonic() + DRAIN_SECONDS
    while CountingHandler.running > 0 and time.monotonic() < end:
        time.sleep(0.02)


if __name__ == "__main__":
    main()
