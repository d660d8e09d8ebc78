"""The control plane: keeps the snapshot current and answers Envoy's long polls."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from networking.gateway.queries import gateway_services
from networking.gateway.snapshot import TYPE, Snapshot, build

logger = logging.getLogger(__name__)
CHANNEL = "slipway_gateway"
HOLD_SECONDS = 25.0
REFRESH_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
TYPES = {
    "routes": TYPE + "config.route.v3.RouteConfiguration",
    "clusters": TYPE + "config.cluster.v3.Cluster",
}
Message = dict[str, Any]


class ControlPlane:
    """An ASGI application; `load` returns the snapshot as the rows are now."""

    def __init__(self, load: Callable[[], Snapshot]) -> None:
        self.load = load
        self.snapshot: Snapshot | None = None
        self.changed = asyncio.Condition()

    async def refresh(self) -> None:
        """Read the rows and wake the polls that wait for a change."""
        snapshot = await asyncio.to_thread(self.load)
        async with self.changed:
            self.snapshot = snapshot
            self.changed.notify_all()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one discovery request."""
        kind = str(scope.get("path", "")).rpartition(":")[2]
        if scope["type"] != "http" or kind not in TYPES:
            await _answer(send, 404, b"")
            return
        request = json.loads(await _body(receive) or b"{}")
        if request.get("error_detail"):
            logger.error("Envoy refused the %s: %s", kind, request["error_detail"])
        snapshot = await self._newer(kind, request.get("version_info", ""))
        if snapshot is None:
            await _answer(send, 304, b"")
            return
        reply = {
            "version_info": snapshot.versions[kind],
            "type_url": TYPES[kind],
            "resources": snapshot.resources[kind],
        }
        await _answer(send, 200, json.dumps(reply).encode())

    async def _newer(self, kind: str, version: str) -> Snapshot | None:
        """Wait for a snapshot other than the version Envoy has; None when time is up."""

        def differs() -> bool:
            return self.snapshot is not None and self.snapshot.versions[kind] != version

        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait_for(differs), HOLD_SECONDS)
            except TimeoutError:
                return None
            return self.snapshot


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Callable[[Message], Awaitable[None]], status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def loader(regions: Sequence[str]) -> Callable[[], Snapshot]:
    """Return what reads the snapshot of these regions; all of them when none is named."""

    def load() -> Snapshot:
        close_old_connections()
        return build(gateway_services(regions))

    return load


async def follow(plane: ControlPlane) -> None:
    """Refresh on every notification and on a timer; outlive the database's absences."""
    while True:
        try:
            await _listen(plane)
        except (psycopg.OperationalError, DatabaseError, InterfaceError) as error:
            logger.warning("The database does not answer; the last snapshot stays: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)


async def _listen(plane: ControlPlane) -> None:
    database = connection.settings_dict
    names = {
        "dbname": "NAME",
        "user": "USER",
        "password": "PASSWORD",
        "host": "HOST",
        "port": "PORT",
    }
    given = {ours: str(database[theirs]) for ours, theirs in names.items() if database[theirs]}
    async with await psycopg.AsyncConnection.connect(
        psycopg.conninfo.make_conninfo(**given), autocommit=True
    ) as listener:
        await listener.execute(f"LISTEN {CHANNEL}")
        while True:
            await plane.refresh()
            async for _ in listener.notifies(timeout=REFRESH_SECONDS, stop_after=1):
                pass
