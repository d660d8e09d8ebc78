"""`manage.py read_access_log`: count the calls that the gateway writes down."""

import os
import signal
import threading
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from networking.accesslog.reader import Reader, alone, ask_to_reopen, follow

MIB = 2**20


class Command(BaseCommand):
    """Count the gateway's calls until stopped."""

    help = "Count the calls in the gateway's access log, and rotate the log."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where Envoy is asked to open its log anew, and from which size on."""
        port = os.environ.get("SLIPWAY_GATEWAY_ADMIN_PORT", "9901")
        admin = os.environ.get("SLIPWAY_GATEWAY_ADMIN_URL") or f"http://127.0.0.1:{port}"
        size = int(os.environ.get("SLIPWAY_GATEWAY_ACCESS_LOG_MIB", "64"))
        parser.add_argument("--admin-url", default=admin, help="SLIPWAY_GATEWAY_ADMIN_URL")
        parser.add_argument(
            "--rotate-mib", type=float, default=size, help="SLIPWAY_GATEWAY_ACCESS_LOG_MIB"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        stop = threading.Event()
        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, lambda *_: stop.set())
        reader = Reader(
            path=settings.GATEWAY_ACCESS_LOG,
            rotate_bytes=int(options["rotate_mib"] * MIB),
            reopen=partial(ask_to_reopen, options["admin_url"].rstrip("/")),
        )
        with alone(reader.path, stop):
            follow(reader, stop, timezone.now)
