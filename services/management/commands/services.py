"""`manage.py services`: the list."""

from typing import Any

from accounts.access import Actor
from services.models import Service
from services.queries import ready_count
from services.terminal import TerminalCommand

ROW = "{:<16} {:<24} {:<10} {:<10} {:>7}  {}"


class Command(TerminalCommand):
    """List the services of a workspace."""

    help = "List services with their status."

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Print one line for each service."""
        services = Service.objects.filter(workspace=actor.workspace).select_related("region")
        self.stdout.write(ROW.format("ID", "NAME", "REGION", "STATUS", "READY", "REASON").rstrip())
        for service in services.prefetch_related("versions"):
            wanted = sum(version.instance_count for version in service.versions.all())
            line = ROW.format(
                service.pk,
                service.name,
                service.region.code,
                service.status,
                f"{ready_count(service)}/{wanted}",
                service.status_reason,
            )
            self.stdout.write(line.rstrip())
