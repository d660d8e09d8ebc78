"""What can be deployed, on what, into which groups."""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import NotFound
from console.api.scope import Endpoint, paged
from console.api.shapes import ModelShape, SpecificationShape
from services.models import CatalogEntry, Specification
from services.queries import groups_of


class Models(Endpoint):
    """GET: the catalog."""

    def get(self, request: Request) -> Response:
        """Return one page of what can be deployed, perhaps of one `task`."""
        rows = CatalogEntry.objects.filter(enabled=True)
        if task := self.query("task"):
            rows = rows.filter(task=task)
        return paged(self, rows, ModelShape)


class OneModel(Endpoint):
    """GET: one entry of the catalog."""

    def get(self, request: Request, slug: str) -> Response:
        """Return the entry; raise NotFound."""
        entry = CatalogEntry.objects.filter(slug=slug, enabled=True).first()
        if entry is None:
            raise NotFound("There is no such model in the catalog.")
        return Response(ModelShape(entry).data)


class Specifications(Endpoint):
    """GET: what one instance can get."""

    def get(self, request: Request) -> Response:
        """Return one page of specifications."""
        return paged(self, Specification.objects.filter(enabled=True), SpecificationShape)


class ResourceGroups(Endpoint):
    """GET: where this workspace may deploy."""

    def get(self, request: Request) -> Response:
        """Return the groups of a `region` with what is left of them."""
        region = self.region(self.query("region"))
        found = [
            {
                "id": group.pk,
                "name": group.name,
                "kind": group.kind,
                "region": region.code,
                "cu_limit": balance.limit,
                "cu_used": balance.used,
                "cu_left": balance.left,
            }
            for group, balance in groups_of(self.actor, region)
        ]
        return Response({"count": len(found), "results": found})
