"""Reconciling one version: read everything anew, look, plan, act; again until nothing is due.

`reconcile` is given an id and nothing else. Whatever happened before it, whoever was killed in the
middle of it, the next call converges.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from services import locks
from services.drivers.base import Driver, DriverError, Observation, ObservedState
from services.models import Event, Instance, Version
from services.operations.events import record_event
from services.operations.lifecycle import remove_if_gone
from services.operations.status import refresh_status
from services.reconcile import artifacts
from services.reconcile.execute import Context, execute
from services.reconcile.plan import ArtifactStage, InstanceView, Sight, VersionView, plan
from services.regions import driver_for
from services.states import Desired, InstanceState

logger = logging.getLogger(__name__)

# A worker stays with a version for this long before it makes room for others.
STAY_SECONDS = 20.0
# A shorter wait is slept, a longer one is a new message.
LONGEST_SLEEP = timedelta(seconds=1.5)
PROBE_SECONDS = 2.0
PROBED = frozenset({InstanceState.STARTING, InstanceState.READY, InstanceState.UNHEALTHY})


@dataclass(frozen=True)
class Result:
    """What the caller should do next: nothing, or look again after a while.

    `busy` means that another worker had the version: this look must not be given up.
    """

    again_after: timedelta | None = None
    busy: bool = False


def version_lock(version_id: str) -> str:
    """Return the name of the advisory lock of whoever works on a version."""
    return f"version:{version_id}"


def reconcile(version_id: str, *, clock: Callable[[], datetime]) -> Result:
    """Bring one version to what is wanted; serial for each version."""
    with locks.advisory(version_lock(version_id)) as held:
        if not held:
            return Result(timedelta(seconds=0.5), busy=True)
        leave_at = time.monotonic() + STAY_SECONDS
        while True:
            result = look_once(version_id, clock)
            wait = result.again_after
            if wait is None or wait > LONGEST_SLEEP or time.monotonic() > leave_at:
                return result
            time.sleep(wait.total_seconds())


def look_once(version_id: str, clock: Callable[[], datetime]) -> Result:
    """Do one pass: rows, driver, plan, actions."""
    now = clock()
    version = (
        Version.objects.select_related("service__region", "entry", "specification")
        .filter(pk=version_id)
        .first()
    )
    if version is None:
        return Result()
    rows = list(Instance.objects.filter(version=version).order_by("ordinal"))
    for row in rows:
        row.version = version
    if not rows:
        return _without_instances(version, now)
    try:
        return _pass(version, rows, clock, now)
    except DriverError as error:
        logger.warning("%s in %s: %s", version.pk, version.service.region.code, error)
        record_event(
            version.service,
            "DriverError",
            str(error),
            now=now,
            level=Event.Level.WARNING,
            about=version,
        )
        return Result(timedelta(seconds=5))


def _pass(
    version: Version, rows: list[Instance], clock: Callable[[], datetime], now: datetime
) -> Result:
    driver = driver_for(version.service.region)
    sights = _look(driver, version, rows)
    views = [_instance_view(row) for row in rows]
    plan_ = plan(_version_view(version, now), views, sights, now)
    context = Context(version, driver, {row.pk: row for row in rows}, sights, now, clock)
    execute(context, plan_.actions)
    return Result(plan_.again_after)


def _without_instances(version: Version, now: datetime) -> Result:
    if version.desired == Desired.DELETED:
        remove_if_gone(version.service_id)
    else:
        with transaction.atomic():
            refresh_status(version.service_id, now=now)
    return Result()


def _look(driver: Driver, version: Version, rows: Sequence[Instance]) -> dict[str, Sight]:
    seen = {o.name: o for o in driver.observe({"slipway.version": version.pk})}
    probed = [
        (seen[row.name], version.health_path)
        for row in rows
        if row.name in seen and row.wanted and row.state in PROBED
    ]
    sights = {name: Sight(observation) for name, observation in seen.items()}
    sights.update(probe_all(driver, probed))
    return sights


def probe_all(driver: Driver, targets: Sequence[tuple[Observation, str]]) -> dict[str, Sight]:
    """Ask the health path of every running instance, side by side."""

    def ask(target: tuple[Observation, str]) -> tuple[str, Sight]:
        observation, path = target
        answer = driver.probe(observation.address, path, PROBE_SECONDS)
        return observation.name, Sight(observation, answer.ok, answer.detail)

    running = [t for t in targets if t[0].state is ObservedState.RUNNING and t[0].address]
    if len(running) <= 1:
        return dict(map(ask, running))
    with ThreadPoolExecutor(max_workers=min(16, len(running))) as pool:
        return dict(pool.map(ask, running))


def _version_view(version: Version, now: datetime) -> VersionView:
    running = version.desired == Desired.RUNNING
    # A version that is to stop must not have anything fetched for it.
    stage = (
        artifacts.stage_of(version, now) if running else artifacts.Stage(ArtifactStage.UNDER_WAY)
    )
    return VersionView(
        running=running,
        revision=version.revision,
        start_timeout=timedelta(seconds=version.start_timeout),
        artifacts=stage.stage,
        artifact_reason=stage.reason,
    )


def _instance_view(row: Instance) -> InstanceView:
    return InstanceView(
        id=row.pk,
        name=row.name,
        revision=row.revision,
        wanted=row.wanted,
        state=InstanceState(row.state),
        crash_count=row.crash_count,
        next_attempt_at=row.next_attempt_at,
        started_at=row.started_at,
        ready_at=row.ready_at,
        failed_probes=row.failed_probes,
        address=row.address,
        reason=row.reason,
    )
