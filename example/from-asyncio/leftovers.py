# SPDX-License-Identifier: MIT
"""What is left over when the program ends: canceled, and waited for."""
import asyncio


async def serve(started):
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.001)
        print("cleaned up")


async def main():
    started = asyncio.Event()
    task = asyncio.create_task(serve(started))  # nobody awaits it
    await started.wait()
    print("main ends")
    return task  # keeps a reference: the loop holds none


asyncio.run(main())
