"""Reading the log that a keeper writes: one line is `<RFC 3339 time> <stream> <text>`."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from services.drivers.base import LogLine

FILES = ("log.2", "log.1", "log")
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Window:
    """The part of a log that is asked for; `tail` counts from the end."""

    since: datetime | None = None
    until: datetime | None = None
    tail: int | None = None

    def holds(self, line: LogLine) -> bool:
        """Say whether a line is in the range of time."""
        early = self.since is not None and line.at < self.since
        return not early and (self.until is None or line.at <= self.until)


def read(
    directory: Path, window: Window, alive: Callable[[], bool] | None = None
) -> Iterator[LogLine]:
    """Yield lines, oldest first; with `alive` go on until the instance is dead."""
    follower = Follower(directory / "log") if alive else None
    try:
        lines = (line for line in _lines(directory, follower) if window.holds(line))
        yield from lines if window.tail is None else deque(lines, maxlen=window.tail)
        if follower and alive:
            for line in follower.follow(alive):
                if window.until is not None and line.at > window.until:
                    return
                if window.holds(line):
                    yield line
    finally:
        if follower:
            follower.close()


class Follower:
    """Reads a growing log across its rotation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        self.rest = b""

    def new_lines(self) -> Iterator[LogLine]:
        """Yield the complete lines that came since the last call."""
        if self.file is None:
            if not self.path.exists():
                return
            self.file = self.path.open("rb")
        *whole, self.rest = (self.rest + self.file.read()).split(b"\n")
        yield from map(_parse, whole)

    def follow(self, alive: Callable[[], bool]) -> Iterator[LogLine]:
        """Yield lines as they come, until the instance is dead and all is read."""
        going_on = True
        while going_on:
            # Asked before reading, so that the last lines are read after the death.
            going_on = alive()
            rotated = self._rotated()
            yield from self.new_lines()
            if rotated:
                self.close()
            elif going_on:
                time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Let the file go."""
        if self.file is not None:
            self.file.close()
        self.file = None

    def _rotated(self) -> bool:
        if self.file is None or not self.path.exists():
            return False
        return not self.path.samefile(f"/proc/self/fd/{self.file.fileno()}")


def _lines(directory: Path, follower: Follower | None) -> Iterator[LogLine]:
    for name in FILES:
        path = directory / name
        if name == "log" and follower:
            yield from follower.new_lines()
        elif path.exists():
            yield from map(_parse, path.read_bytes().split(b"\n")[:-1])


def _parse(line: bytes) -> LogLine:
    at, stream, text = line.decode(errors="replace").split(" ", 2)
    return LogLine(datetime.fromisoformat(at), stream, text)
