"""Who is asking: an `Actor` is passed to every operation, which checks its role itself.

What a person does to what is their own (password, profile, access tokens) needs no workspace; such
operations take a `Person`.
"""

from dataclasses import dataclass

from accounts.errors import NotAllowed, NotFound
from accounts.models import Membership, Role, User, Workspace


@dataclass(frozen=True)
class Actor:
    """A person (or the system, when `user` is None) acting in one workspace."""

    user: User | None
    workspace: Workspace
    role: Role
    request_id: str = ""
    address: str | None = None

    @property
    def name(self) -> str:
        """Return the name for audit lines and `created by`."""
        return self.user.username if self.user else "slipway"

    def may(self, role: Role) -> bool:
        """Say whether the actor has at least this role."""
        return self.role.includes(role)

    def require(self, role: Role, doing: str) -> None:
        """Raise NotAllowed unless the actor has at least this role."""
        if not self.may(role):
            raise NotAllowed(
                f"Only {_with_article(role)} of {self.workspace.name} can {doing}; "
                f"you are {_with_article(self.role)}. Ask an administrator of the workspace."
            )


@dataclass(frozen=True)
class Person:
    """A person acting on what is their own; `workspace` is where they are, if they are in any."""

    user: User
    workspace: Workspace | None
    request_id: str = ""
    address: str | None = None

    @property
    def name(self) -> str:
        """Return the name for audit lines."""
        return self.user.username


def _with_article(role: Role) -> str:
    return f"{'an' if role == Role.ADMINISTRATOR else 'a'} {role.label.lower()}"


def system_actor(workspace: Workspace) -> Actor:
    """Return the actor for what Slipway or an operator's terminal does."""
    return Actor(user=None, workspace=workspace, role=Role.ADMINISTRATOR)


def actor_for(
    user: User, workspace_id: str, *, request_id: str = "", address: str | None = None
) -> Actor:
    """Return the user's actor in a workspace; raise NotFound for a stranger."""
    membership = (
        Membership.objects.select_related("workspace")
        .filter(user=user, workspace_id=workspace_id)
        .first()
    )
    if membership is None:
        raise NotFound("There is no such workspace.")
    return Actor(user, membership.workspace, Role(membership.role), request_id, address)
