# SPDX-License-Identifier: MIT
"""Lock, Semaphore, Event, Condition, Barrier."""
import asyncio

count = 0
inside = most = 0


async def add_100(lock):
    global count
    for _ in range(100):
        async with lock:
            before = count
            await asyncio.sleep(0)  # others run, and wait for the lock
            count = before + 1


async def be_inside(semaphore):
    global inside, most
    async with semaphore:
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.001)
        inside -= 1


async def make_ready(condition, state):
    async with condition:
        state["ready"] = True
        condition.notify()


async def main():
    lock = asyncio.Lock()
    await asyncio.gather(*(add_100(lock) for _ in range(4)))
    print("count:", count)

    semaphore = asyncio.Semaphore(2)
    await asyncio.gather(*(be_inside(semaphore) for _ in range(6)))
    print("at most 2 inside:", most <= 2)

    event = asyncio.Event()
    waiters = asyncio.gather(event.wait(), event.wait())
    event.set()
    await waiters
    print("both woken, still set:", event.is_set())

    condition, state = asyncio.Condition(), {"ready": False}
    task = asyncio.create_task(make_ready(condition, state))
    async with condition:
        await condition.wait_for(lambda: state["ready"])
    await task
    print("ready:", state["ready"])

    barrier = asyncio.Barrier(3)
    places = await asyncio.gather(*(barrier.wait() for _ in range(3)))
    print("places:", *sorted(places))


asyncio.run(main())
