"""The CU ledger: exact to the second on every path, and a group is never oversold."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.errors import Conflict, InvalidInput
from billing.models import CuInterval
from billing.queries import cu_hours
from services import operations
from services.capacity import balance
from services.drivers.fake import Script
from services.models import Instance, Service, Specification
from services.operations import changed
from services.operations.instances import move
from services.reconcile.recover import recover
from services.states import CONSUMING, InstanceState
from tests.stage import Stage


def seconds_of(service: Service) -> list[float]:
    """Return the length of each closed interval."""
    found = CuInterval.objects.filter(service_id=service.pk, ended_at__isnull=False)
    return sorted((i.ended_at - i.started_at).total_seconds() for i in found if i.ended_at)


def open_intervals() -> set[str]:
    return set(
        CuInterval.objects.filter(ended_at__isnull=True).values_list("instance_id", flat=True)
    )


def test_nothing_is_charged_before_something_runs(stage):
    service = stage.deploy()
    stage.later(100)
    stage.look(service.versions.get())
    assert not CuInterval.objects.exists()


def test_an_interval_lasts_from_the_start_to_the_end_of_the_process(stage):
    service = stage.deploy()
    stage.settle(service)
    begun = CuInterval.objects.get().started_at
    assert begun == stage.instances(service)[0].started_at
    stage.later(3600)
    operations.stop_service(stage.actor, service, now=stage.now)
    stopped = stage.now
    stage.settle(service)
    interval = CuInterval.objects.get()
    assert interval.ended_at == stopped
    assert interval.cu == stage.place.specification.cu


def test_a_crash_is_charged_until_it_ended_and_not_until_it_was_noticed(stage):
    service = stage.deploy()
    stage.settle(service)
    row = stage.instances(service)[0]
    stage.driver.script(row.name, Script(exit_after=100))
    stage.later(1000)
    stage.look(service.versions.get())
    assert seconds_of(service) == [100]


def test_an_instance_whose_start_was_not_written_down_is_charged_from_its_start(stage):
    service = stage.deploy()
    stage.settle(service)
    began = CuInterval.objects.get().started_at
    CuInterval.objects.all()._raw_delete("default")
    Instance.objects.update(state=InstanceState.PENDING, started_at=None)
    stage.later(60)
    stage.settle(service)
    assert CuInterval.objects.get().started_at == began


def test_nothing_is_charged_during_a_back_off(stage):
    stage.driver.default = Script(ready_after=60, exit_after=1)
    service = stage.deploy()
    stage.settle(service)
    assert seconds_of(service) == [1, 1, 1, 1, 1]
    assert open_intervals() == set()


def test_a_clock_that_was_set_back_ends_the_interval_at_its_beginning(stage):
    service = stage.deploy()
    stage.settle(service)
    row = stage.instances(service)[0]
    earlier = stage.now - timedelta(hours=1)
    assert move(row, InstanceState.BACKING_OFF, now=earlier)
    assert seconds_of(service) == [0]


def test_a_night_in_which_the_machine_was_off_is_not_charged(stage):
    service = stage.deploy()
    stage.settle(service)
    started = CuInterval.objects.get().started_at
    region = stage.place.region
    region.checked_at = started + timedelta(minutes=7)
    stage.driver.remove(stage.instances(service)[0].name)
    stage.later(8 * 3600)
    recover(region, now=stage.now)
    assert seconds_of(service) == [7 * 60]


def test_a_delete_leaves_the_ledger(stage):
    service = stage.deploy()
    stage.settle(service)
    operations.delete_service(
        stage.actor, service, confirmation="demo", even_if_running=True, now=stage.now
    )
    stage.later(60)
    stage.settle(service)
    assert not Service.objects.exists()
    assert open_intervals() == set()
    assert CuInterval.objects.get().service_name == "demo"


def test_cu_hours_are_exact_while_it_still_runs(stage):
    service = stage.deploy(specification=size("cpu.4"), instances=2)
    stage.settle(service)
    begun = CuInterval.objects.earliest("started_at").started_at
    expected = Decimal(2 * 4 * 5400) / 3600
    assert cu_hours(service, begun + timedelta(seconds=5400)) == expected


def test_a_larger_specification_is_held_at_once_and_charged_from_the_restart(stage):
    service = stage.deploy()
    stage.settle(service)
    resize(stage, service, "cpu.4")
    assert balance(stage.place.group).used == 4
    assert CuInterval.objects.get(ended_at__isnull=True).cu == 1
    stage.settle(service)
    assert CuInterval.objects.get(ended_at__isnull=True).cu == 4


def test_a_smaller_specification_gives_up_cu_only_when_the_larger_is_gone(stage):
    service = stage.deploy(specification=size("cpu.4"))
    stage.settle(service)
    resize(stage, service, "cpu.1")
    assert balance(stage.place.group).used == 4
    stage.settle(service)
    assert balance(stage.place.group).used == 1


def test_a_ledger_line_cannot_be_deleted(stage):
    stage.settle(stage.deploy())
    with pytest.raises(TypeError, match="cannot be deleted"):
        CuInterval.objects.get().delete()


def size(code: str) -> Specification:
    return Specification.objects.get(code=code)


def resize(stage: Stage, service: Service, code: str) -> None:
    fresh = Service.objects.get(pk=service.pk)
    operations.modify_service(
        stage.actor, fresh, changed(fresh, specification=size(code)), now=stage.now
    )


# --- Whatever people do ------------------------------------------------------------------------

NAMES = ("a", "b", "c")
LIMIT = 6


def deploy(stage: Stage, name: str, number: int) -> None:
    stage.deploy(name, instances=number)


def start(stage: Stage, name: str, number: int) -> None:
    operations.start_service(stage.actor, Service.objects.get(name=name), now=stage.now)


def stop(stage: Stage, name: str, number: int) -> None:
    operations.stop_service(stage.actor, Service.objects.get(name=name), now=stage.now)


def delete(stage: Stage, name: str, number: int) -> None:
    service = Service.objects.get(name=name)
    operations.delete_service(
        stage.actor, service, confirmation=name, even_if_running=True, now=stage.now
    )


def scale(stage: Stage, name: str, number: int) -> None:
    service = Service.objects.get(name=name)
    operations.modify_service(
        stage.actor, service, changed(service, instances=number), now=stage.now
    )


def change_size(stage: Stage, name: str, number: int) -> None:
    resize(stage, Service.objects.get(name=name), ("cpu.1", "cpu.2", "cpu.4")[number % 3])


def crash(stage: Stage, name: str, number: int) -> None:
    for row in stage.instances(Service.objects.get(name=name))[:number]:
        stage.driver.remove(row.name)


def look(stage: Stage, name: str, number: int) -> None:
    version = Service.objects.get(name=name).versions.get()
    for _ in range(number):
        stage.look(version)
        stage.later(1)


DEEDS: tuple[Callable[[Stage, str, int], None], ...] = (
    deploy,
    start,
    stop,
    delete,
    scale,
    change_size,
    crash,
    look,
    look,
)
stories = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.sampled_from(NAMES), st.integers(1, 5)),
    min_size=4,
    max_size=18,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stories)
def test_whatever_people_do_no_group_is_oversold_and_the_ledger_agrees(stage, story):
    clear(stage)
    for deed, name, number in story:
        # Refusals are part of the story.
        with suppress(Conflict, InvalidInput, Service.DoesNotExist):
            deed(stage, name, number)
        assert balance(stage.place.group).used <= LIMIT
        consuming = Instance.objects.filter(state__in=CONSUMING)
        assert open_intervals() == set(consuming.values_list("pk", flat=True))


def clear(stage: Stage) -> None:
    """Begin anew: the rows of the last story go, not through the ledger."""
    Service.objects.all().delete()
    CuInterval.objects.all().delete()
    stage.driver.reset()
    stage.place.group.cu_limit = LIMIT
    stage.place.group.save()
