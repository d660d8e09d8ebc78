"""The files of an access log: the one Envoy writes, and those it has left behind."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 4096
CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Chunk:
    """Whole lines from `start` up to `end`, both in bytes; `more` when the file goes on."""

    start: int
    end: int
    lines: list[bytes]
    more: bool


@dataclass(frozen=True)
class LogFile:
    """One open file; `head` tells it from all others and is None before its first line is whole."""

    path: Path
    stream: BinaryIO
    inode: int
    size: int
    modified: float
    head: str | None

    def read(self, offset: int, *, whole: bool, limit: int = CHUNK_BYTES) -> Chunk:
        """Return the lines from `offset` on, about `limit` bytes of them.

        The last line counts only once it has its end, except in a file that is `whole`. A line
        beyond the limit is cut there: no entry is that long.
        """
        start = min(offset, self.size)
        self.stream.seek(start)
        data = self.stream.read(min(limit, self.size - start))
        more = start + len(data) < self.size
        if not (whole and not more):
            cut = data.rfind(b"\n") + 1
            data = data[:cut] if cut or not more else data
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        return Chunk(start, start + len(data), lines, more)


def rotated(path: Path) -> list[Path]:
    """Return the files left behind, oldest first."""
    found = (p for p in path.parent.glob("*") if p.stem == path.name and p.suffix[1:].isdecimal())
    return sorted(found, key=_number)


def move_away(path: Path) -> Path:
    """Rename the file that is written, and return its new name; the writer keeps writing to it."""
    numbers = [_number(p) for p in rotated(path)]
    target = path.with_name(f"{path.name}.{max(numbers, default=0) + 1}")
    path.rename(target)
    return target


@contextmanager
def opened(path: Path) -> Iterator[LogFile | None]:
    """Give the file at this path, None when there is none."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with stream:
        facts = os.fstat(stream.fileno())
        yield LogFile(path, stream, facts.st_ino, facts.st_size, facts.st_mtime, _head(stream))


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _head(stream: BinaryIO) -> str | None:
    first = stream.read(HEAD_BYTES)
    line, end, _ = first.partition(b"\n")
    if not end and len(first) < HEAD_BYTES:
        return None
    return hashlib.sha256(line).hexdigest()
