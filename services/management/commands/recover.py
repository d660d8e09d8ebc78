"""`manage.py recover`: what ended together with Slipway or its machine starts again."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from services import regions
from services.drivers.base import DriverError
from services.models import Region
from services.reconcile.recover import recover


class Command(BaseCommand):
    """Bring rows up to date with what the drivers still have; run before workers start."""

    help = "Put instances that ended while Slipway was not running back to pending."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Recover every region; one that does not answer is left to the sweep."""
        for region in Region.objects.filter(enabled=True):
            try:
                found = recover(region, now=timezone.now())
            except DriverError as error:
                self.stderr.write(f"{region.code}: {error}; tried again once it answers")
                continue
            self.stdout.write(
                f"{region.code}: {found.running} running, {found.restarted} to start again"
            )
            # Only now: until here the time of the last refresh told when the region last lived.
            regions.refresh_nodes(region, now=timezone.now())
