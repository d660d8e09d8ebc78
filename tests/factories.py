"""Rows that tests need, made through the operations wherever there is one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.access import Actor
from accounts.models import Membership, Role, User, Workspace
from billing.models import CuPrice
from services import operations
from services.models import (
    CatalogEntry,
    Instance,
    Node,
    Region,
    ResourceGroup,
    Service,
    Specification,
)
from services.operations.instances import move, release
from services.states import InstanceState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

# code → vCPU, memory in MiB, GPUs, GPU memory in MiB, CU
SIZES = {
    "cpu.1": (1, 4096, 0, 0, 1),
    "cpu.2": (2, 8192, 0, 0, 2),
    "cpu.4": (4, 16384, 0, 0, 4),
    "gpu.1": (8, 65536, 1, 24576, 24),
}


@dataclass(frozen=True)
class Place:
    """All that a deployment needs besides a person."""

    region: Region
    group: ResourceGroup
    entry: CatalogEntry
    specification: Specification


def make_region(code: str = "here", *, node_gib: int = 32, **fields: Any) -> Region:
    """Create a region of the fake driver with one machine without a GPU."""
    region = Region.objects.create(
        code=code,
        name=code.title(),
        driver=fields.pop("driver", Region.DriverKind.FAKE),
        gateway_url="http://127.0.0.1:8080",
        domain="slipway.localhost",
        **fields,
    )
    Node.objects.create(
        region=region, name=f"{code}-node", vcpu=Decimal(16), memory_mib=node_gib * 1024
    )
    return region


def make_group(
    region: Region, *workspaces: Workspace, name: str = "rg-shared", **fields: Any
) -> ResourceGroup:
    """Create a resource group with 500 CU, attached to these workspaces."""
    group = ResourceGroup.objects.create(
        region=region, name=name, cu_limit=Decimal(fields.pop("cu_limit", 500)), **fields
    )
    group.workspaces.set(workspaces)
    return group


def make_specifications() -> dict[str, Specification]:
    """Create the usual specifications, by code; a repeat returns those there are."""
    made = {}
    for code, (vcpu, memory, gpus, gpu_memory, cu) in SIZES.items():
        defaults = {
            "vcpu": Decimal(vcpu),
            "memory_mib": memory,
            "gpus": gpus,
            "gpu_memory_mib": gpu_memory,
            "cu": Decimal(cu),
        }
        made[code] = Specification.objects.get_or_create(code=code, defaults=defaults)[0]
    return made


def make_entry(slug: str = "tiny-chat", **fields: Any) -> CatalogEntry:
    """Create a catalog entry of a small chat model that fits everywhere, unless told otherwise."""
    facts: dict[str, Any] = {
        "name": slug.replace("-", " ").title(),
        "family": "Tiny",
        "publisher": "Example",
        "task": CatalogEntry.Task.CHAT,
        "service_type": CatalogEntry.ServiceType.MODEL,
        "parameters": 135_000_000,
        "licence": "Apache-2.0",
        "context_length": 8192,
        "source_kind": CatalogEntry.SourceKind.PATH,
        "source": "/models/tiny",
        "runtime": "llm",
        "memory_mib": 512,
    }
    return CatalogEntry.objects.create(slug=slug, **{**facts, **fields})


def make_price(amount: str = "0.24", *, kind: str = ResourceGroup.Kind.PAY_AS_YOU_GO) -> CuPrice:
    """Set the price per CU and hour in every region, in force for years already."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    price, _ = CuPrice.objects.update_or_create(
        kind=kind, region=None, valid_from=since, defaults={"amount": Decimal(amount)}
    )
    return price


def make_place(workspace: Workspace, **region: Any) -> Place:
    """Create a region with a priced group of the workspace, specifications and one entry."""
    where = make_region(**region)
    sizes = make_specifications()
    make_price()
    entry = CatalogEntry.objects.filter(slug="tiny-chat").first() or make_entry()
    return Place(where, make_group(where, workspace), entry, sizes["cpu.1"])


def make_actor(
    workspace: Workspace, role: Role = Role.DEVELOPER, *, username: str = "maker"
) -> Actor:
    """Return an actor in a workspace, creating the person and the membership if need be."""
    user, _ = User.objects.get_or_create(username=username)
    Membership.objects.get_or_create(workspace=workspace, user=user, defaults={"role": role})
    return Actor(user, workspace, role)


def plan_for(place: Place, name: str = "demo", **fields: Any) -> operations.DeploymentPlan:
    """Return a plan that is right in all its parts, unless told otherwise."""
    parts: dict[str, Any] = {
        "region": place.region,
        "entry": place.entry,
        "group": place.group,
        "specification": place.specification,
        "name": name,
    }
    return operations.DeploymentPlan(**{**parts, **fields})


def deploy_service(
    actor: Actor, place: Place, name: str = "demo", *, now: datetime = NOW, **fields: Any
) -> Service:
    """Deploy a service as the wizard does; its instances are pending."""
    return operations.deploy(actor, plan_for(place, name, **fields), now=now)


def make_ready(service: Service, *, now: datetime = NOW) -> Service:
    """Move every instance to ready, as the reconciler would."""
    steps = (InstanceState.PREPARING, InstanceState.STARTING, InstanceState.READY)
    return _walk(service, steps, now=now)


def make_failed(
    service: Service, reason: str = "exited 3 times", *, now: datetime = NOW
) -> Service:
    """Move every instance to failed with a reason."""
    steps = (InstanceState.PREPARING, InstanceState.STARTING, InstanceState.FAILED)
    return _walk(service, steps, now=now, reason=reason)


def make_stopped(actor: Actor, service: Service, *, now: datetime = NOW) -> Service:
    """Stop a service and let its instances be gone."""
    operations.stop_service(actor, service, now=now)
    for instance in _instances(service):
        release(instance, now=now)
    service.refresh_from_db()
    return service


def _walk(
    service: Service, states: tuple[InstanceState, ...], *, now: datetime, reason: str = ""
) -> Service:
    for instance in _instances(service):
        for state in states:
            last = state is states[-1]
            move(instance, state, now=now, reason=reason if last else "")
    service.refresh_from_db()
    return service


def _instances(service: Service) -> list[Instance]:
    rows = Instance.objects.filter(version__service=service)
    return list(rows.select_related("version__service__group", "version__service__region"))
