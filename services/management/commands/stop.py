"""`manage.py stop`: Stop a service."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from accounts.access import Actor
from services.operations import stop_service
from services.terminal import TerminalCommand, find_service


class Command(TerminalCommand):
    """Stop a service."""

    help = "Stop a service."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the service's name or id."""
        super().add_arguments(parser)
        parser.add_argument("service", help="name or id")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Ask for it; the workers do it."""
        service = find_service(actor, options["service"])
        stop_service(actor, service, now=timezone.now())
        service.refresh_from_db()
        self.stdout.write(f"{service.name}: {service.status}")
