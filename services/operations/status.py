"""Deriving and storing the status of versions and of their service."""

from datetime import datetime

from services.locks import lock_service
from services.models import Event, Instance, Service, Version
from services.operations.events import record_event
from services.signals import service_changed
from services.states import (
    LOOKS,
    TROUBLE,
    Desired,
    InstanceFacts,
    InstanceState,
    Status,
    version_status,
)

LEVELS = {
    Status.FAILED: Event.Level.ERROR,
    Status.DEGRADED: Event.Level.WARNING,
}
MESSAGES = {
    Status.RUNNING: "every instance answers",
    Status.STOPPED: "no instance runs any more",
}


def refresh_status(service_id: str, *, now: datetime) -> None:
    """Derive the status of a service and its versions anew; call it inside the transaction."""
    service = lock_service(service_id)
    if service is None:
        return
    found = [_refresh_version(version) for version in service.versions.all()]
    status, reason = _service_status(service, found)
    if (service.status, service.status_reason) != (status, reason):
        changed = service.status != status
        service.status, service.status_reason = status, reason
        service.save(update_fields=["status", "status_reason", "updated_at"])
        if changed and status in {Status.RUNNING, Status.FAILED, Status.DEGRADED, Status.STOPPED}:
            message = reason or MESSAGES.get(status, LOOKS[status].label)
            record_event(
                service,
                f"Service{LOOKS[status].label}",
                message,
                now=now,
                level=LEVELS.get(status, Event.Level.NORMAL),
            )
    service_changed.send(sender=Service, service_id=service_id)


def _refresh_version(version: Version) -> tuple[Status, str]:
    instances = Instance.objects.filter(version=version)
    if version.desired == Desired.RUNNING:
        # Those on their way out say nothing about what is wanted.
        instances = instances.filter(wanted=True)
    facts = [
        InstanceFacts(
            InstanceState(instance.state), instance.revision == version.revision, instance.reason
        )
        for instance in instances
    ]
    status, reason = version_status(Desired(version.desired), version.instance_count, facts)
    reason = reason[:400]
    if (version.status, version.status_reason) != (status, reason):
        version.status, version.status_reason = status, reason
        version.save(update_fields=["status", "status_reason", "updated_at"])
    return status, reason


def _service_status(service: Service, versions: list[tuple[Status, str]]) -> tuple[Status, str]:
    if service.desired == Desired.DELETED:
        return Status.DELETING, ""
    if not versions:
        return Status.DRAFT, ""
    if service.desired == Desired.STOPPED:
        stopping = any(status is Status.STOPPING for status, _ in versions)
        return (Status.STOPPING if stopping else Status.STOPPED), ""
    active = [v for v in versions if v[0] not in {Status.STOPPED, Status.DRAFT}]
    return min(active or versions, key=lambda found: TROUBLE.index(found[0]))
