"""Every refusal as `{"error": {"code", "message", "fields", "request_id"}}`."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.errors import InvalidInput, NotFound, SlipwayError


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn an error of ours or of the framework into an answer; None lets it be a fault (500)."""
    found = _translate(error)
    if found is None:
        return None
    status, code, message, fields = found
    request_id = getattr(getattr(context.get("request"), "_request", None), "request_id", "")
    body = {"code": code, "message": message, "fields": fields, "request_id": request_id}
    return Response({"error": body}, status=status, headers=_headers(error))


def _translate(error: Exception) -> tuple[int, str, str, dict[str, str]] | None:
    if isinstance(error, Http404):
        error = NotFound("There is no such thing here.")
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, SlipwayError):
        fields = error.fields if isinstance(error, InvalidInput) else {}
        return error.status, error.code, error.message, fields
    if isinstance(error, exceptions.ValidationError):
        fields = dict(_flat("", error.detail))
        return 400, "invalid_input", " ".join(f"{k}: {v}" for k, v in fields.items()), fields
    if isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        return error.status_code, str(codes), str(error.detail), {}
    return None


def _flat(path: str, detail: Any) -> Iterator[tuple[str, str]]:
    """Yield the first message of each wrong field, nested names joined by dots."""
    if isinstance(detail, Mapping):
        for name, part in detail.items():
            inner = "" if name == "non_field_errors" else str(name)
            yield from _flat(".".join(filter(None, [path, inner])), part)
    elif isinstance(detail, list) and detail and isinstance(detail[0], (Mapping, list)):
        yield from _flat(path, next(part for part in detail if part))
    else:
        message = detail[0] if isinstance(detail, list) else detail
        yield path or "body", str(message)


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers
