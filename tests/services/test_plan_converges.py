"""Whatever happens to instances, the plan leads back to what is wanted; a property, pure.

`World` is the least there is of an executor and a driver: it does to rows and running copies what
the verbs say, and fails when a verb would break a promise.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.drivers.base import Observation, ObservedState
from services.reconcile.plan import (
    Action,
    ArtifactStage,
    InstanceView,
    Sight,
    Verb,
    VersionView,
    back_off,
    plan,
)
from services.states import InstanceState

COUNT = 3
LONG = 400

# What can befall one instance between two looks.
MISHAPS = ("exit", "vanish", "sick", "well", "row lost", "half started", "unwanted")


@dataclass
class World:
    version: VersionView
    rows: dict[str, InstanceView] = field(default_factory=dict)
    copies: dict[str, Observation] = field(default_factory=dict)
    sick: set[str] = field(default_factory=set)
    now: datetime = datetime(2026, 11, 21, tzinfo=UTC)

    def look(self) -> timedelta | None:
        result = plan(self.version, list(self.rows.values()), self.sights(), self.now)
        for action in result.actions:
            self.carry_out(action)
        self.now += result.again_after or timedelta(seconds=5)
        return result.again_after

    def sights(self) -> dict[str, Sight]:
        return {
            name: Sight(copy, name not in self.sick if copy.address else None)
            for name, copy in self.copies.items()
        }

    def carry_out(self, action: Action) -> None:
        name = action.instance.name
        row = self.rows[name]
        if action.verb is Verb.START:
            assert name not in self.copies, "one name was started twice"
            self.start(row)
            self.put(row, InstanceState.STARTING, started_at=self.now)
        elif action.verb is Verb.ADOPT:
            self.put(row, InstanceState.STARTING, started_at=self.now)
        elif action.verb is Verb.MARK_READY:
            assert name not in self.sick
            address = self.copies[name].address
            self.put(row, InstanceState.READY, ready_at=self.now, failed_probes=0, address=address)
        elif action.verb is Verb.MARK_STABLE:
            self.put(row, row.state, crash_count=0)
        elif action.verb is Verb.COUNT_FAILED_PROBE:
            self.put(row, InstanceState.UNHEALTHY, failed_probes=row.failed_probes + 1)
        elif action.verb is Verb.AWAIT_ARTIFACTS:
            self.put(row, InstanceState.PREPARING)
        else:
            self.end(action, row)

    def end(self, action: Action, row: InstanceView) -> None:
        copy = self.copies.pop(row.name, None)
        healthy = copy is not None and copy.state is ObservedState.RUNNING
        if healthy and row.name not in self.sick and row.state is InstanceState.READY:
            reasons = (
                not row.wanted,
                not self.version.running,
                row.revision != self.version.revision,
            )
            foreign = copy is not None and copy.labels["slipway.instance"] != row.id
            assert any(reasons) or foreign, "a ready instance was ended without a reason"
        self.sick.discard(row.name)
        if action.verb is Verb.RETIRE:
            del self.rows[row.name]
        elif action.verb is Verb.REPLACE:
            revision = self.version.revision
            self.put(row, InstanceState.PENDING, revision=revision, crash_count=0)
        elif action.verb is Verb.GIVE_UP:
            self.put(row, InstanceState.FAILED)
        elif action.verb in {Verb.KILL, Verb.RECORD_EXIT}:
            crashes = row.crash_count + 1
            again = self.now + back_off(crashes)
            self.put(row, InstanceState.BACKING_OFF, crash_count=crashes, next_attempt_at=again)

    def start(self, row: InstanceView) -> None:
        labels = {"slipway.instance": row.id}
        self.copies[row.name] = Observation(
            row.name, labels, ObservedState.RUNNING, address=f"10.0.0.1:{len(self.copies)}"
        )

    def put(self, row: InstanceView, state: InstanceState, **fields) -> None:
        self.rows[row.name] = replace(row, state=state, **fields)

    def befall(self, number: int, mishap: str) -> None:
        name = f"n-{number}"
        row, copy = self.rows.get(name), self.copies.get(name)
        if mishap == "exit" and copy:
            self.copies[name] = replace(copy, state=ObservedState.EXITED, exit_code=1)
        elif mishap == "vanish":
            self.copies.pop(name, None)
        elif mishap == "sick":
            self.sick.add(name)
        elif mishap == "well":
            self.sick.discard(name)
        elif mishap == "row lost" and row:
            # The worker died between the driver's call and the row's change.
            self.put(row, InstanceState.PENDING)
        elif mishap == "half started" and row and not copy:
            self.start(row)
        elif mishap == "unwanted" and row:
            self.rows[name] = replace(row, wanted=False)


def a_world() -> World:
    version = VersionView(
        running=True, revision=1, start_timeout=timedelta(minutes=1), artifacts=ArtifactStage.READY
    )
    rows = {
        f"n-{n}": InstanceView(f"mi-{n}", f"n-{n}", 1, True, InstanceState.PENDING)
        for n in range(COUNT)
    }
    return World(version, rows)


events = st.lists(
    st.tuples(
        st.integers(0, COUNT - 1), st.sampled_from(MISHAPS), st.integers(1, 4), st.booleans()
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(events)
def test_the_plan_converges_whatever_happens(story):
    world = a_world()
    for number, mishap, looks, new_settings in story:
        world.befall(number, mishap)
        if new_settings:
            revision = world.version.revision + 1
            world.version = replace(world.version, revision=revision)
        for _ in range(looks):
            world.look()
    world.sick.clear()
    settle(world)
    assert set(world.copies) == {
        row.name for row in world.rows.values() if row.state is InstanceState.READY
    }
    for row in world.rows.values():
        assert row.wanted
        assert row.state in {InstanceState.READY, InstanceState.FAILED}
        assert row.revision == world.version.revision


@settings(max_examples=60, deadline=None)
@given(events)
def test_a_stop_always_ends_with_nothing(story):
    world = a_world()
    for number, mishap, looks, _ in story:
        world.befall(number, mishap)
        for _ in range(looks):
            world.look()
    world.version = replace(world.version, running=False)
    settle(world)
    assert not world.rows
    assert not world.copies


def settle(world: World) -> None:
    for _ in range(LONG):
        if world.look() is None:
            world.look()
            return
    raise AssertionError("the plan never comes to rest")
