"""Moving instances between states: the only code that writes `Instance.state`."""

from datetime import datetime
from typing import Any

from django.db import transaction

from services.locks import lock_service
from services.models import Instance, Version
from services.operations.status import refresh_status
from services.signals import instance_moved
from services.states import InstanceState


def add_instances(version: Version, count: int, *, now: datetime) -> list[Instance]:
    """Create `count` pending instances with the lowest free ordinals; CU is held from here on."""
    taken = set(version.instances.values_list("ordinal", flat=True))
    free = (n for n in range(len(taken) + count) if n not in taken)
    return [
        Instance.objects.create(
            version=version,
            ordinal=ordinal,
            revision=version.revision,
            cu=version.specification.cu,
            created_at=now,
        )
        for ordinal, _ in zip(free, range(count), strict=False)
    ]


def move(
    instance: Instance,
    state: InstanceState,
    *,
    now: datetime,
    at: datetime | None = None,
    reason: str = "",
    **fields: Any,
) -> bool:
    """Change an instance's state; return False when the row changed or went meanwhile.

    `at` is when it really changed, where that is known to be earlier than it was noticed.
    """
    old = InstanceState(instance.state)
    changes = {"state": state, "reason": reason[:400], **fields}
    with transaction.atomic():
        lock_service(instance.version.service_id)
        rows = Instance.objects.filter(pk=instance.pk, state=old)
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            setattr(instance, name, value)
        if old is not state:
            instance_moved.send(
                sender=Instance, instance=instance, old=old, new=state, now=at or now
            )
        refresh_status(instance.version.service_id, now=now)
    return True


def renew(instance: Instance, *, now: datetime) -> bool:
    """Put an instance that was stopped for its new settings back to pending, as they are now.

    A smaller specification gives up its CU here, when the larger process is gone.
    """
    with transaction.atomic():
        lock_service(instance.version.service_id)
        version = Version.objects.select_related("specification").get(pk=instance.version_id)
        return move(
            instance,
            InstanceState.PENDING,
            now=now,
            revision=version.revision,
            cu=version.specification.cu,
            crash_count=0,
            next_attempt_at=None,
            address="",
        )


def release(instance: Instance, *, now: datetime) -> None:
    """Remove the row of an instance that is gone, which frees its CU."""
    with transaction.atomic():
        lock_service(instance.version.service_id)
        states = Instance.objects.filter(pk=instance.pk).values_list("state", flat=True)
        if not states:
            return
        old = InstanceState(states[0])
        Instance.objects.filter(pk=instance.pk).delete()
        instance_moved.send(sender=Instance, instance=instance, old=old, new=None, now=now)
        refresh_status(instance.version.service_id, now=now)


def retry_failed(version: Version) -> bool:
    """Let failed instances try again from the start; return whether there were any."""
    failed = version.instances.filter(wanted=True, state=InstanceState.FAILED)
    return bool(
        failed.update(state=InstanceState.PENDING, reason="", crash_count=0, next_attempt_at=None)
    )


def unwant(version: Version, count: int) -> None:
    """Ask for `count` instances to go, those that serve least first."""
    order = {InstanceState.READY: 2, InstanceState.STARTING: 1}
    wanted = sorted(
        version.instances.filter(wanted=True),
        key=lambda i: (order.get(InstanceState(i.state), 0), -i.ordinal),
    )
    ids = [instance.pk for instance in wanted[:count]]
    Instance.objects.filter(pk__in=ids).update(wanted=False)
