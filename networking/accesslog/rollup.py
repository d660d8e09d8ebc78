"""From calls to what is added to each minute: pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from networking.accesslog.histogram import BUCKETS, bucket_of
from networking.accesslog.lines import Call, Unreadable, parse, salvage

MINUTE = 60
TOO_MANY_REQUESTS = 429
# Envoy's response flags by what they mean for the caller.
UNREACHABLE = frozenset({"UF", "UH", "NC", "URX", "UO"})
BROKEN_OFF = frozenset({"UC", "UR", "UPE"})
TIMED_OUT = frozenset({"UT", "SI", "DT", "UMSDR"})
CLIENT_LEFT = frozenset({"DC", "DR"})


class Subject(NamedTuple):
    """What a row of counts is about; `minute` is its first second since 1970."""

    service_id: str
    minute: int
    version_id: str
    key_id: str
    endpoint_id: str


@dataclass(slots=True)
class Counts:
    """What happened to one subject in one minute; durations only of calls an instance took."""

    requests: int = 0
    succeeded: int = 0
    redirected: int = 0
    client_errors: int = 0
    server_errors: int = 0
    throttled: int = 0
    refused: int = 0
    unreachable: int = 0
    broken_off: int = 0
    timed_out: int = 0
    client_left: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    duration_ms: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * BUCKETS)


@dataclass
class Batch:
    """What a stretch of the log adds: counts by subject, and when each key was last used.

    `lines` counts all lines, `unreadable` those among them of which something could not be read.
    """

    minutes: dict[Subject, Counts] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    lines: int = 0
    unreadable: int = 0


def fold(lines: Iterable[bytes]) -> Batch:
    """Return what these lines add."""
    batch = Batch()
    for line in lines:
        batch.lines += 1
        try:
            calls = [parse(line)]
        except Unreadable:
            batch.unreadable += 1
            calls = salvage(line)
        for call in calls:
            add(batch, call)
    return batch


def add(batch: Batch, call: Call) -> None:
    """Count one call in the minute its answer ended, so that past minutes stay as they are."""
    minute = int(call.ended // MINUTE) * MINUTE
    subject = Subject(call.service_id, minute, call.version_id, call.key_id, call.endpoint_id)
    counts = batch.minutes.get(subject)
    if counts is None:
        counts = batch.minutes[subject] = Counts()
    counts.requests += 1
    counts.bytes_in += call.bytes_in
    counts.bytes_out += call.bytes_out
    _count_status(counts, call.status)
    if call.flags:
        _count_flags(counts, call.flags)
    if call.refused:
        counts.refused += 1
    elif call.version_id and not call.flags & UNREACHABLE:
        counts.duration_ms += call.duration_ms
        counts.latency[bucket_of(call.duration_ms)] += 1
    if call.key_id and call.ended > batch.used.get(call.key_id, 0):
        batch.used[call.key_id] = call.ended


def _count_status(counts: Counts, status: int) -> None:
    match status // 100:
        case 2:
            counts.succeeded += 1
        case 3:
            counts.redirected += 1
        case 4:
            counts.client_errors += 1
        case 5:
            counts.server_errors += 1
    if status == TOO_MANY_REQUESTS:
        counts.throttled += 1


def _count_flags(counts: Counts, flags: frozenset[str]) -> None:
    if flags & UNREACHABLE:
        counts.unreachable += 1
    if flags & BROKEN_OFF:
        counts.broken_off += 1
    if flags & TIMED_OUT:
        counts.timed_out += 1
    if flags & CLIENT_LEFT:
        counts.client_left += 1
