"""What every driver has to do; each driver's test module binds `place` to one of its own."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from services.drivers.base import (
    AlreadyExists,
    Driver,
    InstanceSpec,
    NoSuchInstance,
    Observation,
    ObservedState,
)

LABELS = {"slipway.installation": "contract", "slipway.service": "ms-1"}
PATIENCE_SECONDS = 15


@dataclass
class Place:
    """A driver, another object for the same place, and what a test server is started with."""

    driver: Driver
    again: Callable[[], Driver]
    image: str
    serve: tuple[str, ...]
    exit_with: Callable[[int], tuple[tuple[str, ...], Mapping[str, str]]]
    names: list[str] = field(default_factory=list)

    def spec(self, name: str, command=None, env=None, memory_mib: int = 256) -> InstanceSpec:
        self.names.append(name)
        return InstanceSpec(
            name=name,
            labels=LABELS,
            image=self.image,
            command=self.serve if command is None else command,
            env=env or {},
            port=8080,
            vcpu=Decimal(1),
            memory_mib=memory_mib,
        )

    def see(self, name: str) -> Observation | None:
        seen = [o for o in self.driver.observe(LABELS) if o.name == name]
        return seen[0] if seen else None

    def until_healthy(self, name: str) -> Observation:
        return until(lambda: self._healthy(name))

    def until_exited(self, name: str) -> Observation:
        return until(
            lambda: (o := self.see(name)) and (o if o.state is ObservedState.EXITED else None)
        )

    def _healthy(self, name: str) -> Observation | None:
        seen = self.see(name)
        if seen and seen.address and self.driver.probe(seen.address, "/health", 2).ok:
            return seen
        return None

    def clear(self) -> None:
        for name in self.names:
            self.driver.remove(name)


def until(look):
    """Return what `look` returns once it is something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("nothing came in time")


class Contract:
    """The suite; a subclass in a test module gives the fixture `place`."""

    @pytest.fixture(autouse=True)
    def nothing_stays(self, place: Place) -> Iterator[None]:
        yield
        place.clear()
        assert [o for o in place.driver.observe(LABELS) if o.name in place.names] == []

    def test_a_started_instance_runs_with_its_labels_and_answers(self, place):
        place.driver.start(place.spec("ms-1-a"))
        seen = place.until_healthy("ms-1-a")
        assert seen.state is ObservedState.RUNNING
        assert dict(seen.labels).items() >= LABELS.items()
        assert seen.started_at is not None
        assert seen.exit_code is None

    def test_starting_a_name_twice_is_refused_and_harms_nothing(self, place):
        place.driver.start(place.spec("ms-1-a"))
        first = place.until_healthy("ms-1-a")
        with pytest.raises(AlreadyExists):
            place.driver.start(place.spec("ms-1-a"))
        assert place.until_healthy("ms-1-a").address == first.address

    def test_a_stopped_instance_is_exited_and_a_second_stop_is_harmless(self, place):
        place.driver.start(place.spec("ms-1-a"))
        address = place.until_healthy("ms-1-a").address
        place.driver.stop("ms-1-a", grace=5)
        place.driver.stop("ms-1-a", grace=5)
        seen = place.see("ms-1-a")
        assert seen is not None
        assert seen.state is ObservedState.EXITED
        assert not place.driver.probe(address, "/health", 1).ok

    def test_a_removed_instance_is_gone_and_its_name_is_free(self, place):
        place.driver.start(place.spec("ms-1-a"))
        place.driver.remove("ms-1-a")
        place.driver.remove("ms-1-a")
        assert place.see("ms-1-a") is None
        place.driver.start(place.spec("ms-1-a"))
        assert place.until_healthy("ms-1-a")

    def test_an_unknown_name_is_refused(self, place):
        with pytest.raises(NoSuchInstance):
            place.driver.stop("ms-none", grace=1)
        with pytest.raises(NoSuchInstance):
            list(place.driver.logs("ms-none"))
        with pytest.raises(NoSuchInstance):
            place.driver.usage("ms-none")

    def test_the_exit_code_is_kept(self, place):
        command, env = place.exit_with(7)
        place.driver.start(place.spec("ms-1-a", command, env))
        seen = place.until_exited("ms-1-a")
        assert seen.exit_code == 7
        assert seen.finished_at is not None
        assert not seen.oom_killed

    def test_only_what_carries_all_labels_is_observed(self, place):
        place.driver.start(place.spec("ms-1-a"))
        assert place.driver.observe({**LABELS, "slipway.service": "ms-2"}) == []

    def test_another_object_sees_and_stops_what_the_first_started(self, place):
        place.driver.start(place.spec("ms-1-a"))
        place.until_healthy("ms-1-a")
        other = place.again()
        assert [o.state for o in other.observe(LABELS)] == [ObservedState.RUNNING]
        other.stop("ms-1-a", grace=5)
        assert place.until_exited("ms-1-a")

    def test_what_it_printed_can_be_read_with_times(self, place):
        place.driver.start(place.spec("ms-1-a"))
        seen = place.until_healthy("ms-1-a")
        lines = until(lambda: list(place.driver.logs("ms-1-a")))
        assert "start" in lines[0].text
        assert abs((lines[0].at - seen.started_at).total_seconds()) < 10
        assert list(place.driver.logs("ms-1-a", until=seen.started_at.replace(year=2000))) == []
        assert list(place.driver.logs("ms-1-a", tail=1)) == lines[-1:]

    def test_a_sample_says_what_it_takes(self, place):
        place.driver.start(place.spec("ms-1-a"))
        place.until_healthy("ms-1-a")
        usage = place.driver.usage("ms-1-a")
        assert usage.memory_bytes > 0
        assert usage.cpu_seconds >= 0
