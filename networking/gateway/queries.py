"""The gateway's view of the rows, in four queries whatever the number of services."""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from django.db.models import QuerySet

from networking.gateway.facts import (
    Address,
    GatewayKey,
    GatewayService,
    GatewayVersion,
    Unavailable,
)
from services.models import ApiKey, Instance, Service, Version
from services.states import Desired, InstanceState, Status

logger = logging.getLogger(__name__)
STOPPED = frozenset({Status.STOPPED, Status.STOPPING, Status.DRAFT})
RETRY_STOPPED_SECONDS = 60
RETRY_STARTING_SECONDS = 5


@dataclass(frozen=True)
class Versions:
    """The versions of one service: those that answer, and whether any has a weight at all."""

    answering: tuple[GatewayVersion, ...] = ()
    weighted: bool = False


def gateway_services(
    regions: Sequence[str] = (), ids: Collection[str] | None = None
) -> list[GatewayService]:
    """Return the services of these regions (all when empty) that have an address.

    With `ids`, those of them alone are read; one that is missing in the answer is gone.
    """
    services = Service.objects.select_related("region").exclude(desired=Desired.DELETED)
    services = services.filter(region__code__in=regions) if regions else services
    keys = ApiKey.objects.order_by("id")
    versions = Version.objects.exclude(desired=Desired.DELETED).order_by("id")
    ready = Instance.objects.filter(state=InstanceState.READY).exclude(address="").order_by("id")
    if ids is not None:
        services, keys = services.filter(pk__in=ids), keys.filter(service__in=ids)
        versions = versions.filter(service__in=ids)
        ready = ready.filter(version__service__in=ids)
    keys_of, versions_of, none = _keys(keys), _versions(versions, ready), Versions()
    return [_service(s, tuple(keys_of[s.pk]), versions_of.get(s.pk, none)) for s in services]


def _keys(keys: QuerySet[ApiKey]) -> dict[str, list[GatewayKey]]:
    found: dict[str, list[GatewayKey]] = defaultdict(list)
    columns = ("service_id", "digest", "id", "enabled", "expires_at")
    for service_id, digest, key_id, enabled, expires_at in keys.values_list(*columns):
        found[service_id].append(GatewayKey(digest, key_id, enabled, expires_at))
    return found


def _versions(versions: QuerySet[Version], ready: QuerySet[Instance]) -> dict[str, Versions]:
    addresses: dict[str, list[Address]] = defaultdict(list)
    for version_id, text in ready.values_list("version_id", "address"):
        address = _address(text)
        if address:
            addresses[version_id].append(address)
    answering: dict[str, list[GatewayVersion]] = defaultdict(list)
    weighted: dict[str, bool] = defaultdict(bool)
    columns = ("id", "service_id", "health_path", "weight")
    for version_id, service_id, path, weight in versions.values_list(*columns):
        weighted[service_id] |= weight > 0
        if weight and addresses[version_id]:
            answering[service_id].append(
                GatewayVersion(version_id, tuple(addresses[version_id]), path, weight)
            )
    return {one: Versions(tuple(answering[one]), some) for one, some in weighted.items()}


def _address(text: str) -> Address | None:
    """Return the parts of host:port; Envoy would refuse every service for one wrong address."""
    host, _, port = text.rpartition(":")
    try:
        return Address(str(ip_address(host.strip("[]"))), int(port))
    except ValueError:
        logger.exception("An instance's address is not IP:port, so it gets no traffic: %r", text)
        return None


def _service(service: Service, keys: tuple[GatewayKey, ...], versions: Versions) -> GatewayService:
    return GatewayService(
        id=service.pk,
        host=service.host,
        auth_enabled=service.auth_enabled,
        keys=keys,
        versions=versions.answering,
        timeout=service.response_timeout,
        unavailable=_unavailable(service, versions),
    )


def _unavailable(service: Service, versions: Versions) -> Unavailable | None:
    if service.desired == Desired.STOPPED or service.status in STOPPED:
        message = "The service is stopped. Start it on its page."
        return Unavailable("service_stopped", message, RETRY_STOPPED_SECONDS)
    if versions.answering:
        return None
    if not versions.weighted:
        message = "No version of the service takes traffic: give one a weight above 0."
        return Unavailable("no_weighted_version", message, RETRY_STOPPED_SECONDS)
    if service.status == Status.FAILED:
        message = f"The service has failed: {service.status_reason or 'see its events'}"
        return Unavailable("service_failed", message, RETRY_STOPPED_SECONDS)
    waits = service.status_reason or "an instance has to become ready"
    message = f"The service is starting: {waits}"
    return Unavailable("service_starting", message, RETRY_STARTING_SECONDS)
