"""Celery's way in: thin wrappers that carry ids and decide when to come back."""

from celery import shared_task
from django.utils import timezone

from services import regions
from services.enqueue import RECONCILE, send
from services.models import Region, Version
from services.reconcile import prepare as preparing
from services.reconcile.reconcile import reconcile as reconcile_version
from services.reconcile.sweep import sweep as sweep_region

SWEEP_EXPIRES_SECONDS = 5


@shared_task
def reconcile(version_id: str, due: str = "") -> None:
    """Bring one version to what is wanted, and come back when that takes longer.

    `due` marks a look that this task arranged itself. A newer look replaces it, so that each
    version has one chain of messages, however many people and timers ask.
    """
    versions = Version.objects.filter(pk=version_id)
    if due and not versions.filter(next_look_at=due).exists():
        return
    result = reconcile_version(version_id, clock=timezone.now)
    wait = result.again_after
    if wait is None:
        versions.update(next_look_at=None)
    elif result.busy:
        send(RECONCILE, version_id, delay=wait.total_seconds())
    else:
        look = timezone.now() + wait
        versions.update(next_look_at=look)
        send(RECONCILE, version_id, look.isoformat(), delay=wait.total_seconds())


@shared_task
def prepare(artifact_id: int) -> None:
    """Get an image or a model's files into a region."""
    preparing.prepare(artifact_id, clock=timezone.now)


@shared_task
def sweep() -> None:
    """Look at every region; each one is a message of its own, so that a dead one delays none."""
    for pk in Region.objects.filter(enabled=True).values_list("pk", flat=True):
        # The next sweep sends another; what waited for so long is worth nothing.
        sweep_one.apply_async((pk,), expires=SWEEP_EXPIRES_SECONDS)


@shared_task
def sweep_one(region_id: int) -> None:
    """Sweep one region."""
    sweep_region(Region.objects.get(pk=region_id), now=timezone.now())


@shared_task
def refresh_nodes() -> None:
    """Ask every region's driver for its nodes and the hub for a sign of life."""
    for region in Region.objects.filter(enabled=True):
        regions.refresh_nodes(region, now=timezone.now())
        regions.refresh_hub(region)
