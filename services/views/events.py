"""The Events tab."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from services.detail_forms import EventFilterForm
from services.queries import events_of
from services.requests import SlipwayRequest, is_partial
from services.views.page import asked, service_page

PAGE_SIZE = 50


@login_required
@require_safe
def events(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Show what happened to the service, newest first."""
    actor, service = asked(request, service_id)
    form = EventFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {"level": "", "text": ""}
    rows = events_of(service, chosen.get("level", ""), chosen.get("text", ""))
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    template = "services/events.html"
    if is_partial(request):
        template += "#rows"
    return service_page(request, template, actor, service, tab="events", form=form, page=page)
