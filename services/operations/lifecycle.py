"""Start, stop, delete: they change what is desired; the reconciler makes it so."""

from datetime import datetime

from django.db import transaction

from accounts import audit
from accounts.access import Actor
from accounts.errors import Conflict, InvalidInput
from accounts.models import Role
from services.admission import AdmissionRequest, admit
from services.capacity import check_capacity
from services.enqueue import reconcile_on_commit
from services.locks import lock_group, lock_living, lock_service
from services.models import Instance, ResourceGroup, Service, Version
from services.operations.events import record_event
from services.operations.instances import add_instances, retry_failed
from services.operations.status import refresh_status
from services.reconcile.artifacts import forget_failures
from services.signals import service_changed
from services.states import Desired


def start_service(actor: Actor, service: Service, *, now: datetime) -> None:
    """Start a stopped service, or try a failed one again; a running one is left alone.

    Raises LimitReached when the group has too little CU left; a service that is still stopping
    holds the CU of its old instances meanwhile. Conflict while it is being deleted.
    """
    actor.require(Role.DEVELOPER, "start a service")
    with transaction.atomic():
        group = lock_group(service.group_id)
        service = lock_living(service.pk)
        begun = [
            _begin(actor, group, service, version, now)
            for version in service.versions.select_related("entry", "specification")
        ]
        if not any(begun):
            return
        _set_desired(service, Desired.RUNNING)
        _write_down(actor, "start", "Started", service, now)


def stop_service(actor: Actor, service: Service, *, now: datetime) -> None:
    """Stop a service: its instances end gracefully and give up their CU."""
    actor.require(Role.DEVELOPER, "stop a service")
    with transaction.atomic():
        service = lock_living(service.pk)
        if service.desired == Desired.STOPPED:
            return
        _unwant_all(service, Desired.STOPPED)
        _set_desired(service, Desired.STOPPED)
        _write_down(actor, "stop", "Stopped", service, now)


def delete_service(
    actor: Actor, service: Service, *, confirmation: str, even_if_running: bool, now: datetime
) -> None:
    """Delete a service and all it owns, for good.

    `confirmation` must be its name; raises InvalidInput otherwise, and Conflict for a service that
    runs unless `even_if_running`.
    """
    actor.require(Role.DEVELOPER, "delete a service")
    if confirmation != service.name:
        raise InvalidInput({"confirmation": f"Type {service.name} to confirm."})
    with transaction.atomic():
        service = lock_living(service.pk)
        if service.desired == Desired.RUNNING and not even_if_running:
            raise Conflict(
                f"{service.name} is running. Stop it first, or confirm that it may be deleted "
                "while it answers requests.",
                code="service_running",
            )
        _unwant_all(service, Desired.DELETED)
        _set_desired(service, Desired.DELETED)
        _write_down(actor, "delete", "Deleted", service, now)


def remove_if_gone(service_id: str) -> bool:
    """Remove the rows of a deleted service once no instance of it is left."""
    with transaction.atomic():
        service = lock_service(service_id)
        if service is None or service.desired != Desired.DELETED:
            return False
        if Instance.objects.filter(version__service=service).exists():
            return False
        service.delete()
        service_changed.send(sender=Service, service_id=service_id)
    return True


def _begin(
    actor: Actor, group: ResourceGroup, service: Service, version: Version, now: datetime
) -> bool:
    """Have a version run or tried again; return False when it is neither stopped nor failed."""
    stopped = version.desired == Desired.STOPPED
    if not retry_failed(version) and not stopped:
        return False
    forget_failures(version)
    if stopped:
        missing = version.instance_count - version.instances.filter(wanted=True).count()
        request = AdmissionRequest(
            actor, group, version.entry, version.specification, missing, service
        )
        check_capacity(group, request.cu)
        admit(request)
        _want_running(version, missing, now)
    reconcile_on_commit(version.pk)
    return True


def _want_running(version: Version, missing: int, now: datetime) -> None:
    version.desired = Desired.RUNNING
    version.save(update_fields=["desired", "updated_at"])
    add_instances(version, missing, now=now)


def _unwant_all(service: Service, desired: Desired) -> None:
    Instance.objects.filter(version__service=service).update(wanted=False)
    for version in service.versions.all():
        version.desired = desired
        version.save(update_fields=["desired", "updated_at"])
        reconcile_on_commit(version.pk)


def _set_desired(service: Service, desired: Desired) -> None:
    service.desired = desired
    service.save(update_fields=["desired", "updated_at"])


def _write_down(actor: Actor, what: str, reason: str, service: Service, now: datetime) -> None:
    past = {"start": "started", "stop": "stopped", "delete": "deleted"}[what]
    record_event(service, reason, f"{actor.name} {past} the service", now=now)
    audit.record(actor, f"service.{what}", service)
    refresh_status(service.pk, now=now)
