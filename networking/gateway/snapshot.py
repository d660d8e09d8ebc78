"""From services to Envoy's routes and clusters: pure, and versioned by content."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Resource = dict[str, Any]
TYPE = "type.googleapis.com/envoy."
LUA = "envoy.filters.http.lua"
ROUTES = "services"


@dataclass(frozen=True)
class GatewayKey:
    """One key of a service; only the SHA-256 of it is known here."""

    digest: str
    key_id: str
    enabled: bool
    expires_at: datetime | None


@dataclass(frozen=True)
class GatewayVersion:
    """One version that takes traffic; addresses are `host:port`."""

    id: str
    addresses: tuple[str, ...]
    health_path: str
    weight: int


@dataclass(frozen=True)
class Unavailable:
    """Why a service cannot answer; `retry_after` in seconds."""

    code: str
    message: str
    retry_after: int


@dataclass(frozen=True)
class GatewayService:
    """What the gateway knows of a service; `timeout` is the longest silence, in seconds."""

    id: str
    host: str
    auth_enabled: bool
    keys: tuple[GatewayKey, ...]
    versions: tuple[GatewayVersion, ...]
    timeout: int
    unavailable: Unavailable | None = None


@dataclass(frozen=True)
class Snapshot:
    """Resources by xDS type, each with the version Envoy is told."""

    resources: dict[str, list[Resource]]
    versions: dict[str, str]


def build(services: Sequence[GatewayService]) -> Snapshot:
    """Return the whole configuration of a gateway for these services."""
    ordered = sorted(services, key=lambda service: service.id)
    clusters = [_cluster(v) for s in ordered if not s.unavailable for v in s.versions]
    resources = {"routes": [_route_configuration(ordered)], "clusters": clusters}
    return Snapshot(resources, {kind: _hash(value) for kind, value in resources.items()})


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _route_configuration(services: Sequence[GatewayService]) -> Resource:
    unknown = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "typed_per_filter_config": {LUA: _context({"unknown": True})},
    }
    paths = [route for service in services for route in _path_routes(service)]
    return {
        "@type": TYPE + "config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [
            *(
                {
                    "name": s.id,
                    "domains": [s.host, f"{s.host}:*"],
                    "routes": [_route(s, {"prefix": "/"})],
                }
                for s in services
            ),
            {"name": "by-path", "domains": ["*"], "routes": [*paths, unknown]},
        ],
    }


def _path_routes(service: GatewayService) -> list[Resource]:
    below = _route(service, {"prefix": f"/{service.id}/"}, rewrite=True)
    itself = _route(service, {"path": f"/{service.id}"}, rewrite=True)
    return [below, itself]


def _route(service: GatewayService, match: Resource, *, rewrite: bool = False) -> Resource:
    keys = {key.digest: _key_value(key) for key in service.keys}
    context: Resource = {"service": service.id, "version": _hash(keys)}
    if service.auth_enabled:
        context["auth"] = True
    if service.unavailable:
        context["code"] = service.unavailable.code
        context["message"] = service.unavailable.message
        context["retry_after"] = str(service.unavailable.retry_after)
    return {
        "match": match,
        **_target(service, rewrite=rewrite),
        "metadata": {"filter_metadata": {LUA: keys, "slipway": {"service": service.id}}},
        "typed_per_filter_config": {LUA: _context(context)},
    }


def _key_value(key: GatewayKey) -> str:
    expires = int(key.expires_at.timestamp()) if key.expires_at else 0
    return f"{key.key_id};{int(key.enabled)};{expires}"


def _context(values: Resource) -> Resource:
    return {"@type": TYPE + "extensions.filters.http.lua.v3.LuaPerRoute", "filter_context": values}


def _target(service: GatewayService, *, rewrite: bool) -> Resource:
    if service.unavailable:
        return {"direct_response": {"status": 503}}
    action: Resource = {
        # A flowing stream may take any time; only silence ends it.
        "timeout": "0s",
        "idle_timeout": f"{service.timeout}s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "retry_policy": {
            "retry_on": "connect-failure",
            "num_retries": 2,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": TYPE
                        + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
            "host_selection_retry_max_attempts": "3",
        },
        **_clusters_of(service),
    }
    if rewrite:
        pattern = {"regex": f"^/{service.id}/?"}
        action["regex_rewrite"] = {"pattern": pattern, "substitution": "/"}
    return {"route": action}


def _clusters_of(service: GatewayService) -> Resource:
    if len(service.versions) == 1:
        return {"cluster": service.versions[0].id}
    weights = [{"name": v.id, "weight": v.weight} for v in service.versions]
    return {"weighted_clusters": {"clusters": weights}}


def _cluster(version: GatewayVersion) -> Resource:
    return {
        "@type": TYPE + "config.cluster.v3.Cluster",
        "name": version.id,
        "type": "STATIC",
        "connect_timeout": "2s",
        "ignore_health_on_host_removal": True,
        "load_assignment": {
            "cluster_name": version.id,
            "endpoints": [{"lb_endpoints": [_endpoint(a) for a in version.addresses]}],
        },
        "health_checks": [
            {
                "timeout": "5s",
                "interval": "5s",
                "unhealthy_threshold": 3,
                "healthy_threshold": 1,
                "http_health_check": {"path": version.health_path},
            }
        ],
    }


def _endpoint(address: str) -> Resource:
    host, _, port = address.rpartition(":")
    socket = {"address": host.strip("[]"), "port_value": int(port)}
    return {"endpoint": {"address": {"socket_address": socket}}}
