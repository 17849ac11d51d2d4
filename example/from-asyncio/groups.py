# SPDX-License-Identifier: MIT
"""A task group: results, and a failure that cancels the siblings and the body."""
import asyncio

canceled = 0


async def square(n):
    return n * n


async def wait_for_cancel():
    global canceled
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        canceled += 1
        raise


async def fail():
    raise OSError("the disk is full")


async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(square(n)) for n in range(1, 4)]
    print("squares:", *(task.result() for task in tasks))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_cancel())
            group.create_task(wait_for_cancel())
            group.create_task(fail())
            await wait_for_cancel()  # the body is canceled too
    except* OSError as errors:
        print("error:", errors.exceptions[0])
    print("canceled:", canceled)


asyncio.run(main())
