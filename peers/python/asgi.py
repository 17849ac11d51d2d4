# SPDX-License-Identifier: MIT
"""The demo service as an ASGI application, for uvicorn: coroutines on one thread per process."""
import asyncio

import work


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    target = scope["raw_path"].decode("latin-1")
    # uvicorn hands over the path alone or with its query, as its HTTP parser has it.
    target = target.partition("?")[0] + "?" + scope["query_string"].decode("latin-1")
    try:
        kind, arguments = work.find(scope["method"], target)
        if kind == "stream":
            await stream(send, *arguments)
        elif kind == "echo":
            await echo(scope, receive, send)
        else:
            await answer(send, 200, (await text(kind, *arguments)).encode())
    except work.Refusal as refusal:
        await answer(send, refusal.status, refusal.text.encode(), refusal.allow)


async def live(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def text(kind, *arguments):
    if kind == "cpu":
        return work.burn(*arguments)
    if kind == "wait":
        await asyncio.sleep(arguments[0] / 1000)
        return work.waited(*arguments)
    if kind == "block":
        return await asyncio.to_thread(work.block, *arguments)
    if kind == "crash":
        work.crash()
    return arguments[0]


async def answer(send, status, body, allow=None):
    headers = [(b"content-type", work.TEXT.encode()), (b"content-length", b"%d" % len(body))]
    if allow:
        headers.append((b"allow", allow.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(send, count, milliseconds):
    headers = [(b"content-type", work.TEXT.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for index in range(1, count + 1):
        await send({"type": "http.response.body", "body": work.chunk(index, count),
                    "more_body": True})
        if index < count:
            await asyncio.sleep(milliseconds / 1000)
    await send({"type": "http.response.body"})


async def echo(scope, receive, send):
    """Sends each piece back as it arrives."""
    message = await receive()
    headers = [field for field in scope["headers"]
               if field[0] in (b"content-type", b"content-length")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while message["type"] == "http.request":
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""),
                    "more_body": more})
        if not more:
            return
        message = await receive()
