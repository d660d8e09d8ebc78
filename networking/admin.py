"""Operators look at traffic and at how far the logs have been read; nobody edits either."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from networking.models import ReadPosition, TrafficMinute


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that only the reader of the access log writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows come from the log."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what was counted stays."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a deleted position would have its file counted again."""
        return False


@admin.register(TrafficMinute)
class TrafficMinuteAdmin(ReadOnlyAdmin):
    """Traffic by the minute."""

    list_display = [
        *("minute", "service_id", "version_id", "key_id", "requests", "succeeded"),
        *("client_errors", "server_errors", "refused", "throttled"),
    ]
    search_fields = ["=service_id", "=version_id", "=key_id"]
    date_hierarchy = "minute"
    # Counting a large table takes long and tells little.
    show_full_result_count = False


@admin.register(ReadPosition)
class ReadPositionAdmin(ReadOnlyAdmin):
    """How far each file has been counted."""

    list_display = ["path", "offset", "lines", "unreadable", "read_at"]
