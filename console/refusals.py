"""How a refusal is answered: a page, an alert in the page for htmx, or JSON for programs."""

from typing import cast
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from accounts.errors import InvalidInput, SlipwayError
from services.requests import SlipwayRequest, is_partial

API = "/api/"
HTML, JSON = "text/html", "application/json"
TITLES = {
    400: "This cannot be done as entered",
    401: "Please sign in",
    403: "This is not permitted",
    404: "There is nothing here",
    409: "This is not possible now",
    500: "Something went wrong on our side",
}
TITLES_BY_CODE = {
    "no_workspace": "You are in no workspace yet",
    "limit_reached": "A limit is reached",
    "malformed_request": "The request cannot be read",
    "csrf": "This page was open too long",
}


def refuse(request: HttpRequest, error: SlipwayError) -> HttpResponse:
    """Answer an error in the form that was asked for."""
    scoped = cast("SlipwayRequest", request)
    if wants_json(request):
        return JsonResponse(error_body(error, request_id(request)), status=error.status)
    context = {
        "error": error,
        "title": TITLES_BY_CODE.get(error.code) or TITLES[error.status],
        "request_id": request_id(request),
    }
    if is_partial(scoped):
        return _alert(context, error.status)
    if not hasattr(request, "user"):
        # Refused before anybody was recognised: the shell around a page would need a person.
        page = render_to_string("errors/bare.html", context)
        return HttpResponse(page, status=error.status)
    return render(request, "errors/error.html", context, status=error.status)


def refuse_fault(request: HttpRequest, error: SlipwayError) -> HttpResponse:
    """Answer a fault of ours with as little of the machinery as can be: it may be what failed."""
    if wants_json(request):
        return JsonResponse(error_body(error, request_id(request)), status=error.status)
    context = {"error": error, "title": TITLES[500], "request_id": request_id(request)}
    if request.headers.get("HX-Request"):
        return _alert(context, error.status)
    return HttpResponse(render_to_string("errors/bare.html", context), status=error.status)


def wants_json(request: HttpRequest) -> bool:
    """Say whether a program asks: by the address, or by what it accepts."""
    if request.path.startswith(API):
        return True
    return request.get_preferred_type([HTML, JSON]) == JSON


def leave_to(url: str) -> HttpResponse:
    """Make htmx leave the page, where a redirect would be swapped into a part of it."""
    return HttpResponse(status=401, headers={"HX-Redirect": url})


def page_of(request: HttpRequest) -> str:
    """Return the path of the page that the person sees, also when htmx asks for a part of it."""
    shown = request.headers.get("HX-Current-URL", "")
    parts = urlsplit(shown) if shown else urlsplit(request.get_full_path())
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def error_body(error: SlipwayError, number: str) -> dict[str, object]:
    """Return the JSON form of a typed error."""
    fields = error.fields if isinstance(error, InvalidInput) else {}
    body = {"code": error.code, "message": error.message, "fields": fields, "request_id": number}
    return {"error": body}


def request_id(request: HttpRequest) -> str:
    """Return the request's id, or nothing where it failed before it got one."""
    return getattr(request, "request_id", "")


def _alert(context: dict[str, object], status: int) -> HttpResponse:
    response = HttpResponse(render_to_string("errors/_alert.html", context), status=status)
    response["HX-Retarget"] = "#alerts"
    response["HX-Reswap"] = "innerHTML show:window:top"
    return response
