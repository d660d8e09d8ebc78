"""Modify a service, with the consequences beside the form: restart, CU, cost, what is left."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Actor
from accounts.errors import Conflict, InvalidInput
from accounts.models import Role
from accounts.views import apply_errors
from billing.queries import estimate
from services import operations
from services.capacity import balance
from services.detail_forms import ModifyForm
from services.models import Service
from services.operations import Modification
from services.requests import SlipwayRequest
from services.states import Desired
from services.views.page import asked, service_page


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def modify(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Show the form, or change the service."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "modify a service")
    if request.method != "POST":
        return _page(request, actor, service, ModifyForm(service=service))
    form = ModifyForm(request.POST, service=service)
    if form.is_valid():
        try:
            done = operations.modify_service(
                actor, service, form.modification(), now=timezone.now()
            )
        except InvalidInput as error:
            apply_errors(form, error)
        except Conflict as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, said(done))
            return redirect("services:overview", service.pk)
    return _page(request, actor, service, form, status=400)


@login_required
@require_POST
def preview(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Return the consequences of what the form holds now; nothing changes."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "modify a service")
    form = ModifyForm(request.POST, service=service)
    return _page(request, actor, service, form, part="#consequence")


def said(done: operations.Consequence) -> str:
    """Say what a modification did."""
    if not done.changed:
        return "Nothing was changed."
    what = ", ".join(field.replace("_", " ") for field in done.changed)
    how = "The instances restart one after the other." if done.restarts else "Nothing restarts."
    return f"Changed: {what}. {how}"


def consequences(service: Service, wanted: Modification) -> dict[str, Any]:
    """Return what a modification would do: restart, CU, cost before and after, what is left."""
    now = timezone.now()
    version = service.versions.all()[0]
    found = operations.consequence(service, version, wanted)
    group = balance(service.group)
    running = version.desired == Desired.RUNNING
    more = found.cu_more if running else found.cu_after * 0
    return {
        "consequence": found,
        "running": running,
        "group_left": group.left,
        "left_after": group.left - more,
        "cost_before": estimate(service.group, found.cu_before, now),
        "cost_after": estimate(service.group, found.cu_after, now),
    }


def _page(
    request: SlipwayRequest,
    actor: Actor,
    service: Service,
    form: ModifyForm,
    *,
    part: str = "",
    status: int = 200,
) -> HttpResponse:
    usable = form.is_bound and form.is_valid()
    wanted = form.modification() if usable else operations.changed(service)
    context: dict[str, Any] = consequences(service, wanted)
    context |= {"form": form, "unclear": form.is_bound and not usable}
    template = f"services/modify.html{part}"
    return service_page(request, template, actor, service, status=status, **context)
