"""From a region's row to its driver, and the facts that pages may show without asking it."""

from datetime import datetime

import httpx
from django.conf import settings
from django.db import transaction

from services.drivers.base import Driver, DriverError
from services.drivers.registry import make_driver
from services.models import Node, Region


def driver_for(region: Region) -> Driver:
    """Return the driver of a region; only workers may call it."""
    return make_driver(
        region.driver,
        region.code,
        region.driver_options,
        installation=settings.INSTALLATION,
        run_dir=settings.RUN_DIR,
        data_dir=settings.DATA_DIR,
        base_image=settings.RUNTIME_BASE_IMAGE,
    )


def refresh_nodes(region: Region, *, now: datetime) -> None:
    """Ask the driver for its nodes and keep the answer, or the problem, on the rows."""
    driver = driver_for(region)
    try:
        driver.check()
        nodes = driver.nodes()
    except DriverError as error:
        _note(region, str(error)[:400], now)
        return
    with transaction.atomic():
        for node in nodes:
            Node.objects.update_or_create(
                region=region,
                name=node.name,
                defaults={
                    "vcpu": node.vcpu,
                    "memory_mib": node.memory_mib,
                    "gpus": node.gpus,
                    "gpu_memory_mib": node.gpu_memory_mib,
                    "ready": node.ready,
                    "seen_at": now,
                },
            )
        region.nodes.exclude(name__in=[node.name for node in nodes]).delete()
        _note(region, "", now)


def refresh_hub(region: Region) -> None:
    """Find out whether the model hub answers from here."""
    try:
        answer = httpx.head(settings.HUB_URL, timeout=3, follow_redirects=True)
        reachable = not answer.is_server_error
    except httpx.HTTPError:
        reachable = False
    Region.objects.filter(pk=region.pk).update(hub_reachable=reachable)


def _note(region: Region, problem: str, now: datetime) -> None:
    region.problem, region.checked_at = problem, now
    region.save(update_fields=["problem", "checked_at"])
