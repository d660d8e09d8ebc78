"""People and workers at the same moment, on a real Postgres, each in a connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import close_old_connections, connection

from accounts.access import Actor
from accounts.errors import InvalidInput, LimitReached, SlipwayError
from accounts.models import Workspace
from billing.models import CuInterval
from services import operations
from services.capacity import balance
from services.models import Instance, Limit, ResourceGroup, Service
from services.operations import changed
from services.reconcile.reconcile import look_once, reconcile
from services.states import CONSUMING
from tests.factories import NOW, deploy_service, make_actor, make_group
from tests.stage import Stage, set_stage

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def actor(transactional_db) -> Actor:
    return make_actor(Workspace.objects.create(name="search-team"))


@pytest.fixture
def stage(actor, settings, tmp_path, monkeypatch):
    with set_stage(actor, settings, tmp_path, monkeypatch) as made:
        yield made


def at_once(deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all at the same moment; return each result, or the typed refusal."""
    gate = threading.Barrier(len(deeds))

    def do(deed: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return deed()
        except SlipwayError as refusal:
            return refusal
        finally:
            connection.close()
            close_old_connections()

    with ThreadPoolExecutor(max_workers=len(deeds)) as pool:
        return list(pool.map(do, deeds))


def refusals(results: list[Any]) -> list[SlipwayError]:
    return [r for r in results if isinstance(r, SlipwayError)]


def test_a_stopped_version_is_looked_at_in_peace_outside_any_transaction(stage):
    service = stage.deploy()
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=NOW)
    stage.settle(service)
    assert look_once(service.versions.get().pk, stage.clock).again_after is None
    assert stage.status(service) == "stopped"


def test_two_people_cannot_both_take_the_last_cu(stage):
    limit_group(stage, 3)
    results = at_once([partial(stage.deploy, f"s-{n}", instances=2) for n in range(2)])
    (refusal,) = refusals(results)
    assert isinstance(refusal, LimitReached)
    assert "has 1 of 3 CU left" in refusal.message
    assert balance(stage.place.group).used == 2


def test_ten_at_once_take_exactly_what_there_is(stage):
    limit_group(stage, 4)
    Limit.objects.create(code=Limit.Code.SERVICES_PER_GROUP, value=100)
    results = at_once([partial(stage.deploy, f"s-{n}") for n in range(10)])
    assert len(refusals(results)) == 6
    assert balance(stage.place.group).used == Service.objects.count() == 4


def test_ten_at_once_with_one_name_make_one_service(stage):
    results = at_once([lambda: stage.deploy("same")] * 10)
    assert all(isinstance(r, InvalidInput) and "name" in r.fields for r in refusals(results))
    assert len(refusals(results)) == 9
    assert Service.objects.count() == 1


def test_ten_at_once_in_two_workspaces_stay_within_the_groups_limit(stage):
    other = make_actor(Workspace.objects.create(name="fraud-team"), username="other")
    stage.place.group.workspaces.add(other.workspace)
    people = [stage.actor, other] * 5
    deeds = [partial(deploy_service, who, stage.place, f"s-{n}") for n, who in enumerate(people)]
    assert len(refusals(at_once(deeds))) == 5
    assert Service.objects.count() == 5


def test_two_growing_services_cannot_oversell_the_group(stage):
    limit_group(stage, 5)
    services = [stage.deploy(f"s-{n}") for n in range(2)]

    def grow(pk: str) -> None:
        service = Service.objects.get(pk=pk)
        operations.modify_service(stage.actor, service, changed(service, instances=4), now=NOW)

    results = at_once([partial(grow, s.pk) for s in services])
    assert len(refusals(results)) == 1
    assert balance(stage.place.group).used == 5


def test_ten_services_that_take_one_name_at_once_leave_it_to_one(stage):
    other = make_group(stage.place.region, stage.actor.workspace, name="rg-other")
    groups = [stage.place.group, other] * 5
    services = [stage.deploy(f"s-{n}", group=group) for n, group in enumerate(groups)]

    def rename(service: Service) -> None:
        wanted = changed(service, name="same")
        operations.modify_service(stage.actor, service, wanted, now=NOW)

    results = at_once([partial(rename, s) for s in services])
    assert all(isinstance(r, InvalidInput) and "name" in r.fields for r in refusals(results))
    assert len(refusals(results)) == 9
    assert Service.objects.filter(name="same").count() == 1


def test_the_same_key_name_ten_times_makes_one_key(stage):
    service = stage.deploy()
    deeds = [lambda: operations.create_key(stage.actor, service, name="ci", now=NOW)] * 10
    assert len(refusals(at_once(deeds))) == 9
    assert service.api_keys.filter(name="ci").count() == 1


def test_workers_that_look_at_one_version_together_start_each_instance_once(stage):
    service = stage.deploy(instances=4)
    version = service.versions.get().pk
    stage.look(service.versions.get())
    results = at_once([lambda: reconcile(version, clock=stage.clock)] * 5)
    stage.settle(service)
    starts = [name for verb, name in stage.driver.calls if verb == "start"]
    assert len(starts) == len(set(starts)) == 4
    assert any(r.busy for r in results)


def test_people_and_workers_in_each_others_way_never_lock_up(stage):
    """Each kind of change at once, in rounds; a deadlock would be an error of the database."""
    Limit.objects.create(code=Limit.Code.SERVICES_PER_GROUP, value=100)
    services = [stage.deploy(f"s-{n}", instances=2) for n in range(3)]
    for service in services:
        stage.settle(service)
    for round_ in range(6):
        deeds: list[Callable[[], Any]] = [partial(stage.deploy, f"new-{round_}")]
        for service in services:
            deeds += [
                partial(operations.stop_service, stage.actor, service, now=NOW),
                partial(operations.start_service, stage.actor, service, now=NOW),
                partial(look_at, stage, service),
            ]
        at_once(deeds)
    check_books(stage)


def test_a_delete_while_workers_look_leaves_nothing(stage):
    services = [stage.deploy(f"s-{n}", instances=2) for n in range(3)]
    for service in services:
        stage.settle(service)
    versions = [service.versions.get().pk for service in services]
    deeds: list[Callable[[], Any]] = []
    for service in services:
        deeds += [partial(look_at, stage, service), partial(delete, stage, service)]
    at_once(deeds)
    for _ in range(4):
        for version in versions:
            look_once(version, stage.clock)
    assert not Service.objects.exists()
    assert not stage.running()
    assert not CuInterval.objects.filter(ended_at__isnull=True).exists()


def look_at(stage: Stage, service: Service) -> None:
    for version in service.versions.values_list("pk", flat=True):
        reconcile(version, clock=stage.clock)


def delete(stage: Stage, service: Service) -> None:
    operations.delete_service(
        stage.actor, service, confirmation=service.name, even_if_running=True, now=NOW
    )


def limit_group(stage: Stage, cu: int) -> None:
    ResourceGroup.objects.filter(pk=stage.place.group.pk).update(cu_limit=cu)


def check_books(stage: Stage) -> None:
    """The ledger is open for exactly the instances that take CU, and none were sold twice."""
    consuming = Instance.objects.filter(state__in=CONSUMING).values_list("pk", flat=True)
    still_open = CuInterval.objects.filter(ended_at__isnull=True)
    assert set(still_open.values_list("instance_id", flat=True)) == set(consuming)
    assert balance(stage.place.group).used <= 500
