"""Follows the rows: a newer snapshot on each notification, and on a timer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from psycopg.conninfo import make_conninfo

from networking.gateway.queries import gateway_services
from networking.gateway.snapshot import Snapshot, build

logger = logging.getLogger(__name__)
CHANNEL = "slipway_gateway"
REFRESH_SECONDS = 5.0
RETRY_SECONDS = 1.0
# A database that went away without a word is noticed after 10 to 20 s.
KEEPALIVE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "2"}
Publish = Callable[[Snapshot], Awaitable[None]]


def load(regions: Sequence[str]) -> Snapshot:
    """Return the snapshot of these regions, all when empty, as the rows are now."""
    try:
        return build(gateway_services(regions))
    finally:
        # Whichever thread reads next opens its own; none is kept through an absence.
        connection.close()


async def follow(regions: Sequence[str], publish: Publish) -> None:
    """Publish the rows as they change, until cancelled; the last snapshot outlives any fault."""
    while True:
        try:
            await _listen(regions, publish)
        except (psycopg.OperationalError, DatabaseError, InterfaceError) as error:
            logger.warning("The database does not answer; the last snapshot stays: %s", error)
        except Exception:
            logger.exception("The rows could not be read; the last snapshot stays.")
        await asyncio.sleep(RETRY_SECONDS)


async def _listen(regions: Sequence[str], publish: Publish) -> None:
    async with await psycopg.AsyncConnection.connect(_address(), autocommit=True) as listener:
        await listener.execute(f"LISTEN {CHANNEL}")
        while True:
            # Listening came first, so that no change falls between the two.
            await publish(await asyncio.to_thread(load, regions))
            async for _ in listener.notifies(timeout=REFRESH_SECONDS, stop_after=1):
                pass


def _address() -> str:
    settings: dict[str, Any] = connection.settings_dict
    names = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    # Those of psycopg alone are mappings; those of the server's address are text.
    options = {k: v for k, v in settings["OPTIONS"].items() if isinstance(v, str)}
    given = {name: str(value) for name, value in names.items() if value}
    parts: dict[str, Any] = {**KEEPALIVE, **options, **given}
    return make_conninfo(**parts)
