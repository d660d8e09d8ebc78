"""A throw-away installation for measurements: servers of its own, gone afterwards.

Import it before any app of the product: importing it starts Postgres and Valkey, sets the
environment and makes Django ready.
"""

import io
import os

import django
from django.core.management import call_command

from tests import servers

OWN_SERVERS = 2

if len(servers.RUNNING.started) != OWN_SERVERS:
    raise SystemExit("Unset DATABASE_URL and REDIS_URL: measurements fill a database of their own.")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()


def prepare() -> None:
    """Create the tables and what every installation has on its first day."""
    call_command("migrate", verbosity=0)
    call_command("load_defaults", stdout=io.StringIO())
