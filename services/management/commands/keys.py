"""`manage.py keys`: a service's API keys."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import NotFound
from services.models import ApiKey, Service
from services.operations import create_key, delete_key, reveal_key, set_key_enabled
from services.terminal import TerminalCommand, find_service

ACTIONS = ("list", "add", "reveal", "disable", "enable", "delete")


class Command(TerminalCommand):
    """List, add, show, disable, enable and delete keys."""

    help = "List a service's API keys, or add, reveal, disable, enable or delete one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the service, what to do, and the key's name."""
        super().add_arguments(parser)
        parser.add_argument("service", help="name or id")
        parser.add_argument("action", nargs="?", choices=ACTIONS, default="list")
        parser.add_argument("key", nargs="?", default="", help="the key's name or id")
        parser.add_argument("--days", type=int, default=0, help="a new key ends after so many days")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Do the action."""
        service = find_service(actor, options["service"])
        action = options["action"]
        if action == "list":
            self._list(service)
        elif action == "add":
            self._add(actor, service, options["key"], options["days"])
        else:
            self._change(actor, action, _find(service, options["key"]))

    def _list(self, service: Service) -> None:
        for key in service.api_keys.all():
            state = "enabled" if key.enabled else "disabled"
            ends = f"  until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else ""
            self.stdout.write(f"{key.pk}  {key.name:<24} {state:<8} {key.masked}{ends}")

    def _add(self, actor: Actor, service: Service, name: str, days: int) -> None:
        now = timezone.now()
        ends = now + timedelta(days=days) if days else None
        key = create_key(actor, service, name=name, now=now, expires_at=ends)
        self.stdout.write(reveal_key(actor, key))

    def _change(self, actor: Actor, action: str, key: ApiKey) -> None:
        now = timezone.now()
        if action == "reveal":
            self.stdout.write(reveal_key(actor, key))
            return
        if action == "delete":
            delete_key(actor, key, now=now)
        else:
            set_key_enabled(actor, key, enabled=action == "enable", now=now)
        self.stdout.write(f"{key.name}: {action}d")


def _find(service: Service, wanted: str) -> ApiKey:
    keys = service.api_keys
    found = keys.filter(pk=wanted).first() or keys.filter(name=wanted).first()
    if found is None:
        names = ", ".join(keys.values_list("name", flat=True))
        raise NotFound(f"{service.name} has no key {wanted or '(name missing)'}; it has: {names}.")
    return found
