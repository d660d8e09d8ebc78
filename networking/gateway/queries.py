"""The gateway's view of the rows, in four queries whatever the number of services."""

from collections import defaultdict
from collections.abc import Sequence

from networking.gateway.snapshot import GatewayKey, GatewayService, GatewayVersion, Unavailable
from services.models import ApiKey, Instance, Service, Version
from services.states import Desired, InstanceState, Status

STOPPED = frozenset({Status.STOPPED, Status.STOPPING, Status.DRAFT})
RETRY_STOPPED_SECONDS = 60
RETRY_STARTING_SECONDS = 5


def gateway_services(regions: Sequence[str] = ()) -> list[GatewayService]:
    """Return every service of these regions (all when empty) that has an address."""
    services = Service.objects.select_related("region").exclude(desired=Desired.DELETED)
    services = services.filter(region__code__in=regions) if regions else services
    keys: dict[str, list[GatewayKey]] = defaultdict(list)
    for row in ApiKey.objects.values_list(
        "service_id", "digest", "id", "enabled", "expires_at"
    ).order_by("id"):
        keys[row[0]].append(GatewayKey(*row[1:]))
    versions = _versions()
    return [_service(s, tuple(keys[s.pk]), tuple(versions[s.pk])) for s in services]


def _versions() -> dict[str, list[GatewayVersion]]:
    addresses: dict[str, list[str]] = defaultdict(list)
    ready = Instance.objects.filter(state=InstanceState.READY).exclude(address="")
    for version_id, address in ready.order_by("id").values_list("version_id", "address"):
        addresses[version_id].append(address)
    found: dict[str, list[GatewayVersion]] = defaultdict(list)
    for version in Version.objects.filter(pk__in=addresses).order_by("id"):
        found[version.service_id].append(
            GatewayVersion(
                version.pk, tuple(addresses[version.pk]), version.health_path, version.weight
            )
        )
    return found


def _service(
    service: Service, keys: tuple[GatewayKey, ...], versions: tuple[GatewayVersion, ...]
) -> GatewayService:
    return GatewayService(
        id=service.pk,
        host=service.host,
        auth_enabled=service.auth_enabled,
        keys=keys,
        versions=versions,
        timeout=service.response_timeout,
        unavailable=_unavailable(service, serving=any(v.weight for v in versions)),
    )


def _unavailable(service: Service, *, serving: bool) -> Unavailable | None:
    if service.desired == Desired.STOPPED or service.status in STOPPED:
        message = "The service is stopped. Start it on its page."
        return Unavailable("service_stopped", message, RETRY_STOPPED_SECONDS)
    if serving:
        return None
    if service.status == Status.FAILED:
        message = f"The service has failed: {service.status_reason or 'see its Events'}"
        return Unavailable("service_failed", message, RETRY_STOPPED_SECONDS)
    waits = service.status_reason or "an instance has to become ready"
    return Unavailable(
        "service_starting", f"The service is starting: {waits}", RETRY_STARTING_SECONDS
    )
