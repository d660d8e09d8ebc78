"""What runs: services, versions, instances, and the artifacts that instances need."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from accounts.identifiers import new_id
from accounts.models import User, Workspace
from services.models.catalog import CatalogEntry
from services.models.places import NAME_RULE, Region, ResourceGroup, Specification
from services.states import Desired, InstanceState, Status


def new_service_id() -> str:
    """Return a fresh service id: `ms-` and 12 lower-case alphanumerics."""
    return new_id("ms")


def new_version_id() -> str:
    """Return a fresh version id."""
    return new_id("mv")


def new_instance_id() -> str:
    """Return a fresh instance id."""
    return new_id("mi")


class Service(models.Model):
    """What the user named: one address, keys, up to two running versions."""

    id = models.CharField(primary_key=True, max_length=24, default=new_service_id)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="services")
    region = models.ForeignKey(Region, models.PROTECT, related_name="services")
    group = models.ForeignKey(ResourceGroup, models.PROTECT, related_name="services")
    name = models.CharField(max_length=64, validators=[NAME_RULE])
    description = models.CharField(max_length=200, blank=True)
    service_type = models.CharField(max_length=24, choices=CatalogEntry.ServiceType)
    auth_enabled = models.BooleanField(default=True)
    response_timeout = models.PositiveIntegerField(
        "response timeout, s",
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text="Seconds until the gateway gives up waiting for an answer.",
    )
    desired = models.CharField(max_length=16, choices=[(d, d) for d in Desired])
    # Derived from the versions by services.operations.status; stored so that lists can filter.
    status = models.CharField(max_length=16, choices=[(s, s) for s in Status])
    status_reason = models.CharField(max_length=400, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "region", "name"], name="one_service_name_a_workspace"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "region", "-created_at"])]

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> str:
        """Return the domain name that is this service's alone."""
        return f"{self.id}.{self.region.service_domain}"


class Version(models.Model):
    """A model, a runtime, a specification and a number of instances."""

    id = models.CharField(primary_key=True, max_length=24, default=new_version_id)
    service = models.ForeignKey(Service, models.CASCADE, related_name="versions")
    name = models.CharField(max_length=64, validators=[NAME_RULE])
    description = models.CharField(max_length=200, blank=True)
    entry = models.ForeignKey(CatalogEntry, models.PROTECT, related_name="versions")
    specification = models.ForeignKey(Specification, models.PROTECT, related_name="versions")
    instance_count = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(128)]
    )
    weight = models.PositiveSmallIntegerField(default=100, validators=[MaxValueValidator(100)])
    environment = models.JSONField(default=dict, blank=True)
    health_path = models.CharField(max_length=200, default="/health")
    start_timeout = models.PositiveIntegerField("start timeout, s", default=600)
    grace_period = models.PositiveIntegerField("grace period, s", default=30)
    desired = models.CharField(max_length=16, choices=[(d, d) for d in Desired])
    # Raised by each change that an instance must restart for.
    revision = models.PositiveIntegerField(default=1)
    # When the reconciler has arranged to look again; a message for another moment is out of date.
    next_look_at = models.DateTimeField(null=True, editable=False)
    status = models.CharField(max_length=16, choices=[(s, s) for s in Status])
    status_reason = models.CharField(max_length=400, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["service", "name"], name="one_version_name_a_service"),
        ]

    def __str__(self) -> str:
        return self.name


class Instance(models.Model):
    """One running copy of a version."""

    id = models.CharField(primary_key=True, max_length=24, default=new_instance_id)
    version = models.ForeignKey(Version, models.CASCADE, related_name="instances")
    ordinal = models.PositiveSmallIntegerField()
    revision = models.PositiveIntegerField()
    # Held from the group from the row's first to its last moment.
    cu = models.DecimalField("CU", max_digits=8, decimal_places=2)
    # False asks the reconciler to stop it and remove the row.
    wanted = models.BooleanField(default=True)
    state = models.CharField(
        max_length=16, choices=[(s, s) for s in InstanceState], default=InstanceState.PENDING
    )
    reason = models.CharField(max_length=400, blank=True)
    node = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=128, blank=True)
    restart_count = models.PositiveIntegerField(default=0)
    # Exits in a row without a healthy spell in between; the back-off grows with it.
    crash_count = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    failed_probes = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["version", "ordinal"], name="one_instance_an_ordinal"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Return the deterministic name that the driver knows it by."""
        return f"{self.version.service_id}-{self.version_id}-{self.ordinal}"


class Artifact(models.Model):
    """An image or a model's files that a region must have before an instance can start."""

    class Kind(models.TextChoices):
        IMAGE = "image", "Image"
        MODEL = "model", "Model"

    class State(models.TextChoices):
        WANTED = "wanted", "Wanted"
        PREPARING = "preparing", "Preparing"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    region = models.ForeignKey(Region, models.CASCADE, related_name="artifacts")
    kind = models.CharField(max_length=8, choices=Kind)
    key = models.CharField(max_length=128)
    state = models.CharField(max_length=16, choices=State, default=State.WANTED)
    # What ensure_image returned, or the folder of the model's files.
    location = models.CharField(max_length=400, blank=True)
    step = models.CharField(max_length=200, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    error = models.CharField(max_length=400, blank=True)
    permanent = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    # When a worker was last asked to prepare it.
    asked_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["region", "kind", "key"], name="one_artifact_each"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} in {self.region.code}"
