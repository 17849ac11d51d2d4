#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smuggling.tsv against a live server under every model: each row's bytes get the statuses that it
names, in order and no more, and the connection has the fate that it names.
ctest: timeout=150 processors=2"""
import pathlib
import re

from service import Connection, Failure, check, check_equal, request, run

TABLE = pathlib.Path(__file__).with_name("smuggling.tsv")

# The table's server has no page at "/"; the demo service has.
AT_ROOT = {"target-absolute-no-path", "target-absolute-query-no-path"}

ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\", b'"': b'"'}


def unescape(text):
    def one(match):
        code = match.group(1)
        return bytes([int(code[1:], 16)]) if code[:1] == b"x" else ESCAPES[code]
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", one, text)


def expand(text):
    """{N*text} N times; what is repeated holds no braces."""
    data = re.sub(rb"\{(\d+)\*([^{}]*)\}", lambda m: m.group(2) * int(m.group(1)),
                  text.encode("latin-1"))
    return unescape(data)


def rows():
    for number, line in enumerate(TABLE.read_text(encoding="latin-1").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        name, data, statuses, fate = line.split("\t")
        check(fate in ("keep", "close"), f"smuggling.tsv:{number}: fate {fate}")
        wanted = [{int(one) for one in status.split("|")} for status in statuses.split(",")]
        if name in AT_ROOT:
            wanted = [{200}]
        yield name, expand(data), wanted, fate


def try_row(service, data, wanted, fate):
    with Connection(service, seconds=10) as c:
        try:
            c.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end; the answer counts
        got = []
        to_head = data.lstrip(b"\r\n").startswith(b"HEAD ")
        try:
            while len(got) < len(wanted):
                got.append(c.answer(to_head=to_head)[0])
        except (EOFError, ConnectionResetError) as end:
            # An answer that had begun when the error was found is cut; its status was parsed away.
            if not (fate == "close" and any(len(one) > 1 for one in wanted)):
                raise Failure(f"after {got}: {end}") from None
            got += [200] * (len(wanted) - len(got))
        good = all(status in one for status, one in zip(got, wanted))
        check(good, f"statuses {got}, wanted {wanted}")
        if fate == "close":
            check(c.closed(), "the connection stays open, or more came")
            return
        c.send(request("/hello/again", "GET", "Connection: close"))
        check_equal(c.answer()[2], b"Hello, again!\n", "the request after")
        check(c.closed(), "bytes behind the last answer")


def every_row_has_its_statuses_and_fate(service):
    wrong = []
    count = 0
    for name, data, wanted, fate in rows():
        count += 1
        try:
            try_row(service, data, wanted, fate)
        except Exception as error:  # noted; the other rows are tried too
            wrong.append(f"{name}: {type(error).__name__}: {error}")
    check(count > 200, f"the table has only {count} rows")
    check(not wrong, f"{len(wrong)} of {count} rows:\n    " + "\n    ".join(wrong[:40]))


run([every_row_has_its_statuses_and_fate])
