# SPDX-License-Identifier: MIT
"""Code that blocks, and a thread of somebody else that calls in."""
import asyncio
import threading
import time


def block(n):
    time.sleep(0.001)
    return n + 1


async def double(n):
    await asyncio.sleep(0)
    return n * 2


def outside(loop):
    future = asyncio.run_coroutine_threadsafe(double(21), loop)
    print("from another thread:", future.result())


async def main():
    print("blocked:", await asyncio.to_thread(block, 6))

    thread = threading.Thread(target=outside, args=(asyncio.get_running_loop(),))
    thread.start()
    await asyncio.to_thread(thread.join)


asyncio.run(main())
