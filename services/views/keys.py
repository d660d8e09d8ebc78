"""The API Key tab: add, view, disable, enable, delete."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Actor
from accounts.errors import Conflict, InvalidInput
from accounts.models import Role
from accounts.views import apply_errors
from services import operations
from services.detail_forms import KeyForm
from services.models import Service
from services.queries import get_key, keys_of
from services.requests import SlipwayRequest, is_partial
from services.views.page import asked, service_page

PAGE_SIZE = 50


@login_required
@require_safe
def keys(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Show the keys, without their secrets."""
    actor, service = asked(request, service_id)
    return _page(request, actor, service, KeyForm())


@login_required
@require_POST
def add(request: SlipwayRequest, service_id: str) -> HttpResponse:
    """Add a key."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "add an API key")
    form = KeyForm(request.POST)
    if form.is_valid():
        now = timezone.now()
        try:
            key = operations.create_key(actor, service, now=now, **form.cleaned_data)
        except InvalidInput as error:
            apply_errors(form, error)
        except Conflict as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"Key {key.name} is added. View or copy it here.")
            return redirect("services:keys", service.pk)
    return _page(request, actor, service, form, status=400)


@login_required
@never_cache
@require_POST
def reveal(request: SlipwayRequest, service_id: str, key_id: str) -> HttpResponse:
    """Return the key itself, for a page or for a script that copies it."""
    actor, service = asked(request, service_id)
    key = get_key(service, key_id)
    secret = operations.reveal_key(actor, key)
    if is_partial(request):
        return render(request, "services/_key_secret.html", {"key": key, "secret": secret})
    return JsonResponse({"key": secret})


@login_required
@require_POST
def enable(request: SlipwayRequest, service_id: str, key_id: str) -> HttpResponse:
    """Let the key's callers in again."""
    return _set_enabled(request, service_id, key_id, enabled=True)


@login_required
@require_POST
def disable(request: SlipwayRequest, service_id: str, key_id: str) -> HttpResponse:
    """Refuse the key's callers."""
    return _set_enabled(request, service_id, key_id, enabled=False)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SlipwayRequest, service_id: str, key_id: str) -> HttpResponse:
    """Say which callers a deletion stops, and delete the key."""
    actor, service = asked(request, service_id)
    actor.require(Role.DEVELOPER, "delete an API key")
    key = get_key(service, key_id)
    if request.method != "POST":
        return service_page(
            request, "services/key_delete.html", actor, service, tab="keys", key=key
        )
    try:
        operations.delete_key(actor, key, now=timezone.now())
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"Key {key.name} is deleted.")
    return redirect("services:keys", service.pk)


def _set_enabled(
    request: SlipwayRequest, service_id: str, key_id: str, *, enabled: bool
) -> HttpResponse:
    actor, service = asked(request, service_id)
    key = get_key(service, key_id)
    operations.set_key_enabled(actor, key, enabled=enabled, now=timezone.now())
    word = "enabled" if enabled else "disabled"
    messages.success(request, f"Key {key.name} is {word}; it is in force within a second.")
    page = urlencode({"page": request.GET.get("page", "1")})
    return redirect(f"{reverse('services:keys', args=[service.pk])}?{page}")


def _page(
    request: SlipwayRequest, actor: Actor, service: Service, form: KeyForm, status: int = 200
) -> HttpResponse:
    return service_page(
        request,
        "services/keys.html",
        actor,
        service,
        tab="keys",
        status=status,
        form=form,
        page=Paginator(keys_of(service), PAGE_SIZE).get_page(request.GET.get("page")),
        now=timezone.now(),
    )
