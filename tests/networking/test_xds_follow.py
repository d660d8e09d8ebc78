"""Following the rows: notifications, faults and absences of the database."""

import asyncio
from typing import NoReturn

import psycopg
import pytest
from django.db import connection, transaction

from networking.gateway import follow as followed
from networking.gateway.follow import View, follow
from networking.gateway.snapshot import Snapshot
from services.models import ApiKey, Service
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


@pytest.fixture
def two(actor, workspace) -> tuple[Service, Service]:
    place = make_place(workspace)
    return deploy_service(actor, place, "one"), deploy_service(actor, place, "two")


def test_a_changed_service_is_read_alone_and_the_other_kept(two, django_assert_num_queries):
    one, other = two
    view = View(())
    view.read_all()
    kept = view.services[other.pk]
    ApiKey.objects.update(enabled=False)
    with django_assert_num_queries(4):
        view.read_changed({one.pk})
    assert [key.enabled for key in view.services[one.pk].keys] == [False]
    assert view.services[other.pk] is kept


def test_a_service_that_is_gone_is_dropped(two):
    one, other = two
    view = View(())
    view.read_all()
    gone = one.pk
    one.delete()
    snapshot = view.read_changed({gone})
    assert list(view.services) == [other.pk]
    assert gone.encode() not in snapshot.routes.answer


def test_a_new_service_is_added_and_one_of_another_region_is_not(two):
    one, _ = two
    view = View((one.region.code,))
    view.read_changed({one.pk})
    elsewhere = View(("elsewhere",))
    elsewhere.read_changed({one.pk})
    assert list(view.services) == [one.pk]
    assert not elsewhere.services


def test_reading_everything_heals_what_no_notification_told(two):
    one, other = two
    view = View(())
    view.read_all()
    other.delete()
    view.read_all()
    assert list(view.services) == [one.pk]
