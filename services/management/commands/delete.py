"""`manage.py delete`: delete a service and all it owns."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.access import Actor
from services.operations import delete_service
from services.terminal import TerminalCommand, find_service


class Command(TerminalCommand):
    """Delete a service."""

    help = "Delete a service, its keys and its events, for good."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the service, and a word that it is meant."""
        super().add_arguments(parser)
        parser.add_argument("service", help="name or id")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--even-if-running", action="store_true", help="need not be stopped")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Ask for the name unless told not to, and delete."""
        service = find_service(actor, options["service"])
        name = service.name
        typed = name if options["yes"] else self._ask(name)
        delete_service(
            actor,
            service,
            confirmation=typed,
            even_if_running=options["even_if_running"],
            now=timezone.now(),
        )
        self.stdout.write(f"{name}: deleting")

    def _ask(self, name: str) -> str:
        try:
            return input(f"Type {name} to delete it for good: ")
        except EOFError as error:
            raise CommandError("Nobody is there to confirm; use --yes.") from error
