"""`manage.py deploy`: from a model's name to a running service, without a browser."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import NotFound
from console.snippets import Call, curl
from networking.address import service_urls
from services.models import CatalogEntry, Event, Region, ResourceGroup, Service, Specification
from services.operations import DeploymentPlan, deploy, reveal_key
from services.states import Status
from services.terminal import TerminalCommand, find_region

LOOK_EVERY_SECONDS = 0.5


class Command(TerminalCommand):
    """Deploy a model."""

    help = "Deploy a model of the catalog as a service."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what the wizard asks."""
        super().add_arguments(parser)
        parser.add_argument("model", help="the catalog entry's short name")
        parser.add_argument("--name", required=True, help="the service's name")
        parser.add_argument("--specification", default="cpu.1", help="what one instance gets")
        parser.add_argument("--instances", type=int, default=1)
        parser.add_argument("--region", default="", help="code; the first one by default")
        parser.add_argument("--group", default="", help="resource group; the only one by default")
        parser.add_argument("--wait", action="store_true", help="follow it until it runs or fails")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Deploy, and follow it when asked to."""
        region = find_region(options["region"])
        plan = DeploymentPlan(
            region=region,
            entry=_entry(options["model"]),
            group=_group(actor, region, options["group"]),
            specification=_specification(options["specification"]),
            name=options["name"],
            instances=options["instances"],
        )
        service = deploy(actor, plan, now=timezone.now())
        self.stdout.write(f"{service.pk}  {service.name}")
        if options["wait"]:
            self._follow(service)
            self._show_call(actor, service, plan.entry)

    def _follow(self, service: Service) -> None:
        """Print events as they come until the service runs; raise CommandError when it fails."""
        printed: dict[int, int] = {}
        while True:
            if not Service.objects.filter(pk=service.pk).exists():
                raise CommandError(f"{service.name} was deleted meanwhile.")
            service.refresh_from_db()
            for event in service.events.order_by("first_at", "id"):
                self._print_news(event, printed)
            if service.status == Status.RUNNING:
                return
            if service.status in {Status.FAILED, Status.STOPPED, Status.DELETING}:
                reason = f": {service.status_reason}" if service.status_reason else ""
                raise CommandError(f"{service.name} is {service.status}{reason}")
            time.sleep(LOOK_EVERY_SECONDS)

    def _print_news(self, event: Event, printed: dict[int, int]) -> None:
        if printed.get(event.pk) != event.count:
            printed[event.pk] = event.count
            self.stdout.write(f"{event.last_at:%H:%M:%S}  {event.reason:<14} {event.message}")

    def _show_call(self, actor: Actor, service: Service, entry: CatalogEntry) -> None:
        url = service_urls(service).snippet_url
        key = reveal_key(actor, service.api_keys.get(built_in=True))
        call = Call(url, entry.task, entry.slug, key, signature=entry.signature)
        self.stdout.write(f"\naddress: {url}\n\n{curl(call).text}")


def _entry(slug: str) -> CatalogEntry:
    entry = CatalogEntry.objects.filter(slug=slug).first()
    if entry is None:
        offered = CatalogEntry.objects.filter(enabled=True).values_list("slug", flat=True)
        raise NotFound(f"There is no model {slug}; there are: {', '.join(offered)}.")
    return entry


def _specification(code: str) -> Specification:
    specification = Specification.objects.filter(code=code).first()
    if specification is None:
        offered = Specification.objects.filter(enabled=True).values_list("code", flat=True)
        raise NotFound(f"There is no specification {code}; there are: {', '.join(offered)}.")
    return specification


def _group(actor: Actor, region: Region, wanted: str) -> ResourceGroup:
    attached = ResourceGroup.objects.filter(region=region, workspaces=actor.workspace)
    found = [g for g in attached if not wanted or wanted in {g.name, g.pk}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(g.name for g in attached) or "none"
    problem = f"There is no resource group {wanted}" if wanted else "Choose one with --group"
    raise NotFound(f"{problem}; {actor.workspace.name} has in {region.code}: {names}.")
