"""Who: users, workspaces, members, access tokens and the audit trail."""

from typing import Any, NoReturn

from django.contrib.auth.models import AbstractUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from accounts.identifiers import new_id


def new_workspace_id() -> str:
    """Return a fresh workspace id."""
    return new_id("ws")


class User(AbstractUser):
    """A person who signs in; `is_superuser` marks an operator of the installation."""

    time_zone = models.CharField(max_length=64, blank=True, help_text="Empty: the browser's.")
    must_change_password = models.BooleanField(default=False)

    @property
    def display_name(self) -> str:
        """Return the full name, or the user name where there is none."""
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        """Return up to two letters for the avatar."""
        parts = self.display_name.replace("-", " ").replace("_", " ").split()
        return "".join(part[0] for part in parts[:2]).upper()


class Role(models.TextChoices):
    """What a member may do in a workspace, from most to least."""

    ADMINISTRATOR = "administrator", "Administrator"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"

    def includes(self, other: "Role") -> bool:
        """Say whether this role may do all that the other may."""
        order = list(Role)
        return order.index(self) <= order.index(other)


class Workspace(models.Model):
    """The tenant: its members share services, keys and bills."""

    id = models.CharField(primary_key=True, max_length=24, default=new_workspace_id)
    name = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=200, blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="workspaces")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's role in one workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}: {self.role}"

    def may(self, role: Role) -> bool:
        """Say whether the member has at least this role."""
        return Role(self.role).includes(role)


class AccessToken(models.Model):
    """A token with which a program acts for a person on the REST API; only its digest is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """One line for one write: who did what to which object, when, from where."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(max_length=150)
    workspace = models.ForeignKey(Workspace, models.SET_NULL, null=True, related_name="+")
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=200)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=36, blank=True)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["workspace", "-at"])]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the entry; refuse to change one that is written."""
        if not self._state.adding:
            raise TypeError("An audit entry cannot be changed.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: the trail only grows."""
        raise TypeError("An audit entry cannot be deleted.")
