"""Reading a container's log: the engine's frames into lines with time and stream."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from docker import DockerClient
from docker.utils.socket import STDERR

from services.drivers.base import LogLine


def frames(
    client: DockerClient, container: str, *, follow: bool, **window: Any
) -> Iterator[tuple[int, bytes]]:
    """Yield (stream, bytes) as the engine sends them."""
    options = {"stdout": True, "stderr": True, "timestamps": True, "follow": follow, **window}
    # The SDK's own `logs` joins both streams; its lower layer tells them apart.
    api = client.api
    answer = api._get(
        api._url("/containers/{0}/logs", container), params=options, stream=True, timeout=None
    )
    api._raise_for_status(answer)
    yield from _demultiplexed(answer)


def _demultiplexed(answer: Any) -> Iterator[tuple[int, bytes]]:
    try:
        while header := _exactly(answer.raw, 8):
            yield header[0], _exactly(answer.raw, int.from_bytes(header[4:], "big"))
    finally:
        answer.close()


def _exactly(raw: Any, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = raw.read(count - len(data))
        if not piece:
            return b""
        data += piece
    return data


def lines(parts: Iterable[tuple[int, bytes]]) -> Iterator[LogLine]:
    """Put frames together to lines."""
    rest: dict[int, bytes] = {}
    for stream, data in parts:
        *whole, rest[stream] = (rest.get(stream, b"") + data).split(b"\n")
        for line in whole:
            yield parse(stream, line)
    for stream, line in rest.items():
        if line:
            yield parse(stream, line)


def parse(stream: int, line: bytes) -> LogLine:
    """Read one line; the engine's times have nanoseconds, of which six digits are kept."""
    at, _, text = line.decode(errors="replace").partition(" ")
    return LogLine(time_of(at), "stderr" if stream == STDERR else "stdout", text)


def time_of(text: str) -> datetime:
    """Return the engine's time as ours."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
