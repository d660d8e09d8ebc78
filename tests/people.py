"""The cast of all tests: who they are and what they may do.

owner      administrator of `workspace`
member     developer of `workspace`
viewer     viewer of `workspace`
stranger   administrator of `other_workspace` only
operator   runs the installation; a member of no workspace
"""

from django.test import Client

from accounts.access import Actor
from accounts.models import Membership, Role, User, Workspace

PASSWORD = "correct horse battery"


def make_person(name: str, *, workspace: Workspace | None = None, role: Role = Role.VIEWER) -> User:
    """Create a person, and their membership when a workspace is given."""
    user = User.objects.create_user(name, password=PASSWORD, email=f"{name}@example.com")
    if workspace is not None:
        Membership.objects.create(workspace=workspace, user=user, role=role)
    return user


def actor_of(user: User, workspace: Workspace) -> Actor:
    """Return the person's actor in a workspace."""
    membership = Membership.objects.get(user=user, workspace=workspace)
    return Actor(user, workspace, Role(membership.role), request_id="test", address="127.0.0.1")


def client_of(user: User) -> Client:
    """Return a browser in which the person is signed in."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
