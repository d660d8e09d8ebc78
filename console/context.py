"""What the shell around every page shows."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest

from console.navigation import navigation
from console.requests import ShellRequest


def shell(request: HttpRequest) -> dict[str, object]:
    """Return regions, workspaces and links for a signed-in person, as the middleware read them."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not hasattr(request, "workspaces"):
        return {"slipway_version": settings.SLIPWAY_VERSION}
    scoped = cast("ShellRequest", request)
    return {
        "slipway_version": settings.SLIPWAY_VERSION,
        "actor": scoped.actor,
        "region": scoped.region,
        "all_regions": scoped.regions,
        "all_workspaces": scoped.workspaces,
        "viewer_time_zone": user.time_zone,
        "navigation": navigation(request.path, operator=user.is_superuser),
    }
