"""Registers the app and makes the ledger follow the instances."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Prices and the CU ledger."""

    name = "billing"

    def ready(self) -> None:
        """Connect the ledger; models can only be imported once all apps are loaded."""
        from billing import ledger
        from services.signals import instance_moved

        instance_moved.connect(ledger.follow, dispatch_uid="billing.ledger")
