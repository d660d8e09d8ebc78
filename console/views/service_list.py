"""Model Service: the list of services, with what each costs."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Role
from accounts.requests import require_actor
from billing.queries import cu_prices
from console.costs import hourly_costs
from services.forms import SIZES, ServiceListForm
from services.limits import limit_value
from services.models import Limit
from services.queries import groups_of, status_counts
from services.queries import service_list as rows_of
from services.requests import SlipwayRequest, is_partial, require_region


@login_required
@require_safe
def service_list(request: SlipwayRequest) -> HttpResponse:
    """Show the services of the workspace in this region; a part of it for the live refresh."""
    actor, region = require_actor(request), require_region(request)
    groups = groups_of(actor, region)
    form = ServiceListForm(request.GET, groups=[group for group, _ in groups])
    pages = Paginator(rows_of(actor, region, form.wanted), form.page_size)
    page = pages.get_page(request.GET.get("page"))
    counts = status_counts(actor, region)
    context = {
        "form": form,
        "page": page,
        "rows": hourly_costs(page.object_list, cu_prices(region.pk, timezone.now())),
        "counts": counts,
        "total": sum(counts.values()),
        "most": limit_value(Limit.Code.SERVICES_PER_WORKSPACE, workspace=actor.workspace),
        "used": sum(balance.used for _, balance in groups),
        "limit": sum(balance.limit for _, balance in groups),
        "sizes": SIZES,
        "may_change": actor.may(Role.DEVELOPER),
    }
    part = "#live" if is_partial(request) else ""
    return render(request, f"console/services.html{part}", context)
