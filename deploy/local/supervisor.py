"""A small supervisor: programs with prefixed lines, started again when they end."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable

from deploy.local.output import Output
from deploy.local.programs import Program

FIRST_DELAY = 0.25
LONGEST_DELAY = 15.0
# A program that ran this long was well; its next delay is the first one again.
WELL_AFTER_SECONDS = 30.0
LONGEST_LINE = 64 * 1024
LAST_WORDS_SECONDS = 1.0

LineReader = Callable[[str], None]


def next_delay(delay: float, ran_for: float) -> float:
    """Return the seconds to wait before another start: doubled unless the last run was long."""
    return FIRST_DELAY if ran_for >= WELL_AFTER_SECONDS else min(delay * 2, LONGEST_DELAY)


class Child:
    """One program under supervision."""

    def __init__(self, program: Program, output: Output, read_line: LineReader | None = None):
        self.program = program
        self._output = output
        self._read_line = read_line or self._print
        self._stopping = asyncio.Event()
        self._spawning = asyncio.Lock()
        self._process: Process | None = None

    def _print(self, line: str) -> None:
        self._output.line(self.program.name, line)

    async def run_once(self) -> int:
        """Run it to its end and return its exit code, negative for a signal."""
        async with self._spawning:
            if self._stopping.is_set():
                return 0
            process, output = await spawn(self.program)
            self._process = process
        reading = asyncio.create_task(self._read(output))
        try:
            return await process.wait()
        finally:
            kill_group(process.pid)
            await asyncio.wait({reading}, timeout=LAST_WORDS_SECONDS)
            reading.cancel()

    async def keep_running(self) -> None:
        """Run it again and again, waiting longer each time it ends soon, until `stop`."""
        clock = asyncio.get_running_loop().time
        delay = FIRST_DELAY / 2
        while not self._stopping.is_set():
            began = clock()
            code = await self.run_once()
            if self._stopping.is_set():
                return
            delay = next_delay(delay, clock() - began)
            self._print(f"{ending(code)}; starting it again in {delay:g} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), delay)
            except TimeoutError:
                continue

    async def stop(self, grace: float) -> None:
        """Ask it to end, and after `grace` seconds end it."""
        self._stopping.set()
        async with self._spawning:
            process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            self._print(f"did not stop within {grace:g} s; killing it")
            kill_group(process.pid)
            await process.wait()

    async def _read(self, output: int) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(output, "rb", buffering=0)
        )
        try:
            await self._pass_on_lines(stream)
        finally:
            transport.close()

    async def _pass_on_lines(self, stream: asyncio.StreamReader) -> None:
        pending = b""
        while chunk := await stream.read(LONGEST_LINE):
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) > LONGEST_LINE:
                lines, pending = [*lines, pending], b""
            for line in lines:
                self._read_line(line.decode(errors="replace").rstrip())
        if pending:
            self._read_line(pending.decode(errors="replace").rstrip())


async def spawn(program: Program) -> tuple[Process, int]:
    """Start a program; return it and the end of a pipe with both its outputs.

    The pipe is ours because asyncio takes a process for running while anybody, a forgotten child
    for example, holds a pipe of asyncio's open.
    """
    readable, writable = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *program.command, stdout=writable, stderr=writable, **program.spawn_options()
        )
    except OSError:
        os.close(readable)
        raise
    finally:
        os.close(writable)
    return process, readable


class Supervisor:
    """Children in the order they were started; they end in groups, in the order given."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._children: dict[str, Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, program: Program) -> None:
        """Keep a program running from now on."""
        child = Child(program, self.output)
        self._children[program.name] = child
        self._tasks[program.name] = asyncio.create_task(child.keep_running(), name=program.name)

    async def run(self, program: Program, read_line: LineReader | None = None) -> int:
        """Run a program once and return its exit code; it is killed when we are cancelled."""
        return await Child(program, self.output, read_line).run_once()

    async def stop(self, names: Iterable[str], grace: float) -> None:
        """Stop those of the named programs that run, at the same time."""
        chosen = [name for name in names if name in self._children]
        await asyncio.gather(*(self._children[name].stop(grace) for name in chosen))
        await asyncio.gather(*(self._tasks[name] for name in chosen))
        for name in chosen:
            del self._children[name], self._tasks[name]

    async def failed(self) -> None:
        """Return never; raise when the supervision of a program itself breaks."""
        while True:
            for task in self._tasks.values():
                if task.done():
                    task.result()
            await asyncio.sleep(0.5)


def kill_group(pid: int) -> None:
    """Kill whatever is left of a program's process group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def ending(code: int) -> str:
    """Say in words how a program ended."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
