"""Where instances run and how much they may take: regions, nodes, groups, limits."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from accounts.identifiers import new_id
from accounts.models import Workspace

NAME_RULE = RegexValidator(
    r"^[A-Za-z0-9_-]{1,64}\Z",
    "Use 1 to 64 letters, digits, hyphens and underscores.",
)


def new_group_id() -> str:
    """Return a fresh resource group id."""
    return new_id("rg")


class Region(models.Model):
    """One place where instances run: a driver and its address, a gateway and a domain."""

    class DriverKind(models.TextChoices):
        PROCESS = "process", "Process"
        DOCKER = "docker", "Docker"
        FAKE = "fake", "Fake"

    code = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=64)
    driver = models.CharField(max_length=16, choices=DriverKind)
    driver_options = models.JSONField(default=dict, blank=True)
    gateway_url = models.URLField(
        blank=True, help_text="Where callers reach the region's gateway. Empty: the installation's."
    )
    domain = models.CharField(max_length=128, blank=True, help_text="Empty: the installation's.")
    enabled = models.BooleanField(default=True)
    # Refreshed from the driver on a timer, for pages that must not ask it.
    problem = models.CharField(max_length=400, blank=True, editable=False)
    hub_reachable = models.BooleanField(null=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.code} · {self.get_driver_display()}"

    @property
    def gateway(self) -> str:
        """Return the address of the region's gateway, without a slash at the end."""
        return (self.gateway_url or settings.GATEWAY_URL).rstrip("/")

    @property
    def service_domain(self) -> str:
        """Return the domain that the region's services are under."""
        return f"{self.code}.{self.domain or settings.GATEWAY_DOMAIN}"


class Node(models.Model):
    """One machine of a region as the driver last described it."""

    region = models.ForeignKey(Region, models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=64)
    vcpu = models.DecimalField(max_digits=6, decimal_places=2)
    memory_mib = models.PositiveIntegerField("memory, MiB")
    gpus = models.PositiveSmallIntegerField("GPUs", default=0)
    gpu_memory_mib = models.PositiveIntegerField("GPU memory, MiB", default=0)
    ready = models.BooleanField(default=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["region", "name"], name="one_node_name_a_region"),
        ]

    def __str__(self) -> str:
        return self.name


class Specification(models.Model):
    """What one instance gets; 1 CU is 1 vCPU and 4 GiB (a GPU specification states its own)."""

    code = models.CharField(max_length=32, unique=True)
    vcpu = models.DecimalField(max_digits=6, decimal_places=2)
    memory_mib = models.PositiveIntegerField("memory, MiB")
    gpus = models.PositiveSmallIntegerField("GPUs", default=0)
    gpu_memory_mib = models.PositiveIntegerField("GPU memory, MiB", default=0)
    cu = models.DecimalField("CU", max_digits=8, decimal_places=2)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["gpus", "cu", "code"]

    def __str__(self) -> str:
        return self.code


class ResourceGroup(models.Model):
    """CU capacity inside a region that workspaces deploy into."""

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", "Subscription"
        PAY_AS_YOU_GO = "pay-as-you-go", "Pay-as-you-go"
        DEDICATED = "dedicated", "Dedicated"

    id = models.CharField(primary_key=True, max_length=24, default=new_group_id)
    name = models.CharField(max_length=64, validators=[NAME_RULE])
    region = models.ForeignKey(Region, models.PROTECT, related_name="resource_groups")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.PAY_AS_YOU_GO)
    cu_limit = models.DecimalField("CU limit", max_digits=10, decimal_places=2, default=500)
    first_deployed_at = models.DateTimeField(null=True, blank=True)
    workspaces = models.ManyToManyField(Workspace, related_name="resource_groups", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["region", "name"], name="one_group_name_a_region"),
        ]

    def __str__(self) -> str:
        return self.name


class Limit(models.Model):
    """A limit of the installation; an override for a workspace or a group comes first."""

    class Code(models.TextChoices):
        SERVICES_PER_WORKSPACE = "services_per_workspace", "Services per workspace and region"
        SERVICES_PER_GROUP = "services_per_group", "Services per resource group"
        VPCS_PER_SERVICE = "vpcs_per_service", "VPCs per service"
        INSTANCES_PER_SERVICE = "instances_per_service", "Instances per service"

    code = models.CharField(max_length=32, choices=Code)
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, blank=True)
    group = models.ForeignKey(ResourceGroup, models.CASCADE, null=True, blank=True)
    value = models.PositiveIntegerField()

    class Meta:
        ordering = ["code", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "workspace", "group"],
                name="one_limit_each",
                nulls_distinct=False,
                violation_error_message="There is a limit of this kind for it already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_code_display()}: {self.value}"
