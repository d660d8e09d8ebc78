"""What Envoy is started with: its listener, filters, log, and where its control plane is."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings

from networking.gateway.snapshot import LUA, ROUTES, TYPE

Config = dict[str, Any]
FILTER = Path(__file__).with_name("filter.lua")
HTTP = TYPE + "extensions.filters.http."
INTERNAL_HEADERS = ("x-request-id", "x-slipway-key")
# Flags of Envoy's own answers: what happened, status, code, message.
LOCAL_REPLIES = (
    (("UH", "NC"), 503, "no_healthy_instance", "No instance of the service can answer now."),
    (("UF", "URX"), 503, "instance_unreachable", "The instance cannot be reached. Try again."),
    (("UC", "UR", "UPE"), 502, "instance_failed", "The instance broke off the call."),
    (("UT", "SI"), 504, "timeout", "The service was silent longer than its response timeout."),
)
STATUS_REPLIES = (
    (400, "bad_request", "This is not a valid HTTP request."),
    (403, "gateway_error", "The gateway could not check the key. Tell an administrator."),
    (413, "request_too_large", "The request is too large."),
)


def bootstrap() -> Config:
    """Return the whole bootstrap configuration."""
    host, _, port = settings.GATEWAY_XDS_ADDRESS.rpartition(":")
    admin_port = int(os.environ.get("SLIPWAY_GATEWAY_ADMIN_PORT", "9901"))
    return {
        "node": {"id": "gateway", "cluster": "slipway"},
        "admin": {"address": _address("127.0.0.1", admin_port)},
        "dynamic_resources": {"cds_config": _source()},
        "static_resources": {"listeners": [_listener()], "clusters": [_xds(host, int(port))]},
    }


def _address(host: str, port: int) -> Config:
    return {"socket_address": {"address": host, "port_value": port}}


def _source() -> Config:
    return {
        "resource_api_version": "V3",
        "initial_fetch_timeout": "2s",
        "api_config_source": {
            "api_type": "REST",
            "transport_api_version": "V3",
            "cluster_names": ["xds"],
            "refresh_delay": "0.05s",
            "request_timeout": "35s",
        },
    }


def _xds(host: str, port: int) -> Config:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {
        "name": "xds",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _listener() -> Config:
    host = os.environ.get("SLIPWAY_GATEWAY_HOST", "127.0.0.1")
    port = int(os.environ.get("SLIPWAY_GATEWAY_PORT", "8080"))
    manager = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    connection = {
        "@type": manager,
        "stat_prefix": "gateway",
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        "merge_slashes": True,
        "stream_idle_timeout": "0s",
        "rds": {"route_config_name": ROUTES, "config_source": _source()},
        "early_header_mutation_extensions": [_strip()],
        "http_filters": [_lua(), _gate(), _filter("router", "router.v3.Router", {})],
        "local_reply_config": {"mappers": _mappers()},
        "access_log": [_access_log()],
    }
    chain = {"filters": [{"name": "http", "typed_config": connection}]}
    return {"name": "http", "address": _address(host, port), "filter_chains": [chain]}


def _filter(name: str, kind: str, config: Config) -> Config:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": HTTP + kind, **config},
    }


def _lua() -> Config:
    code = {"default_source_code": {"inline_string": FILTER.read_text()}}
    return {**_filter("lua", "lua.v3.Lua", code), "name": LUA}


def _gate() -> Config:
    """Return the filter that stops a call which the key check did not mark."""
    marked = {"filter": "slipway", "path": [{"key": "key"}], "value": {"present_match": True}}
    policy = {"permissions": [{"any": True}], "principals": [{"metadata": marked}]}
    return _filter(
        "rbac", "rbac.v3.RBAC", {"rules": {"action": "ALLOW", "policies": {"marked": policy}}}
    )


def _strip() -> Config:
    kind = TYPE + "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    removed = [{"remove": name} for name in INTERNAL_HEADERS]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {"@type": kind, "mutations": removed},
    }


def _mappers() -> list[Config]:
    by_flag = [
        _mapper({"response_flag_filter": {"flags": list(flags)}}, status, code, message)
        for flags, status, code, message in LOCAL_REPLIES
    ]
    return by_flag + [
        _mapper({"status_code_filter": {"comparison": _equals(status)}}, status, code, message)
        for status, code, message in STATUS_REPLIES
    ]


def _equals(status: int) -> Config:
    return {"op": "EQ", "value": {"default_value": status, "runtime_key": f"slipway.{status}"}}


def _mapper(when: Config, status: int, code: str, message: str) -> Config:
    error = {
        "message": message,
        "type": "gateway_error",
        "code": code,
        "request_id": "%STREAM_ID%",
    }
    return {
        "filter": when,
        "status_code": status,
        "body_format_override": {"json_format": {"error": error}},
    }


def _access_log() -> Config:
    fields = {
        "time": "%START_TIME(%s.%3f)%",
        "id": "%STREAM_ID%",
        "service": "%METADATA(ROUTE:slipway:service)%",
        "version": "%UPSTREAM_CLUSTER%",
        "key": "%DYNAMIC_METADATA(slipway:key)%",
        "refused": "%DYNAMIC_METADATA(slipway:refused)%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "received": "%BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
    }
    return {
        "name": "file",
        "typed_config": {
            "@type": TYPE + "extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(settings.GATEWAY_ACCESS_LOG),
            "log_format": {"json_format": fields},
        },
    }
