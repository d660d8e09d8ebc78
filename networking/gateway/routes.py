"""Routes: one virtual host a service, with its key table, for both forms of its address.

Envoy looks a virtual host up by hash in one header, here PLACE: the host, followed by as much of
the path as a service's id takes. So neither form is searched for among the others, and each key
table is sent once.
"""

import hashlib
import json

from networking.gateway.envoy import (
    HIDDEN_STATUS,
    KEY_CHECK,
    PLACE,
    ROUTES,
    ROUTES_TYPE,
    Resource,
    typed,
)
from networking.gateway.errors import error_fragment
from networking.gateway.facts import GatewayKey, GatewayService, Unavailable

# Instances tell their own numbers under this; callers are not to see them.
METRICS = "/metrics"
# Safe to repeat: nothing of the call has reached an instance.
RETRY_ON = "connect-failure,reset-before-request"


def route_configuration() -> Resource:
    """Return what holds the virtual hosts, which are still to be put in."""
    return {
        "@type": ROUTES_TYPE,
        "name": ROUTES,
        "vhost_header": PLACE,
        "request_headers_to_remove": [PLACE],
    }


def virtual_host(service: GatewayService) -> Resource:
    """Return the key table, the state and the routes of one service."""
    keys = {key.digest: _key_value(key) for key in service.keys}
    return {
        "name": service.id,
        "domains": [f"{service.host}*", f"*/{service.id}"],
        "routes": _routes(service),
        "metadata": {"filter_metadata": {KEY_CHECK: keys}},
        "typed_per_filter_config": {KEY_CHECK: _context(service, keys)},
        "retry_policy": _retries(),
    }


def _key_value(key: GatewayKey) -> str:
    expires = int(key.expires_at.timestamp()) if key.expires_at else 0
    return f"{key.key_id};{int(key.enabled)};{expires}"


def _context(service: GatewayService, keys: dict[str, str]) -> Resource:
    """Return what the key check learns of a service; a new tag makes it read all anew."""
    values: Resource = {}
    if service.auth_enabled:
        values["auth"] = True
    if service.unavailable:
        values["refusal"] = _refusal(service.unavailable)
        values["retry_after"] = str(service.unavailable.retry_after)
    content = json.dumps([values, keys], sort_keys=True).encode()
    values["tag"] = f"{service.id}@{hashlib.sha256(content).hexdigest()[:16]}"
    return typed("extensions.filters.http.lua.v3.LuaPerRoute", filter_context=values)


def _refusal(why: Unavailable) -> str:
    return error_fragment(why.message, "service_unavailable", why.code)


def _retries() -> Resource:
    others = typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    return {
        "retry_on": RETRY_ON,
        "num_retries": 2,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": others}
        ],
        "host_selection_retry_max_attempts": "3",
    }


def _routes(service: GatewayService) -> list[Resource]:
    root = f"/{service.id}"
    by_name = {
        "name": ":authority",
        "string_match": {"prefix": f"{service.id}.", "ignore_case": True},
    }
    target = _target(service)
    hidden: Resource = {"direct_response": {"status": HIDDEN_STATUS}}
    return [
        {"name": service.id, "match": match, **action}
        for match, action in (
            ({"path_separated_prefix": root + METRICS}, hidden),
            ({"prefix": f"{root}/"}, _rewritten(target)),
            ({"path": root}, _rewritten(target)),
            ({"path_separated_prefix": METRICS, "headers": [by_name]}, hidden),
            ({"prefix": "/", "headers": [by_name]}, target),
        )
    ]


def _target(service: GatewayService) -> Resource:
    if service.unavailable:
        return {"direct_response": {"status": 503}}
    # A flowing answer may take any time; only silence ends it.
    silence = f"{service.timeout}s"
    return {"route": {"timeout": "0s", "idle_timeout": silence, **_clusters_of(service)}}


def _rewritten(target: Resource) -> Resource:
    if "route" not in target:
        return target
    return {"route": {**target["route"], "prefix_rewrite": "/"}}


def _clusters_of(service: GatewayService) -> Resource:
    if len(service.versions) == 1:
        return {"cluster": service.versions[0].id}
    weights = [{"name": v.id, "weight": v.weight} for v in service.versions]
    return {"weighted_clusters": {"clusters": weights}}
