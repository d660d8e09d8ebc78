"""The timer's pass: what drifted is found, strays go, and a region at rest costs little."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from services import locks, operations
from services.drivers.base import DriverError, DriverUnavailable
from services.drivers.fake import Script
from services.models import Instance, Version
from services.reconcile.reconcile import version_lock
from services.reconcile.recover import recover
from services.reconcile.specs import instance_spec
from services.reconcile.sweep import STRAY_GRACE, sweep
from services.states import InstanceState, Status


def swept(stage):
    stage.queue.messages.clear()
    return sweep(stage.place.region, now=stage.now)


def test_a_region_at_rest_needs_nothing(stage):
    stage.settle(stage.deploy(instances=2))
    found = swept(stage)
    assert (found.versions, found.strays) == ((), ())
    assert stage.queue.messages == []


@pytest.mark.parametrize("accident", ["vanishes", "exits", "falls ill"])
def test_what_drifted_is_reconciled(stage, accident):
    service = stage.deploy()
    stage.settle(service)
    name = stage.instances(service)[0].name
    if accident == "vanishes":
        stage.driver.remove(name)
    elif accident == "exits":
        stage.driver.script(name, Script(exit_after=0))
    else:
        stage.driver.script(name, Script(unreachable=True))
    version = service.versions.get().pk
    assert swept(stage).versions == (version,)
    assert stage.reconciles() == [version]


def test_a_deployment_whose_message_was_lost_is_found(stage):
    service = stage.deploy()
    assert swept(stage).versions == (service.versions.get().pk,)


def test_a_version_whose_look_is_near_is_left_to_it(stage):
    service = stage.deploy()
    service.versions.update(next_look_at=stage.now + timedelta(seconds=1))
    assert swept(stage).versions == ()
    stage.later(5)
    assert len(swept(stage).versions) == 1


def test_a_version_that_a_worker_has_gets_no_second_message(stage):
    version = stage.deploy().versions.get().pk
    with locks.advisory(version_lock(version)) as held:
        assert held
        assert swept(stage).versions == ()
    assert swept(stage).versions == (version,)


def test_one_that_backs_off_for_long_does_not_hide_another_that_died(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    waiting, dying = stage.instances(service)
    later = stage.now + timedelta(minutes=5)
    Instance.objects.filter(pk=waiting.pk).update(
        state=InstanceState.BACKING_OFF, next_attempt_at=later
    )
    stage.driver.remove(waiting.name)
    service.versions.update(next_look_at=later)
    assert swept(stage).versions == ()
    stage.driver.remove(dying.name)
    assert swept(stage).versions == (service.versions.get().pk,)


def test_a_stray_is_removed_after_its_grace_and_not_before(stage):
    service = stage.deploy()
    stage.settle(service)
    stray = start_stray(stage, service)
    assert swept(stage).strays == ()
    stage.later(STRAY_GRACE.total_seconds() + 1)
    assert swept(stage).strays == (stray,)
    assert stray not in stage.running()
    assert stage.instances(service)[0].name in stage.running()


def test_a_stray_that_cannot_be_removed_keeps_no_other_from_it(stage, monkeypatch):
    service = stage.deploy(instances=2)
    stage.settle(service)
    stage.later(STRAY_GRACE.total_seconds() + 1)
    stuck = min(stage.running())
    Instance.objects.all().delete()
    stop = stage.driver.stop

    def refuse(name: str, grace: float) -> None:
        if name == stuck:
            raise DriverError("it does not end")
        stop(name, grace)

    monkeypatch.setattr(stage.driver, "stop", refuse)
    with pytest.raises(DriverError):
        swept(stage)
    assert stage.running() == {stuck}


def test_what_is_not_ours_is_never_touched(stage, settings):
    service = stage.deploy()
    stage.settle(service)
    start_stray(stage, service, **{"slipway.installation": "another"})
    stage.later(3600)
    assert swept(stage).strays == ()
    assert len(stage.running()) == 2


def test_what_another_region_runs_on_the_same_machine_is_never_touched(stage):
    service = stage.deploy()
    stage.settle(service)
    start_stray(stage, service, **{"slipway.region": "elsewhere"})
    stage.later(3600)
    assert swept(stage).strays == ()


def test_a_deleted_service_whose_worker_died_is_found(stage):
    service = stage.deploy()
    version = service.versions.get().pk
    operations.delete_service(
        stage.actor, service, confirmation="demo", even_if_running=True, now=stage.now
    )
    Instance.objects.all().delete()
    assert swept(stage).versions == (version,)


def test_a_sweep_of_many_takes_as_many_queries_as_of_few(stage):
    stage.settle(stage.deploy(instances=2))
    few = queries_of_a_sweep(stage)
    stage.settle(stage.deploy("many", instances=60))
    assert queries_of_a_sweep(stage) == few <= 4


def test_a_region_whose_driver_is_down_is_an_error_for_its_sweep_alone(stage):
    stage.driver.unavailable = "Docker does not answer"
    with pytest.raises(DriverUnavailable):
        swept(stage)


def test_after_a_restart_what_ended_starts_again_and_no_crash_is_counted(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    gone, alive = stage.instances(service)
    stage.driver.remove(gone.name)
    found = recover(stage.place.region, now=stage.now)
    assert (found.running, found.restarted) == (1, 1)
    assert stage.settle(service) == Status.RUNNING
    rows = stage.instances(service)
    assert [(row.crash_count, row.restart_count) for row in rows] == [(0, 0)] * 2
    assert rows[1].ready_at == alive.ready_at


def test_after_a_restart_an_exited_copy_is_removed_and_starts_again(stage):
    service = stage.deploy()
    stage.settle(service)
    name = stage.instances(service)[0].name
    stage.driver.script(name, Script(exit_after=0, exit_code=0))
    recover(stage.place.region, now=stage.now)
    stage.driver.scripts.clear()
    assert stage.settle(service) == Status.RUNNING
    assert not service.events.filter(reason="Exited").exists()
    assert service.events.filter(reason="Recovered").count() == 1


def test_a_service_that_was_stopping_at_the_restart_is_stopped(stage):
    service = stage.deploy()
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    stage.driver.remove(stage.instances(service)[0].name)
    recover(stage.place.region, now=stage.now)
    assert stage.settle(service) == Status.STOPPED
    assert not service.events.filter(reason="Recovered").exists()


def start_stray(stage, service, **labels: str) -> str:
    version = Version.objects.select_related("service", "entry", "specification").get(
        service=service
    )
    row = Instance(version=version, ordinal=77, revision=1, cu=1)
    spec = instance_spec(version, row)
    stage.driver.start(type(spec)(**{**vars(spec), "labels": {**spec.labels, **labels}}))
    return row.name


def queries_of_a_sweep(stage) -> int:
    with CaptureQueriesContext(connection) as queries:
        swept(stage)
    return len(queries)
