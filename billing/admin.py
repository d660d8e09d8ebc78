"""Operators set prices and may look at the ledger."""

from django.contrib import admin
from django.http import HttpRequest

from billing.models import CuInterval, CuPrice


@admin.register(CuPrice)
class CuPriceAdmin(admin.ModelAdmin[CuPrice]):
    """Prices by kind of group."""

    list_display = ["kind", "region", "amount", "currency", "valid_from"]
    list_filter = ["kind", "region"]


@admin.register(CuInterval)
class CuIntervalAdmin(admin.ModelAdmin[CuInterval]):
    """The ledger, to read."""

    list_display = ["service_name", "workspace_id", "cu", "started_at", "ended_at"]
    search_fields = ["service_id", "service_name", "workspace_id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only state changes write the ledger."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: CuInterval | None = None) -> bool:
        """Nobody edits the ledger."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CuInterval | None = None) -> bool:
        """The ledger only grows."""
        return False
