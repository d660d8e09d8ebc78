"""Sends a composed request through the gateway and tells the browser what comes back, as it comes.

The browser gets one JSON object a line:

    {"type": "start", "status", "reason", "headers", "request_id", "ms", "advice"}
    {"type": "chunk", "ms", "text"}
    {"type": "vectors", "texts", "similarities", "figure"}   embeddings only
    {"type": "end", "ms", "bytes", "cut"}
    {"type": "failed", "ms", "message"}  the gateway could not be reached, or broke off

Times are milliseconds since the request left the console.
"""

import asyncio
import codecs
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from console.debug.advice import advice
from console.debug.figures import of_answer

MOST_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Outgoing:
    """A request ready to be sent; `timeout` in seconds is for each silence, not for the whole."""

    method: str
    url: str
    body: str
    timeout: float
    key: str = field(default="", repr=False)
    shows_vectors: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers to send."""
        headers = {"Content-Type": "application/json"} if self.body else {}
        return {**headers, "Authorization": self.key} if self.key else headers


async def relay(
    outgoing: Outgoing, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[bytes]:
    """Yield lines for the browser; leaving the iteration ends the request at the gateway."""
    began = time.monotonic()

    def line(kind: str, **fields: Any) -> bytes:
        frame = {"type": kind, "ms": round((time.monotonic() - began) * 1000, 1), **fields}
        return json.dumps(frame).encode() + b"\n"

    timeout = httpx.Timeout(outgoing.timeout, connect=CONNECT_SECONDS)
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, transport=transport, trust_env=False) as client,
            client.stream(
                outgoing.method,
                outgoing.url,
                content=outgoing.body.encode(),
                headers=outgoing.headers,
            ) as answer,
        ):
            yield line("start", **_start(answer))
            taken = Taken()
            async for piece in answer.aiter_bytes():
                if text := taken.text(piece):
                    yield line("chunk", text=text)
                if taken.bytes > MOST_BYTES:
                    break
            if outgoing.shows_vectors and (
                found := await asyncio.to_thread(taken.vectors, outgoing)
            ):
                yield line("vectors", **found)
            yield line("end", bytes=taken.bytes, cut=taken.bytes > MOST_BYTES)
    except httpx.ConnectError:
        yield line("failed", message=_unreachable(outgoing.url))
    except httpx.TimeoutException:
        yield line("failed", message=f"Nothing came for {outgoing.timeout:g} s; gave up waiting.")
    except httpx.HTTPError as error:
        yield line("failed", message=f"The connection broke off: {error or type(error).__name__}.")


class Taken:
    """What came so far, decoded without cutting a character in two."""

    def __init__(self) -> None:
        self.bytes = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pieces: list[str] = []

    def text(self, piece: bytes) -> str:
        """Take a piece of the answer and return its text."""
        self.bytes += len(piece)
        text = self._decoder.decode(piece)
        self._pieces.append(text)
        return text

    def vectors(self, outgoing: Outgoing) -> dict[str, Any] | None:
        """Return what the page shows of vectors; None where the answer has none."""
        try:
            return of_answer(json.loads(outgoing.body), json.loads("".join(self._pieces)))
        except ValueError:
            return None


def _start(answer: httpx.Response) -> dict[str, Any]:
    return {
        "status": answer.status_code,
        "reason": answer.reason_phrase,
        "headers": [[name, value] for name, value in answer.headers.items()],
        "request_id": answer.headers.get("x-request-id", ""),
        "advice": advice(answer.status_code),
    }


def _unreachable(url: str) -> str:
    host = httpx.URL(url).netloc.decode()
    return (
        f"The gateway at {host} does not answer. An operator can look whether it runs; "
        "`make run` starts it together with the console."
    )
