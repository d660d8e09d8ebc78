"""The locks, and the one order in which they are taken: workspace, group, service, then rows.

`lock_*` hold a row until the transaction ends. They leave its key alone (`no_key`), so that a line
which only refers to the row, such as an audit line, does not wait for it: that wait would be a
second, hidden order of locks. `advisory` is for work that outlasts a transaction:
Postgres gives it up by itself when the process or its connection dies.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection

from accounts.errors import Conflict, NotFound
from accounts.models import Workspace
from services.models import ResourceGroup, Service
from services.states import Desired


def lock_workspace(workspace_id: str) -> Workspace:
    """Lock a workspace until the transaction ends."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)


def lock_group(group_id: str) -> ResourceGroup:
    """Lock a resource group until the transaction ends and return it as it is now."""
    return (
        ResourceGroup.objects.select_for_update(of=("self",), no_key=True)
        .select_related("region")
        .get(pk=group_id)
    )


def lock_service(service_id: str) -> Service | None:
    """Lock a service until the transaction ends; None when it is gone."""
    return Service.objects.select_for_update(no_key=True).filter(pk=service_id).first()


def lock_living(service_id: str) -> Service:
    """Lock a service that is about to be changed; raise NotFound or, when it goes, Conflict."""
    service = lock_service(service_id)
    if service is None:
        raise NotFound("This service does not exist any more.")
    if service.desired == Desired.DELETED:
        raise Conflict(f"{service.name} is being deleted.")
    return service


@contextmanager
def advisory(name: str) -> Iterator[bool]:
    """Hold a named lock of this database session; yield False when another holds it."""
    key = _key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def held(names: Iterable[str]) -> set[str]:
    """Return which of these named locks some session holds right now."""
    with connection.cursor() as cursor:
        # A lock's 64-bit key stands there in two halves; objsubid 1 marks such a one.
        cursor.execute(
            "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        taken = {key for (key,) in cursor.fetchall()}
    return {name for name in names if _key(name) in taken}


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
