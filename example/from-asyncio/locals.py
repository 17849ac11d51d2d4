# SPDX-License-Identifier: MIT
"""Context variables: a task begins with its creator's values and changes its own."""
import asyncio
import contextvars

user = contextvars.ContextVar("user", default="nobody")


async def work():
    print("the task began with", user.get())
    user.set("eve")
    print("the task has", user.get())
    print("its thread has", await asyncio.to_thread(user.get))


async def main():
    print("at first", user.get())
    user.set("ada")
    await asyncio.create_task(work())
    print("its creator has", user.get())


asyncio.run(main())
