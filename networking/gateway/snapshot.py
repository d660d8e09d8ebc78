"""From services to Envoy's routes and clusters: pure, and versioned by content."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from networking.gateway.clusters import cluster
from networking.gateway.envoy import CLUSTERS_TYPE, ROUTES_TYPE, Resource
from networking.gateway.facts import GatewayService
from networking.gateway.routes import route_configuration

KINDS = {"routes": ROUTES_TYPE, "clusters": CLUSTERS_TYPE}


@dataclass(frozen=True)
class Discovery:
    """All resources of one kind, and the answer that tells Envoy of them."""

    version: str
    resources: list[Resource]
    answer: bytes


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
    clusters = [cluster(v) for s in ordered if not s.unavailable for v in s.versions]
    return Snapshot(
        routes=_discovery("routes", [route_configuration(ordered)]),
        clusters=_discovery("clusters", clusters),
    )


def _discovery(kind: str, resources: list[Resource]) -> Discovery:
    content = json.dumps(resources)
    version = hashlib.sha256(content.encode()).hexdigest()[:16]
    head = json.dumps({"version_info": version, "type_url": KINDS[kind]})
    answer = f'{head[:-1]}, "resources": {content}}}'
    return Discovery(version, resources, answer.encode())
