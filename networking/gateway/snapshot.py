"""From services to Envoy's routes and clusters: pure, and versioned by content.

One change among a thousand services must reach Envoy at once, so the text of what did not change
is kept.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from networking.gateway.clusters import cluster
from networking.gateway.envoy import CLUSTERS_TYPE, ROUTES_TYPE, Resource
from networking.gateway.facts import GatewayService, GatewayVersion
from networking.gateway.routes import route_configuration, virtual_host

KINDS = {"routes": ROUTES_TYPE, "clusters": CLUSTERS_TYPE}
KEPT_TEXTS = 10_000


@dataclass(frozen=True)
class Discovery:
    """All resources of one kind, as the answer that tells Envoy of them."""

    version: str
    answer: bytes

    @property
    def resources(self) -> list[Resource]:
        """Return the resources themselves."""
        found: list[Resource] = json.loads(self.answer)["resources"]
        return found


@dataclass(frozen=True)
class Snapshot:
    """The whole configuration of a gateway."""

    routes: Discovery
    clusters: Discovery

    def of(self, kind: str) -> Discovery:
        """Return one of KINDS."""
        return self.routes if kind == "routes" else self.clusters


def build(services: Sequence[GatewayService]) -> Snapshot:
    """Return the configuration for these services, in whatever order they come."""
    ordered = sorted(services, key=lambda service: service.id)
    hosts = ", ".join(_host_text(service) for service in ordered)
    around = json.dumps(route_configuration())
    answering = [v for s in ordered if not s.unavailable for v in s.versions]
    return Snapshot(
        routes=_discovery("routes", f'{around[:-1]}, "virtual_hosts": [{hosts}]}}'),
        clusters=_discovery("clusters", ", ".join(_cluster_text(v) for v in answering)),
    )


@lru_cache(KEPT_TEXTS)
def _host_text(service: GatewayService) -> str:
    return json.dumps(virtual_host(service))


@lru_cache(KEPT_TEXTS)
def _cluster_text(version: GatewayVersion) -> str:
    return json.dumps(cluster(version))


def _discovery(kind: str, resources: str) -> Discovery:
    version = hashlib.sha256(resources.encode()).hexdigest()[:16]
    head = json.dumps({"version_info": version, "type_url": KINDS[kind]})
    return Discovery(version, f'{head[:-1]}, "resources": [{resources}]}}'.encode())
