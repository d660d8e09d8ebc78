"""Who is asking: an `Actor` is passed to every operation, which checks its role itself."""

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
                f"Only a {role.label.lower()} of {self.workspace.name} can {doing}; "
                f"you are a {self.role.label.lower()}. Ask an administrator of the workspace."
            )


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
