"""States of services, versions and instances: one table with label, colour and ModelArts name.

An instance's life; the reconciler alone moves it, but for the first and the last step:

    deploy, scale, start                                          stop, scale in, delete
          │                                                                │
          ▼          image and model there          probe passes           ▼
       PENDING ──► PREPARING ──► STARTING ───────────────► READY ───► STOPPING ──► (row removed)
          ▲                         │  ▲                     │ ▲
          │                         │  │ next attempt is due │ │ probe passes again
          │                         ▼  │                     ▼ │
          └── revision changed   BACKING_OFF ◄── exited ── UNHEALTHY
                                    │
                                    ▼ too many exits, or a permanent error
                                  FAILED
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class InstanceState(StrEnum):
    """Where one running copy is in its life."""

    PENDING = "pending"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    BACKING_OFF = "backing_off"
    STOPPING = "stopping"
    FAILED = "failed"


# The driver holds a process or container for it, so it takes CPU and memory, and CU.
CONSUMING = frozenset(
    {
        InstanceState.STARTING,
        InstanceState.READY,
        InstanceState.UNHEALTHY,
        InstanceState.STOPPING,
    }
)


class Desired(StrEnum):
    """What the owner asked for."""

    RUNNING = "running"
    STOPPED = "stopped"
    DELETED = "deleted"


class Status(StrEnum):
    """What a person is told about a service or a version; derived, never asked for."""

    DRAFT = "draft"
    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    UPDATING = "updating"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True)
class Look:
    """How a status is shown: word, Tabler colour, ModelArts' word, and whether it may change."""

    label: str
    colour: str
    modelarts: str
    final: bool


LOOKS: dict[Status, Look] = {
    Status.DRAFT: Look("Draft", "secondary", "stopped", final=True),
    Status.PENDING: Look("Pending", "orange", "waiting", final=False),
    Status.STARTING: Look("Starting", "azure", "deploying", final=False),
    Status.RUNNING: Look("Running", "green", "running", final=True),
    Status.UPDATING: Look("Updating", "azure", "deploying", final=False),
    Status.DEGRADED: Look("Degraded", "yellow", "concerning", final=False),
    Status.STOPPING: Look("Stopping", "azure", "stopping", final=False),
    Status.STOPPED: Look("Stopped", "secondary", "stopped", final=True),
    Status.FAILED: Look("Failed", "red", "failed", final=True),
    Status.DELETING: Look("Deleting", "azure", "deleting", final=False),
}

# Worst first: the order of the home page.
TROUBLE = (
    Status.FAILED,
    Status.DEGRADED,
    Status.PENDING,
    Status.UPDATING,
    Status.STARTING,
    Status.STOPPING,
    Status.DELETING,
    Status.RUNNING,
    Status.STOPPED,
    Status.DRAFT,
)


@dataclass(frozen=True)
class InstanceFacts:
    """The part of an instance that its version's status is derived from."""

    state: InstanceState
    current: bool  # runs the version's newest revision
    reason: str = ""


def version_status(
    desired: Desired, wanted: int, instances: Sequence[InstanceFacts]
) -> tuple[Status, str]:
    """Derive a version's status and its reason from what is wanted and what there is."""
    if desired is Desired.DELETED:
        return Status.DELETING, ""
    if desired is Desired.STOPPED:
        return (Status.STOPPING, "") if instances else (Status.STOPPED, "")
    return _running_status(wanted, instances)


def _running_status(wanted: int, instances: Sequence[InstanceFacts]) -> tuple[Status, str]:
    ready = sum(i.state is InstanceState.READY for i in instances)
    failed = [i for i in instances if i.state is InstanceState.FAILED]
    outdated = sum(not i.current or i.state is InstanceState.STOPPING for i in instances)
    if ready == wanted and not outdated:
        return Status.RUNNING, ""
    if failed and not ready:
        return Status.FAILED, failed[0].reason
    if outdated:
        return Status.UPDATING, f"{wanted - outdated if wanted > outdated else 0} of {wanted} done"
    troubled = [
        i
        for i in instances
        if i.state in {InstanceState.FAILED, InstanceState.BACKING_OFF, InstanceState.UNHEALTHY}
    ]
    if ready or troubled:
        return _partly_ready(wanted, ready, troubled)
    waiting = [i for i in instances if i.state is InstanceState.PENDING]
    if waiting and len(waiting) == len(instances):
        return Status.PENDING, waiting[0].reason
    busy = [i.reason for i in instances if i.reason]
    return Status.STARTING, busy[0] if busy else ""


def _partly_ready(wanted: int, ready: int, troubled: Sequence[InstanceFacts]) -> tuple[Status, str]:
    counted = f"{ready} of {wanted} instances ready"
    if not troubled:
        return Status.STARTING, counted
    if not ready:
        return Status.STARTING, troubled[0].reason
    return Status.DEGRADED, f"{counted}: {troubled[0].reason}" if troubled[0].reason else counted
