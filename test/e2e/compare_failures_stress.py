#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever is wrong with one contestant of `weir compare` is named in its row, the others are
measured, and the exit status says that something is missing.  ctest: timeout=240 processors=2"""
import json
import os
import signal
import textwrap

from compare_support import BOUND_SECONDS, TINY, example, interrupt, rows, run_cases, write_peers
from service import check, check_equal, eventually

# What a program may do instead of serving, by model.
BROKEN = """\
    #!/usr/bin/env python3
    import socket, sys, time
    options = dict(one[2:].split("=", 1) for one in sys.argv[1:] if "=" in one)
    model = options["model"]
    if model == "loop":
        sys.exit("the license has expired")
    if model == "cluster":
        time.sleep(600)
    host, port = options["listen"].split(":")
    listener = socket.create_server((host, int(port)))
    kept = []
    while True:
        connection, _ = listener.accept()
        if model == "tasks":
            connection.sendall(b"SSH-2.0-none\\r\\n" * 3)
        if model == "threads":
            kept.append(connection)
        connection = None
    """

PEER = """\
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        def log_message(self, *_):
            pass
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
    """


def write_program(path, text):
    path.write_text(textwrap.dedent(text))
    path.chmod(0o755)
    return path


def each_broken_start_is_named(compare):
    app = write_program(compare.folder / "broken", BROKEN)
    _, error = compare.run(*TINY, f"--app={app}", "--url=/x", "--peers=none",
                           "--start-timeout=3s", status=1)
    found = rows(compare.report(), "app")
    for model, words in (("loop", ("status 1", "license has expired")),
                         ("cluster", ("did not listen",)), ("tasks", ("not HTTP",)),
                         ("threads", ("never answered",)), ("prefork", ("closed",))):
        reason = found[f"broken {model}"].get("failed", "")
        check(all(word in reason for word in words), f"{model}: {reason!r}")
        check(reason in error, f"{model}: not said on the screen: {error}")


# Writes what no JSON takes, or leaves a process in a session of its own that never ends by itself.
STRANGE = """\
    #!/usr/bin/env python3
    import os, signal, sys, time
    if "--model=loop" in sys.argv:
        sys.stderr.buffer.write(b"\\x1b[31m no \\xff license " + "\u00e4".encode() * 300 + b"\\n")
        sys.exit(3)
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    time.sleep(600)
    """


def strange_programs_are_reported_and_ended(compare):
    app = write_program(compare.folder / "strange", STRANGE)
    _, error = compare.run(*TINY, f"--app={app}", "--url=/x", "--peers=none",
                           "--models=loop,tasks", "--start-timeout=2s", status=1)
    found = rows(compare.report(), "app")
    check("license" in found["strange loop"]["failed"], f"{found}")
    check("\x1b" not in error, f"it reached the terminal: {error!r}")
    check("did not listen" in found["strange tasks"]["failed"], f"{found}")


def an_app_called_weir_has_rows_of_its_own(compare):
    app = write_program(compare.folder / "weir", BROKEN)
    compare.run(*TINY, f"--app={app}", "--url=/x", "--peers=none", "--workloads=api",
                "--models=loop", status=1)
    found = rows(compare.report(), "api")
    check("license" in found["./weir loop"]["failed"], f"{found}")
    check(found["weir loop"]["capacity"] > 0 and "failed" not in found["weir loop"], f"{found}")


def an_app_in_the_background_is_told_so(compare):
    app = write_program(compare.folder / "daemon", "#!/bin/sh\nsleep 600 &\nexit 0\n")
    compare.run(*TINY, f"--app={app}", "--url=/x", "--peers=none", "--models=loop", status=1)
    reason = rows(compare.report(), "app")["daemon loop"]["failed"]
    check("status 0" in reason and "in the foreground" in reason, reason)


def a_log_that_cannot_be_written_is_named(compare):
    (compare.out / "logs" / "weir-loop.log" / "in the way").mkdir(parents=True)
    output, _ = compare.run(*TINY, "--models=loop,tasks", "--peers=none", "--workloads=state",
                            status=1)
    found = rows(compare.report(), "state")
    check("weir-loop.log cannot be written" in found["weir loop"]["failed"], f"{found}")
    check(found["weir tasks"]["state_seen"] > 0, f"{found}")
    check("listening" not in output, f"a service wrote to the table's place: {output}")


def a_folder_has_one_comparison_at_a_time(compare):
    with compare.start(*TINY, "--models=loop", "--peers=none", "--workloads=api") as first:
        eventually(lambda: (compare.out / "journal.jsonl").exists(), "the first is at work", 60)
        with compare.start(*TINY, "--models=loop", "--peers=none") as second:
            _, error = second.communicate(timeout=BOUND_SECONDS)
        first.terminate()
        first.communicate(timeout=BOUND_SECONDS)
    check_equal(second.returncode, 1, f"status of the second: {error}")
    check("another one is at work" in error, error)


def a_closed_terminal_is_an_orderly_end(compare):
    for number in (signal.SIGHUP, signal.SIGPIPE):
        interrupt(compare, number)
        (compare.out / "journal.jsonl").unlink()  # else the next is interrupted before it begins


def closed_standard_files_spoil_nothing(compare):
    def without():
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    with compare.start(*TINY, "--models=loop", "--peers=none", "--workloads=api",
                       preexec_fn=without) as process:
        process.communicate(timeout=BOUND_SECONDS)
    check_equal(process.returncode, 1, "the table could not be shown")
    check(rows(compare.report(), "api")["weir loop"]["capacity"] > 0, "the report")
    for line in (compare.out / "journal.jsonl").read_text().splitlines():
        json.loads(line)


def an_unknown_url_is_named_and_the_rest_goes_on(compare):
    _, _ = compare.run(*TINY, f"--app={example('counter')}", "--url=/nowhere", "--models=loop",
                       "--workloads=api", "--peers=none", status=1)
    found = rows(compare.report(), "api")
    check("status 404" in found["counter loop"]["failed"], f"{found}")
    check(found["weir loop"]["capacity"] > 0, f"{found}")


def state_refuses_what_does_not_fit(compare):
    compare.run(*TINY, f"--app={example('counter')}", "--url=/count", "--peers=none")
    found = rows(compare.report(), "app")
    check(found["counter loop"]["capacity"] > 0, f"{found}")
    for model in ("cluster", "tasks", "threads", "prefork"):
        row = found[f"counter {model}"]
        check("LOOP_ONLY" in row["refused"] and "capacity" not in row, f"{row}")


def peers_fail_by_name(compare):
    folder = compare.folder / "peers"
    folder.mkdir()
    write_program(folder / "peer.py", PEER)
    python = ["python3", "{peers}/peer.py", "{port}"]
    python_needed = [{"command": "python3", "package": "python3"}]
    peers = [
        {"name": "good", "needs": python_needed, "run": python},
        {"name": "absent", "needs": [{"command": "no-such-tool", "package": "no-such-package"}],
         "run": ["no-such-tool"]},
        {"name": "unbuilt", "needs": [], "prepare": ["sh", "-c", "echo no compiler >&2; exit 4"],
         "run": python},
        {"name": "dying", "needs": [], "run": ["sh", "-c", "echo port {port} is bad >&2; exit 5"]},
        {"name": "overlong", "prepare": ["true"],
         "prepare_environment": {"X": "x" * 9000}, "run": python},
        {"name": "told much", "environment": {"X": "x" * 4000 + "!"},
         "run": ["sh", "-c", "echo ${#X} >&2; exit 6"]},
    ]
    write_peers(folder, [peer | {"settings": ["workers: {cores}"]} for peer in peers])
    _, error = compare.run(*TINY, "--models=loop", f"--peers-dir={folder}", status=1)
    report = compare.report()
    people = {one["name"]: one for one in report["contestants"]}
    check("install no-such-package" in people["absent"]["left_out"], f"{people}")
    check_equal(people["good"]["settings"], ["workers: 1"], "settings with placeholders filled in")
    found = rows(report, "api")
    check("absent" not in found, "one that is left out has a row")
    check(found["good"]["capacity"] > 0 and found["weir loop"]["capacity"] > 0, f"{found}")
    check("status 4" in found["unbuilt"]["failed"] and "no compiler" in found["unbuilt"]["failed"],
          f"{found}")
    check("status 5" in found["dying"]["failed"] and "is bad" in found["dying"]["failed"],
          f"{found}")
    check("too long" in found["overlong"]["failed"], f"{found}")
    check("status 6" in found["told much"]["failed"] and "4001" in found["told much"]["failed"],
          f"{found}")
    check("Left out: absent" in error, error)


if __name__ == "__main__":
    os.environ.pop("WEIR_MODEL", None)
    run_cases([each_broken_start_is_named, an_unknown_url_is_named_and_the_rest_goes_on,
               state_refuses_what_does_not_fit,
               peers_fail_by_name, an_app_called_weir_has_rows_of_its_own,
               an_app_in_the_background_is_told_so, a_log_that_cannot_be_written_is_named,
               strange_programs_are_reported_and_ended,
               a_folder_has_one_comparison_at_a_time, a_closed_terminal_is_an_orderly_end,
               closed_standard_files_spoil_nothing])
