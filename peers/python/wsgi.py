# SPDX-License-Identifier: MIT
"""The demo service as a WSGI application, for gunicorn: plain, blocking code."""
import http
import time

import work


def app(environ, start_response):
    target = environ["RAW_URI"]  # as it came; PATH_INFO is decoded already
    try:
        kind, arguments = work.find(environ["REQUEST_METHOD"], target)
        if kind == "stream":
            start_response("200 OK", [("Content-Type", work.TEXT)])
            return stream(*arguments)
        if kind == "echo":
            body = environ["wsgi.input"].read(work.BODY_BYTES_MAX + 1)
            if len(body) > work.BODY_BYTES_MAX:
                raise work.Refusal(413, "body too large\n")
            return answer(start_response, 200, body, environ.get("CONTENT_TYPE"))
        return answer(start_response, 200, text(kind, *arguments).encode())
    except work.Refusal as refusal:
        return answer(start_response, refusal.status, refusal.text.encode(),
                      allow=refusal.allow)


def text(kind, *arguments):
    if kind == "cpu":
        return work.burn(*arguments)
    if kind == "wait":
        time.sleep(arguments[0] / 1000)
        return work.waited(*arguments)
    if kind == "block":
        return work.block(*arguments)
    if kind == "crash":
        work.crash()
    return arguments[0]


def answer(start_response, status, body, kind=work.TEXT, allow=None):
    fields = [("Content-Length", str(len(body)))]
    if kind:
        fields.append(("Content-Type", kind))
    if allow:
        fields.append(("Allow", allow))
    start_response(f"{status} {http.HTTPStatus(status).phrase}", fields)
    return [body]


def stream(count, milliseconds):
    for index in range(1, count + 1):
        yield work.chunk(index, count)
        if index < count:
            time.sleep(milliseconds / 1000)
