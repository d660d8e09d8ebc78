"""What happened to a service."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from services.models.deployed import Service, Version


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
        indexes = [
            models.Index(fields=["service", "-last_at"]),
            models.Index(fields=["-last_at", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
