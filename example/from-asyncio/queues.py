# SPDX-License-Identifier: MIT
"""Queues: producer and consumers, join, and a consumer that is canceled and takes nothing."""
import asyncio

total = 0


async def consume(queue):
    global total
    while True:
        item = await queue.get()
        total += item
        queue.task_done()


async def main():
    queue = asyncio.Queue(maxsize=2)
    consumers = [asyncio.create_task(consume(queue)) for _ in range(3)]
    for item in range(1, 11):
        await queue.put(item)  # waits while two are in it
    await queue.join()
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    print("total:", total)

    try:
        queue.get_nowait()
    except asyncio.QueueEmpty:
        print("empty")

    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    getter.cancel()
    queue.put_nowait(7)
    got = (await asyncio.gather(getter, return_exceptions=True))[0]
    kept = 0 if isinstance(got, asyncio.CancelledError) else got
    print("not lost:", kept + (queue.get_nowait() if queue.qsize() else 0))


asyncio.run(main())
