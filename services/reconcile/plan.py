"""What to do next for one version: a pure function of what is wanted, what there is, and the time.

`plan` is called again and again; each call returns the actions that are right now, and when to look
again. It keeps no memory: what must be remembered is in the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.drivers.base import Observation, ObservedState
from services.states import InstanceState

FIRST_BACK_OFF = timedelta(seconds=2)
LONGEST_BACK_OFF = timedelta(minutes=5)
# More would not change the result, only overflow.
MOST_DOUBLINGS = 16
MOST_CRASHES = 5
# A spell this long without an exit means that the earlier exits are history.
STABLE_AFTER = timedelta(minutes=2)
# A container reports the end by signal n as exit code 128 + n.
SHELL_SIGNAL_BASE = 128
RESTART_AFTER_PROBES = 12
SOON = timedelta(seconds=0.25)
# An outdated instance serves until another one's successor is ready, which takes seconds at least.
FOR_ITS_TURN = timedelta(seconds=1)
WHILE_PREPARING = timedelta(seconds=1)
WHILE_STARTING = timedelta(seconds=2)
WHILE_UNHEALTHY = timedelta(seconds=5)


class ArtifactStage(StrEnum):
    """Whether the image and the model that a version needs are there."""

    READY = "ready"
    UNDER_WAY = "under_way"
    FAILED = "failed"


@dataclass(frozen=True)
class VersionView:
    """The part of a version that the plan depends on."""

    running: bool
    revision: int
    start_timeout: timedelta
    artifacts: ArtifactStage
    artifact_reason: str = ""


@dataclass(frozen=True)
class InstanceView:
    """The part of an instance's row that the plan depends on."""

    id: str
    name: str
    revision: int
    wanted: bool
    state: InstanceState
    crash_count: int = 0
    next_attempt_at: datetime | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    failed_probes: int = 0
    address: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Sight:
    """What the driver shows of an instance, and what the probe said if it was asked."""

    observation: Observation
    probe_ok: bool | None = None
    probe_detail: str = ""


class Verb(StrEnum):
    """What the executor can do to one instance."""

    AWAIT_ARTIFACTS = "await_artifacts"
    START = "start"
    ADOPT = "adopt"
    MARK_READY = "mark_ready"
    MARK_STABLE = "mark_stable"
    COUNT_FAILED_PROBE = "count_failed_probe"
    RECORD_EXIT = "record_exit"
    GIVE_UP = "give_up"
    KILL = "kill"
    REPLACE = "replace"
    RETIRE = "retire"
    CLEAN = "clean"


@dataclass(frozen=True)
class Action:
    """One step for one instance; `reason` is for people."""

    verb: Verb
    instance: InstanceView
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """The steps for now, and when to look again; None: nothing more to wait for."""

    actions: tuple[Action, ...]
    again_after: timedelta | None


Step = tuple[Action | None, timedelta | None]


def plan(
    version: VersionView,
    instances: Sequence[InstanceView],
    sights: Mapping[str, Sight],
    now: datetime,
) -> Plan:
    """Decide the next step of each instance; `sights` is keyed by the instance's name."""
    may_replace = _replaceable(version, instances)
    steps = [
        _step(version, instance, sights.get(instance.name), now, instance.id in may_replace)
        for instance in instances
    ]
    delays = [delay for _, delay in steps if delay is not None]
    return Plan(
        actions=tuple(action for action, _ in steps if action is not None),
        again_after=min(delays) if delays else None,
    )


def back_off(crashes: int) -> timedelta:
    """Return how long to wait after the n-th exit in a row: 2 s, doubling, at most 5 min."""
    doublings = min(max(crashes - 1, 0), MOST_DOUBLINGS)
    return min(FIRST_BACK_OFF * 2**doublings, LONGEST_BACK_OFF)


def _replaceable(version: VersionView, instances: Sequence[InstanceView]) -> set[str]:
    """Return the outdated instances that may go now: at once those that do not serve, then one."""
    wanted = [i for i in instances if i.wanted]
    outdated = [i for i in wanted if i.revision != version.revision]
    idle = {i.id for i in outdated if i.state is not InstanceState.READY}
    others_missing = any(i.state not in {InstanceState.READY, InstanceState.FAILED} for i in wanted)
    serving = [i.id for i in outdated if i.state is InstanceState.READY]
    return idle | set(serving[:1] if not others_missing else [])


def _step(
    version: VersionView,
    instance: InstanceView,
    sight: Sight | None,
    now: datetime,
    may_replace: bool,
) -> Step:
    if not instance.wanted or not version.running:
        return Action(Verb.RETIRE, instance), SOON
    if instance.revision != version.revision:
        return (Action(Verb.REPLACE, instance), SOON) if may_replace else (None, FOR_ITS_TURN)
    if instance.state is InstanceState.FAILED:
        return (Action(Verb.CLEAN, instance), None) if sight else (None, None)
    if sight is None:
        return _absent(version, instance, now)
    if sight.observation.labels.get("slipway.instance") != instance.id:
        return Action(Verb.CLEAN, instance, "left by an earlier instance of the same name"), SOON
    if sight.observation.state is ObservedState.EXITED:
        return _exited(instance, sight.observation)
    return _running(version, instance, sight, now)


def _absent(version: VersionView, instance: InstanceView, now: datetime) -> Step:
    if instance.state in {InstanceState.STARTING, InstanceState.READY, InstanceState.UNHEALTHY}:
        return _after_exit(instance, "vanished: the driver does not know it any more"), SOON
    if instance.state is InstanceState.BACKING_OFF and instance.next_attempt_at:
        wait = instance.next_attempt_at - now
        if wait > timedelta(0):
            return None, wait
    if version.artifacts is ArtifactStage.FAILED:
        return Action(Verb.GIVE_UP, instance, version.artifact_reason), None
    if version.artifacts is ArtifactStage.UNDER_WAY:
        return Action(Verb.AWAIT_ARTIFACTS, instance, version.artifact_reason), WHILE_PREPARING
    return Action(Verb.START, instance), SOON


def _exited(instance: InstanceView, seen: Observation) -> Step:
    if instance.state in {InstanceState.STARTING, InstanceState.READY, InstanceState.UNHEALTHY}:
        return _after_exit(instance, exit_reason(seen)), SOON
    return Action(Verb.CLEAN, instance, "what an ended attempt left"), SOON


def _after_exit(instance: InstanceView, reason: str) -> Action:
    crashes = instance.crash_count + 1
    if crashes >= MOST_CRASHES:
        return Action(Verb.GIVE_UP, instance, f"exited {crashes} times: {reason}")
    return Action(Verb.RECORD_EXIT, instance, reason)


def _running(version: VersionView, instance: InstanceView, sight: Sight, now: datetime) -> Step:
    if instance.state not in {
        InstanceState.STARTING,
        InstanceState.READY,
        InstanceState.UNHEALTHY,
    }:
        return Action(Verb.ADOPT, instance), SOON
    if sight.probe_ok:
        return _healthy(instance, sight, now)
    if instance.state is InstanceState.STARTING:
        return _still_starting(version, instance, sight, now)
    if instance.failed_probes + 1 >= RESTART_AFTER_PROBES:
        return _kill(instance, f"failed {RESTART_AFTER_PROBES} health probes in a row"), SOON
    return Action(Verb.COUNT_FAILED_PROBE, instance, _probe_problem(sight)), WHILE_UNHEALTHY


def _healthy(instance: InstanceView, sight: Sight, now: datetime) -> Step:
    moved = sight.observation.address != instance.address
    if instance.state is not InstanceState.READY or moved or instance.failed_probes:
        return Action(Verb.MARK_READY, instance), None
    if instance.crash_count and instance.ready_at:
        left = instance.ready_at + STABLE_AFTER - now
        if left <= timedelta(0):
            return Action(Verb.MARK_STABLE, instance), None
    return None, None


def _still_starting(
    version: VersionView, instance: InstanceView, sight: Sight, now: datetime
) -> Step:
    started = instance.started_at or now
    if now - started < version.start_timeout:
        # Who takes minutes to start is not noticed late by a share of that.
        return None, min(max(SOON, (now - started) / 20), WHILE_STARTING)
    seconds = int(version.start_timeout.total_seconds())
    reason = f"not healthy within {seconds} s ({_probe_problem(sight)})"
    return _kill(instance, reason), SOON


def _probe_problem(sight: Sight) -> str:
    if not sight.observation.address:
        return "the driver shows no address for it"
    return sight.probe_detail or "no answer"


def _kill(instance: InstanceView, reason: str) -> Action:
    after = _after_exit(instance, reason)
    if after.verb is Verb.GIVE_UP:
        return after
    return Action(Verb.KILL, instance, reason)


def exit_reason(seen: Observation) -> str:
    """Say in words how an instance ended."""
    if seen.oom_killed:
        return "out of memory: it needed more than its specification gives"
    if seen.error:
        return seen.error
    code = seen.exit_code
    if code is None:
        return "ended without an exit code"
    if code < 0 or code > SHELL_SIGNAL_BASE:
        return f"killed by signal {-code if code < 0 else code - SHELL_SIGNAL_BASE}"
    return f"exited with code {code}"
