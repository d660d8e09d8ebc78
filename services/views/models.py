"""Model List and one model's page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.errors import NotFound
from accounts.models import Role
from accounts.requests import require_actor
from services.cards import CardFilter, card_of, cards_of
from services.forms import ModelListForm
from services.models import CatalogEntry
from services.queries import specification_fits
from services.requests import SlipwayRequest, is_partial, require_region

MOST_SERVICES = 20


@login_required
@require_safe
def model_list(request: SlipwayRequest) -> HttpResponse:
    """Show what can be deployed, and what fits in this region."""
    actor, region = require_actor(request), require_region(request)
    form = ModelListForm(request.GET)
    cards = cards_of(
        region,
        CardFilter(
            text=form.chosen("q"),
            task=form.chosen("task"),
            runtime=form.chosen("runtime"),
            fits=form.chosen("fits"),
            sort=form.chosen("sort"),
        ),
    )
    part = "#cards" if is_partial(request) else ""
    context = {"form": form, "cards": cards, "may_deploy": actor.may(Role.DEVELOPER)}
    return render(request, f"services/models.html{part}", context)


@login_required
@require_safe
def model(request: SlipwayRequest, slug: str) -> HttpResponse:
    """Show the facts of one model and how it fits."""
    actor, region = require_actor(request), require_region(request)
    entry = CatalogEntry.objects.filter(slug=slug, enabled=True).first()
    if entry is None:
        raise NotFound("The catalog has no such model, or it is not offered any more.")
    here = entry.versions.filter(service__workspace=actor.workspace, service__region=region)
    running = here.select_related("service").order_by("service__name", "pk")
    context = {
        "card": card_of(entry, region),
        "sizes": specification_fits(entry, region),
        "running": list(running[:MOST_SERVICES]),
        "more": max(running.count() - MOST_SERVICES, 0),
        "may_deploy": actor.may(Role.DEVELOPER),
    }
    return render(request, "services/model.html", context)
