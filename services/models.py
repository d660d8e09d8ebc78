"""What runs: regions, groups, the catalog, services, versions, instances, keys and events."""

from decimal import Decimal

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from accounts.identifiers import new_id
from accounts.models import User, Workspace
from services.states import Desired, InstanceState, Status

NAME_RULE = RegexValidator(
    r"^[A-Za-z0-9_-]{1,64}\Z",
    "Use 1 to 64 letters, digits, hyphens and underscores.",
)


def new_group_id() -> str:
    """Return a fresh resource group id."""
    return new_id("rg")


def new_service_id() -> str:
    """Return a fresh service id: `ms-` and 12 lower-case alphanumerics."""
    return new_id("ms")


def new_version_id() -> str:
    """Return a fresh version id."""
    return new_id("mv")


def new_instance_id() -> str:
    """Return a fresh instance id."""
    return new_id("mi")


def new_key_id() -> str:
    """Return a fresh API key id."""
    return new_id("ak")


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
    gateway_url = models.URLField(help_text="Where callers reach the region's gateway.")
    domain = models.CharField(max_length=128)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.code} · {self.get_driver_display()}"


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


class CatalogEntry(models.Model):
    """Something that can be deployed."""

    class Task(models.TextChoices):
        CHAT = "chat", "Chat and completions"
        EMBEDDINGS = "embeddings", "Embeddings"
        PREDICT = "predict", "Prediction"
        RERANK = "rerank", "Reranking"

    class ServiceType(models.TextChoices):
        MODEL = "model", "Model service"
        MACHINE_LEARNING = "machine-learning", "Machine learning service"

    class SourceKind(models.TextChoices):
        BUNDLED = "bundled", "Bundled package"
        PATH = "path", "Folder on the node"
        HUB = "hub", "Model hub"
        MLFLOW = "mlflow", "MLflow"

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=128)
    family = models.CharField(max_length=64)
    publisher = models.CharField(max_length=64)
    description = models.TextField(blank=True)
    task = models.CharField(max_length=16, choices=Task)
    service_type = models.CharField(max_length=24, choices=ServiceType)
    parameters = models.BigIntegerField(null=True, blank=True, help_text="Number of parameters.")
    licence = models.CharField(max_length=64)
    context_length = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens.")
    homepage = models.URLField(blank=True)
    source_kind = models.CharField(max_length=16, choices=SourceKind)
    source = models.CharField(max_length=300, help_text="Package, folder, hub id or model URI.")
    source_revision = models.CharField(max_length=64, blank=True)
    # File name → SHA-256 (hexadecimal), checked after a fetch.
    source_files = models.JSONField(default=dict, blank=True)
    download_bytes = models.BigIntegerField(null=True, blank=True)
    runtime = models.CharField(max_length=32)
    runtime_options = models.JSONField(default=dict, blank=True)
    memory_mib = models.PositiveIntegerField(help_text="Memory that one instance needs, MiB.")
    gpu_memory_mib = models.PositiveIntegerField(default=0, help_text="GPU memory, MiB; 0: none.")
    # MLflow's signature: {"inputs": [{"name", "type"}], "outputs": […], "example": {…}}
    signature = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    # True for entries of the shipped data file, which an upgrade may change.
    shipped = models.BooleanField(default=False)
    order = models.PositiveSmallIntegerField(default=100)

    class Meta:
        ordering = ["order", "name"]
        verbose_name_plural = "catalog entries"

    def __str__(self) -> str:
        return self.name


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
        return f"{self.id}.{self.region.code}.{self.region.domain}"


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
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["region", "kind", "key"], name="one_artifact_each"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} in {self.region.code}"


class ApiKey(models.Model):
    """A caller's key; only its digest goes to the gateway."""

    id = models.CharField(primary_key=True, max_length=24, default=new_key_id)
    service = models.ForeignKey(Service, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=64, validators=[NAME_RULE])
    built_in = models.BooleanField(default=False)
    digest = models.CharField(max_length=64, unique=True)
    encrypted = models.BinaryField()
    hint = models.CharField(max_length=8, help_text="The last characters, to tell keys apart.")
    enabled = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-built_in", "created_at"]
        constraints = [
            models.UniqueConstraint(fields=["service", "name"], name="one_key_name_a_service"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def masked(self) -> str:
        """Return the key as it may be shown to anyone: its prefix and last characters."""
        return f"DW-{self.service_id}-••••••••{self.hint}"


class Event(models.Model):
    """Something that happened to a service; identical ones in a row are one row with a count."""

    class Level(models.TextChoices):
        NORMAL = "normal", "Normal"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    service = models.ForeignKey(Service, models.CASCADE, related_name="events")
    version = models.ForeignKey(Version, models.SET_NULL, null=True, related_name="events")
    level = models.CharField(max_length=8, choices=Level, default=Level.NORMAL)
    reason = models.CharField(max_length=32, help_text="One word for programs: Started, Ready, …")
    resource_type = models.CharField(max_length=16)
    resource_name = models.CharField(max_length=128)
    message = models.CharField(max_length=1000)
    detail = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_at", "-id"]
        indexes = [models.Index(fields=["service", "-last_at"])]

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


ONE_CU_VCPU = Decimal(1)
ONE_CU_MEMORY_MIB = 4096
