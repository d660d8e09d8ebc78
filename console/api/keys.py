"""API keys of a service."""

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.scope import Endpoint, paged
from console.api.shapes import KeyBody, KeyShape, NoBody, read
from services import operations
from services.models import ApiKey
from services.queries import get_key


class Keys(Endpoint):
    """GET: the keys of a service; POST: add one."""

    def get(self, request: Request, service_id: str) -> Response:
        """Return one page of keys, without their secrets."""
        service = self.service(service_id)
        return paged(self, service.api_keys.select_related("created_by"), KeyShape)

    def post(self, request: Request, service_id: str) -> Response:
        """Add a key and return it; its secret is shown by `reveal`."""
        service = self.service(service_id)
        body = read(KeyBody, request.data)
        key = operations.create_key(self.actor, service, now=timezone.now(), **body)
        return Response(KeyShape(key).data, status=201)


class OneKey(Endpoint):
    """GET, DELETE: one key."""

    def get(self, request: Request, service_id: str, key_id: str) -> Response:
        """Return the key without its secret."""
        return Response(KeyShape(get_key(self.service(service_id), key_id)).data)

    def delete(self, request: Request, service_id: str, key_id: str) -> Response:
        """Delete the key for good; its callers are refused within a second."""
        key = get_key(self.service(service_id), key_id)
        read(NoBody, request.data)
        operations.delete_key(self.actor, key, now=timezone.now())
        return Response(status=204)


class Reveal(Endpoint):
    """POST: the secret of a key, which leaves an audit line."""

    def post(self, request: Request, service_id: str, key_id: str) -> Response:
        """Return the key itself."""
        key = get_key(self.service(service_id), key_id)
        read(NoBody, request.data)
        secret = operations.reveal_key(self.actor, key)
        return Response(
            {**KeyShape(key).data, "key": secret}, headers={"Cache-Control": "no-store"}
        )


class Enable(Endpoint):
    """POST: let a key's callers in again."""

    def post(self, request: Request, service_id: str, key_id: str) -> Response:
        """Enable the key."""
        return _set_enabled(self, request, get_key(self.service(service_id), key_id), True)


class Disable(Endpoint):
    """POST: refuse a key's callers."""

    def post(self, request: Request, service_id: str, key_id: str) -> Response:
        """Disable the key; it is in force within a second."""
        return _set_enabled(self, request, get_key(self.service(service_id), key_id), False)


def _set_enabled(view: Endpoint, request: Request, key: ApiKey, enabled: bool) -> Response:
    read(NoBody, request.data)
    operations.set_key_enabled(view.actor, key, enabled=enabled, now=timezone.now())
    return Response(KeyShape(key).data)
