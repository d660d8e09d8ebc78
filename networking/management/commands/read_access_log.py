"""`manage.py read_access_log`: count the calls that the gateway writes down."""

import argparse
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from networking.accesslog.reader import Admin, Reader, alone, follow

MIB = 2**20


class Command(BaseCommand):
    """Count the gateway's calls until stopped."""

    # Pages do not matter here; loading them would only make a restart slower.
    requires_system_checks = []
    help = "Count the calls in the gateway's access log, and rotate the log."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where Envoy is asked to open its log anew, and from which size on."""
        local = f"http://127.0.0.1:{settings.GATEWAY_ADMIN_PORT}"
        parser.add_argument(
            "--admin-url",
            default=os.environ.get("SLIPWAY_GATEWAY_ADMIN_URL") or local,
            help="Envoy's admin address; default: SLIPWAY_GATEWAY_ADMIN_URL, or this machine's",
        )
        parser.add_argument(
            "--rotate-mib",
            type=_size,
            default=os.environ.get("SLIPWAY_GATEWAY_ACCESS_LOG_MIB") or "64",
            help="a larger log is rotated; default: SLIPWAY_GATEWAY_ACCESS_LOG_MIB, or 64",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        stop = threading.Event()
        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, lambda *_: stop.set())
        reader = Reader(
            path=settings.GATEWAY_ACCESS_LOG,
            rotate_bytes=int(options["rotate_mib"] * MIB),
            reopen=Admin(options["admin_url"]).reopen,
        )
        try:
            with alone(reader.path, stop):
                follow(reader, stop, timezone.now)
        except PermissionError as error:
            raise CommandError(
                f"The gateway's log cannot be read or renamed: {error}. Let this user read the "
                f"file and write in its folder, {reader.path.parent}."
            ) from error


def _size(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0
    if not 0 < size < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of MiB above 0")
    return size
