"""After a restart of the machine or of Slipway: what ended with it starts again, uncounted.

Run before workers look. An instance that is gone, or that ended while nobody watched, did not
crash: it goes back to pending, and the next look starts it. The ledger closes at the moment the
driver knows, else at the last sign of life of the region, so that nobody pays for a night in which
the machine was off.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services import locks
from services.drivers.base import Driver, Observation, ObservedState
from services.models import Instance, Region
from services.operations.events import record_event
from services.operations.instances import move
from services.reconcile.reconcile import version_lock
from services.reconcile.specs import region_labels
from services.regions import driver_for
from services.states import CONSUMING, InstanceState


@dataclass(frozen=True)
class Recovered:
    """What was found: instances that still run, and those put back to pending."""

    running: int
    restarted: int


def recover(region: Region, *, now: datetime) -> Recovered:
    """Put a region's ended instances back to pending; raise DriverError when it does not answer."""
    driver = driver_for(region)
    seen = {o.name: o for o in driver.observe(region_labels(region))}
    rows = _instances(region)
    ended = [row for row in rows if not _runs(seen.get(row.name))]
    restarted = sum(
        _put_back(driver, row, seen.get(row.name), region.checked_at, now) for row in ended
    )
    return Recovered(running=len(rows) - len(ended), restarted=restarted)


def _instances(region: Region) -> list[Instance]:
    rows: Iterable[Instance] = Instance.objects.filter(
        version__service__region=region, state__in=CONSUMING
    ).select_related("version__service")
    return list(rows)


def _runs(seen: Observation | None) -> bool:
    return seen is not None and seen.state is ObservedState.RUNNING


def _put_back(
    driver: Driver,
    row: Instance,
    seen: Observation | None,
    last_sign: datetime | None,
    now: datetime,
) -> bool:
    with locks.advisory(version_lock(row.version_id)) as held:
        if not held:
            # A worker has it already and will see the same.
            return False
        if seen is not None:
            driver.remove(row.name)
        ended = (seen.finished_at if seen else None) or last_sign or now
        put_back = move(
            row,
            InstanceState.PENDING,
            now=now,
            at=min(ended, now),
            reason="starts again after a restart of Slipway",
            address="",
            failed_probes=0,
        )
        if put_back and row.wanted:
            record_event(
                row.version.service,
                "Recovered",
                "had ended while Slipway was not running; starts again",
                now=now,
                about=row,
            )
        return put_back
