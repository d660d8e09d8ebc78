"""Counts an access log to its end, and keeps its files from growing without end."""

import fcntl
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from django.db import InterfaceError, OperationalError, connection

from networking.accesslog import files, store
from networking.accesslog.rollup import fold

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 1.0
# A writer that has gone to a new file may have had its last words to the old one.
QUIET_SECONDS = 60.0
REOPEN_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Reader:
    """Counts one access log; it remembers nothing itself, so it may be dropped at any moment.

    `reopen` asks the writer to open the log's path anew.
    """

    path: Path
    rotate_bytes: int
    reopen: Callable[[], None]

    def look(self, *, now: datetime) -> bool:
        """Count a chunk of each file and rotate; return whether there is more to count at once."""
        more = [self._count(path, now) for path in [*files.rotated(self.path), self.path]]
        self._rotate(now)
        return any(more)

    def _rotate(self, now: datetime) -> None:
        """Move a large log away, have it opened anew, and delete what is counted to its end."""
        old = files.rotated(self.path)
        if not self.path.exists():
            if old:
                # Renamed, and not yet told or not yet heard.
                self.reopen()
            return
        for path in old:
            self._delete_if_counted(path, now)
        if self.path.stat().st_size >= self.rotate_bytes:
            files.move_away(self.path)
            self.reopen()

    def _count(self, path: Path, now: datetime) -> bool:
        with files.opened(path) as file:
            if file is None or file.head is None:
                return False
            offset = store.offset_in(file.head)
            chunk = file.read(offset, whole=self._is_left(file, now))
            if not chunk.lines and chunk.start == offset:
                return False
            batch = fold(chunk.lines)
            recorded = store.record(file, chunk, batch, now=now)
        if recorded and batch.unreadable:
            logger.warning(
                "%d of %d lines of %s from byte %d on are not whole entries; what is lost of them "
                "is not counted",
                *(batch.unreadable, batch.lines, path, chunk.start),
            )
        return chunk.more

    def _is_left(self, file: files.LogFile, now: datetime) -> bool:
        quiet = now.timestamp() - file.modified >= QUIET_SECONDS
        return quiet and file.path != self.path and self.path.exists()

    def _delete_if_counted(self, path: Path, now: datetime) -> None:
        with files.opened(path) as file:
            if file is None or not self._is_left(file, now):
                return
            if file.head and store.offset_in(file.head) < file.size:
                return
            path.unlink()
            if file.head:
                store.forget(file.head)


class Admin:
    """Envoy's admin address, where it is asked to open its logs anew."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.silent = False

    def reopen(self) -> None:
        """Ask once; the reader comes back until the log is there."""
        try:
            reply = httpx.post(f"{self.url}/reopen_logs", timeout=REOPEN_TIMEOUT_SECONDS)
            reply.raise_for_status()
        except httpx.HTTPError as error:
            if not self.silent:
                logger.warning(
                    "Envoy at %s cannot be asked to open its log anew, so the renamed one grows; "
                    "is SLIPWAY_GATEWAY_ADMIN_URL right? Trying on: %s",
                    *(self.url, error),
                )
            self.silent = True
        else:
            self.silent = False


def follow(reader: Reader, stop: threading.Event, clock: Callable[[], datetime]) -> None:
    """Count until told to stop; outlive the database's absences."""
    absent = False
    while not stop.is_set():
        try:
            more = reader.look(now=clock())
            absent = False
        except (OperationalError, InterfaceError) as error:
            if not absent:
                logger.warning("The database does not answer; the log waits for it: %s", error)
            absent, more = True, False
            connection.close()
        if not more:
            stop.wait(PAUSE_SECONDS)


@contextmanager
def alone(path: Path, stop: threading.Event) -> Iterator[None]:
    """Hold the log for one reader; wait while another has it, and give up only when stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        told = False
        while not stop.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    logger.warning("Another reader counts %s; waiting for it to end", path)
                told = True
                stop.wait(PAUSE_SECONDS)
        yield
