"""The request as the views of accounts see it."""

from django.http import HttpRequest

from accounts.access import Actor, Person
from accounts.errors import NoWorkspace
from accounts.models import User


class SignedInRequest(HttpRequest):
    """A signed-in request after the middleware; for annotations, never instantiated."""

    user: User
    request_id: str
    actor: Actor | None


def require_actor(request: SignedInRequest) -> Actor:
    """Return who acts in which workspace; raise NoWorkspace for a person without any."""
    if request.actor is None:
        raise NoWorkspace(
            "You are not a member of any workspace. Ask an administrator of your team's "
            "workspace to add you under Members; then come back here."
        )
    return request.actor


def person_of(request: SignedInRequest) -> Person:
    """Return who acts on what is their own, in whichever workspace they are, or in none."""
    workspace = request.actor.workspace if request.actor else None
    return Person(request.user, workspace, request.request_id, client_address(request))


def client_address(request: HttpRequest) -> str | None:
    """Return the address that the request came from."""
    return request.META.get("REMOTE_ADDR") or None
