"""Answers to what no view answered: no such address, refused, unreadable, failed."""

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404

from accounts.errors import Malformed, NotAllowed, NotFound, SlipwayError
from console.refusals import refuse, refuse_fault, request_id

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django could not read or would not trust."""
    if isinstance(exception, (RequestDataTooBig, TooManyFieldsSent)):
        return refuse(request, Malformed("The form holds more than the console takes at once."))
    return refuse(request, Malformed("The request is not well formed or not meant for here."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django's own pages, such as the operators', do not permit."""
    message = str(exception) or "Your account does not permit this. Ask an operator."
    return refuse(request, NotAllowed(message))


def csrf_failed(request: HttpRequest, **_: Any) -> HttpResponse:
    """Answer a form without the token that shows that it came from our page."""
    message = (
        "The form could not be recognised as sent from this console, perhaps because you signed "
        "in again since. Load the page again and repeat what you did; cookies must be allowed."
    )
    return refuse(request, NotAllowed(message, code="csrf"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere, or to what is not there any more."""
    if isinstance(exception, Resolver404):
        return refuse(request, NotFound("No page has this address; check how it is written."))
    return refuse(request, NotFound("What was here is not there any more, or never was."))


def fault(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer a fault of ours with the id by which an operator finds it in the log."""
    number = request_id(request)
    logger.error("Request %s failed: %s %s", number, request.method, request.path)
    message = (
        "The console met a fault while it answered. Try again; if it stays, give the request id "
        "below to an operator, who finds the cause in the log by it."
    )
    return refuse_fault(request, SlipwayError(message, code="fault"))
