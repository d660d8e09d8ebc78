"""Small answers of the shell: health, and switching workspace and region."""

import re

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.access import actor_for
from accounts.errors import NotFound
from console.middleware import REGION_KEY, WORKSPACE_KEY
from services.models import Region
from services.requests import SlipwayRequest

ONE_SERVICE = re.compile(r"/services/[^/?]+/")


@login_not_required
@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@require_POST
def switch_scope(request: SlipwayRequest) -> HttpResponse:
    """Put the session into another workspace or region."""
    if workspace := request.POST.get("workspace", ""):
        actor_for(request.user, workspace)
        request.session[WORKSPACE_KEY] = workspace
    if code := request.POST.get("region", ""):
        if not Region.objects.filter(code=code, enabled=True).exists():
            raise NotFound("There is no such region.")
        request.session[REGION_KEY] = code
    return redirect(_safe_return(request))


def _safe_return(request: HttpRequest) -> str:
    """Return to the page, unless it is one thing's page, which the new scope may not have."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return target if safe and target and not ONE_SERVICE.match(target) else "/services/"
