"""What Envoy itself answers when a call cannot be carried out, as JSON with the request's id."""

from networking.gateway.envoy import HIDDEN_STATUS, Resource
from networking.gateway.errors import error_members

# Flags of Envoy's own answers: what happened; status, code and message for the caller.
BY_FLAG = (
    (("UH", "NC"), 503, "no_healthy_instance", "No instance of the service can answer now."),
    (("UO",), 503, "too_many_calls", "Too many calls wait for the service. Try again."),
    (("UF", "URX"), 503, "instance_unreachable", "The instance cannot be reached. Try again."),
    (("UC", "UR", "UPE", "LR"), 502, "instance_failed", "The instance broke off the call."),
    (("DPE",), 400, "bad_request", "This is not a valid HTTP request."),
)
# Statuses of Envoy's own answers, where they differ from those of the key check.
BY_STATUS = (
    (504, 504, "timeout", "The service was silent for longer than its response timeout."),
    (408, 408, "request_timeout", "The request did not arrive in time."),
    (400, 400, "bad_request", "This is not a valid HTTP request."),
    (403, 500, "gateway_error", "The gateway could not check the key. Tell an administrator."),
    (HIDDEN_STATUS, 404, "not_found", "There is nothing for callers at this path."),
    (413, 413, "request_too_large", "The request is too large."),
    (431, 431, "headers_too_large", "The headers of the request are too large."),
)
SERVER_ERRORS = 500
RETRY_STATUS = 503


def mappers() -> list[Resource]:
    """Return the translation of Envoy's own answers."""
    by_flag = [
        _mapper({"response_flag_filter": {"flags": list(flags)}}, status, code, message)
        for flags, status, code, message in BY_FLAG
    ]
    by_status = [
        _mapper(_status_is(found), status, code, message)
        for found, status, code, message in BY_STATUS
    ]
    return by_flag + by_status


def _status_is(status: int) -> Resource:
    value = {"default_value": status, "runtime_key": f"slipway.status_{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _mapper(when: Resource, status: int, code: str, message: str) -> Resource:
    kind = "server_error" if status >= SERVER_ERRORS else "invalid_request_error"
    error = {**error_members(message, kind, code), "request_id": "%STREAM_ID%"}
    mapper: Resource = {
        "filter": when,
        "status_code": status,
        "body_format_override": {"json_format": {"error": error}},
    }
    if status == RETRY_STATUS:
        mapper["headers_to_add"] = [{"header": {"key": "retry-after", "value": "1"}}]
    return mapper
