"""What operators set, and what they may look at."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from runtimes.registry import RUNTIMES, Launch, command_and_environment, runtime
from services import regions
from services.capacity import balance
from services.limits import DEFAULTS
from services.models import (
    Artifact,
    CatalogEntry,
    Event,
    Instance,
    Limit,
    Region,
    ResourceGroup,
    Service,
    Specification,
    Version,
)


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that only operations and workers write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds one here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes one here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes one here."""
        return False


@admin.register(Region)
class RegionAdmin(admin.ModelAdmin[Region]):
    """Regions; saving one asks its driver for a sign of life."""

    list_display = ["code", "name", "driver", "enabled", "gateway_url", "problem", "checked_at"]
    list_filter = ["driver", "enabled"]
    search_fields = ["code", "name"]
    readonly_fields = ["problem", "hub_reachable", "checked_at", "created_at"]

    def save_model(
        self, request: HttpRequest, obj: Region, form: forms.ModelForm, change: bool
    ) -> None:
        """Save, then test the connection and say how it went."""
        super().save_model(request, obj, form, change)
        regions.refresh_nodes(obj, now=timezone.now())
        if obj.problem:
            self.message_user(request, f"Saved, but {obj.code}: {obj.problem}", messages.WARNING)
        else:
            number = obj.nodes.count()
            self.message_user(request, f"{obj.code} answers; machines: {number}.", messages.SUCCESS)

    def get_readonly_fields(self, request: HttpRequest, obj: Region | None = None) -> Any:
        """Names of services contain the code, and instances belong to the driver."""
        fixed = ["code", "driver"] if obj and obj.services.exists() else []
        return [*self.readonly_fields, *fixed]


@admin.register(Specification)
class SpecificationAdmin(admin.ModelAdmin[Specification]):
    """What one instance gets."""

    list_display = ["code", "vcpu", "memory_mib", "gpus", "gpu_memory_mib", "cu", "enabled"]
    list_filter = ["enabled"]
    search_fields = ["code"]

    def get_readonly_fields(self, request: HttpRequest, obj: Specification | None = None) -> Any:
        """What runs was started and is charged as it says; make another one instead."""
        if obj and obj.versions.exists():
            return ["code", "vcpu", "memory_mib", "gpus", "gpu_memory_mib", "cu"]
        return []


@admin.register(ResourceGroup)
class ResourceGroupAdmin(admin.ModelAdmin[ResourceGroup]):
    """Capacity, and the workspaces that may use it."""

    list_display = ["name", "id", "region", "kind", "cu_limit", "held"]
    list_filter = ["region", "kind"]
    search_fields = ["name", "id", "workspaces__name"]
    filter_horizontal = ["workspaces"]
    readonly_fields = ["id", "first_deployed_at", "held"]
    fields = ["name", "id", "region", "kind", "cu_limit", "held", "workspaces", "first_deployed_at"]

    @admin.display(description="CU held")
    def held(self, group: ResourceGroup) -> str:
        """Return what instances hold now."""
        return f"{balance(group).used.normalize():f}" if group.pk and group.region_id else "–"

    def get_readonly_fields(self, request: HttpRequest, obj: ResourceGroup | None = None) -> Any:
        """Services stay in their region."""
        fixed = ["region"] if obj and obj.services.exists() else []
        return [*self.readonly_fields, *fixed]


class LimitForm(forms.ModelForm):
    """A limit of the installation, of one workspace or of one group."""

    class Meta:
        model = Limit
        fields = ["code", "workspace", "group", "value"]
        help_texts = {
            "workspace": "Only this workspace; leave both empty for the whole installation.",
            "group": "Only this resource group.",
        }

    def clean(self) -> dict[str, Any]:
        """Refuse an override that nothing would read."""
        data = super().clean() or {}
        code, both = data.get("code"), data.get("workspace") and data.get("group")
        of_group = code == Limit.Code.SERVICES_PER_GROUP
        if both:
            raise ValidationError("Choose a workspace or a group, not both.")
        if data.get("workspace") and of_group:
            raise ValidationError({"workspace": "This limit is one of groups."})
        if data.get("group") and not of_group:
            raise ValidationError({"group": "This limit is one of workspaces."})
        return data


@admin.register(Limit)
class LimitAdmin(admin.ModelAdmin[Limit]):
    """Limits; who changed which is under History."""

    form = LimitForm
    list_display = ["code", "workspace", "group", "value", "shipped_value"]
    list_filter = ["code"]
    search_fields = ["workspace__name", "group__name"]
    list_select_related = ["workspace", "group"]

    @admin.display(description="as shipped")
    def shipped_value(self, limit: Limit) -> int:
        """Return what the limit is without any setting."""
        return DEFAULTS[Limit.Code(limit.code)]

    def construct_change_message(
        self, request: HttpRequest, form: forms.Form, formsets: Any, add: bool = False
    ) -> Any:
        """Write the values into the history, not only that they changed."""
        if add or "value" not in form.changed_data:
            return super().construct_change_message(request, form, formsets, add)
        before, after = form.initial.get("value"), form.cleaned_data["value"]
        return f"Value changed from {before} to {after}."


class CatalogEntryForm(forms.ModelForm):
    """An entry that can really be started: its runtime, task and options belong together."""

    runtime = forms.ChoiceField(
        choices=[(r.name, f"{r.name} · {r.label}") for r in RUNTIMES.values()],
        help_text="The server that runs inside an instance.",
    )

    class Meta:
        model = CatalogEntry
        fields = [
            "name",
            "slug",
            "family",
            "publisher",
            "description",
            "task",
            "service_type",
            "parameters",
            "licence",
            "context_length",
            "homepage",
            "source_kind",
            "source",
            "source_revision",
            "source_files",
            "download_bytes",
            "runtime",
            "runtime_options",
            "memory_mib",
            "gpu_memory_mib",
            "signature",
            "enabled",
            "order",
        ]
        help_texts = {
            "source_files": "File name → SHA-256; a file without a digest has an empty text.",
            "runtime_options": 'Such as {"model_file": "model.gguf", "context_length": 4096}.',
            "source_revision": "Branch, tag or commit; only for the hub.",
        }

    def clean(self) -> dict[str, Any]:
        """Check the task against the runtime, and that a command line can be made."""
        data = super().clean() or {}
        name, task = data.get("runtime"), data.get("task")
        if name and task and task not in runtime(name).tasks:
            known = ", ".join(sorted(runtime(name).tasks))
            self.add_error("task", f"{name} serves: {known}.")
        for field in ("source_files", "runtime_options", "signature"):
            if field in data and not isinstance(data[field], dict):
                self.add_error(field, "Enter a JSON object: {…}.")
        if name and isinstance(data.get("runtime_options"), dict):
            self._check_options(name, data["runtime_options"])
        return data

    def _check_options(self, name: str, options: dict[str, Any]) -> None:
        try:
            command_and_environment(name, Launch("check", Decimal(1), 1024, options=options))
        except ValueError as error:
            self.add_error("runtime_options", f"The runtime cannot read this: {error}.")


@admin.register(CatalogEntry)
class CatalogEntryAdmin(admin.ModelAdmin[CatalogEntry]):
    """Models on offer; own ones are added here."""

    form = CatalogEntryForm
    list_display = ["name", "slug", "task", "runtime", "source_kind", "memory_mib", "enabled"]
    list_filter = ["task", "runtime", "source_kind", "enabled", "shipped"]
    search_fields = ["name", "slug", "family", "publisher", "source"]
    prepopulated_fields = {"slug": ["name"]}
    list_editable = ["enabled"]

    def save_model(
        self, request: HttpRequest, obj: CatalogEntry, form: forms.ModelForm, change: bool
    ) -> None:
        """Keep what an operator rewrote: an upgrade leaves an entry alone that is not shipped."""
        if set(form.changed_data) - {"enabled"}:
            obj.shipped = False
        super().save_model(request, obj, form, change)


@admin.register(Service)
class ServiceAdmin(ReadOnly):
    """Services, to read."""

    list_display = ["name", "id", "workspace", "region", "status", "status_reason", "created_at"]
    list_filter = ["status", "region", "service_type"]
    search_fields = ["name", "id", "workspace__name"]
    list_select_related = ["workspace", "region"]


@admin.register(Version)
class VersionAdmin(ReadOnly):
    """Versions, to read; environment values are not shown."""

    list_display = ["name", "id", "service", "entry", "specification", "instance_count", "status"]
    list_filter = ["status", "specification"]
    search_fields = ["id", "service__name", "service__id", "entry__slug"]
    list_select_related = ["service", "entry", "specification"]
    exclude = ["environment"]


@admin.register(Instance)
class InstanceAdmin(ReadOnly):
    """Instances, to read."""

    list_display = ["name", "state", "reason", "cu", "node", "address", "restart_count"]
    list_filter = ["state", "version__service__region"]
    search_fields = ["id", "version__service__name", "version__service__id", "version__id"]
    list_select_related = ["version"]


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly):
    """Images and models that regions have or get, to read."""

    list_display = ["kind", "key", "region", "state", "step", "error", "updated_at"]
    list_filter = ["region", "kind", "state"]
    search_fields = ["key", "error"]
    list_select_related = ["region"]


@admin.register(Event)
class EventAdmin(ReadOnly):
    """Events, to read."""

    list_display = ["last_at", "level", "reason", "resource_name", "message", "count"]
    list_filter = ["level", "reason"]
    search_fields = ["service__name", "service__id", "message"]
    list_select_related = ["service"]
    date_hierarchy = "last_at"
