"""One supervisor a data folder: a file lock that the kernel lets go when its holder dies."""

import fcntl
import os
import re
import time
from pathlib import Path
from typing import Self

from deploy.local.problems import CannotStart

FILE_NAME = "supervisor.lock"
# Keepers look whether anybody holds the lock by taking it for an instant.
PATIENCE_SECONDS = 1.0


class SupervisorLock:
    """An exclusive lock on `<data dir>/supervisor.lock`, which also names its holder."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._file: int | None = None

    def acquire(self, purpose: str) -> Self:
        """Take the lock; raise CannotStart naming the process that has it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _take(descriptor):
            os.close(descriptor)
            raise CannotStart(
                f"Slipway is running already on {self.path.parent} "
                f"({self.path.read_text().strip()}): use that one, stop it, "
                "or set SLIPWAY_DATA_DIR to another folder."
            )
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}, {purpose}\n".encode(), 0)
        self._file = descriptor
        return self

    def holder(self, purpose: str) -> int | None:
        """Return the process that holds the lock for this purpose, if one does."""
        if not is_held(self.path):
            return None
        words = re.fullmatch(rf"pid (\d+), {re.escape(purpose)}\n", self.path.read_text())
        return int(words[1]) if words else None

    def release(self) -> None:
        """Let the lock go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _take(descriptor: int) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def is_held(path: Path) -> bool:
    """Tell whether some process holds a lock file exclusively."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
