"""`manage.py load_defaults`: what an installation needs on its first day."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from console import defaults


class Command(BaseCommand):
    """Create what is missing; run at every start."""

    help = "Create the catalog, specifications, limits, prices, regions and first administrator."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Create what is missing and print the first administrator's password, once."""
        first = defaults.load(now=timezone.now())
        if first is None:
            self.stdout.write("defaults are there")
        elif first.password:
            self.stdout.write(f"administrator: {first.username}  password: {first.password}")
        else:
            self.stdout.write(f"administrator: {first.username}, with the password you gave")
