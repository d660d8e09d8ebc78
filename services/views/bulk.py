"""Start or stop the ticked services: first what it would do, then doing it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.errors import NotFound
from accounts.models import Role
from accounts.requests import require_actor
from services.bulk import ACTIONS, Outcome, carry_out, chosen_services, prospects
from services.requests import SlipwayRequest


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: SlipwayRequest, action: str) -> HttpResponse:
    """Show what would happen to each ticked service; on POST do it."""
    actor = require_actor(request)
    if action not in ACTIONS:
        raise NotFound("There is no such action.")
    actor.require(Role.DEVELOPER, f"{action} services")
    ids = (request.POST if request.method == "POST" else request.GET).getlist("id")
    services = chosen_services(actor, ids)
    if request.method == "POST":
        _tell(request, action, carry_out(actor, action, services, now=timezone.now()))
        return redirect("services:list")
    found = prospects(action, services)
    acting = [prospect for prospect in found if prospect.acts]
    context = {
        "action": action,
        "acting": acting,
        "idle": [prospect for prospect in found if not prospect.acts],
        "cu": sum(prospect.cu for prospect in acting),
    }
    return render(request, "services/bulk.html", context)


def _tell(request: SlipwayRequest, action: str, outcomes: list[Outcome]) -> None:
    done = [outcome.service.name for outcome in outcomes if not outcome.error]
    past = {"start": "Starting", "stop": "Stopping"}[action]
    if done:
        messages.success(request, f"{past} {', '.join(done)}.")
    for outcome in outcomes:
        if outcome.error:
            messages.error(request, f"{outcome.service.name}: {outcome.error}")
    if not outcomes:
        messages.warning(request, "No service was chosen, or it does not exist any more.")
