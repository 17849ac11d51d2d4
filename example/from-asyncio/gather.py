# SPDX-License-Identifier: MIT
"""Several at once: all of them, all with their errors, the first, one by one as they end."""
import asyncio


async def answer(n):
    await asyncio.sleep(0)
    return n * 10


async def fail():
    raise ValueError


async def hang():
    await asyncio.Event().wait()


async def answer_after(event, n):
    await event.wait()
    return n


async def first(*calls):
    """What asyncio.wait() leaves to do: cancel the others, and wait for their ends."""
    done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return done.pop().result()


async def main():
    print("all:", *await asyncio.gather(answer(1), answer(2), answer(3)))

    results = await asyncio.gather(answer(1), fail(), return_exceptions=True)
    print("failed:", *(isinstance(result, Exception) for result in results))

    print("first:", await first(asyncio.create_task(hang()), asyncio.create_task(answer(2))))

    told = asyncio.Event()
    for next_one in asyncio.as_completed([answer_after(told, 1), answer(2)]):
        print("ended:", await next_one)
        told.set()


asyncio.run(main())
