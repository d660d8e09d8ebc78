"""How long the reconciler needs for 1,000 services with 5,000 instances, on the fake driver.

All are started by as many workers as `make run` has; then the region is swept at rest, smaller and
larger, and with instances that died. `python -m benchmarks.sweep 250` measures fewer services.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import ground

# isort: split

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.figures import median, table
from benchmarks.world import World
from deploy.local.stack import CONTROL_THREADS
from services.drivers.fake import fake_driver
from services.models import Artifact, Instance, Region, Version
from services.reconcile.needs import needed
from services.reconcile.reconcile import reconcile
from services.reconcile.sweep import Swept, sweep
from services.states import InstanceState

SERVICES, INSTANCES = 1_000, 5
DEAD = 50
ROUNDS = 5


class Queue:
    """Takes the place of Celery: keeps the versions that a sweep asked for."""

    def __init__(self) -> None:
        self.versions: list[str] = []

    def send_task(self, _name: str, args: tuple[Any, ...], **_: Any) -> None:
        """Keep the first argument of a message."""
        self.versions.append(args[0])


@contextmanager
def own_queue() -> Iterator[Queue]:
    """Put a queue in Celery's place."""
    queue = Queue()
    with patch("services.enqueue.current_app", queue):
        yield queue


def make_ready_to_start(world: World, folder: Path) -> None:
    """Say that the image and the model are in the region, as after a first deployment."""
    version = Version.objects.select_related("service__region", "entry").filter(
        service__workspace=world.workspace
    )[0]
    needed(version)
    Artifact.objects.filter(region=world.region).update(
        state=Artifact.State.READY, location=str(folder)
    )


def reconcile_all(versions: list[str]) -> float:
    """Have workers reconcile versions side by side; return the seconds it took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(CONTROL_THREADS) as workers:
        for result in workers.map(lambda pk: reconcile(pk, clock=timezone.now), versions):
            if result.busy:
                raise AssertionError("Two workers had the same version.")
    return time.perf_counter() - began


def swept(region: Region) -> tuple[float, Swept]:
    """Return the seconds of one sweep and what it found."""
    began = time.perf_counter()
    found = sweep(region, now=timezone.now())
    return time.perf_counter() - began, found


def at_rest(region: Region) -> float:
    """Return the median of several sweeps that find nothing."""
    times = []
    for _ in range(ROUNDS):
        seconds, found = swept(region)
        if found.versions or found.strays:
            raise AssertionError(f"The region is not at rest: {found}")
        times.append(seconds)
    return median(times)


def queries_of(action: Callable[[], object]) -> int:
    """Return how many queries an action takes."""
    with CaptureQueriesContext(connection) as queries:
        action()
    return len(queries)


def grow(world: World, folder: Path, services: int) -> float:
    """Add services until there are this many and start them all; return the seconds it took."""
    world.fill(services - Version.objects.count(), INSTANCES, keys=0)
    make_ready_to_start(world, folder)
    pending = Instance.objects.filter(state=InstanceState.PENDING).values_list("version", flat=True)
    seconds = reconcile_all(sorted(set(pending)))
    if Instance.objects.exclude(state=InstanceState.READY).exists():
        raise AssertionError("Not every instance is ready.")
    return seconds


def with_deaths(world: World, queue: Queue) -> tuple[float, float]:
    """Let instances die; return the seconds of the sweep that finds them and of their mending."""
    driver = fake_driver(world.region.code)
    victims = Instance.objects.filter(ordinal=0).select_related("version")[:DEAD]
    for victim in victims:
        driver.remove(victim.name)
    seconds, found = swept(world.region)
    if len(found.versions) != len(victims) or set(queue.versions) != set(found.versions):
        raise AssertionError(f"{len(found.versions)} found of {len(victims)} that died.")
    return seconds, reconcile_all(list(found.versions))


def measure(world: World, folder: Path, services: int, queue: Queue) -> list[tuple[object, ...]]:
    """Return the rows of the table."""
    rows: list[tuple[object, ...]] = []
    started, before = 0.0, 0
    for size in (services // 4, services // 2, services):
        seconds = grow(world, folder, size)
        started += seconds
        per_service = seconds / (size - before)
        before = size
        rest = at_rest(world.region)
        queries = queries_of(lambda: swept(world.region))
        rows.append((f"start up to {size:,}", f"{seconds:.2f}", f"{per_service * 1e3:.1f}", "-"))
        rows.append((f"sweep {size:,} at rest", f"{rest:.3f}", f"{rest / size * 1e3:.2f}", queries))
    rows.append(("start, together", f"{started:.2f}", f"{started / services * 1e3:.1f}", "-"))
    found, mended = with_deaths(world, queue)
    rows.append((f"sweep with {DEAD} dead", f"{found:.3f}", f"{found / services * 1e3:.2f}", "-"))
    rows.append(
        (f"mend the {DEAD}, with waits", f"{mended:.2f}", f"{mended / DEAD * 1e3:.1f}", "-")
    )
    return rows


def main() -> None:
    """Fill a database, measure, print."""
    services = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    ground.prepare()
    world = World("bench", timezone.now())
    with own_queue() as queue, tempfile.TemporaryDirectory() as folder:
        rows = measure(world, Path(folder), services, queue)
    print(f"{services:,} services, {services * INSTANCES:,} instances, {CONTROL_THREADS} workers")
    print(table(("what", "s", "ms a service", "queries"), rows))


if __name__ == "__main__":
    main()
