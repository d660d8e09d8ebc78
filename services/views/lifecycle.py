"""Status, rename, start, stop and delete of one service."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import Conflict, InvalidInput
from accounts.models import Role
from accounts.views import apply_errors
from services import operations
from services.detail_forms import DeleteForm, RenameForm
from services.queries import instances_of
from services.requests import SlipwayRequest
from services.states import Desired
from services.views.page import asked, header, service_page


@login_required
@require_safe
def status(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Return the header's live part; the page hears of a status other than the `shown` one."""
    actor, service = asked(request, service_id)
    answer = render(request, "services/_service_status.html", header(actor, service))
    if request.GET.get("shown") != service.status:
        answer["HX-Trigger"] = "status-changed"
    return answer


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Give the service another name; nothing restarts."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "rename a service")
    form = RenameForm(request.POST or None, initial={"name": service.name})
    if request.method == "POST" and form.is_valid():
        wanted = operations.changed(service, name=form.cleaned_data["name"])
        try:
            operations.modify_service(actor, service, wanted, now=timezone.now())
        except InvalidInput as error:
            apply_errors(form, error)
        else:
            return redirect("services:overview", service.pk)
    code = 400 if request.method == "POST" else 200
    return service_page(request, "services/rename.html", actor, service, form=form, status=code)


@login_required
@require_POST
def start(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Start the service, or try a failed one again."""
    actor, service = asked(request, service_id)
    try:
        operations.start_service(actor, service, now=timezone.now())
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("services:overview", service.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Say what stopping loses, and stop."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "stop a service")
    if request.method != "POST":
        held = sum(instance.cu for instance in instances_of(service))
        return service_page(request, "services/stop.html", actor, service, held=held)
    try:
        operations.stop_service(actor, service, now=timezone.now())
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("services:overview", service.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Say what deleting loses, and delete once the name is typed."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "delete a service")
    form = DeleteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.delete_service(actor, service, now=timezone.now(), **form.cleaned_data)
        except InvalidInput as error:
            apply_errors(form, error)
        except Conflict as error:
            form.add_error("even_if_running", error.message)
        else:
            messages.success(request, f"{service.name} is being deleted.")
            return redirect("services:list")
    context = {
        "form": form,
        "running": service.desired == Desired.RUNNING,
        "keys": service.api_keys.count(),
        "instances": instances_of(service).count(),
    }
    code = 400 if request.method == "POST" else 200
    return service_page(request, "services/delete.html", actor, service, status=code, **context)
