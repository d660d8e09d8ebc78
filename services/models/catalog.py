"""What can be deployed."""

from django.db import models


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
