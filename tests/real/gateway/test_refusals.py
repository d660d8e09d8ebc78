"""Whom the gateway lets through, and what it tells the others."""

import socketserver
import threading
import time
from datetime import UTC, datetime

import httpx
import pytest

from networking.gateway.facts import Address
from tests.real.gateway.rig import (
    AUTH,
    HOST,
    KEY,
    OTHER,
    SERVICE,
    Gateway,
    get,
    key,
    refusal,
    running,
    service,
    unavailable,
)
from tests.real.stack import free_port

pytestmark = pytest.mark.real


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", "BEARER   {}"])
def test_a_key_is_taken_bare_and_as_bearer_in_any_case(gateway, form):
    assert get(gateway, Authorization=form.format(KEY)).status_code == 200


@pytest.mark.parametrize(
    "presented", ["wrong", "Bearer", f"{KEY}x", f"{KEY} {KEY}", "k" * 300, "Basic eDp5", "\\"]
)
def test_what_is_no_key_of_the_service_is_refused(gateway, model, presented):
    assert refusal(get(gateway, Authorization=presented)) == (401, "invalid_api_key")
    assert model.calls == []


@pytest.mark.parametrize("text", ["a", "b" * 55, "c" * 56, "d" * 63, "e" * 64, "f" * 256])
def test_keys_of_any_length_are_hashed_right(envoy, address, text):
    envoy.apply(service(address, keys=(key(text),)))
    assert get(envoy, Authorization=text).status_code == 200
    assert get(envoy, Authorization=text[:-1] + "!").status_code == 401


def test_a_call_without_a_key_is_refused(gateway):
    response = httpx.get(gateway.path_url)
    assert refusal(response) == (401, "missing_api_key")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_disabled_and_an_expired_key_are_told_apart(envoy, address):
    past = datetime(2020, 1, 1, tzinfo=UTC)
    keys = (key("off", enabled=False), key("old", expires_at=past))
    envoy.apply(service(address, keys=keys))
    assert refusal(get(envoy, Authorization="off")) == (401, "disabled_api_key")
    assert refusal(get(envoy, Authorization="old")) == (401, "expired_api_key")


def test_a_key_of_another_service_is_refused(envoy, address):
    envoy.apply(service(address), service(address, name=OTHER, keys=(key("other"),)))
    assert refusal(get(envoy, Authorization="other")) == (401, "invalid_api_key")
    assert httpx.get(f"{envoy.url}/{OTHER}/", headers=AUTH).status_code == 401


def test_a_service_without_keys_is_open_and_hides_what_is_sent_to_it(envoy, address, model):
    envoy.apply(service(address, auth_enabled=False))
    model.calls.clear()
    assert httpx.get(envoy.path_url).status_code == 200
    assert get(envoy, Authorization="anything").status_code == 200
    assert all("authorization" not in headers for _, headers, _ in model.calls)


@pytest.mark.parametrize("path", ["/", "/v1/completions", f"/{SERVICE}x/a", "/ms-cccccccccccc/a"])
def test_an_unknown_service_is_404(gateway, path):
    assert refusal(httpx.get(gateway.url + path, headers=AUTH)) == (404, "service_not_found")


def test_a_stopped_service_says_so_and_when_to_ask_again(envoy):
    envoy.apply(unavailable("service_stopped", "The service is stopped."))
    response = get(envoy)
    assert refusal(response) == (503, "service_stopped")
    assert response.headers["retry-after"] == "5"


def test_a_starting_service_says_what_it_waits_for_in_any_letters(envoy):
    envoy.apply(unavailable("service_starting", 'Waits: "layer 3 of 7" \\ 模型 \n'))
    response = get(envoy)
    assert refusal(response) == (503, "service_starting")
    assert response.json()["error"]["message"] == 'Waits: "layer 3 of 7" \\ 模型 \n'
    assert refusal(get(envoy, Authorization="wrong")) == (401, "invalid_api_key")


def test_an_instance_that_cannot_be_reached_is_503(envoy):
    envoy.apply(service(Address("127.0.0.1", free_port())))
    response = get(envoy)
    assert refusal(response) == (503, "instance_unreachable")
    assert response.headers["retry-after"] == "1"


def test_a_version_without_instances_is_503(envoy):
    empty = service(Address("127.0.0.1", 1))
    version = empty.versions[0].__class__("mv-none", (), "/health", 100)
    envoy.apply(service(versions=(version,)))
    assert refusal(get(envoy)) == (503, "no_healthy_instance")


def test_a_silent_instance_is_504_after_the_response_timeout(envoy, address):
    envoy.apply(service(address, timeout=1))
    began = time.monotonic()
    assert refusal(get(envoy, "/silent")) == (504, "timeout")
    assert time.monotonic() - began < 10


class HangsUp(socketserver.BaseRequestHandler):
    """Reads a call and ends the connection, but for health checks."""

    def handle(self) -> None:
        read = self.request.recv(65536)
        if read.startswith(b"GET /health"):
            self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


def test_an_instance_that_hangs_up_is_502(envoy):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), HangsUp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        envoy.apply(service(Address("127.0.0.1", server.server_address[1])))
        assert refusal(get(envoy)) == (502, "instance_failed")
        server.shutdown()


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/%6Detrics", "/metrics%2f"]
)
def test_an_instances_own_metrics_are_hidden(gateway, model, path):
    assert refusal(get(gateway, path)) == (404, "not_found")
    by_name = httpx.get(gateway.url + path, headers={**AUTH, **HOST})
    assert refusal(by_name) == (404, "not_found")
    assert model.calls == []


@pytest.mark.parametrize(
    ("asked", "reached"),
    [("", "/"), ("/", "/"), ("?a=1", "/"), ("/a/b?c=1", "/a/b"), ("/v2/x", "/v2/x")],
)
def test_both_forms_of_the_address_lead_to_the_same_path(gateway, model, asked, reached):
    assert httpx.get(gateway.path_url + asked, headers=AUTH).json()["path"] == reached
    by_name = httpx.get(gateway.url + asked, headers={**AUTH, **HOST})
    assert by_name.json()["path"] == reached
    with_port = {**AUTH, "Host": f"{HOST['Host'].upper()}:{gateway.port}"}
    assert httpx.get(gateway.url + asked, headers=with_port).json()["path"] == reached


def test_forged_internal_headers_are_dropped_and_the_key_is_not_passed_on(gateway, model):
    forged = {
        "x-slipway-key": "ak-forged",
        "x-request-id": "forged",
        "x-slipway-place": "elsewhere",
    }
    response = get(gateway, **AUTH, **forged)
    received = model.calls[-1][1]
    assert received["x-slipway-key"] == "ak-1"
    assert received["x-request-id"] == response.headers["x-request-id"] != "forged"
    assert not {"authorization", "x-slipway-place"} & set(received)
    assert httpx.get(gateway.path_url, headers=forged).status_code == 401


def test_a_fault_in_the_key_check_lets_nothing_through(tmp_path, address, model):
    gateway = FaultyKeyCheck(tmp_path)
    with running(gateway):
        gateway.apply(service(address))
        model.calls.clear()
        assert refusal(get(gateway)) == (500, "gateway_error")
        assert refusal(get(gateway, **{"x-slipway-key": "ak-1"})) == (500, "gateway_error")
        assert model.calls == []


class FaultyKeyCheck(Gateway):
    """A gateway whose key check fails in the middle of a call."""

    def change_bootstrap(self, config):
        connection = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
        check = connection["typed_config"]["http_filters"][0]["typed_config"]
        code = check["default_source_code"]
        broken = code["inline_string"].replace("function checked(", "function checked_not(")
        assert broken != code["inline_string"]
        code["inline_string"] = broken
