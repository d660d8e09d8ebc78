"""Plays Envoy: writes an access log, opens it anew when asked, breaks off in the middle of a line."""

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
    """One Envoy after another on the same path; like Envoy, it obeys a request at its next write."""

    numbers = itertools.count()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked = False
        self.whole_entries = 0
        self.stream = path.open("ab", buffering=0)

    def ask_to_reopen(self) -> None:
        """Take the request."""
        self.asked = True

    def write(self, count: int, **fields: Any) -> None:
        """Write whole entries."""
        self._open_if_asked()
        for _ in range(count):
            self.stream.write(line(next(self.numbers), **fields) + b"\n")
        self.whole_entries += count

    def break_off(self) -> None:
        """Be killed in the middle of an entry, and come back."""
        self._open_if_asked()
        self.stream.write(line(next(self.numbers))[:70])
        self.restart()

    def restart(self) -> None:
        """Open the path as a new process does."""
        self.stream.close()
        self.stream = self.path.open("ab", buffering=0)
        self.asked = False

    def _open_if_asked(self) -> None:
        if self.asked:
            self.restart()
