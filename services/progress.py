"""How far a starting service is, as steps with times; a pure function of its rows.

A service starts in four steps: the image, the model's files, the start, the health check. The
slowest wanted instance counts, so that the last step is done only when every one answers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.models import Artifact, Event, Instance
from services.states import InstanceState


class StepState(StrEnum):
    """Where a step is."""

    WAITING = "waiting"
    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """One step: `percent` is None when unknown, the times are when it began and ended."""

    label: str
    state: StepState
    detail: str = ""
    percent: int | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long it took, once both ends are known."""
        if self.began_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.began_at).total_seconds())


STARTED = frozenset({InstanceState.STARTING, InstanceState.READY, InstanceState.UNHEALTHY})
LABELS = {Artifact.Kind.IMAGE: "Image", Artifact.Kind.MODEL: "Model files"}


def steps(
    artifacts: Iterable[Artifact],
    instances: Sequence[Instance],
    events: Iterable[Event],
    asked_at: datetime,
) -> list[Step]:
    """Return the steps of a start that was asked for at `asked_at`."""
    since = [event for event in events if event.last_at >= asked_at]
    prepared = [_artifact(artifact, since, asked_at) for artifact in artifacts]
    wanted = [instance for instance in instances if instance.wanted]
    found = [*prepared, _start(wanted, since), _health(wanted)]
    return _in_order(found)


def _artifact(artifact: Artifact, events: Sequence[Event], asked_at: datetime) -> Step:
    label = LABELS[Artifact.Kind(artifact.kind)]
    if artifact.state == Artifact.State.READY:
        fetched = [e for e in events if e.reason == "Prepared" and artifact.key in e.message]
        if not fetched:
            return Step(label, StepState.DONE, "was there already")
        return Step(label, StepState.DONE, "", 100, asked_at, fetched[0].last_at)
    if artifact.state == Artifact.State.FAILED:
        state = StepState.FAILED if artifact.permanent else StepState.ACTIVE
        again = "" if artifact.permanent else "; trying again"
        return Step(label, state, f"{artifact.error}{again}", began_at=asked_at)
    percent = min(100, artifact.done * 100 // artifact.total) if artifact.total else None
    return Step(label, StepState.ACTIVE, artifact.step or "waiting for a worker", percent, asked_at)


def _start(instances: Sequence[Instance], events: Sequence[Event]) -> Step:
    begun = [i.started_at for i in instances if i.state in STARTED and i.started_at]
    first = min((e.first_at for e in events if e.reason == "Started"), default=None)
    failed = [i for i in instances if i.state == InstanceState.FAILED]
    if failed:
        return Step("Start", StepState.FAILED, failed[0].reason)
    backing_off = [i for i in instances if i.state == InstanceState.BACKING_OFF]
    if backing_off:
        return Step("Start", StepState.ACTIVE, backing_off[0].reason, began_at=first)
    if instances and len(begun) == len(instances):
        return Step("Start", StepState.DONE, "", began_at=first, ended_at=max(begun))
    pending = next((i.reason for i in instances if i.state == InstanceState.PENDING), "")
    detail = pending or f"{len(begun)} of {len(instances)} instances started"
    return Step("Start", StepState.ACTIVE, detail, _share(len(begun), instances))


def _health(instances: Sequence[Instance]) -> Step:
    ready = [i for i in instances if i.state == InstanceState.READY]
    began = min((i.started_at for i in instances if i.started_at), default=None)
    if instances and len(ready) == len(instances):
        ended = max((i.ready_at for i in ready if i.ready_at), default=None)
        return Step("Health check", StepState.DONE, "", began_at=began, ended_at=ended)
    detail = f"{len(ready)} of {len(instances)} instances answer"
    share = _share(len(ready), instances)
    return Step("Health check", StepState.ACTIVE, detail, share, began_at=began)


def _share(done: int, instances: Sequence[Instance]) -> int | None:
    return done * 100 // len(instances) if done else None


def _in_order(found: Sequence[Step]) -> list[Step]:
    """Let a step wait while one that it needs is not done; image and files go side by side."""
    blocked = False
    result: list[Step] = []
    for position, step in enumerate(found):
        waits = blocked and position >= len(found) - 2 and step.state is not StepState.FAILED
        result.append(Step(step.label, StepState.WAITING) if waits else step)
        blocked = blocked or step.state is not StepState.DONE
    return result
