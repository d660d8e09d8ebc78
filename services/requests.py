"""The request as views see it: who acts, in which workspace and region."""

from django_htmx.middleware import HtmxDetails

from accounts.errors import NotFound
from accounts.requests import SignedInRequest
from services.models import Region


class SlipwayRequest(SignedInRequest):
    """A signed-in request after all middleware; for annotations, never instantiated."""

    htmx: HtmxDetails
    region: Region | None


def is_partial(request: SlipwayRequest) -> bool:
    """Say whether htmx asked for a part of the page; not so when it navigates or goes back."""
    htmx = request.htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def require_region(request: SlipwayRequest) -> Region:
    """Return the region that the page is about; raise NotFound when there is none yet."""
    if request.region is None:
        raise NotFound("There is no region yet. An operator adds one on the admin pages.")
    return request.region
