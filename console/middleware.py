"""What every request gets: an id, its scope (workspace and region), and answers to typed errors."""

import uuid
from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from accounts.access import Actor
from accounts.errors import InvalidInput, SlipwayError
from accounts.models import Membership, Role, User
from services.models import Region
from services.requests import SlipwayRequest, is_partial

Handler = Callable[[HttpRequest], HttpResponse]

WORKSPACE_KEY = "workspace"
REGION_KEY = "region"


class RequestIdMiddleware:
    """Gives each request an id that is in the answer's header, the audit line and the 500 page."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the id in X-Request-ID."""
        scoped = cast(SlipwayRequest, request)
        scoped.request_id = str(uuid.uuid4())
        response = self.get_response(request)
        response["X-Request-ID"] = scoped.request_id
        return response


class ScopeMiddleware:
    """Finds the workspace and the region that the session is in."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set `actor` and `region`; a person without a workspace has no actor."""
        scoped = cast(SlipwayRequest, request)
        scoped.actor, scoped.region = None, None
        if request.user.is_authenticated:
            scoped.actor = _actor(scoped)
            scoped.region = _region(request)
        response = self.get_response(request)
        # The same address is a whole page or a part of it.
        patch_vary_headers(response, ["HX-Request"])
        return response


class TypedErrorMiddleware:
    """Turns the errors of accounts.errors into a page, a part of a page, or JSON."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a typed error; leave every other to Django."""
        if not isinstance(error, SlipwayError):
            return None
        scoped = cast(SlipwayRequest, request)
        if "text/html" not in request.headers.get("Accept", "text/html"):
            return JsonResponse(error_body(error, scoped.request_id), status=error.status)
        context = {"error": error, "request_id": scoped.request_id}
        if is_partial(scoped):
            response = render(request, "errors/_alert.html", context, status=error.status)
            response["HX-Retarget"] = "#alerts"
            response["HX-Reswap"] = "innerHTML"
            return response
        return render(request, "errors/error.html", context, status=error.status)


def error_body(error: SlipwayError, request_id: str) -> dict[str, object]:
    """Return the JSON form of a typed error."""
    body: dict[str, object] = {
        "code": error.code,
        "message": error.message,
        "request_id": request_id,
    }
    if isinstance(error, InvalidInput):
        body["fields"] = error.fields
    return {"error": body}


def client_address(request: HttpRequest) -> str | None:
    """Return the address that the request came from."""
    return request.META.get("REMOTE_ADDR") or None


def _actor(request: SlipwayRequest) -> Actor | None:
    memberships = Membership.objects.select_related("workspace").filter(user=request.user)
    wanted = request.session.get(WORKSPACE_KEY)
    found = {m.workspace_id: m for m in memberships.order_by("workspace__name")}
    membership = found.get(wanted) or next(iter(found.values()), None)
    if membership is None:
        return None
    return Actor(
        cast(User, request.user),
        membership.workspace,
        Role(membership.role),
        request.request_id,
        client_address(request),
    )


def _region(request: HttpRequest) -> Region | None:
    regions = list(Region.objects.filter(enabled=True))
    wanted = request.session.get(REGION_KEY)
    return next((r for r in regions if r.code == wanted), regions[0] if regions else None)
