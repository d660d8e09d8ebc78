"""Operators manage people and workspaces and read the audit trail."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts import audit
from accounts.access import Person
from accounts.models import AuditEntry, Membership, User, Workspace
from accounts.requests import client_address

admin.site.site_header = "Slipway operators"
admin.site.site_title = "Slipway operators"
admin.site.index_title = "The installation"
# Roles belong to workspaces; a second system of permissions would only confuse.
admin.site.unregister(Group)


class AuditedAdmin(admin.ModelAdmin[Any]):
    """An operators' page whose changes are in the audit trail too."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Write down what was added."""
        self._audit(request, "add", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Write down which fields changed; never their values."""
        self._audit(request, "change", obj, changed=_changed(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Write down what is being deleted."""
        for gone in queryset:
            self._audit(request, "delete", gone)
        return super().log_deletions(request, queryset)

    def _audit(self, request: HttpRequest, verb: str, obj: Model, **detail: Any) -> None:
        # A workspace that is being deleted cannot be referred to; its name is in the line.
        found = obj if isinstance(obj, Workspace) else getattr(obj, "workspace", None)
        workspace = found if isinstance(found, Workspace) and verb != "delete" else None
        number = getattr(request, "request_id", "")
        person = Person(cast("User", request.user), workspace, number, client_address(request))
        kind = self.opts.verbose_name
        audit.record(person, f"{str(kind).replace(' ', '_')}.{verb}", obj, **detail, by="operator")


def _changed(message: Any) -> list[str]:
    """Return the names of the changed fields from the admin's structured message."""
    if not isinstance(message, list):
        return []
    names: list[str] = []
    for part in message:
        names += part.get("changed", {}).get("fields", [])
        names += [what["name"] for verb, what in part.items() if what and "name" in what]
    return names


class MembershipInline(admin.TabularInline[Membership, Workspace]):
    """The members on a workspace's page."""

    model = Membership
    fields = ["user", "role"]
    extra = 1
    autocomplete_fields = ["user"]


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):
    """People."""

    list_display = ["username", "first_name", "last_name", "is_superuser", "last_login"]
    list_filter = ["is_superuser", "is_active", "must_change_password"]
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ["username", "password", "must_change_password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email", "time_zone"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("When", {"fields": ["last_login", "date_joined"]}),
    )
    readonly_fields = ["last_login", "date_joined"]


@admin.register(Workspace)
class WorkspaceAdmin(AuditedAdmin):
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
