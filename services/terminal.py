"""What the terminal commands share: who acts, which row a name means, and errors in one line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.access import Actor, system_actor
from accounts.errors import NotFound, SlipwayError
from accounts.models import Workspace
from services.models import Region, Service


class TerminalCommand(BaseCommand):
    """Acts as Slipway in one workspace; a refusal ends it with one line and code 1."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the choice of the workspace."""
        parser.add_argument("--workspace", default="", help="name or id; needed if there are many")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command, and turn a typed refusal into a line."""
        try:
            self.act(system_actor(find_workspace(options["workspace"])), options)
        except SlipwayError as error:
            raise CommandError(error.message) from error

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Do what the command is for; every command has its own."""
        raise CommandError("This command does nothing.")


def find_workspace(wanted: str) -> Workspace:
    """Return the workspace of this name or id; the only one when nothing is given."""
    found = list(Workspace.objects.order_by("created_at"))
    if wanted:
        found = [w for w in found if wanted in {w.name, w.pk}]
    if not found:
        raise NotFound(f"There is no workspace {wanted}.".replace(" .", "."))
    if len(found) > 1:
        names = ", ".join(w.name for w in found)
        raise NotFound(f"There are several workspaces ({names}); choose one with --workspace.")
    return found[0]


def find_region(code: str) -> Region:
    """Return the region of this code, or the first one when none is given."""
    enabled = Region.objects.filter(enabled=True)
    region = enabled.filter(code=code).first() if code else enabled.first()
    if region is None:
        codes = ", ".join(enabled.values_list("code", flat=True)) or "none"
        raise NotFound(f"There is no region {code or 'at all'}; there are: {codes}.")
    return region


def find_service(actor: Actor, wanted: str) -> Service:
    """Return the workspace's service of this id or name."""
    services = Service.objects.filter(workspace=actor.workspace).select_related("region", "group")
    found = list(services.filter(pk=wanted)) or list(services.filter(name=wanted))
    if not found:
        raise NotFound(f"There is no service {wanted} in {actor.workspace.name}.")
    if len(found) > 1:
        ids = ", ".join(f"{s.pk} in {s.region.code}" for s in found)
        raise NotFound(f"Several services are named {wanted}; use the id: {ids}.")
    return found[0]
