# SPDX-License-Identifier: MIT
"""Timeouts: around several waits, around one, nested, moved, and a cancellation from outside."""
import asyncio


async def hang():
    await asyncio.Event().wait()


async def nested():
    try:
        async with asyncio.timeout(0.001):
            try:
                async with asyncio.timeout(3600):
                    await hang()
            except TimeoutError:
                print("the inner one: wrong")
    except TimeoutError:
        print("the outer one passed")


async def moved():
    async with asyncio.timeout(3600) as timeout:
        timeout.reschedule(asyncio.get_running_loop().time() + 0.001)
        await hang()


async def canceled_in_a_timeout(started):
    try:
        async with asyncio.timeout(3600):
            started.set()
            await hang()
    except TimeoutError:
        print("a timeout: wrong")


async def main():
    try:
        await asyncio.wait_for(hang(), 0.001)
    except TimeoutError:
        print("timed out")

    async with asyncio.timeout(3600):
        await asyncio.sleep(0.001)
    print("in time")

    await nested()
    try:
        await moved()
    except TimeoutError:
        print("moved, and passed")

    started = asyncio.Event()
    task = asyncio.create_task(canceled_in_a_timeout(started))
    await started.wait()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("canceled, not timed out")


asyncio.run(main())
