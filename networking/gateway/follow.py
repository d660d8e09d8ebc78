"""Follows the rows: a notification has the service that it names read, a timer has all read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from psycopg.conninfo import make_conninfo

from networking.gateway.facts import GatewayService
from networking.gateway.queries import gateway_services
from networking.gateway.snapshot import Snapshot, build

logger = logging.getLogger(__name__)
CHANNEL = "slipway_gateway"
REFRESH_SECONDS = 30.0
RETRY_SECONDS = 1.0
# A database that went away without a word is noticed after 10 to 20 s.
KEEPALIVE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "2"}
Publish = Callable[[Snapshot], Awaitable[None]]


class View:
    """The services of some regions, all when empty, as they were last read."""

    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = regions
        self.services: dict[str, GatewayService] = {}

    def read_all(self) -> Snapshot:
        """Read every service anew and return the snapshot."""
        self.services = {service.id: service for service in gateway_services(self.regions)}
        return build(list(self.services.values()))

    def read_changed(self, ids: Collection[str]) -> Snapshot:
        """Read these services alone, drop those that are gone, and return the snapshot."""
        found = {service.id: service for service in gateway_services(self.regions, ids)}
        for one in ids:
            if one in found:
                self.services[one] = found[one]
            else:
                self.services.pop(one, None)
        return build(list(self.services.values()))


async def _in_thread(read: Callable[[], Snapshot]) -> Snapshot:
    """Read in a thread that keeps no connection: the next one opens its own after an absence."""

    def reading() -> Snapshot:
        try:
            return read()
        finally:
            connection.close()

    return await asyncio.to_thread(reading)


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
    clock = asyncio.get_running_loop().time
    view = View(regions)
    async with await psycopg.AsyncConnection.connect(_address(), autocommit=True) as listener:
        await listener.execute(f"LISTEN {CHANNEL}")
        while True:
            # Listening came first, so that no change falls between the two.
            await publish(await _in_thread(view.read_all))
            full_read_at = clock() + REFRESH_SECONDS
            while (left := full_read_at - clock()) > 0:
                if changed := await _changes(listener, left):
                    await publish(await _in_thread(partial(view.read_changed, changed)))


async def _changes(listener: psycopg.AsyncConnection[Any], seconds: float) -> set[str]:
    """Return the ids of services that changed, as soon as there are any; empty after `seconds`."""
    return {n.payload async for n in listener.notifies(timeout=seconds, stop_after=1)}


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
