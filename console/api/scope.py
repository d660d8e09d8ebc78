"""What every endpoint shares: the workspace that is asked, its region, paging, parsing."""

from django.db.models import QuerySet
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts.access import Actor, actor_for
from accounts.errors import InvalidInput, NotFound
from accounts.models import Membership, User
from console.api.parsers import StrictJSONParser
from services.models import Region, Service
from services.queries import get_service

MOST_ROWS = 200


class Endpoint(APIView):
    """A view of the API; `actor` acts in the workspace that the request names."""

    parser_classes = [StrictJSONParser]

    @property
    def actor(self) -> Actor:
        """Return who acts where; raise NotFound or InvalidInput for a workspace that is none."""
        user = self.request.user
        if not isinstance(user, User):
            raise NotFound("There is no such workspace.")
        return actor_for(
            user,
            _workspace_id(self.request, user),
            request_id=getattr(self.request._request, "request_id", ""),
            address=self.request.META.get("REMOTE_ADDR") or None,
        )

    def service(self, service_id: str) -> Service:
        """Return a service of the workspace; raise NotFound."""
        return get_service(self.actor, service_id)

    def region(self, code: str = "") -> Region:
        """Return the enabled region of this code, or the first one."""
        regions = Region.objects.filter(enabled=True)
        found = (regions.filter(code=code) if code else regions).first()
        if found is None:
            known = ", ".join(regions.values_list("code", flat=True)) or "none yet"
            raise InvalidInput({"region": f"There is no such region; there are: {known}."})
        return found

    def query(self, name: str) -> str:
        """Return a query parameter without what no database can hold."""
        return self.request.query_params.get(name, "").replace("\x00", "")[:200]


class Pages(LimitOffsetPagination):
    """Pages by `limit` and `offset`."""

    default_limit = 50
    max_limit = MOST_ROWS


def paged(view: Endpoint, rows: QuerySet, serializer: type[BaseSerializer]) -> Response:
    """Return one page of rows as `{"count", "next", "previous", "results"}`."""
    pages = Pages()
    page = pages.paginate_queryset(rows, view.request, view)
    return pages.get_paginated_response(serializer(page, many=True).data)


def _workspace_id(request: Request, user: User) -> str:
    named = request.headers.get("X-Workspace") or request.query_params.get("workspace", "")
    mine = Membership.objects.filter(user=user).select_related("workspace")
    if named:
        clean = named.replace("\x00", "")
        found = [m for m in mine if clean in {m.workspace_id, m.workspace.name}]
        if not found:
            raise NotFound("There is no such workspace.")
        return found[0].workspace_id
    if len(mine) > 1:
        names = ", ".join(m.workspace.name for m in mine)
        raise InvalidInput(
            {"workspace": f"Name a workspace in the header X-Workspace; yours are {names}."}
        )
    if not mine:
        raise NotFound("You are not a member of any workspace; ask an administrator to add you.")
    return mine[0].workspace_id
