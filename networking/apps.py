"""Registers the app, and tells the gateway of every change of a service."""

from typing import Any

from django.apps import AppConfig
from django.db import connection


def notify_gateway(service_id: str, **_: Any) -> None:
    """Wake the control plane when the transaction in force commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('slipway_gateway', %s)", [service_id])


class NetworkingConfig(AppConfig):
    """The networking app."""

    name = "networking"

    def ready(self) -> None:
        """Connect to the services' signal."""
        from services.signals import service_changed

        service_changed.connect(notify_gateway, dispatch_uid="gateway")
