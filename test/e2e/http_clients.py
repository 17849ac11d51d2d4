#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that people use get what they ask for, under every model: curl, wrk, ab, Node's fetch,
Python's http.client.  One that is not installed is a named skip.
ctest: timeout=150 processors=2"""
import http.client
import os
import re
import tempfile

from service import check, check_equal, client, run

MEGABYTE = 1 << 20


def curl_reads_several_urls_over_one_connection(service):
    done = client("curl", "-sS", "-w", "%{num_connects} ", *(f"{service.url}/hello/{name}"
                                                            for name in ("a", "b", "c")))
    check_equal(done.returncode, 0, f"curl: {done.stderr}")
    check_equal(done.stdout, b"Hello, a!\n1 Hello, b!\n0 Hello, c!\n0 ", "answers, connections")


def curl_head(service):
    done = client("curl", "-sS", "-I", f"{service.url}/hello/a")
    check(done.returncode == 0 and b"Content-Length: 10\r\n" in done.stdout, f"{done}")


def curl_echoes_megabytes(service):
    """With a length (curl expects 100-continue there) and in chunks."""
    data = os.urandom(5 * MEGABYTE)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for extra in ((), ("-H", "Transfer-Encoding: chunked")):
            done = client("curl", "-sS", "-X", "POST", "-H", "Expect: 100-continue", *extra,
                          "--data-binary", f"@{file.name}", f"{service.url}/echo")
            check_equal(done.returncode, 0, f"curl {extra}: {done.stderr}")
            check(done.stdout == data, f"{extra}: {len(done.stdout)} bytes differ from the sent")


def curl_is_told_to_continue(service):
    done = client("curl", "-sS", "-v", "-X", "POST", "-H", "Expect: 100-continue",
                  "--data-binary", "x" * 2000, f"{service.url}/echo")
    check_equal(done.returncode, 0, "curl")
    check(b"< HTTP/1.1 100 Continue" in done.stderr, "no 100 Continue was sent")
    check_equal(done.stdout, b"x" * 2000, "echo")


def wrk_sees_only_good_answers(service):
    done = client("wrk", "-t1", "-c32", "-d1s", f"{service.url}/hello/wrk")
    text = done.stdout.decode()
    check(done.returncode == 0 and "Non-2xx" not in text and "Socket errors" not in text, text)
    count = int(re.search(r"(\d+) requests in", text).group(1))
    check(count > 32, f"only {count} requests in a second, of 32 connections")


def ab_sees_only_good_answers(service):
    done = client("ab", "-q", "-k", "-n", "2000", "-c", "16", f"{service.url}/hello/ab")
    text = done.stdout.decode()
    check_equal(done.returncode, 0, f"ab: {done.stderr}")
    for line in (r"Complete requests:\s+2000", r"Failed requests:\s+0",
                 r"Keep-Alive requests:\s+2000"):
        check(re.search(line, text), f"{line} not in: {text}")
    check("Non-2xx" not in text, text)


def node_fetches(service):
    script = """
        const url = process.argv[1];
        (async () => {
          const hello = await (await fetch(url + '/hello/node')).text();
          const body = 'y'.repeat(300000);
          const echo = await (await fetch(url + '/echo', { method: 'POST', body })).text();
          const stream = await (await fetch(url + '/stream?n=3&ms=5')).text();
          const many = await Promise.all(Array.from({ length: 50 },
            (_, i) => fetch(url + '/hello/' + i).then(r => r.text())));
          const good = hello === 'Hello, node!\\n' && echo === body &&
            stream === 'chunk 1 of 3\\nchunk 2 of 3\\nchunk 3 of 3\\n' &&
            many.every((text, i) => text === `Hello, ${i}!\\n`);
          console.log(good ? 'good' : 'bad');
          process.exit(good ? 0 : 1);
        })();"""
    done = client("node", "-e", script, service.url)
    check(done.returncode == 0, f"{done.stdout} {done.stderr}")


def http_client_keeps_its_connection(service):
    c = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    c.connect()
    first = c.sock
    for number in range(20):
        c.request("GET", f"/hello/{number}")
        check_equal(c.getresponse().read(), f"Hello, {number}!\n".encode(), "answer")
    # A generator as the body: http.client sends it in chunks.
    c.request("POST", "/echo", body=(b"z" * 10000 for _ in range(200)), encode_chunked=True)
    check(c.getresponse().read() == b"z" * 2000000, "chunked echo differs")
    check(c.sock is first, "the connection was not kept")
    c.close()


run([curl_reads_several_urls_over_one_connection, curl_head, curl_echoes_megabytes,
     curl_is_told_to_continue, wrk_sees_only_good_answers, ab_sees_only_good_answers,
     node_fetches, http_client_keeps_its_connection])
