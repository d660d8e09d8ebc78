"""What every request gets: an id, its scope, the viewer's zone, and answers to typed errors."""

import uuid
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from urllib.parse import unquote_to_bytes, urlencode

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from accounts.access import Actor
from accounts.errors import Malformed, NotAllowed, NotSignedIn, SlipwayError
from accounts.forms import time_zones
from accounts.models import Membership, Role
from accounts.requests import client_address
from console.refusals import leave_to, page_of, refuse, wants_json
from console.requests import ShellRequest
from services.models import Region

Handler = Callable[[HttpRequest], HttpResponse]

WORKSPACE_KEY = "workspace"
REGION_KEY = "region"
ZONE_COOKIE = "tz"
FORM = "application/x-www-form-urlencoded"
# What a person whose password must change can still do.
WITH_OLD_PASSWORD = {"accounts:password", "accounts:sign_out", "accounts:sign_in", "health"}


class RequestIdMiddleware:
    """Gives each request an id that is in the answer's header, the audit line and the 500 page."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the id in X-Request-ID."""
        scoped = cast("ShellRequest", request)
        scoped.request_id = str(uuid.uuid4())
        response = self.get_response(request)
        response["X-Request-ID"] = scoped.request_id
        return response


class ReadableMiddleware:
    """Refuses text that no page can read and no database can store, before any page sees it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on a readable request; answer 400 to any other."""
        try:
            _check_readable(request)
        except Malformed as error:
            return refuse(request, error)
        return self.get_response(request)


class SignedInMiddleware(LoginRequiredMiddleware):
    """Every page needs a signed-in person unless it says otherwise (`login_not_required`)."""

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Redirect a person to sign in; tell a program, and make htmx leave the page."""
        redirection = super().process_view(request, view, args, kwargs)
        if redirection is None:
            return None
        if wants_json(request):
            return refuse(request, NotSignedIn("Sign in first, or send an access token."))
        if request.headers.get("HX-Request"):
            query = urlencode({self.redirect_field_name: page_of(request)})
            return leave_to(f"{reverse(settings.LOGIN_URL)}?{query}")
        return redirection


class ScopeMiddleware:
    """Finds the workspace and the region that the session is in, and the viewer's time zone."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set `actor`, `region` and what else could be chosen; nobody has none of them."""
        scoped = cast("ShellRequest", request)
        scoped.actor, scoped.region = None, None
        scoped.workspaces, scoped.regions = [], []
        if request.user.is_authenticated:
            _set_workspace(scoped)
            _set_region(scoped)
        with timezone.override(viewer_zone(scoped)):
            response = self.get_response(request)
        # The same address is a whole page or a part of it.
        patch_vary_headers(response, ["HX-Request"])
        return response


class PasswordDueMiddleware:
    """Leads a person with a one-time password to the page where they choose their own."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        """Answer instead of the page while the password must change."""
        user, match = request.user, request.resolver_match
        if not user.is_authenticated or not user.must_change_password:
            return None
        if match is not None and match.view_name in WITH_OLD_PASSWORD:
            return None
        if wants_json(request):
            message = "Sign in to the console and choose a password of your own first."
            return refuse(request, NotAllowed(message, code="password_change_required"))
        page = reverse("accounts:password")
        return leave_to(page) if request.headers.get("HX-Request") else redirect(page)


class TypedErrorMiddleware:
    """Turns the errors of accounts.errors into a page, a part of a page, or JSON."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a typed error; leave every other to Django."""
        return refuse(request, error) if isinstance(error, SlipwayError) else None


def viewer_zone(request: ShellRequest) -> zoneinfo.ZoneInfo:
    """Return the person's own time zone, else their browser's, else the installation's."""
    chosen = request.user.time_zone if request.user.is_authenticated else ""
    known = set(time_zones())
    for name in (chosen, request.COOKIES.get(ZONE_COOKIE, "")):
        if name in known:
            return zoneinfo.ZoneInfo(name)
    return zoneinfo.ZoneInfo(settings.TIME_ZONE)


def _check_readable(request: HttpRequest) -> None:
    if not _storable([request.path]):
        raise Malformed("The address holds characters that cannot be stored.")
    if not _is_utf8(request.META.get("QUERY_STRING", "")):
        raise Malformed("The address is not valid UTF-8.")
    try:
        in_form = request.content_type == FORM and request.method == "POST"
        if in_form and not _is_utf8(request.body):
            raise Malformed("The form is not valid UTF-8.")
        parts = [*_texts(request.GET.lists()), *_texts(request.POST.lists())]
    except (LookupError, UnicodeError) as error:
        raise Malformed("The request names an encoding that is not UTF-8.") from error
    except UnreadablePostError as error:
        raise Malformed("The request broke off before all of it had arrived.") from error
    if not _storable(parts):
        raise Malformed(
            "The request holds characters that cannot be stored, such as a NUL character. "
            "Remove them and try again."
        )


def _texts(pairs: Iterable[tuple[str, list[Any]]]) -> Iterator[str]:
    for name, values in pairs:
        yield name
        yield from (str(value) for value in values)


def _is_utf8(quoted: str | bytes) -> bool:
    try:
        unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError:
        return False
    return True


def _storable(texts: Iterable[str]) -> bool:
    """Say whether Postgres takes all of them: no NUL, no half of a surrogate pair."""
    joined = "".join(texts)
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in joined


def _set_workspace(request: ShellRequest) -> None:
    memberships = Membership.objects.select_related("workspace").filter(user=request.user)
    found = {m.workspace_id: m for m in memberships.order_by("workspace__name")}
    request.workspaces = [membership.workspace for membership in found.values()]
    wanted = request.session.get(WORKSPACE_KEY)
    membership = found.get(wanted or "") or next(iter(found.values()), None)
    if membership is None:
        return
    request.actor = Actor(
        request.user,
        membership.workspace,
        Role(membership.role),
        request.request_id,
        client_address(request),
    )


def _set_region(request: ShellRequest) -> None:
    regions = request.regions = list(Region.objects.filter(enabled=True))
    wanted = request.session.get(REGION_KEY)
    chosen = (region for region in regions if region.code == wanted)
    request.region = next(chosen, regions[0] if regions else None)
