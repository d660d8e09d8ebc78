from datetime import UTC, datetime, timedelta

import pytest

from services.drivers.base import (
    DriverError,
    DriverUnavailable,
    ObservedState,
    Progress,
    RuntimeImage,
)
from services.drivers.fake import FakeDriver, Script
from tests.services.drivers.contract import LABELS, Contract, Place


class TestContract(Contract):
    @pytest.fixture
    def place(self):
        driver = FakeDriver()
        ends = {"FAKE_EXIT_AFTER": "0"}
        return Place(
            driver,
            lambda: driver,
            "fake/x",
            ("serve",),
            lambda code: (("serve",), {**ends, "FAKE_EXIT_CODE": str(code)}),
        )


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def place(clock):
    driver = FakeDriver(clock)
    return Place(driver, lambda: driver, "fake/x", (), lambda code: ((), {}))


def test_readiness_comes_when_the_script_says(place, clock):
    place.driver.start(place.spec("a", env={"FAKE_READY_AFTER": "10"}))
    address = place.see("a").address
    assert not place.driver.probe(address, "/health", 1).ok
    clock.now += timedelta(seconds=10)
    assert place.driver.probe(address, "/health", 1).ok


def test_an_instance_runs_out_of_memory_at_its_time(place, clock):
    env = {"FAKE_EXIT_AFTER": "5", "FAKE_EXIT_CODE": "137", "FAKE_OOM": "1"}
    place.driver.start(place.spec("a", env=env))
    assert place.see("a").state is ObservedState.RUNNING
    clock.now += timedelta(seconds=6)
    seen = place.see("a")
    assert (seen.state, seen.exit_code, seen.oom_killed) == (ObservedState.EXITED, 137, True)
    assert seen.finished_at == clock.now - timedelta(seconds=1)


def test_an_instance_vanishes(place, clock):
    place.driver.start(place.spec("a", env={"FAKE_VANISH_AFTER": "5"}))
    clock.now += timedelta(seconds=5)
    assert place.driver.observe(LABELS) == []


def test_it_lies_about_labels_numbers_and_life(place):
    place.driver.start(place.spec("a"))
    place.driver.script("a", Script(labels={"x": "y"}, duplicates=1, unreachable=True))
    assert place.driver.observe(LABELS) == []
    seen = place.driver.observe({"x": "y"})
    assert len(seen) == 2
    assert not place.driver.probe(seen[0].address, "/health", 1).ok


def test_pulls_fail_as_often_as_told(place):
    place.driver.pull_failures = [DriverError("no network")]
    steps: list[Progress] = []
    with pytest.raises(DriverError, match="no network"):
        place.driver.ensure_image(RuntimeImage("x", reference="x"), steps.append)
    assert place.driver.ensure_image(RuntimeImage("x", reference="x"), steps.append) == "fake/x"
    assert [step.done for step in steps] == [1, 2, 1, 2]


def test_an_engine_that_is_down_refuses_everything(place):
    place.driver.unavailable = "the engine sleeps"
    with pytest.raises(DriverUnavailable, match="sleeps"):
        place.driver.observe(LABELS)
    with pytest.raises(DriverUnavailable):
        place.driver.start(place.spec("a"))
    place.driver.reset()
    assert place.driver.observe(LABELS) == []
