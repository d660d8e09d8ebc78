"""Home: what needs attention, what is in use, what it costs, what happened."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Role
from accounts.requests import require_actor
from billing.queries import cu_prices
from console.costs import GroupUse, group_uses, hourly_costs, total
from services.models import CatalogEntry, Service
from services.queries import (
    charged_cu_of_groups,
    groups_of,
    recent_events,
    status_counts,
    worst_services,
)
from services.requests import SlipwayRequest, is_partial, require_region
from services.states import LOOKS, TROUBLE

MOST_SERVICES = 8
MOST_EVENTS = 8


@login_required
@require_safe
def home(request: SlipwayRequest) -> HttpResponse:
    """Show services by trouble first, CU and cost in use, and recent events."""
    actor, region = require_actor(request), require_region(request)
    prices = cu_prices(region.pk, timezone.now())
    charged = charged_cu_of_groups(actor, region)
    groups: list[GroupUse] = group_uses(groups_of(actor, region), charged, prices)
    counts = status_counts(actor, region)
    mine = Service.objects.filter(workspace=actor.workspace, region=region)
    context = {
        "rows": hourly_costs(worst_services(actor, region, MOST_SERVICES), prices),
        "counts": [
            (status, LOOKS[status], counts[status]) for status in TROUBLE if status in counts
        ],
        "total": sum(counts.values()),
        "groups": groups,
        "hourly": total(use.hourly for use in groups),
        "events": recent_events(mine, MOST_EVENTS),
        "models": CatalogEntry.objects.filter(enabled=True).count(),
        "may_deploy": actor.may(Role.DEVELOPER),
    }
    part = "#live" if is_partial(request) else ""
    return render(request, f"console/home.html{part}", context)
