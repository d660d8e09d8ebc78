"""What Envoy is started with: its listener, and where its control plane is."""

from pathlib import Path

from django.conf import settings

from networking.gateway.envoy import (
    INTERNAL_HEADERS,
    KEY_CHECK,
    MARK,
    PLACE,
    PLACE_FROM_PATH,
    ROUTES,
    Resource,
    typed,
)
from networking.gateway.replies import mappers

KEY_CHECK_CODE = Path(__file__).with_name("filter.lua")
FILTERS = "extensions.filters.http."
COMMAND_OPTIONS = (
    "--disable-hot-restart",
    # At most this much of the access log is lost when Envoy is killed.
    *("--file-flush-interval-msec", "1000"),
    *("--log-level", "warning"),
    # It would tell many times a second that the control plane is not there yet.
    *("--component-log-level", "config:error"),
)


def bootstrap() -> Resource:
    """Return the whole bootstrap configuration."""
    host, _, port = settings.GATEWAY_XDS_ADDRESS.rpartition(":")
    return {
        "node": {"id": "gateway", "cluster": "slipway"},
        "admin": {"address": _address("127.0.0.1", settings.GATEWAY_ADMIN_PORT)},
        "dynamic_resources": {"cds_config": _source()},
        "static_resources": {
            "listeners": [_listener()],
            "clusters": [_control_plane(host, int(port))],
        },
    }


def envoy_command(bootstrap_file: Path) -> list[str]:
    """Return the command line of Envoy for a bootstrap file."""
    return ["envoy", "--config-path", str(bootstrap_file), *COMMAND_OPTIONS]


def _address(host: str, port: int) -> Resource:
    return {"socket_address": {"address": host, "port_value": port}}


def _source() -> Resource:
    return {
        "resource_api_version": "V3",
        "initial_fetch_timeout": "2s",
        "api_config_source": {
            "api_type": "REST",
            "transport_api_version": "V3",
            "cluster_names": ["xds"],
            # Between an answer and the next poll; the poll itself is held.
            "refresh_delay": "0.05s",
            "request_timeout": "35s",
        },
    }


def _control_plane(host: str, port: int) -> Resource:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {
        "name": "xds",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [endpoint]}]},
        # A control plane that is gone without a word is noticed.
        "upstream_connection_options": {
            "tcp_keepalive": {
                "keepalive_probes": 2,
                "keepalive_time": 5,
                "keepalive_interval": 2,
            }
        },
    }


def _listener() -> Resource:
    connection = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="gateway",
        generate_request_id=True,
        always_set_request_id_in_response=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="UNESCAPE_AND_FORWARD",
        stream_idle_timeout="0s",
        request_headers_timeout="30s",
        upgrade_configs=[{"upgrade_type": "websocket"}],
        rds={"route_config_name": ROUTES, "config_source": _source()},
        early_header_mutation_extensions=[_early_headers()],
        http_filters=[
            _key_check(),
            _gate(),
            _named("router", typed(FILTERS + "router.v3.Router")),
        ],
        local_reply_config={"mappers": mappers()},
        access_log=[_access_log()],
    )
    chain = {"filters": [{"name": "http", "typed_config": connection}]}
    address = _address(settings.GATEWAY_HOST, settings.GATEWAY_PORT)
    return {"name": "http", "address": address, "filter_chains": [chain]}


def _named(name: str, config: Resource) -> Resource:
    return {"name": f"envoy.filters.http.{name}", "typed_config": config}


def _key_check() -> Resource:
    code = {"inline_string": KEY_CHECK_CODE.read_text()}
    config = typed(FILTERS + "lua.v3.Lua", default_source_code=code)
    return {"name": KEY_CHECK, "typed_config": config}


def _gate() -> Resource:
    """Return the filter that stops a call which the key check did not mark."""
    marked = {"header": {"name": MARK, "present_match": True}}
    policy = {"permissions": [{"any": True}], "principals": [marked]}
    rules = {"action": "ALLOW", "policies": {"marked": policy}}
    return _named("rbac", typed(FILTERS + "rbac.v3.RBAC", rules=rules))


def _early_headers() -> Resource:
    """Drop what only the gateway may say, and say where the call goes to."""
    removed: list[Resource] = [{"remove": name} for name in INTERNAL_HEADERS]
    place = {"key": PLACE, "value": f"%REQ(:AUTHORITY)%%REQ(:PATH):{PLACE_FROM_PATH}%"}
    kind = "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(kind, mutations=[*removed, {"append": {"header": place}}]),
    }


def _access_log() -> Resource:
    fields = {
        "time": "%START_TIME(%s.%3f)%",
        "id": "%STREAM_ID%",
        "service": "%ROUTE_NAME%",
        "version": "%UPSTREAM_CLUSTER%",
        "key": f"%REQ({MARK})%",
        "refused": "%DYNAMIC_METADATA(slipway:refused)%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "received": "%BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
    }
    config = typed(
        "extensions.access_loggers.file.v3.FileAccessLog",
        path=str(settings.GATEWAY_ACCESS_LOG),
        log_format={"json_format": fields},
    )
    return {"name": "file", "typed_config": config}
