# SPDX-License-Identifier: MIT
"""Commands for gdb that know weir's tasks, in a live process and in a core file:

    (gdb) source PREFIX/share/weir/gdb/weir.py
    (gdb) weir tasks                every task: number, name, site, what it does or waits for
    (gdb) weir task 12              the same of one, and its stack
    (gdb) weir task 12 bt full      any command of gdb, as if the task were the thread

They read the control blocks of the library, so they need its debugging information.  Nothing in the
process is changed: a task that no thread runs is shown by an unwinder that puts its saved registers
in the place of the caller of the selected thread's innermost frame.

A core file that the kernel wrote has all stacks.  One that gdb wrote (generate-core-file) lacks
those of tasks where their guards are of the kind "install" (weir_runtime_stats_read()), since gdb
stops at the first page of a mapping that it cannot read.
"""
import gdb
import gdb.unwinder

VEHICLE, STARTED, QUEUED = 1, 2, 4  # WI_TASK_ bits of task.h
RUN = 1
EMPTY, NOTIFIED, PARKED, ASLEEP = range(4)  # words of parker.h

# Where switch.S keeps the registers of a context that does not run: the word, and what lies there.
LAYOUT = {
    "i386:x86-64": (("r15", "r14", "r13", "r12", "rbx", "rbp", "rip"), 7, "rsp"),
    "aarch64": (("x29", "pc", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28"),
                20, "sp"),
}


def pointer(value):
    return int(value) & (1 << 64) - 1


def text(value):
    """A C string, or '' for NULL and what cannot be read."""
    try:
        return value.cast(gdb.lookup_type("char").pointer()).string() if pointer(value) else ""
    except gdb.error:
        return ""


def static(name, field):
    """A static variable of the library; a program may have others of the name."""
    for symbol in gdb.lookup_static_symbols(name):
        kind = symbol.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_STRUCT and field in [one.name for one in kind.fields()]:
            return symbol.value()
    raise gdb.GdbError("no debugging information of libweir: is it loaded, and built with -g?")


def struct(name):
    try:
        return gdb.lookup_type("struct " + name)
    except gdb.error:
        raise gdb.GdbError("no debugging information of libweir: there is no struct " + name)


class Task:
    def __init__(self, record):
        self.record = record
        self.address = pointer(record.address)
        self.id = int(record["id"]["value"])
        self.name = text(record["name"]["value"])
        self.site = text(record["site"]["value"])
        self.flags = int(record["flags"]["value"])
        self.word = int(record["parker"]["word"]["value"])

    def stack(self):
        """(low, high) of the stack that it runs on, or None."""
        stack = self.record["stack"]
        if pointer(stack) == 0:
            return None
        low = pointer(stack["low"])
        return low, low + (1 << int(stack["size_class"]))

    def thread(self, threads):
        """The gdb thread that runs it, or None."""
        stack = self.stack()
        for thread, sp, records in threads:
            if stack is not None and stack[0] <= sp < stack[1]:
                return thread
            if self.flags & VEHICLE and self.address in records():
                return thread
        return None

    def is_asleep(self):
        """On a thread of its own, which waits in weir."""
        return bool(self.flags & VEHICLE and pointer(self.record["nap"]))

    def context(self):
        """Where its registers are saved, or 0."""
        if self.flags & VEHICLE:
            return pointer(self.record["nap"]["context"]) if self.is_asleep() else 0
        return pointer(self.record["context"]) if self.stack() else 0

    def waits_for(self):
        parker = self.record["parker"]
        waitable = parker["waitable"]["value"]
        if pointer(waitable) == 0:
            return "something"
        what = text(waitable.cast(struct("wi_waitable").pointer())["what"])
        place = parker["object"]["value"]
        return f"{what}{describe(what, place)}"

    def state(self, threads):
        thread = self.thread(threads)
        if self.word == PARKED or self.is_asleep():
            return f"waits: {self.waits_for()}"
        if thread is not None:
            return f"runs on thread {thread.num}"
        if self.flags & VEHICLE:
            return "runs on a thread" if self.flags & STARTED else "is in line for a thread"
        return "is ready to run" if self.stack() else "has not begun"

    def title(self):
        name = f' "{self.name}"' if self.name else ""
        site = f", spawned at {self.site}" if self.site else ""
        return f"task {self.id}{name}{site}"


def describe(what, place):
    """What is waited for, by the names that people know it by."""
    if pointer(place) == 0:
        return ""
    try:
        if what == "join task":
            return f" {int(place.cast(struct('weir_task').pointer())['id']['value'])}"
        if what == "descriptor":
            return f" {int(place.cast(struct('wi_io').pointer())['watch']['fd'])}"
        if what == "lock mutex":
            word = int(place.cast(struct("weir_mutex").pointer())["word"]["value"])
            holder = tasks_by_parker().get(word & ~3)
            return f" {pointer(place):#x}" + (f", held by task {holder.id}" if holder else "")
    except gdb.error:
        pass
    return f" {pointer(place):#x}"


def records():
    """Every control block whose task lives."""
    kind = struct("weir_task")
    chunk = static("slab", "kept")["chunks"]
    count = 65536 // kind.sizeof
    while pointer(chunk):
        block = chunk["base"].cast(kind.pointer())
        for i in range(count):
            if int(block[i]["references"]["value"]) & RUN:
                yield Task(block[i])
        chunk = chunk["next"]


def tasks_by_parker():
    return {task.address: task for task in records()}  # the parker comes first in the record


def running_records(thread):
    """The tasks that a thread of its own runs: what wi_task_run() was called with."""
    found = set()
    with Selected(thread):
        frame = gdb.newest_frame()
        for _ in range(200):
            if frame is None:
                break
            if frame.name() == "wi_task_run":
                try:
                    found.add(pointer(frame.read_var("task")))
                except (ValueError, gdb.error):
                    pass
            frame = frame.older()
    return found


class Selected:
    """A thread that is selected for a while."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        self.before = gdb.selected_thread()
        if self.thread.ptid != self.before.ptid:
            self.thread.switch()

    def __exit__(self, *_):
        if self.before.is_valid() and self.thread.ptid != self.before.ptid:
            self.before.switch()


def threads_now():
    """(thread, stack pointer, function that gives the tasks it runs) of every thread."""
    if gdb.selected_thread() is None:
        raise gdb.GdbError("no process and no core file")
    found = []
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda one: one.num):
        with Selected(thread):
            sp = pointer(gdb.newest_frame().read_register("sp"))
        cache = []

        def run(thread=thread, cache=cache):
            if not cache:
                cache.append(running_records(thread))
            return cache[0]
        found.append((thread, sp, run))
    return found


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Unwinder(gdb.unwinder.Unwinder):
    """While it has a context: the selected thread's innermost frame was called from there."""

    def __init__(self):
        super().__init__("weir-task")
        self.context = 0
        self.at = None

    def __call__(self, pending):
        if self.context == 0:
            return None
        if (pointer(pending.read_register("sp")), pointer(pending.read_register("pc"))) != self.at:
            return None
        registers, words, sp_name = LAYOUT[pending.architecture().name()]
        saved = {sp_name: self.context + 8 * words}
        memory = gdb.selected_inferior().read_memory(self.context, 8 * words)
        for i, name in enumerate(registers):
            saved[name] = int.from_bytes(bytes(memory[8 * i:8 * i + 8]), "little")
        # The frame counts as one below the task's, so that stacks seem to grow one way.
        info = pending.create_unwind_info(
            FrameId(gdb.Value(self.context), gdb.Value(self.at[1])))
        for name, number in saved.items():
            kind = pending.read_register(name).type
            info.add_saved_register(name, gdb.Value(number).cast(kind))
        return info


unwinder = Unwinder()
gdb.unwinder.register_unwinder(None, unwinder, True)


class AsTask:
    """While it is entered, the frames above the selected thread's innermost are those of a context
    that nobody runs."""

    def __init__(self, context):
        self.context = context

    def __enter__(self):
        frame = gdb.newest_frame()
        if frame.architecture().name() not in LAYOUT:
            raise gdb.GdbError("weir's stacks are not known on " + frame.architecture().name())
        unwinder.at = (pointer(frame.read_register("sp")), pointer(frame.read_register("pc")))
        unwinder.context = self.context
        gdb.invalidate_cached_frames()
        try:
            gdb.newest_frame().older().select()
        except (AttributeError, gdb.error):
            self.__exit__()
            raise gdb.GdbError("the registers of the task cannot be read")

    def __exit__(self, *_):
        unwinder.context = 0
        gdb.invalidate_cached_frames()
        gdb.newest_frame().select()


def without_innermost(output):
    """A backtrace without frame 0, which is the thread's and not the task's."""
    lines = output.splitlines(keepends=True)
    kept = []
    skipping = False
    for line in lines:
        if line.startswith("#"):
            skipping = line.startswith("#0 ")
        if not skipping:
            kept.append(line)
    return "".join(kept)


class Weir(gdb.Command):
    """Commands that know weir's tasks: weir tasks, weir task NUMBER [COMMAND]."""

    def __init__(self):
        super().__init__("weir", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Tasks(gdb.Command):
    """Lists every task of the program: number, name, where it was spawned, what it does."""

    def __init__(self):
        super().__init__("weir tasks", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        threads = threads_now()
        count = 0
        for task in sorted(records(), key=lambda one: one.id):
            print(f"{task.title()}\n    {task.state(threads)}")
            count += 1
        print(f"{count} task{'' if count == 1 else 's'}")


class OneTask(gdb.Command):
    """weir task NUMBER [COMMAND]: tells of one task, or runs a command of gdb on its stack."""

    def __init__(self):
        super().__init__("weir task", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        number, _, command = argument.strip().partition(" ")
        if not number.isdigit():
            raise gdb.GdbError("weir task NUMBER [COMMAND]; weir tasks lists the numbers")
        threads = threads_now()
        task = next((one for one in records() if one.id == int(number)), None)
        if task is None:
            raise gdb.GdbError(f"there is no task {number} now")
        if not command:
            print(f"{task.title()}\n    {task.state(threads)}")
            command = "bt"
        self.run(task, threads, command)

    def run(self, task, threads, command):
        thread = task.thread(threads)
        if thread is not None and not task.is_asleep():
            with Selected(thread):
                print(gdb.execute(command, to_string=True), end="")
            return
        context = task.context()
        if context == 0:
            raise gdb.GdbError(f"task {task.id} {task.state(threads)}: it has no stack to show")
        with AsTask(context):
            output = gdb.execute(command, to_string=True)
        print(without_innermost(output), end="")


Weir()
Tasks()
OneTask()
