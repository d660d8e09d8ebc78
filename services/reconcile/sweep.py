"""The timer's pass over a whole region: what drifted is reconciled, what is nobody's is removed.

One look at the driver for all instances, one query for all rows; only versions that need it get a
message, so that a region at rest costs nearly nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services import locks
from services.drivers.base import Driver, DriverError, NoSuchInstance, Observation, ObservedState
from services.enqueue import RECONCILE, send
from services.models import Instance, Region, Version
from services.reconcile.reconcile import probe_all, version_lock
from services.reconcile.specs import region_labels
from services.regions import driver_for
from services.states import Desired, InstanceState

logger = logging.getLogger(__name__)

# A stray younger than this may be one whose row is about to be committed.
STRAY_GRACE = timedelta(seconds=60)
STRAY_STOP_SECONDS = 10
# A look this late was lost with its worker or its broker.
OVERDUE = timedelta(seconds=3)
# The longest that a look is put off while there is something to do.
NEAR = timedelta(seconds=6)


@dataclass(frozen=True)
class Swept:
    """What a sweep found."""

    versions: tuple[str, ...]
    strays: tuple[str, ...]


def sweep(region: Region, *, now: datetime) -> Swept:
    """Enqueue every version of a region that is not as wanted, and remove strays.

    The first driver error about a stray is raised after the others are gone.
    """
    driver = driver_for(region)
    seen = {o.name: o for o in driver.observe(region_labels(region))}
    rows = list(Instance.objects.filter(version__service__region=region).select_related("version"))
    due = _drifted(driver, rows, seen, now) | _empty_versions(region)
    due -= _already_arranged(due, now)
    due -= _being_looked_at(due)
    strays = _strays(seen.values(), {row.name for row in rows}, now)
    for version_id in due:
        send(RECONCILE, version_id)
    errors = [error for name in strays if (error := _remove_stray(driver, name)) is not None]
    if errors:
        raise errors[0]
    return Swept(tuple(sorted(due)), tuple(strays))


def _drifted(
    driver: Driver, rows: Iterable[Instance], seen: dict[str, Observation], now: datetime
) -> set[str]:
    due: set[str] = set()
    healthy: dict[str, list[tuple[Observation, str]]] = defaultdict(list)
    for row in rows:
        observation = seen.get(row.name)
        if not _settled(row, observation, now):
            due.add(row.version_id)
        elif observation is not None:
            healthy[row.version_id].append((observation, row.version.health_path))
    targets = [t for version, found in healthy.items() if version not in due for t in found]
    version_of = {o.name: version for version, found in healthy.items() for o, _ in found}
    for name, sight in probe_all(driver, targets).items():
        if not sight.probe_ok:
            due.add(version_of[name])
    return due


def _settled(row: Instance, seen: Observation | None, now: datetime) -> bool:
    """Say whether a row and what the driver shows of it agree, and there is nothing to do yet."""
    if not row.wanted or row.revision != row.version.revision:
        return False
    if row.version.desired != Desired.RUNNING:
        return False
    if row.state == InstanceState.FAILED:
        return seen is None
    if row.state == InstanceState.BACKING_OFF:
        return seen is None and row.next_attempt_at is not None and row.next_attempt_at > now
    return (
        row.state == InstanceState.READY
        and seen is not None
        and seen.state is ObservedState.RUNNING
        and seen.address == row.address
        and not row.failed_probes
        and not row.crash_count
    )


def _empty_versions(region: Region) -> set[str]:
    """Return versions whose last instance went while their worker was killed."""
    return set(
        Version.objects.filter(
            service__region=region, desired=Desired.DELETED, instances__isnull=True
        ).values_list("pk", flat=True)
    )


def _already_arranged(due: set[str], now: datetime) -> set[str]:
    """Return the versions whose next look is near and not overdue.

    A far one is the end of a long back-off; what drifted meanwhile does not wait for it.
    """
    near = (now - OVERDUE, now + NEAR)
    return set(
        Version.objects.filter(pk__in=due, next_look_at__range=near).values_list("pk", flat=True)
    )


def _being_looked_at(due: set[str]) -> set[str]:
    """Return the versions that a worker has now, such as one that waits for a slow stop.

    A message for each sweep meanwhile would only pile up; the next sweep looks again.
    """
    names = {version_lock(version_id): version_id for version_id in due}
    return {names[name] for name in locks.held(names)} if due else set()


def _strays(seen: Iterable[Observation], known: set[str], now: datetime) -> list[str]:
    return [
        o.name
        for o in seen
        if o.name not in known and (o.started_at is None or now - o.started_at > STRAY_GRACE)
    ]


def _remove_stray(driver: Driver, name: str) -> DriverError | None:
    logger.warning("removing %s, which belongs to no service", name)
    try:
        driver.stop(name, grace=STRAY_STOP_SECONDS)
        driver.remove(name)
    except NoSuchInstance:
        return None
    except DriverError as error:
        return error
    return None
