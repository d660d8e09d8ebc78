"""Who may call a service: its API keys."""

from django.db import models
from django.utils import timezone

from accounts.identifiers import new_id
from accounts.models import User
from services.models.deployed import Service
from services.models.places import NAME_RULE


def new_key_id() -> str:
    """Return a fresh API key id."""
    return new_id("ak")


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
