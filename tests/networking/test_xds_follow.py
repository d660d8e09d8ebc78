"""Following the rows: notifications, faults and absences of the database."""

import asyncio
from typing import NoReturn

import psycopg
import pytest
from django.db import connection, transaction

from networking.gateway import follow as followed
from networking.gateway.follow import follow
from networking.gateway.snapshot import Snapshot
from services.models import ApiKey
from services.operations.keys import set_key_enabled
from tests.factories import NOW, deploy_service, make_place


@pytest.mark.parametrize("fault", [ValueError("a bad row"), psycopg.OperationalError("gone")])
def test_a_fault_is_logged_and_reading_goes_on(monkeypatch, caplog, fault):
    calls: list[int] = []

    async def failing(*_: object) -> NoReturn:
        calls.append(1)
        if len(calls) == 3:
            raise asyncio.CancelledError
        raise fault

    monkeypatch.setattr(followed, "_listen", failing)
    monkeypatch.setattr(followed, "RETRY_SECONDS", 0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(follow([], lambda _: asyncio.sleep(0)))
    assert caplog.text.count("the last snapshot stays") == 2
    assert str(fault) in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_committed_change_is_published_at_once_and_one_rolled_back_is_not(actor, workspace):
    deploy_service(actor, make_place(workspace))
    key = ApiKey.objects.get()

    async def scenario() -> list[int]:
        published: asyncio.Queue[Snapshot] = asyncio.Queue()
        following = asyncio.create_task(follow([], published.put))
        first = await asyncio.wait_for(published.get(), 5)
        await asyncio.to_thread(disable, keep=False)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(published.get(), 0.5)
        await asyncio.to_thread(disable, keep=True)
        second = await asyncio.wait_for(published.get(), 2)
        following.cancel()
        return [snapshot.routes.answer.count(b";0;0") for snapshot in (first, second)]

    def disable(*, keep: bool) -> None:
        with transaction.atomic():
            set_key_enabled(actor, key, enabled=False, now=NOW)
            transaction.set_rollback(not keep)
        connection.close()

    assert asyncio.run(scenario()) == [0, 1]
