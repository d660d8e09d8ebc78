"""The image and the model's files that a version needs, as rows that workers fill in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db.models import Q

from services.enqueue import PREPARE, send
from services.models import Artifact, Version
from services.reconcile.needs import keys, needed
from services.reconcile.plan import ArtifactStage

ASK_AGAIN_AFTER = timedelta(seconds=15)


@dataclass(frozen=True)
class Stage:
    """How far a version's artifacts are, with a sentence for people."""

    stage: ArtifactStage
    reason: str = ""


def stage_of(version: Version, now: datetime) -> Stage:
    """Say how far the artifacts are, and have a worker prepare what nobody prepares yet."""
    artifacts = needed(version)
    for artifact in artifacts:
        _recheck(artifact)
        _ask_worker(artifact, now)
    failed = [a for a in artifacts if a.state == Artifact.State.FAILED and a.permanent]
    if failed:
        return Stage(ArtifactStage.FAILED, failed[0].error)
    waiting = [a for a in artifacts if a.state != Artifact.State.READY]
    if waiting:
        return Stage(ArtifactStage.UNDER_WAY, describe(waiting[0]))
    return Stage(ArtifactStage.READY)


def forget_failures(version: Version) -> None:
    """Have what could not be had tried anew: whoever asks may have mended the cause."""
    for kind, key in keys(version):
        Artifact.objects.filter(
            region=version.service.region, kind=kind, key=key, state=Artifact.State.FAILED
        ).update(
            state=Artifact.State.WANTED,
            permanent=False,
            attempts=0,
            next_attempt_at=None,
            asked_at=None,
        )


def describe(artifact: Artifact) -> str:
    """Say in a few words how far an artifact is."""
    if artifact.state == Artifact.State.FAILED:
        return f"{artifact.error}; trying again"[:400]
    if not artifact.step:
        what = "image" if artifact.kind == Artifact.Kind.IMAGE else "model files"
        return f"waiting for the {what}"
    if not artifact.total:
        return artifact.step
    return f"{artifact.step}: {min(100, artifact.done * 100 // artifact.total)} %"


def _recheck(artifact: Artifact) -> None:
    """Notice that somebody removed a model's files since."""
    if artifact.state != Artifact.State.READY or artifact.kind != Artifact.Kind.MODEL:
        return
    if not Path(artifact.location).exists():
        artifact.state = Artifact.State.WANTED
        artifact.save(update_fields=["state", "updated_at"])


def _ask_worker(artifact: Artifact, now: datetime) -> None:
    """Send one message, and another when the first seems lost; a repeat does no harm."""
    if not _due(artifact, now):
        return
    asked = Artifact.objects.filter(pk=artifact.pk).filter(
        Q(asked_at__isnull=True) | Q(asked_at__lt=now - ASK_AGAIN_AFTER)
    )
    if asked.update(asked_at=now):
        send(PREPARE, artifact.pk)


def _due(artifact: Artifact, now: datetime) -> bool:
    if artifact.state == Artifact.State.READY:
        return False
    if artifact.state == Artifact.State.FAILED:
        return not artifact.permanent and (artifact.next_attempt_at or now) <= now
    return True
