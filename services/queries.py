"""Reads that join rows: what pages, the API and operations ask; never a driver."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias, TypedDict

from django.db.models import (
    Aggregate,
    Case,
    Count,
    DecimalField,
    Exists,
    IntegerField,
    Min,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django_stubs_ext import WithAnnotations

from accounts.access import Actor
from accounts.errors import NotFound
from runtimes.registry import runtime
from services.capacity import Balance, balances
from services.catalog.fit import Fit, Needs, fit
from services.catalog.prepare import model_key
from services.drivers.base import Node as DriverNode
from services.models import (
    ApiKey,
    Artifact,
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
from services.reconcile.needs import keys as artifact_keys
from services.states import CONSUMING, TROUBLE, InstanceState, Status

# A version that answers requests, fully or in part.
SERVING = (Status.RUNNING, Status.UPDATING, Status.DEGRADED)

# A service's versions with all that is shown of them, in one more query for any number of services.
VERSIONS = Prefetch("versions", queryset=Version.objects.select_related("entry", "specification"))

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


class Totals(TypedDict):
    """What `service_list` works out for each service."""

    cu: Decimal
    charged_cu: Decimal
    running_versions: int
    all_versions: int
    model_name: str


ListedService: TypeAlias = "WithAnnotations[Service, Totals]"


def get_service(actor: Actor, service_id: str) -> Service:
    """Return a service of the actor's workspace; raise NotFound for any other."""
    service = (
        Service.objects.select_related("region", "group", "created_by", "workspace")
        .prefetch_related(VERSIONS)
        .filter(pk=service_id, workspace=actor.workspace)
        .first()
    )
    if service is None:
        raise NotFound("There is no such service in this workspace.")
    return service


def service_list(actor: Actor, region: Region, wanted: ServiceFilter) -> QuerySet[ListedService]:
    """Return the services of a workspace and region, as filtered and sorted.

    Each has `cu` (held), `charged_cu` (taken at this moment), `running_versions`, `all_versions`
    and `model_name`.
    """
    rows = Service.objects.filter(workspace=actor.workspace, region=region)
    for field, value in (
        ("status", wanted.status),
        ("service_type", wanted.service_type),
        ("group", wanted.group),
    ):
        if value:
            rows = rows.filter(**{field: value})
    # Subqueries, not joins: Postgres works them out for the rows of one page alone.
    return (
        _matching(rows, wanted.text)
        .select_related("group", "region", "created_by")
        .annotate(
            all_versions=_of_versions(Count("pk"), 0),
            running_versions=_of_versions(Count("pk", filter=Q(status__in=SERVING)), 0),
            model_name=_of_versions(Min("entry__name"), ""),
            cu=_cu_of_service(Instance.objects.all()),
            charged_cu=_cu_of_service(Instance.objects.filter(state__in=CONSUMING)),
        )
        .order_by(_order(wanted.sort), "pk")
    )


def status_counts(actor: Actor, region: Region) -> dict[Status, int]:
    """Return how many services are in each status; those that nobody is in are left out."""
    rows = (
        Service.objects.filter(workspace=actor.workspace, region=region)
        .order_by()
        .values_list("status")
        .annotate(number=Count("pk"))
    )
    return {Status(status): number for status, number in rows}


def worst_services(actor: Actor, region: Region, most: int) -> QuerySet[ListedService]:
    """Return services by trouble first, as `service_list` does, then the newest."""
    place = Case(
        *(When(status=status, then=Value(rank)) for rank, status in enumerate(TROUBLE)),
        output_field=IntegerField(),
    )
    rows = service_list(actor, region, ServiceFilter())
    return rows.annotate(trouble=place).order_by("trouble", "-created_at")[:most]


def charged_cu_of_groups(actor: Actor, region: Region) -> dict[str, Decimal]:
    """Return the CU that the workspace's instances take now, by group id."""
    rows = (
        Instance.objects.filter(
            version__service__workspace=actor.workspace,
            version__service__region=region,
            state__in=CONSUMING,
        )
        .order_by()
        .values_list("version__service__group")
        .annotate(total=Sum("cu"))
    )
    return dict(rows)


def _matching(rows: QuerySet[Service], text: str) -> QuerySet[Service]:
    if not text:
        return rows
    # A join here would also narrow the versions that are counted.
    of_model = Version.objects.filter(service=OuterRef("pk"), entry__name__icontains=text)
    return rows.filter(Q(name__icontains=text) | Q(pk__icontains=text) | Exists(of_model))


def _of_versions(aggregate: Aggregate, empty: str | int) -> Coalesce:
    versions = Version.objects.filter(service=OuterRef("pk")).order_by()
    found = versions.values("service").annotate(found=aggregate).values("found")
    return Coalesce(Subquery(found), Value(empty))


def _cu_of_service(instances: QuerySet[Instance]) -> Coalesce:
    held = instances.filter(version__service=OuterRef("pk")).order_by()
    total = held.values("version__service").annotate(total=Sum("cu")).values("total")
    return Coalesce(Subquery(total), Decimal(0), output_field=DecimalField())


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


def fits_of(
    entries: Sequence[CatalogEntry], region: Region, specification: Specification | None = None
) -> dict[str, Fit]:
    """Judge entries in a region, by slug, in at most three queries."""
    nodes = nodes_of(region)
    offered = list(Specification.objects.filter(enabled=True))
    fetched = _fetched_models(entries, region)
    return {
        entry.slug: fit(
            _needs(entry, fetched=model_key(entry) in fetched),
            nodes,
            specification,
            region.hub_reachable,
            offered=offered,
            images=region.driver != Region.DriverKind.PROCESS,
        )
        for entry in entries
    }


def fit_of(entry: CatalogEntry, region: Region, specification: Specification) -> Fit:
    """Judge one specification for an entry in a region."""
    return fits_of([entry], region, specification)[entry.slug]


def specification_fits(entry: CatalogEntry, region: Region) -> list[tuple[Specification, Fit]]:
    """Return every specification on offer with its verdict for one entry, smallest first."""
    nodes = nodes_of(region)
    offered = list(Specification.objects.filter(enabled=True))
    needs = _needs(entry, fetched=bool(_fetched_models([entry], region)))
    images = region.driver != Region.DriverKind.PROCESS
    return [
        (size, fit(needs, nodes, size, region.hub_reachable, offered=offered, images=images))
        for size in offered
    ]


def _needs(entry: CatalogEntry, *, fetched: bool) -> Needs:
    chosen = runtime(entry.runtime)
    return Needs(
        memory_mib=entry.memory_mib,
        gpu_memory_mib=entry.gpu_memory_mib,
        needs_gpu=chosen.needs_gpu,
        needs_images=chosen.needs_images,
        remote=entry.source_kind == CatalogEntry.SourceKind.HUB and not fetched,
    )


def _fetched_models(entries: Sequence[CatalogEntry], region: Region) -> set[str]:
    """Return the keys of those models whose files are in the region already."""
    keys = [model_key(e) for e in entries if e.source_kind == CatalogEntry.SourceKind.HUB]
    if not keys:
        return set()
    ready = Artifact.objects.filter(
        region=region, kind=Artifact.Kind.MODEL, state=Artifact.State.READY, key__in=keys
    )
    return set(ready.values_list("key", flat=True))


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


def get_key(service: Service, key_id: str) -> ApiKey:
    """Return a key of a service; raise NotFound for any other."""
    key = service.api_keys.select_related("service", "created_by").filter(pk=key_id).first()
    if key is None:
        raise NotFound("There is no such API key; perhaps somebody deleted it.")
    return key


def keys_of(service: Service) -> QuerySet[ApiKey]:
    """Return a service's keys as people look for them: the built-in one, then the newest."""
    return service.api_keys.select_related("created_by").order_by("-built_in", "-created_at", "pk")


def events_of(service: Service, level: str = "", text: str = "") -> QuerySet[Event]:
    """Return a service's events, newest first, perhaps of one level or with a text in them."""
    rows = service.events.all()
    if level:
        rows = rows.filter(level=level)
    if text:
        rows = rows.filter(
            Q(message__icontains=text)
            # A page shows StartFailed as "Start failed".
            | Q(reason__icontains=text.replace(" ", ""))
            | Q(resource_name__icontains=text)
        )
    return rows


def artifacts_of(service: Service) -> list[Artifact]:
    """Return the image and model files that a service's versions need, as far as known."""
    wanted = {key for version in service.versions.all() for key in artifact_keys(version)}
    rows = Artifact.objects.filter(region=service.region, key__in=[key for _, key in wanted])
    return sorted((row for row in rows if (row.kind, row.key) in wanted), key=lambda row: row.kind)
