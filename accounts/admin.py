"""Operators manage people and workspaces and read the audit trail."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from accounts.models import AuditEntry, Membership, User, Workspace


class MembershipInline(admin.TabularInline[Membership, Workspace]):
    """The members on a workspace's page."""

    model = Membership
    extra = 1
    autocomplete_fields = ["user"]


@admin.register(User)
class PersonAdmin(UserAdmin):
    """People."""

    list_display = ["username", "first_name", "last_name", "is_superuser", "last_login"]
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Slipway", {"fields": ["time_zone", "must_change_password"]}),
    )


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin[Workspace]):
    """Workspaces and their members."""

    list_display = ["name", "id", "description", "created_at"]
    search_fields = ["name", "id"]
    readonly_fields = ["id", "created_at"]
    inlines = [MembershipInline]


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin[AuditEntry]):
    """The trail, to read."""

    list_display = ["at", "actor_name", "action", "object_name", "workspace", "address"]
    list_filter = ["action", "workspace"]
    search_fields = ["actor_name", "object_name", "object_id", "request_id"]
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only operations write the trail."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        """Nobody edits the trail."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        """The trail only grows."""
        return False
