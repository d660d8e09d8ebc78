"""What the API takes and gives, field by field."""

from typing import Any

from rest_framework import serializers

from console.api.fields import StrictSerializer, Text, Truth, Variables, WholeNumber
from networking.address import service_urls
from services.environment import masked
from services.models import ApiKey, CatalogEntry, Event, Instance, Service, Specification, Version


class SpecificationShape(serializers.ModelSerializer[Specification]):
    """What one instance gets."""

    class Meta:
        model = Specification
        fields = ["code", "vcpu", "memory_mib", "gpus", "gpu_memory_mib", "cu"]


class ModelShape(serializers.ModelSerializer[CatalogEntry]):
    """Something that can be deployed."""

    class Meta:
        model = CatalogEntry
        fields = [
            "slug",
            "name",
            "family",
            "publisher",
            "description",
            "task",
            "service_type",
            "parameters",
            "licence",
            "context_length",
            "homepage",
            "runtime",
            "memory_mib",
            "gpu_memory_mib",
            "signature",
        ]


class InstanceShape(serializers.ModelSerializer[Instance]):
    """One running copy."""

    class Meta:
        model = Instance
        fields = ["id", "ordinal", "state", "reason", "node", "restart_count", "cu", "ready_at"]


class VersionShape(serializers.ModelSerializer[Version]):
    """A model on a specification; values of variables are not shown."""

    model = serializers.CharField(source="entry.slug")
    specification = serializers.CharField(source="specification.code")
    environment = serializers.SerializerMethodField()

    class Meta:
        model = Version
        fields = [
            "id",
            "name",
            "model",
            "specification",
            "instance_count",
            "environment",
            "health_path",
            "grace_period",
            "status",
            "status_reason",
        ]

    def get_environment(self, version: Version) -> dict[str, str]:
        """Return the variables with their values hidden."""
        return masked(version.environment)


class ServiceShape(serializers.ModelSerializer[Service]):
    """A service with its versions and addresses."""

    project_id = serializers.CharField(source="workspace_id")
    region = serializers.CharField(source="region.code")
    resource_group = serializers.SerializerMethodField()
    versions = VersionShape(many=True)
    urls = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by.username", default=None)

    class Meta:
        model = Service
        fields = [
            "id",
            "project_id",
            "name",
            "description",
            "service_type",
            "region",
            "resource_group",
            "status",
            "status_reason",
            "auth_enabled",
            "response_timeout",
            "urls",
            "versions",
            "created_by",
            "created_at",
            "updated_at",
        ]

    def get_resource_group(self, service: Service) -> dict[str, str]:
        """Return the group's id and name."""
        return {"id": service.group_id, "name": service.group.name}

    def get_urls(self, service: Service) -> dict[str, str]:
        """Return the address by domain name and the one by path."""
        urls = service_urls(service)
        return {"host": urls.host_url, "path": urls.path_url}


class KeyShape(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    created_by = serializers.CharField(source="created_by.username", default=None)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "masked",
            "built_in",
            "enabled",
            "expires_at",
            "last_used_at",
            "created_by",
            "created_at",
        ]


class EventShape(serializers.ModelSerializer[Event]):
    """Something that happened."""

    class Meta:
        model = Event
        fields = [
            "level",
            "reason",
            "resource_type",
            "resource_name",
            "message",
            "detail",
            "count",
            "first_at",
            "last_at",
        ]


class DeployBody(StrictSerializer):
    """A deployment; what is left out takes the wizard's value."""

    model = Text(max_length=64)
    name = Text(max_length=64)
    specification = Text(max_length=32)
    resource_group = Text(max_length=64, required=False)
    region = Text(max_length=32, required=False, default="")
    instances = WholeNumber(min_value=1, max_value=128, default=1)
    description = Text(max_length=200, allow_blank=True, default="")
    version_name = Text(max_length=64, default="v1")
    environment = Variables(default=dict)
    health_path = Text(max_length=200, allow_blank=True, default="")
    response_timeout = WholeNumber(min_value=1, max_value=3600, default=300)
    grace_period = WholeNumber(min_value=0, max_value=3600, default=30)
    auth_enabled = Truth(default=True)


class ModifyBody(StrictSerializer):
    """A modification; what is left out stays."""

    name = Text(max_length=64, required=False)
    description = Text(max_length=200, allow_blank=True, required=False)
    specification = Text(max_length=32, required=False)
    instances = WholeNumber(min_value=1, max_value=128, required=False)
    environment = Variables(required=False)
    response_timeout = WholeNumber(min_value=1, max_value=3600, required=False)
    grace_period = WholeNumber(min_value=0, max_value=3600, required=False)


class DeleteBody(StrictSerializer):
    """The service's name, and whether it may go while it answers requests."""

    confirmation = Text(max_length=64, allow_blank=True, default="")
    even_if_running = Truth(default=False)


class KeyBody(StrictSerializer):
    """A new key."""

    name = Text(max_length=64)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class NoBody(StrictSerializer):
    """An action that takes nothing."""


def read(shape: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """Return the validated body; raise ValidationError naming each wrong field."""
    body = shape(data=data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
