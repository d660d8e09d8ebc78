"""`manage.py write_gateway_bootstrap`: the file that Envoy starts with."""

import json
import shlex
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from networking.gateway.bootstrap import bootstrap, envoy_command


class Command(BaseCommand):
    """Write Envoy's bootstrap."""

    help = "Write the file that Envoy starts with."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file."""
        parser.add_argument("--output", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it, and the folder of the access log."""
        output: Path = options["output"]
        settings.GATEWAY_ACCESS_LOG.parent.mkdir(parents=True, exist_ok=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(bootstrap(), indent=1))
        self.stdout.write(shlex.join(envoy_command(output)))
