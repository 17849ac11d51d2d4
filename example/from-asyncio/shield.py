# SPDX-License-Identifier: MIT
"""A cancellation that waits until something is saved, and a task that is canceled anyway."""
import asyncio


async def save(started):
    started.set()
    await asyncio.sleep(0.001)
    print("saved")


async def work(started):
    inner = asyncio.create_task(save(started))
    try:
        await asyncio.shield(inner)
    except asyncio.CancelledError:
        await inner  # shield() lets it go on; waiting for it is up to us
        raise
    finally:
        print("cleaned up")


async def main():
    started = asyncio.Event()
    task = asyncio.create_task(work(started))
    await started.wait()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("canceled")


asyncio.run(main())
