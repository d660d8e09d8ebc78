"""A region of the fake driver with a clock that tests move, and workers that they play."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts.access import Actor
from services.drivers.fake import FakeDriver, fake_driver
from services.enqueue import PREPARE, RECONCILE
from services.models import Instance, Service, Version
from services.reconcile import execute, prepare
from services.reconcile.reconcile import Result, look_once
from services.states import Status
from tests.factories import NOW, Place, deploy_service, make_entry, make_place

MOST_LOOKS = 2000


@dataclass
class Queue:
    """Takes the place of Celery: keeps what was sent."""

    messages: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def send_task(self, name: str, args: tuple[Any, ...], **_: Any) -> None:
        self.messages.append((name, args))

    def take(self, name: str) -> list[Any]:
        """Return and forget the first argument of each message of this name."""
        taken = [args[0] for sent, args in self.messages if sent == name]
        self.messages = [m for m in self.messages if m[0] != name]
        return taken


@dataclass
class Stage:
    """The place, the driver, the queue and the time."""

    actor: Actor
    place: Place
    driver: FakeDriver
    queue: Queue
    now: datetime = NOW

    def clock(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def deploy(self, name: str = "demo", **fields: Any) -> Service:
        return deploy_service(self.actor, self.place, name, now=self.now, **fields)

    def look(self, version: Version) -> Result:
        """Do one pass, and what it asks of the worker that prepares."""
        result = look_once(version.pk, self.clock)
        for artifact_id in self.queue.take(PREPARE):
            prepare.prepare(artifact_id, clock=self.clock)
        return result

    def settle(self, service: Service, *, most_seconds: float = 7200) -> Status:
        """Look as often as the reconciler wants to, with the time going on, until it rests."""
        end = self.now + timedelta(seconds=most_seconds)
        versions = list(service.versions.all())
        for _ in range(MOST_LOOKS):
            waits = [r.again_after for r in map(self.look, versions) if r.again_after is not None]
            if not waits or self.now >= end:
                break
            self.now += min(waits)
        return self.status(service)

    def status(self, service: Service) -> Status:
        found = Service.objects.filter(pk=service.pk).first()
        return Status(found.status) if found else Status.DRAFT

    def instances(self, service: Service) -> list[Instance]:
        return list(
            Instance.objects.filter(version__service=service)
            .select_related("version__service")
            .order_by("ordinal")
        )

    def running(self) -> set[str]:
        """Return the names of all that the driver runs."""
        return {o.name for o in self.driver.observe({}) if o.state == "running"}

    def reconciles(self) -> list[str]:
        """Return the versions that somebody asked to have reconciled."""
        return self.queue.take(RECONCILE)


@contextmanager
def set_stage(
    actor: Actor, settings: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """Create the rows, and put the queue, the clock and the model's folder in place."""
    (folder / "tiny").mkdir()
    settings.MODEL_ROOTS = [folder]
    settings.MODEL_DIR = folder / "prepared"
    make_entry(source=str(folder / "tiny"))
    place = make_place(actor.workspace)
    driver = fake_driver(place.region.code)
    driver.reset()
    stage = Stage(actor, place, driver, Queue())
    monkeypatch.setattr("services.enqueue.current_app", stage.queue)
    monkeypatch.setattr(execute, "DRAIN_SECONDS", 0)
    monkeypatch.setattr(driver, "clock", stage.clock)
    yield stage
    driver.reset()
