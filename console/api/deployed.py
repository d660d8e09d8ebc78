"""Services: list, deploy, look, modify, start, stop, delete; and what happened to them."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Actor
from accounts.errors import InvalidInput
from console.api.scope import Endpoint, paged
from console.api.shapes import (
    DeleteBody,
    DeployBody,
    EventShape,
    InstanceShape,
    ModifyBody,
    NoBody,
    ServiceShape,
    read,
)
from services import operations
from services.environment import unmasked
from services.models import CatalogEntry, Region, ResourceGroup, Specification
from services.queries import (
    VERSIONS,
    ServiceFilter,
    events_of,
    groups_of,
    instances_of,
    service_list,
)


class Services(Endpoint):
    """GET: the services of a region; POST: deploy one."""

    def get(self, request: Request) -> Response:
        """Return one page, filtered by `text`, `status`, `service_type`, `group`; by `sort`."""
        wanted = ServiceFilter(
            text=self.query("text"),
            status=self.query("status"),
            service_type=self.query("service_type"),
            group=self.query("group"),
            sort=self.query("sort") or "-created",
        )
        region = self.region(self.query("region"))
        rows = service_list(self.actor, region, wanted).prefetch_related(VERSIONS)
        return paged(self, rows, ServiceShape)

    def post(self, request: Request) -> Response:
        """Deploy a service and return it as it is: pending."""
        actor = self.actor
        body = read(DeployBody, request.data)
        region = self.region(body.pop("region"))
        plan = operations.DeploymentPlan(
            region=region,
            entry=_entry(body.pop("model")),
            specification=_specification(body.pop("specification")),
            group=_group(actor, region, body.pop("resource_group", "")),
            **body,
        )
        service = operations.deploy(actor, plan, now=timezone.now())
        return Response(ServiceShape(self.service(service.pk)).data, status=201)


class OneService(Endpoint):
    """GET, PATCH, DELETE: one service."""

    def get(self, request: Request, service_id: str) -> Response:
        """Return the service with its instances."""
        service = self.service(service_id)
        instances = InstanceShape(instances_of(service), many=True).data
        return Response({**ServiceShape(service).data, "instances": instances})

    def patch(self, request: Request, service_id: str) -> Response:
        """Modify the service; say what changed and whether that restarts its instances."""
        service = self.service(service_id)
        body = read(ModifyBody, request.data)
        if "specification" in body:
            body["specification"] = _specification(body["specification"])
        if "environment" in body:
            present = service.versions.all()[0].environment
            body["environment"] = unmasked(body["environment"], present)
        wanted = operations.changed(service, **body)
        done = operations.modify_service(self.actor, service, wanted, now=timezone.now())
        shape = ServiceShape(self.service(service_id)).data
        return Response({**shape, "changed": list(done.changed), "restarts": done.restarts})

    def delete(self, request: Request, service_id: str) -> Response:
        """Delete the service and all it owns; the body's `confirmation` must be its name."""
        service = self.service(service_id)
        body = read(DeleteBody, request.data)
        operations.delete_service(self.actor, service, now=timezone.now(), **body)
        return Response(status=202, data={"id": service_id, "status": "deleting"})


class Start(Endpoint):
    """POST: start a service."""

    def post(self, request: Request, service_id: str) -> Response:
        """Start it, or try a failed one again."""
        return _act(self, request, service_id, operations.start_service)


class Stop(Endpoint):
    """POST: stop a service."""

    def post(self, request: Request, service_id: str) -> Response:
        """Stop it; its instances end gracefully."""
        return _act(self, request, service_id, operations.stop_service)


class Events(Endpoint):
    """GET: what happened to a service."""

    def get(self, request: Request, service_id: str) -> Response:
        """Return one page of events, newest first, perhaps of a `level` or with a `text`."""
        rows = events_of(self.service(service_id), self.query("level"), self.query("text"))
        return paged(self, rows, EventShape)


def _act(view: Endpoint, request: Request, service_id: str, verb: Any) -> Response:
    service = view.service(service_id)
    read(NoBody, request.data)
    verb(view.actor, service, now=timezone.now())
    return Response(ServiceShape(view.service(service_id)).data, status=202)


def _entry(slug: str) -> CatalogEntry:
    entry = CatalogEntry.objects.filter(slug=slug).first()
    if entry is None:
        raise InvalidInput({"model": "There is no such model; GET /api/v1/models/ lists them."})
    return entry


def _specification(code: str) -> Specification:
    found = Specification.objects.filter(code=code).first()
    if found is None:
        raise InvalidInput(
            {"specification": "There is none of this code; GET /api/v1/specifications/ lists them."}
        )
    return found


def _group(actor: Actor, region: Region, named: str) -> ResourceGroup:
    groups = [group for group, _ in groups_of(actor, region)]
    found = [g for g in groups if named in {g.pk, g.name}] if named else groups
    if len(found) != 1:
        names = ", ".join(group.name for group in groups) or "none yet"
        raise InvalidInput({"resource_group": f"Name one of this workspace's groups: {names}."})
    return found[0]
