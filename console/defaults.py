"""What an installation has on its first day; what is there already is left as operators made it."""

import os
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from accounts.models import Membership, Role, User, Workspace
from billing.models import CuPrice
from services import regions
from services.catalog.load import load_entries
from services.drivers.base import DriverUnavailable
from services.limits import DEFAULTS
from services.models import Limit, Region, ResourceGroup, Specification

WORKSPACE = "default"
GROUP = "rg-shared"
ADMINISTRATOR = "admin"
PASSWORD_LENGTH = 16
# Prices need a beginning that no bill can come before.
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)

# code → vCPU, memory in MiB, GPUs, GPU memory in MiB, CU
SPECIFICATIONS = {
    "cpu.1": (1, 4096, 0, 0, 1),
    "cpu.2": (2, 8192, 0, 0, 2),
    "cpu.4": (4, 16384, 0, 0, 4),
    "cpu.8": (8, 32768, 0, 0, 8),
    "gpu.1": (8, 65536, 1, 24576, 24),
}
# USD for one CU and hour.
PRICES = {
    ResourceGroup.Kind.PAY_AS_YOU_GO: Decimal("0.24"),
    ResourceGroup.Kind.SUBSCRIPTION: Decimal("0.16"),
    ResourceGroup.Kind.DEDICATED: Decimal("0.12"),
}


FIRST_REGIONS = {
    "process": ("local", "Local", Region.DriverKind.PROCESS),
    "docker": ("docker", "Docker", Region.DriverKind.DOCKER),
}


@dataclass(frozen=True)
class FirstAdministrator:
    """The account made on the first day; `password` is empty when the operator chose it."""

    username: str
    password: str


def load(*, now: datetime) -> FirstAdministrator | None:
    """Create what is missing; return the administrator if this call made it."""
    first = _first_regions()
    with transaction.atomic():
        load_entries()
        _specifications()
        _limits()
        _prices()
        workspace = _workspace()
        if not Region.objects.exists():
            for region in first:
                _save(region, workspace, now)
        return _administrator(workspace)


def _specifications() -> None:
    for code, (vcpu, memory, gpus, gpu_memory, cu) in SPECIFICATIONS.items():
        Specification.objects.get_or_create(
            code=code,
            defaults={
                "vcpu": Decimal(vcpu),
                "memory_mib": memory,
                "gpus": gpus,
                "gpu_memory_mib": gpu_memory,
                "cu": Decimal(cu),
            },
        )


def _limits() -> None:
    for code, value in DEFAULTS.items():
        Limit.objects.get_or_create(
            code=code, workspace=None, group=None, defaults={"value": value}
        )


def _prices() -> None:
    for kind, amount in PRICES.items():
        if not CuPrice.objects.filter(kind=kind, region=None).exists():
            CuPrice.objects.create(kind=kind, amount=amount, valid_from=ALWAYS)


def _workspace() -> Workspace:
    return Workspace.objects.order_by("created_at").first() or Workspace.objects.create(
        name=WORKSPACE
    )


def _administrator(workspace: Workspace) -> FirstAdministrator | None:
    if User.objects.exists():
        return None
    chosen = os.environ.get("SLIPWAY_ADMIN_PASSWORD", "")
    password = chosen or _new_password()
    user = User.objects.create_superuser(ADMINISTRATOR, password=password)
    Membership.objects.create(workspace=workspace, user=user, role=Role.ADMINISTRATOR)
    return FirstAdministrator(ADMINISTRATOR, "" if chosen else password)


def _new_password() -> str:
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(PASSWORD_LENGTH))


def _first_regions() -> list[Region]:
    """Return the regions of the first day: those that the settings name and that can be had."""
    if Region.objects.exists():
        return []
    wanted = [FIRST_REGIONS[kind] for kind in settings.FIRST_REGIONS]
    found = [Region(code=code, name=name, driver=kind) for code, name, kind in wanted]
    return [region for region in found if len(found) == 1 or _answers(region)]


def _answers(region: Region) -> bool:
    try:
        regions.driver_for(region).check()
    except DriverUnavailable:
        return False
    return True


def _save(region: Region, workspace: Workspace, now: datetime) -> None:
    region.save()
    group = ResourceGroup.objects.create(region=region, name=GROUP)
    group.workspaces.add(workspace)
    regions.refresh_nodes(region, now=now)
