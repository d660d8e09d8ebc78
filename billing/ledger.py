"""The CU ledger follows the instances, inside the same transaction: no crash can part them."""

from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Greatest

from billing.models import CuInterval
from services.models import Instance
from services.states import CONSUMING, InstanceState


def follow(
    instance: Instance, old: InstanceState, new: InstanceState | None, now: datetime, **_: Any
) -> None:
    """Open an interval when an instance begins to take CU, close it when it ends."""
    takes, took = new in CONSUMING, old in CONSUMING
    if takes and not took:
        _open(instance, now)
    elif took and not takes:
        # A clock that was set back, or another worker's, must not keep an instance from ending.
        CuInterval.objects.filter(instance_id=instance.pk, ended_at__isnull=True).update(
            ended_at=Greatest(F("started_at"), Value(now))
        )


def _open(instance: Instance, now: datetime) -> None:
    service = instance.version.service
    CuInterval.objects.create(
        workspace_id=service.workspace_id,
        service_id=service.pk,
        service_name=service.name,
        version_id=instance.version_id,
        instance_id=instance.pk,
        group_id=service.group_id,
        group_kind=service.group.kind,
        region_code=service.region.code,
        cu=instance.cu,
        started_at=now,
    )
