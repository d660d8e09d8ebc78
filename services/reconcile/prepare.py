"""Getting an image or a model's files into a region, with progress on its row.

A lock of the database session keeps two workers from doing the same; it ends with a killed worker,
so that the next request for the artifact simply starts over (downloads resume).
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from services import locks
from services.catalog.prepare import prepare_model
from services.catalog.sources.base import SourceError
from services.drivers.base import DriverError, PermanentFailure, Progress
from services.enqueue import RECONCILE, send
from services.models import Artifact, Event, Version
from services.operations.events import record_event
from services.reconcile.needs import keys
from services.reconcile.specs import runtime_image
from services.regions import driver_for
from services.states import Desired

REPORT_EVERY_SECONDS = 0.4
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
MOST_DOUBLINGS = 16


def prepare(artifact_id: int, *, clock: Callable[[], datetime]) -> None:
    """Build, pull or fetch one artifact unless it is there or under way; it may take hours."""
    with locks.advisory(f"artifact:{artifact_id}") as held:
        if not held:
            return
        artifact = Artifact.objects.select_related("region").filter(pk=artifact_id).first()
        if artifact is None or artifact.state == Artifact.State.READY:
            return
        waiting = versions_waiting(artifact)
        if not waiting:
            return
        _attempt(artifact, waiting, clock)
    for version in versions_waiting(artifact):
        send(RECONCILE, version.pk)


def versions_waiting(artifact: Artifact) -> list[Version]:
    """Return the versions that want to run and need this artifact."""
    running = Version.objects.filter(
        service__region=artifact.region, desired=Desired.RUNNING
    ).select_related("entry", "service")
    return [v for v in running if (artifact.kind, artifact.key) in keys(v)]


def _attempt(artifact: Artifact, waiting: list[Version], clock: Callable[[], datetime]) -> None:
    artifact.state = Artifact.State.PREPARING
    artifact.attempts += 1
    artifact.save(update_fields=["state", "attempts", "updated_at"])
    reporter = Reporter(artifact, waiting, clock)
    try:
        artifact.location = _obtain(artifact, waiting[0], reporter)
    except (DriverError, SourceError) as error:
        _note_failure(artifact, waiting, error, clock())
        return
    artifact.state, artifact.error, artifact.permanent = Artifact.State.READY, "", False
    artifact.step, artifact.attempts = "", 0
    artifact.save()
    _tell(waiting, "Prepared", f"{artifact.kind} {artifact.key} is there", clock())


def _obtain(artifact: Artifact, version: Version, reporter: "Reporter") -> str:
    if artifact.kind == Artifact.Kind.IMAGE:
        return driver_for(artifact.region).ensure_image(runtime_image(version.entry), reporter)
    return str(prepare_model(version.entry, reporter))


def _note_failure(
    artifact: Artifact, waiting: list[Version], error: DriverError | SourceError, now: datetime
) -> None:
    permanent = isinstance(error, PermanentFailure) or getattr(error, "permanent", False)
    doublings = min(artifact.attempts - 1, MOST_DOUBLINGS)
    wait = min(FIRST_WAIT * 2**doublings, LONGEST_WAIT)
    artifact.state = Artifact.State.FAILED
    artifact.error = str(error)[:400]
    artifact.permanent = permanent
    artifact.next_attempt_at = None if permanent else now + wait
    artifact.save()
    _tell(waiting, "PrepareFailed", artifact.error, now, Event.Level.WARNING)


def _tell(
    versions: list[Version],
    reason: str,
    message: str,
    now: datetime,
    level: Event.Level = Event.Level.NORMAL,
) -> None:
    for version in versions:
        with transaction.atomic():
            # It may have been deleted during a long download.
            service = locks.lock_service(version.service_id)
            if service is not None:
                record_event(service, reason, message, now=now, level=level, about=version)


class Reporter:
    """Writes progress to the artifact's row now and then, and each new step as an event."""

    def __init__(
        self, artifact: Artifact, waiting: list[Version], clock: Callable[[], datetime]
    ) -> None:
        self.artifact = artifact
        self.waiting = waiting
        self.clock = clock
        self.written = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Take one report; cheap to call often."""
        artifact = self.artifact
        new_step = progress.step != artifact.step
        artifact.step = progress.step[:200]
        artifact.done, artifact.total = progress.done, progress.total
        moment = time.monotonic()
        if not new_step and moment - self.written < REPORT_EVERY_SECONDS:
            return
        self.written = moment
        artifact.save(update_fields=["step", "done", "total", "updated_at"])
        if new_step:
            _tell(self.waiting, "Preparing", artifact.step, self.clock())
