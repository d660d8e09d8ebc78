"""Deploying: one call, one transaction, from a confirmed plan to pending instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts import audit
from accounts.access import Actor
from accounts.models import Role
from runtimes.registry import runtime
from services.admission import AdmissionRequest, admit
from services.capacity import check_capacity
from services.catalog.fit import Fit
from services.enqueue import reconcile_on_commit
from services.limits import check_limit, limit_value
from services.locks import lock_group, lock_workspace
from services.models import (
    CatalogEntry,
    Event,
    Limit,
    Region,
    ResourceGroup,
    Service,
    Specification,
    Version,
)
from services.operations import checks
from services.operations.events import record_event
from services.operations.instances import add_instances
from services.operations.keys import create_key
from services.operations.status import refresh_status
from services.queries import fit_of
from services.reconcile.artifacts import forget_failures
from services.states import Desired, Status

# Pay-as-you-go groups: 500 CU, 2,000 after the first deployment in them (DataWorks, Limits).
FIRST_CU_LIMIT = Decimal(500)
RAISED_CU_LIMIT = Decimal(2000)


@dataclass(frozen=True)
class DeploymentPlan:
    """What a person confirmed in the wizard, or sent to the API."""

    region: Region
    entry: CatalogEntry
    group: ResourceGroup
    specification: Specification
    name: str
    instances: int = 1
    description: str = ""
    version_name: str = "v1"
    environment: Mapping[str, str] = field(default_factory=dict)
    health_path: str = ""
    response_timeout: int = 300
    grace_period: int = 30
    auth_enabled: bool = True


def deploy(actor: Actor, plan: DeploymentPlan, *, now: datetime) -> Service:
    """Create a service with its first version, instances and built-in key; all or nothing.

    Raises InvalidInput, LimitReached, NotAllowed or what an admission check raises.
    """
    actor.require(Role.DEVELOPER, "deploy a service")
    with transaction.atomic():
        lock_workspace(actor.workspace.pk)
        group = lock_group(plan.group.pk)
        _check(actor, plan, group)
        service = _create_service(actor, plan, group, now)
        version = _create_version(actor, plan, service, now)
        forget_failures(version)
        add_instances(version, plan.instances, now=now)
        create_key(actor, service, name="built-in", built_in=True, now=now)
        _raise_first_limit(group, now)
        _write_down(actor, service, version, now)
        reconcile_on_commit(version.pk)
    service.refresh_from_db()
    return service


def check_plan(actor: Actor, plan: DeploymentPlan) -> None:
    """Raise what `deploy` would raise now, and change nothing; for a form's review."""
    actor.require(Role.DEVELOPER, "deploy a service")
    _check(actor, plan, plan.group)


def _check(actor: Actor, plan: DeploymentPlan, group: ResourceGroup) -> None:
    problems = checks.Problems()
    checks.check_service_name(problems, plan.name, actor.workspace, plan.region)
    checks.check_name(problems, plan.version_name, field="version_name")
    checks.check_text(problems, "description", plan.description, 200)
    checks.check_environment(problems, plan.environment)
    if plan.health_path:
        checks.check_health_path(problems, plan.health_path)
    checks.check_whole(problems, "response_timeout", plan.response_timeout, 1, 3600, "seconds")
    checks.check_whole(problems, "grace_period", plan.grace_period, 0, 3600, "seconds")
    most = limit_value(Limit.Code.INSTANCES_PER_SERVICE, workspace=actor.workspace)
    checks.check_whole(problems, "instances", plan.instances, 1, most)
    _check_place(problems, actor, plan, group)
    problems.raise_any()
    _check_limits(actor, plan, group)


def _check_place(
    problems: checks.Problems, actor: Actor, plan: DeploymentPlan, group: ResourceGroup
) -> None:
    problems.check(
        "region",
        ok=plan.region.enabled,
        message=f"Region {plan.region.code} takes no new services; choose another region.",
    )
    attached = group.workspaces.filter(pk=actor.workspace.pk).exists()
    problems.check(
        "group", ok=attached, message="This resource group is not attached to the workspace."
    )
    if group.region_id != plan.region.pk:
        problems.add(
            "group",
            f"{group.name} is in region {group.region.code}, the service would be in "
            f"{plan.region.code}; choose a group of {plan.region.code}.",
        )
    problems.check(
        "model", ok=plan.entry.enabled, message="This model cannot be deployed any more."
    )
    problems.check(
        "specification",
        ok=plan.specification.enabled,
        message="This specification is not offered any more.",
    )
    fit: Fit = fit_of(plan.entry, plan.region, plan.specification)
    problems.check("specification", ok=fit.ok, message=fit.reason)


def _check_limits(actor: Actor, plan: DeploymentPlan, group: ResourceGroup) -> None:
    here = Service.objects.filter(workspace=actor.workspace, region=plan.region).count()
    check_limit(Limit.Code.SERVICES_PER_WORKSPACE, here + 1, workspace=actor.workspace)
    check_limit(Limit.Code.SERVICES_PER_GROUP, group.services.count() + 1, group=group)
    request = AdmissionRequest(actor, group, plan.entry, plan.specification, plan.instances)
    check_capacity(group, request.cu)
    admit(request)


def _create_service(
    actor: Actor, plan: DeploymentPlan, group: ResourceGroup, now: datetime
) -> Service:
    return Service.objects.create(
        workspace=actor.workspace,
        region=plan.region,
        group=group,
        name=plan.name,
        description=plan.description,
        service_type=plan.entry.service_type,
        auth_enabled=plan.auth_enabled,
        response_timeout=plan.response_timeout,
        desired=Desired.RUNNING,
        status=Status.PENDING,
        created_by=actor.user,
        created_at=now,
    )


def _create_version(actor: Actor, plan: DeploymentPlan, service: Service, now: datetime) -> Version:
    chosen = runtime(plan.entry.runtime)
    return Version.objects.create(
        service=service,
        name=plan.version_name,
        entry=plan.entry,
        specification=plan.specification,
        instance_count=plan.instances,
        environment=dict(plan.environment),
        health_path=plan.health_path or chosen.health_path,
        start_timeout=chosen.start_timeout,
        grace_period=plan.grace_period,
        desired=Desired.RUNNING,
        status=Status.PENDING,
        created_by=actor.user,
        created_at=now,
    )


def _raise_first_limit(group: ResourceGroup, now: datetime) -> None:
    if group.first_deployed_at is not None:
        return
    group.first_deployed_at = now
    if group.kind == ResourceGroup.Kind.PAY_AS_YOU_GO and group.cu_limit == FIRST_CU_LIMIT:
        group.cu_limit = RAISED_CU_LIMIT
    group.save(update_fields=["first_deployed_at", "cu_limit"])


def _write_down(actor: Actor, service: Service, version: Version, now: datetime) -> None:
    specification = version.specification
    record_event(
        service,
        "Deployed",
        f"{actor.name} deployed {version.entry.name}: {version.instance_count} × "
        f"{specification.code}",
        now=now,
        level=Event.Level.NORMAL,
        about=version,
    )
    audit.record(
        actor,
        "service.deploy",
        service,
        model=version.entry.slug,
        specification=specification.code,
        instances=version.instance_count,
    )
    refresh_status(service.pk, now=now)
