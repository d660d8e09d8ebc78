"""Reads that join rows: what pages, the API and operations ask; never a driver."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Min, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.access import Actor
from accounts.errors import NotFound
from runtimes.registry import runtime
from services.capacity import Balance, balances
from services.catalog.fit import Fit, fit
from services.drivers.base import Node as DriverNode
from services.models import (
    CatalogEntry,
    Event,
    Instance,
    Node,
    Region,
    ResourceGroup,
    Service,
    Specification,
    Version,
)
from services.states import Desired, InstanceState

SORTS: Mapping[str, str] = {
    "name": "name",
    "status": "status",
    "model": "model_name",
    "cu": "cu",
    "created": "created_at",
}


@dataclass(frozen=True)
class ServiceFilter:
    """What a person typed above the list; empty means all."""

    text: str = ""
    status: str = ""
    service_type: str = ""
    group: str = ""
    sort: str = "-created"


def get_service(actor: Actor, service_id: str) -> Service:
    """Return a service of the actor's workspace; raise NotFound for any other."""
    service = (
        Service.objects.select_related("region", "group", "created_by", "workspace")
        .prefetch_related(
            Prefetch(
                "versions", queryset=Version.objects.select_related("entry", "specification")
            )
        )
        .filter(pk=service_id, workspace=actor.workspace)
        .first()
    )
    if service is None:
        raise NotFound("There is no such service in this workspace.")
    return service


def service_list(actor: Actor, region: Region, wanted: ServiceFilter) -> QuerySet[Service]:
    """Return the services of a workspace and region with `cu`, `running_versions` and `all_versions`.

    Each row's `versions` come with entry and specification in one more query.
    """
    rows = Service.objects.filter(workspace=actor.workspace, region=region)
    if wanted.text:
        rows = rows.filter(
            Q(name__icontains=wanted.text)
            | Q(pk__icontains=wanted.text)
            | Q(versions__entry__name__icontains=wanted.text)
        )
    for field, value in (
        ("status", wanted.status),
        ("service_type", wanted.service_type),
        ("group", wanted.group),
    ):
        if value:
            rows = rows.filter(**{field: value})
    running = Q(versions__desired=Desired.RUNNING)
    return (
        rows.select_related("group", "region", "created_by")
        .annotate(
            all_versions=Count("versions", distinct=True),
            running_versions=Count("versions", filter=running, distinct=True),
            model_name=Min("versions__entry__name"),
            cu=Coalesce(Subquery(_cu_of_service()), Decimal(0)),
        )
        .prefetch_related(
            Prefetch(
                "versions", queryset=Version.objects.select_related("entry", "specification")
            )
        )
        .order_by(_order(wanted.sort), "pk")
    )


def _cu_of_service() -> QuerySet[Instance, dict[str, Decimal]]:
    held = Instance.objects.filter(version__service=OuterRef("pk")).order_by()
    return held.values("version__service").annotate(total=Sum("cu")).values("total")


def _order(sort: str) -> str:
    field = SORTS.get(sort.removeprefix("-"), "created_at")
    return f"-{field}" if sort.startswith("-") else field


def groups_of(actor: Actor, region: Region) -> list[tuple[ResourceGroup, Balance]]:
    """Return the region's groups that the workspace may deploy into, with their balances."""
    groups = list(ResourceGroup.objects.filter(region=region, workspaces=actor.workspace))
    by_id = balances(groups)
    return [(group, by_id[group.pk]) for group in groups]


def nodes_of(region: Region) -> list[DriverNode]:
    """Return the region's nodes as they were last described."""
    return [
        DriverNode(
            name=node.name,
            vcpu=node.vcpu,
            memory_mib=node.memory_mib,
            gpus=node.gpus,
            gpu_memory_mib=node.gpu_memory_mib,
            ready=node.ready,
        )
        for node in Node.objects.filter(region=region)
    ]


def recent_events(services: Iterable[Service] | QuerySet[Service], most: int) -> QuerySet[Event]:
    """Return the newest events of some services."""
    return Event.objects.filter(service__in=services).select_related("service")[:most]


def instances_of(service: Service) -> QuerySet[Instance]:
    """Return a service's instances with their version, in order."""
    return (
        Instance.objects.filter(version__service=service)
        .select_related("version", "version__specification")
        .order_by("version__created_at", "ordinal")
    )


def ready_count(service: Service) -> int:
    """Return how many instances of a service answer."""
    return Instance.objects.filter(
        version__service=service, state=InstanceState.READY, wanted=True
    ).count()
