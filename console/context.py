"""What the shell around every page shows."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest

from accounts.models import Workspace
from console.navigation import navigation
from services.models import Region
from services.requests import SlipwayRequest


def shell(request: HttpRequest) -> dict[str, object]:
    """Return regions, workspaces and links for a signed-in person; lazily read by templates."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"slipway_version": settings.SLIPWAY_VERSION}
    scoped = cast(SlipwayRequest, request)
    return {
        "slipway_version": settings.SLIPWAY_VERSION,
        "actor": scoped.actor,
        "region": scoped.region,
        "all_regions": Region.objects.filter(enabled=True),
        "all_workspaces": Workspace.objects.filter(memberships__user=user),
        "navigation": navigation(request.path, operator=user.is_superuser),
    }
