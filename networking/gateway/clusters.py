"""Clusters: one a version, with its instances' addresses and how Envoy watches them."""

from networking.gateway.envoy import CLUSTERS_TYPE, Resource, typed
from networking.gateway.facts import Address, GatewayVersion

# Servers close idle connections after 5 s or more; a call sent at that moment would be lost.
IDLE_CONNECTION = "3s"
# Instances have limits of their own; Envoy's 1,024 would cut off waiting streams.
MANY = 100_000


def cluster(version: GatewayVersion) -> Resource:
    """Return the cluster of one version."""
    return {
        "@type": CLUSTERS_TYPE,
        "name": version.id,
        "type": "STATIC",
        "connect_timeout": "2s",
        # What is removed gets no new call at once, whatever its health was.
        "ignore_health_on_host_removal": True,
        "load_assignment": {
            "cluster_name": version.id,
            "endpoints": [{"lb_endpoints": [_endpoint(a) for a in version.addresses]}],
        },
        "health_checks": [_health_check(version.health_path)],
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": MANY, "max_pending_requests": MANY, "max_requests": MANY}
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options={"idle_timeout": IDLE_CONNECTION},
                explicit_http_config={"http_protocol_options": {}},
            )
        },
    }


def _endpoint(address: Address) -> Resource:
    socket = {"address": address.host, "port_value": address.port}
    return {"endpoint": {"address": {"socket_address": socket}}}


def _health_check(path: str) -> Resource:
    return {
        "timeout": "3s",
        "interval": "5s",
        "no_traffic_interval": "30s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
        "http_health_check": {"path": path},
    }
