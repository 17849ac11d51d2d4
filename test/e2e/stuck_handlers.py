#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""While handlers compute in every process, health checks and refusals do not wait for them: under
the models whose processes have one thread for handlers.  ctest: timeout=90 processors=2"""
import select

from service import Connection, check, check_equal, request, run

MODELS = ("loop", "cluster", "prefork")
HOGS = 4


def still_busy(hogs):
    """Whether a handler that was begun before has not answered yet."""
    sockets = [c.socket for c in hogs]
    return len(select.select(sockets, [], [], 0)[0]) < len(sockets)


def health_checks_overtake_handlers(service):
    hogs = [Connection(service) for _ in range(HOGS)]
    try:
        with Connection(service) as kept:
            kept.send(request("/healthz"))
            check_equal(kept.answer()[2], b"ok\n", "/healthz of an idle service")
            for c in hogs:
                c.send(request("/cpu?ms=250"))
            for _ in range(3):
                with Connection(service) as fresh:
                    for c in (kept, fresh):
                        for path in ("/healthz", "/livez"):
                            c.send(request(path))
                            status, _, body = c.answer()
                            check_equal((status, body), (200, b"ok\n"), path)
                    fresh.send(request("/none"))
                    check_equal(fresh.answer()[0], 404, "/none")
            check(still_busy(hogs), "every handler had ended before the health checks were through")
    finally:
        for c in hogs:
            c.socket.close()


run([health_checks_overtake_handlers], models=MODELS)
