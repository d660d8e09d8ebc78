"""What all tabs of a service's page share: its header, its tabs, who may change it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from accounts.access import Actor
from accounts.models import Role
from accounts.requests import require_actor
from services.models import Service
from services.queries import get_service, ready_count
from services.requests import SlipwayRequest
from services.states import LOOKS, Desired, Status
from services.tabs import tabs


def asked(request: SlipwayRequest, service_id: str) -> tuple[Actor, Service]:
    """Return who asks and the service; raise NotFound for one of another workspace."""
    actor = require_actor(request)
    return actor, get_service(actor, service_id)


def header(actor: Actor, service: Service) -> dict[str, Any]:
    """Return what the header shows: status, buttons, tabs."""
    version = next(iter(service.versions.all()), None)
    startable = service.desired == Desired.STOPPED or service.status == Status.FAILED
    return {
        "service": service,
        "version": version,
        "look": LOOKS[Status(service.status)],
        "ready": ready_count(service),
        "may_write": actor.may(Role.DEVELOPER),
        "deleting": service.desired == Desired.DELETED,
        "startable": startable,
        "stoppable": service.desired == Desired.RUNNING,
        "tabs": tabs(),
    }


def service_page(
    request: SlipwayRequest,
    template: str,
    actor: Actor,
    service: Service,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Render a page of a service with its header; `tab` in the context marks the current tab."""
    return render(request, template, {**header(actor, service), **context}, status=status)
