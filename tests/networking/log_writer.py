"""Plays Envoy: writes an access log, opens it anew when asked, breaks off within a line."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STARTED = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)


def entry(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return an entry as Envoy writes it; `number` makes it unlike all others."""
    return {
        "time": f"{STARTED.timestamp():.3f}",
        "id": f"request-{number}",
        "service": "ms-1",
        "version": "mv-1",
        "key": "ak-1",
        "refused": None,
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "flags": "-",
        "received": 100,
        "sent": 1000,
        "duration_ms": 40,
    } | fields


def line(number: int = 0, **fields: Any) -> bytes:
    """Return an entry as a line of the log, without its end."""
    return json.dumps(entry(number, **fields)).encode()


class LogWriter:
    """One Envoy after another on the same path; each obeys a request at its next write."""

    numbers = itertools.count()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked = False
        self.whole_entries = 0
        self.rest = b""
        self.stream = path.open("ab", buffering=0)

    def ask_to_reopen(self) -> None:
        """Take the request."""
        self.asked = True

    def write(self, count: int, **fields: Any) -> None:
        """Write whole entries, after the rest of the one that was begun."""
        self._finish()
        if self.asked:
            self.restart()
        for _ in range(count):
            self.stream.write(line(next(self.numbers), **fields) + b"\n")
        self.whole_entries += count

    def begin(self) -> None:
        """Write the first part of an entry."""
        self.write(0)
        whole = line(next(self.numbers)) + b"\n"
        self.stream.write(whole[:70])
        self.rest = whole[70:]

    def restart(self) -> None:
        """Be killed, and open the path as a new process does; an entry begun stays torn."""
        self.rest = b""
        self.stream.close()
        self.stream = self.path.open("ab", buffering=0)
        self.asked = False

    def _finish(self) -> None:
        if self.rest:
            self.stream.write(self.rest)
            self.whole_entries += 1
        self.rest = b""
