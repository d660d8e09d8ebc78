"""The control plane: keeps the snapshot current and answers Envoy's long polls."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from networking.gateway.snapshot import KINDS, Discovery, Snapshot

logger = logging.getLogger(__name__)
HOLD_SECONDS = 25.0
REFUSED_SECONDS = 1.0
LARGEST_REQUEST = 1024 * 1024
PREFIX = "/v3/discovery:"
REFUSAL = (
    "Envoy refused the %s of version %s and keeps the former ones;"
    " its admin page /config_dump tells why under error_state."
)
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Refused(Exception):
    """A request that is not a discovery request; says with which status to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Told:
    """The last answer to one asker: what it had, what it was told, and when (monotonic)."""

    had: str
    version: str
    at: float


class ControlPlane:
    """An ASGI application over the newest snapshot."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self._closing = False
        self._changed = asyncio.Condition()
        self._told: dict[tuple[str, str, str], Told] = {}

    async def publish(self, snapshot: Snapshot) -> None:
        """Take a newer snapshot and wake the polls that wait for one."""
        async with self._changed:
            self.snapshot = snapshot
            self._changed.notify_all()

    async def close(self) -> None:
        """Answer the polls that are held, so that the server can end at once."""
        async with self._changed:
            self._closing = True
            self._changed.notify_all()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one discovery request: at once if there is news, else when there is some."""
        if scope["type"] != "http":
            return
        try:
            kind = _kind(scope)
            request = _request(await _body(receive))
        except Refused as refusal:
            await _answer(send, refusal.status, json.dumps({"error": str(refusal)}).encode())
            return
        asker = (str((scope.get("client") or ("",))[0]), str(request.get("node")), kind)
        had = str(request.get("version_info", ""))
        await self._calm(asker, had)
        news = await self._news(kind, had)
        if news:
            self._told[asker] = Told(had, news.version, time.monotonic())
        await _answer(send, 200 if news else 304, news.answer if news else b"")

    async def _calm(self, asker: tuple[str, str, str], had: str) -> None:
        """Hold back who refused the newest version: Envoy says so only by asking again at once."""
        told, kind = self._told.get(asker), asker[-1]
        newest = self.snapshot.of(kind).version if self.snapshot else ""
        if told is None or (told.had, told.version) != (had, newest):
            return
        if time.monotonic() - told.at < REFUSED_SECONDS:
            logger.error(REFUSAL, kind, newest)
            await asyncio.sleep(REFUSED_SECONDS)

    async def _news(self, kind: str, version: str) -> Discovery | None:
        """Wait for another version than Envoy has; None when there is none for a while."""

        def differing() -> Discovery | None:
            newest = self.snapshot.of(kind) if self.snapshot else None
            return newest if newest and newest.version != version else None

        async with self._changed:
            waiting = self._changed.wait_for(lambda: self._closing or differing())
            with suppress(TimeoutError):
                await asyncio.wait_for(waiting, HOLD_SECONDS)
        return differing()


def _kind(scope: Mapping[str, Any]) -> str:
    kind = str(scope["path"]).removeprefix(PREFIX)
    if kind not in KINDS:
        raise Refused(404, f"There is only {' and '.join(PREFIX + kind for kind in KINDS)}.")
    if scope["method"] != "POST":
        raise Refused(405, "Discovery requests are posted.")
    return kind


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_REQUEST:
            raise Refused(413, "The discovery request is too large.")
        if not message.get("more_body"):
            return body


def _request(body: bytes) -> Message:
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The discovery request is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise Refused(400, "The discovery request is not a JSON object.")
    return request


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
