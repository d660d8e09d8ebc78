"""Names that the parts of Envoy's configuration must agree on."""

from typing import Any

Resource = dict[str, Any]

TYPE = "type.googleapis.com/envoy."
ROUTES_TYPE = TYPE + "config.route.v3.RouteConfiguration"
CLUSTERS_TYPE = TYPE + "config.cluster.v3.Cluster"
# The route configuration that the listener asks for.
ROUTES = "services"
# The key check: its name as a filter is also where it finds its metadata.
KEY_CHECK = "envoy.filters.http.lua"
# Set by the key check alone; says which key a call was accepted with.
MARK = "x-slipway-key"
# Host and beginning of the path in one, for the choice of the service.
PLACE = "x-slipway-place"
# A slash and the 15 characters of a service's id.
PLACE_FROM_PATH = 16
# What a route answers with where there is nothing for callers; they are told 404.
HIDDEN_STATUS = 410
INTERNAL_HEADERS = ("x-request-id", MARK, PLACE)


def typed(kind: str, **values: Any) -> Resource:
    """Return a message of one of Envoy's types, named without the common prefix."""
    return {"@type": TYPE + kind, **values}
