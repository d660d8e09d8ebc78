"""From a line of the access log to a call: pure, and never surprised by a line."""

import json
import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

LONGEST_ID = 64
# The sum of a whole log of the largest numbers still fits a Postgres bigint.
LARGEST = 2**40
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
NOTHING = (None, "", "-")
MILLISECONDS = 1000
# An entry holds no object; an id or path that ends in a brace looks like one at most a few times.
MOST_STARTS = 8


class Call(NamedTuple):
    """One call as the gateway saw it end; times are seconds since 1970, ids empty when unknown."""

    started: float
    ended: float
    service_id: str
    version_id: str
    key_id: str
    endpoint_id: str
    status: int
    flags: frozenset[str]
    refused: bool
    bytes_in: int
    bytes_out: int
    duration_ms: int


class Unreadable(ValueError):
    """A line that is not an entry of the gateway's access log."""


def parse(line: bytes) -> Call:
    """Return the call of one line, without its line end; raise Unreadable for anything else."""
    try:
        # A caller may put any byte into a path; it must not hide the call.
        entry = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(entry, dict):
        raise Unreadable("not an object")
    return _call(entry)


def salvage(line: bytes) -> list[Call]:
    """Return the calls on a line that is not one entry.

    A killed Envoy leaves half an entry, and its successor goes on right behind it.
    """
    calls = []
    at = len(line)
    for _ in range(MOST_STARTS):
        at = line.rfind(b'{"', 0, at)
        if at < 0:
            break
        try:
            calls.append(parse(line[at:]))
        except Unreadable:
            continue
        line = line[:at]
    return calls


def _call(entry: dict[str, Any]) -> Call:
    if "time" not in entry or "status" not in entry:
        raise Unreadable("without time or status")
    started = _time(entry["time"])
    duration = _number(entry, "duration_ms")
    flags = entry.get("flags")
    return Call(
        started=started,
        ended=started + duration / MILLISECONDS,
        service_id=_id(entry, "service"),
        version_id=_id(entry, "version"),
        key_id=_id(entry, "key"),
        endpoint_id=_id(entry, "endpoint"),
        status=_number(entry, "status"),
        flags=frozenset() if flags in NOTHING else frozenset(str(flags).split(",")),
        refused=entry.get("refused") not in NOTHING,
        bytes_in=_number(entry, "received"),
        bytes_out=_number(entry, "sent"),
        duration_ms=duration,
    )


def _time(value: object) -> float:
    if not isinstance(value, str | int | float):
        raise Unreadable("the time is not a time")
    try:
        seconds = float(value)
    except (ValueError, OverflowError) as error:
        raise Unreadable("the time is not a time") from error
    if not (math.isfinite(seconds) and EARLIEST <= seconds < LATEST):
        raise Unreadable("the time is out of range")
    return seconds


def _number(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name)
    if value in NOTHING:
        return 0
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable(f"{name} is not a whole number")
    try:
        number = int(value)
    except ValueError as error:
        raise Unreadable(f"{name} is not a whole number") from error
    if not 0 <= number <= LARGEST:
        raise Unreadable(f"{name} is out of range")
    return number


def _id(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if value in NOTHING:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_ID or not value.isprintable():
        raise Unreadable(f"{name} is not an id")
    return value
