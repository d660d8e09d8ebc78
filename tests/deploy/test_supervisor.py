"""The supervisor: restarts, last lines, and an end that always comes."""

import asyncio
import io
import sys
import time
from pathlib import Path

import psutil

from deploy.local.output import Output
from deploy.local.programs import Program
from deploy.local.supervisor import LONGEST_DELAY, Child, Supervisor, ending, next_delay

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def python(name: str, code: str) -> Program:
    """Return a program that runs a few lines of Python."""
    return Program(name, [sys.executable, "-S", "-c", code], Path.cwd())


async def until_written(written: io.StringIO, text: str, times: int = 1) -> None:
    """Wait until the output holds the text so many times."""
    async with asyncio.timeout(20):
        while written.getvalue().count(text) < times:
            await asyncio.sleep(0.02)


def test_the_delay_doubles_up_to_a_limit():
    delays = [0.125]
    for _ in range(10):
        delays.append(next_delay(delays[-1], ran_for=0.1))
    assert delays[1:4] == [0.25, 0.5, 1.0]
    assert delays[-1] == LONGEST_DELAY


def test_the_delay_is_the_first_again_after_a_long_run():
    assert next_delay(LONGEST_DELAY, ran_for=31) == 0.25


def test_an_ending_is_said_in_words():
    assert ending(3) == "ended with exit code 3"
    assert ending(-9) == "was ended by SIGKILL"


def test_a_program_that_ends_is_started_again():
    async def scenario() -> str:
        written = io.StringIO()
        supervisor = Supervisor(Output(written))
        supervisor.start(python("flaky", "print('boom'); raise SystemExit(3)"))
        await until_written(written, "| boom", times=2)
        await supervisor.stop(["flaky"], grace=1)
        return written.getvalue()

    assert "flaky      | ended with exit code 3; starting it again in 0.25 s" in asyncio.run(
        scenario()
    )


def test_a_program_that_ignores_the_signal_is_killed_after_its_grace():
    async def scenario() -> float:
        written = io.StringIO()
        supervisor = Supervisor(Output(written))
        supervisor.start(python("stubborn", STUBBORN))
        await until_written(written, "deaf")
        began = time.monotonic()
        await supervisor.stop(["stubborn"], grace=0.3)
        assert "did not stop within 0.3 s; killing it" in written.getvalue()
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 3


def test_stopping_while_it_waits_to_start_again_ends_at_once():
    async def scenario() -> float:
        written = io.StringIO()
        supervisor = Supervisor(Output(written))
        supervisor.start(python("flaky", "raise SystemExit(1)"))
        await until_written(written, "starting it again in 1 s")
        began = time.monotonic()
        await supervisor.stop(["flaky"], grace=5)
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 0.8


def test_what_a_program_leaves_in_its_group_is_killed_with_it():
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"

    async def scenario() -> int:
        lines: list[str] = []
        await Child(python("parent", code), Output(io.StringIO()), lines.append).run_once()
        return int(lines[0])

    left = asyncio.run(scenario())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(left) and psutil.Process(left).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_last_line_without_its_end_is_shown():
    async def scenario() -> list[str]:
        lines: list[str] = []
        program = python("short", "import sys; sys.stdout.write('one\\ntwo')")
        await Child(program, Output(io.StringIO()), lines.append).run_once()
        return lines

    assert asyncio.run(scenario()) == ["one", "two"]
