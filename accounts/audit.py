"""The audit trail's only way in; call it inside the transaction that makes the change."""

from typing import Any

from django.db import models

from accounts.access import Actor, Person
from accounts.models import AuditEntry

LONGEST_NAME = 200


def record(actor: Actor | Person, action: str, subject: models.Model, **detail: Any) -> AuditEntry:
    """Write one line: `action` is `service.stop`, `key.reveal`, …; detail must hold no secret."""
    return AuditEntry.objects.create(
        actor=actor.user,
        actor_name=actor.name,
        workspace=actor.workspace,
        action=action,
        object_type=action.partition(".")[0],
        object_id=str(subject.pk),
        object_name=_name(subject)[:LONGEST_NAME],
        detail=detail,
        request_id=actor.request_id,
        address=actor.address,
    )


def _name(subject: models.Model) -> str:
    return str(getattr(subject, "name", "") or getattr(subject, "username", "") or subject.pk)
