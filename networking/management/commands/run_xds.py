"""`manage.py run_xds`: the gateway's control plane."""

import asyncio
from ipaddress import ip_address
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from networking.gateway.xds import ControlPlane, follow, loader

EVERY_ADDRESS = "::"


class Command(BaseCommand):
    """Serve the gateway's configuration."""

    help = "Serve the gateway's configuration to Envoy, and changes of it as they happen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the regions."""
        parser.add_argument("--region", action="append", default=[], help="code; all by default")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        asyncio.run(serve(options["region"]))


async def serve(regions: list[str]) -> None:
    """Answer polls and follow the rows; a fault of either ends both."""
    host, _, port = settings.GATEWAY_XDS_ADDRESS.rpartition(":")
    plane = ControlPlane(loader(regions))
    config = uvicorn.Config(
        plane,
        host=listening_host(host),
        port=int(port),
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(plane))
        await uvicorn.Server(config).serve()
        following.cancel()


def listening_host(host: str) -> str:
    """Return the address to listen on: a name is how others reach this container."""
    try:
        return str(ip_address(host))
    except ValueError:
        return host if host == "localhost" else EVERY_ADDRESS
