"""The Overview tab: what a service is, where it answers, what it costs, what happened last."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import Actor
from accounts.models import Role
from billing.queries import cu_hours, estimate
from console.snippets import Call, snippets
from networking.address import service_urls
from services import progress
from services.capacity import balance
from services.models import Event, Service
from services.queries import artifacts_of, events_of, instances_of
from services.requests import SlipwayRequest, is_partial
from services.states import CONSUMING, Desired, Status
from services.views.page import asked, service_page

RECENT_EVENTS = 6
LOG_LINES = 20
# These say when the present start was asked for; the newest one counts.
ASKED = ("Deployed", "Started", "Modified")


@login_required
@require_safe
def overview(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Show the service; htmx asks for the live part alone."""
    actor, service = asked(request, service_id)
    now = timezone.now()
    template = "services/overview.html" + ("#live" if is_partial(request) else "")
    context = {**_live(service, now), **_facts(actor, service, now)}
    return service_page(request, template, actor, service, tab="overview", **context)


def _live(service: Service, now: datetime) -> dict[str, Any]:
    """Return what changes while a service starts: steps, instances, events, cost."""
    instances = list(instances_of(service))
    events = list(events_of(service)[:50])
    starting = service.desired == Desired.RUNNING and service.status in {
        Status.PENDING,
        Status.STARTING,
        Status.FAILED,
    }
    steps = []
    if starting:
        steps = progress.steps(artifacts_of(service), instances, events, _asked_at(service, events))
    held = sum((i.cu for i in instances), start=Decimal(0))
    charged = sum((i.cu for i in instances if i.state in CONSUMING), start=Decimal(0))
    return {
        "steps": steps,
        "instances": instances,
        "events": events[:RECENT_EVENTS],
        "log": _last_log(service, events),
        "held": held,
        "balance": balance(service.group),
        "charged": charged,
        "estimate": estimate(service.group, charged, now),
        "cu_hours": cu_hours(service, now),
        "failed": service.status == Status.FAILED,
    }


def _facts(actor: Actor, service: Service, now: datetime) -> dict[str, Any]:
    version = service.versions.all()[0]
    usable = service.api_keys.filter(enabled=True).exclude(expires_at__lte=now).first()
    key = usable if actor.may(Role.DEVELOPER) else None
    urls = service_urls(service)
    call = Call(
        url=urls.snippet_url,
        task=version.entry.task,
        model=version.entry.slug,
        key=key.masked if key else "",
        auth=service.auth_enabled,
        signature=version.entry.signature,
    )
    return {
        "urls": urls,
        "key": usable,
        "snippets": snippets(call),
        "occupancy": version.specification.cu * version.instance_count,
    }


def _asked_at(service: Service, events: list[Event]) -> datetime:
    asked = [e.last_at for e in events if e.reason in ASKED and e.resource_type != "Instance"]
    return max(asked, default=service.created_at)


def _last_log(service: Service, events: list[Event]) -> list[str]:
    """Return the last lines that a failed instance printed."""
    if service.status != Status.FAILED:
        return []
    for event in events:
        if lines := event.detail.get("log"):
            return [str(line) for line in lines][-LOG_LINES:]
    return []
