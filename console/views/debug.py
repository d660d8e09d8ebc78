"""Online debugging of one service, through the real gateway with a key of choice."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Role
from accounts.requests import require_actor
from console.debug.call import composed
from console.debug.relay import Outgoing, relay
from console.snippets import PATHS, example_body
from networking.address import service_urls
from services import operations
from services.models import Service
from services.queries import get_key
from services.requests import SlipwayRequest
from services.states import Status
from services.views.page import asked, service_page

MOST_LISTED = 100


@login_required
@require_safe
def debug_any(request: SlipwayRequest) -> HttpResponse:
    """Let a person choose which running service to debug; go on at once where there is one."""
    actor = require_actor(request)
    rows = Service.objects.filter(
        workspace=actor.workspace, status__in=[Status.RUNNING, Status.DEGRADED, Status.UPDATING]
    ).prefetch_related("versions__entry")
    running = list(rows.order_by("name")[:MOST_LISTED])
    if len(running) == 1:
        return redirect("services:debug", running[0].pk)
    return render(request, "console/debug_choose.html", {"services": running})


@login_required
@require_safe
def debug(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Show the page."""
    actor, service = asked(request, service_id)
    entry = service.versions.all()[0].entry
    urls = service_urls(service)
    facts = {
        "task": entry.task,
        "model": entry.slug,
        "path": PATHS[entry.task],
        "example": example_body(entry.task, entry.slug, entry.signature),
        "url": urls.snippet_url,
        "auth": service.auth_enabled,
    }
    return service_page(
        request,
        "console/debug.html",
        actor,
        service,
        facts=facts,
        entry=entry,
        keys=service.api_keys.order_by("-enabled", "-built_in", "created_at"),
        now=timezone.now(),
    )


@login_required
@require_POST
async def send(request: SlipwayRequest, service_id: str) -> StreamingHttpResponse:
    """Send a composed request and stream what comes back; closing the page ends it."""
    outgoing = await sync_to_async(_outgoing)(request, service_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(
        relay(outgoing), content_type="application/x-ndjson", headers=headers
    )


def _outgoing(request: SlipwayRequest, service_id: str) -> Outgoing:
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "call a service from the console")
    call = composed(request.body)
    key = ""
    if call.key_id:
        key = operations.key_for_call(actor, get_key(service, call.key_id))
    return Outgoing(
        method=call.method,
        url=f"{settings.GATEWAY_URL.rstrip('/')}/{service.pk}{call.path}",
        body=call.body,
        timeout=service.response_timeout,
        key=key,
        shows_vectors=call.path == PATHS["embeddings"],
    )
