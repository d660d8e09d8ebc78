"""Modifying a running service: what changes, whether it restarts, and doing it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts import audit
from accounts.access import Actor
from accounts.models import Role
from services.admission import AdmissionRequest, admit
from services.capacity import check_capacity
from services.enqueue import reconcile_on_commit
from services.limits import limit_value
from services.locks import lock_group, lock_living, lock_workspace
from services.models import Limit, ResourceGroup, Service, Specification, Version
from services.operations import checks
from services.operations.events import record_event
from services.operations.instances import add_instances, unwant
from services.operations.status import refresh_status
from services.queries import fit_of
from services.states import Desired


@dataclass(frozen=True)
class Modification:
    """What the whole form holds; a field equal to the present value changes nothing."""

    name: str
    description: str
    specification: Specification
    instances: int
    environment: Mapping[str, str]
    response_timeout: int
    grace_period: int


@dataclass(frozen=True)
class Consequence:
    """What a modification would do, said before it is confirmed."""

    changed: tuple[str, ...]
    restarts: bool
    cu_before: Decimal
    cu_after: Decimal

    @property
    def cu_more(self) -> Decimal:
        """Return the CU that must be free for it; negative when it frees some."""
        return self.cu_after - self.cu_before


# These reach an instance only when it starts; all others act at once.
RESTARTING = frozenset({"specification", "environment"})


def consequence(service: Service, version: Version, wanted: Modification) -> Consequence:
    """Work out what a modification changes; pure but for the rows given."""
    pairs = {
        "name": (service.name, wanted.name),
        "description": (service.description, wanted.description),
        "specification": (version.specification_id, wanted.specification.pk),
        "instances": (version.instance_count, wanted.instances),
        "environment": (dict(version.environment), dict(wanted.environment)),
        "response_timeout": (service.response_timeout, wanted.response_timeout),
        "grace_period": (version.grace_period, wanted.grace_period),
    }
    changed = tuple(name for name, (before, after) in pairs.items() if before != after)
    running = version.desired == Desired.RUNNING
    return Consequence(
        changed=changed,
        restarts=running and bool(RESTARTING & set(changed)),
        cu_before=version.specification.cu * version.instance_count,
        cu_after=wanted.specification.cu * wanted.instances,
    )


def changed(service: Service, **fields: Any) -> Modification:
    """Return the service as it is but for some fields of a modification."""
    version = service.versions.all()[0]
    present = Modification(
        name=service.name,
        description=service.description,
        specification=version.specification,
        instances=version.instance_count,
        environment=dict(version.environment),
        response_timeout=service.response_timeout,
        grace_period=version.grace_period,
    )
    return replace(present, **fields)


def modify_service(
    actor: Actor, service: Service, wanted: Modification, *, now: datetime
) -> Consequence:
    """Change a service and its version; raise InvalidInput or LimitReached and change nothing."""
    actor.require(Role.DEVELOPER, "modify a service")
    with transaction.atomic():
        # Names are unique in the workspace: nobody else may take this one meanwhile.
        lock_workspace(service.workspace_id)
        group = lock_group(service.group_id)
        found = lock_living(service.pk)
        version = found.versions.select_related("entry", "specification").get()
        done = consequence(found, version, wanted)
        _check(actor, found, version, wanted)
        if not done.changed:
            return done
        _check_room(actor, group, found, version, wanted)
        _apply(found, version, wanted, done, now)
        _write_down(actor, found, version, done, now)
    return done


def _check(actor: Actor, service: Service, version: Version, wanted: Modification) -> None:
    problems = checks.Problems()
    if wanted.name != service.name:
        checks.check_service_name(
            problems, wanted.name, service.workspace, service.region, but=service.pk
        )
    checks.check_text(problems, "description", wanted.description, 200)
    checks.check_environment(problems, wanted.environment)
    most = limit_value(Limit.Code.INSTANCES_PER_SERVICE, workspace=actor.workspace)
    checks.check_whole(problems, "instances", wanted.instances, 1, most)
    checks.check_whole(problems, "response_timeout", wanted.response_timeout, 1, 3600, "seconds")
    checks.check_whole(problems, "grace_period", wanted.grace_period, 0, 3600, "seconds")
    if wanted.specification.pk != version.specification_id:
        fit = fit_of(version.entry, service.region, wanted.specification)
        problems.check(
            "specification",
            ok=fit.ok and wanted.specification.enabled,
            message=fit.reason or "This specification is not offered any more.",
        )
    problems.raise_any()


def _check_room(
    actor: Actor,
    group: ResourceGroup,
    service: Service,
    version: Version,
    wanted: Modification,
) -> None:
    if version.desired != Desired.RUNNING:
        return
    more = max(wanted.instances - version.instance_count, 0)
    needed = _cu_needed(version, wanted.specification.cu, more)
    if needed <= 0:
        return
    check_capacity(group, needed)
    admit(AdmissionRequest(actor, group, version.entry, wanted.specification, more, service))


def _cu_needed(version: Version, cu: Decimal, more: int) -> Decimal:
    """Return the CU that instances will hold beyond what they hold; they give up none at once."""
    held = version.instances.filter(wanted=True).values_list("cu", flat=True)
    growth = sum((max(cu - now, Decimal(0)) for now in held), Decimal(0))
    return growth + cu * more


def _apply(
    service: Service, version: Version, wanted: Modification, done: Consequence, now: datetime
) -> None:
    service.name = wanted.name
    service.description = wanted.description
    service.response_timeout = wanted.response_timeout
    service.save(update_fields=["name", "description", "response_timeout", "updated_at"])
    before = version.instance_count
    version.specification = wanted.specification
    version.instance_count = wanted.instances
    version.environment = dict(wanted.environment)
    version.grace_period = wanted.grace_period
    if RESTARTING & set(done.changed):
        version.revision += 1
    version.save(
        update_fields=[
            "specification",
            "instance_count",
            "environment",
            "grace_period",
            "revision",
            "updated_at",
        ]
    )
    if version.desired == Desired.RUNNING:
        # More CU are held from now on, fewer only from the restart (`instances.renew`): the
        # group can never be oversold.
        smaller = version.instances.filter(wanted=True, cu__lt=wanted.specification.cu)
        smaller.update(cu=wanted.specification.cu)
        _scale(version, wanted.instances - before, now)
        reconcile_on_commit(version.pk)


def _scale(version: Version, more: int, now: datetime) -> None:
    if more > 0:
        add_instances(version, more, now=now)
    elif more < 0:
        unwant(version, -more)


def _write_down(
    actor: Actor, service: Service, version: Version, done: Consequence, now: datetime
) -> None:
    what = ", ".join(field.replace("_", " ") for field in done.changed)
    record_event(service, "Modified", f"{actor.name} changed {what}", now=now, about=version)
    audit.record(actor, "service.modify", service, changed=list(done.changed))
    refresh_status(service.pk, now=now)
