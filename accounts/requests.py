"""The request as the views of accounts see it."""

from django.http import HttpRequest

from accounts.access import Actor
from accounts.errors import NotFound
from accounts.models import User


class SignedInRequest(HttpRequest):
    """A signed-in request after the middleware; for annotations, never instantiated."""

    user: User
    request_id: str
    actor: Actor | None


def require_actor(request: SignedInRequest) -> Actor:
    """Return who acts in which workspace; raise NotFound for a person without any."""
    if request.actor is None:
        raise NotFound("You are not a member of any workspace. Ask an operator to add you to one.")
    return request.actor
