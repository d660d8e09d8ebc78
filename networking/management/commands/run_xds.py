"""`manage.py run_xds`: the gateway's control plane."""

import asyncio
from collections.abc import Sequence
from socket import socket
from typing import Any, cast

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from networking.gateway.follow import follow
from networking.gateway.xds import ControlPlane


class Command(BaseCommand):
    """Serve the gateway's configuration."""

    help = "Serve the gateway's configuration to Envoy, and changes of it as they happen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the regions and the address."""
        parser.add_argument("--region", action="append", default=[], help="code; all by default")
        parser.add_argument(
            "--listen",
            default=settings.GATEWAY_XDS_LISTEN,
            help="host:port, %(default)s by default; anyone who reaches it reads key digests",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        asyncio.run(serve(options["region"], options["listen"]))


class Server(uvicorn.Server):
    """A server that lets the polls go before it waits for their end."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Close the control plane, then the server."""
        await cast("ControlPlane", self.config.app).close()
        await super().shutdown(sockets)


async def serve(regions: Sequence[str], listen: str) -> None:
    """Answer polls and follow the rows."""
    host, _, port = listen.rpartition(":")
    plane = ControlPlane()
    config = uvicorn.Config(
        plane,
        host=host.strip("[]"),
        port=int(port),
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(regions, plane.publish))
        await Server(config).serve()
        following.cancel()
