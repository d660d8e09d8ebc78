"""The gateway as callers meet it: a real Envoy in front of a model that only pretends."""

import json
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import openai
import pytest
import requests
from websockets.sync.client import connect

from networking.gateway.facts import Address
from tests.real.gateway import (
    KEY,
    OTHER,
    SERVICE,
    STREAM_PARTS,
    Gateway,
    PretendModel,
    Served,
    key,
    running,
    service,
    unavailable,
)
from tests.real.stack import free_port, until

pytestmark = pytest.mark.real
AUTH = {"Authorization": KEY}
JSON = {"Content-Type": "application/json"}
HOST = {"Host": f"{SERVICE}.here.slipway.localhost"}


@pytest.fixture(scope="module")
def model() -> PretendModel:
    return PretendModel()


@pytest.fixture(scope="module")
def address(model) -> Iterator[Address]:
    served = Served(model)
    yield served.address
    served.stop()


@pytest.fixture(scope="module")
def envoy(tmp_path_factory) -> Iterator[Gateway]:
    with running(Gateway(tmp_path_factory.mktemp("gateway"))) as gateway:
        yield gateway


@pytest.fixture
def gateway(envoy, address, model) -> Gateway:
    """The gateway with one service that answers."""
    envoy.apply(service(address))
    model.calls.clear()
    return envoy


def get(gateway: Gateway, path: str = "/", **headers: str) -> httpx.Response:
    return httpx.get(gateway.path_url + path, headers=headers or AUTH, timeout=30)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal, whose shape must be OpenAI's."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    return response.status_code, error["code"]


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


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6Detrics", "/metrics%2f"])
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
    forged = {"x-slipway-key": "ak-forged", "x-request-id": "forged", "x-slipway-place": "elsewhere"}
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


# The two samples of the service's documents, but for address and key.
SHELL = (
    """curl -X POST {url}/v1/completions -H "Authorization: {key}" -H "Content-Type: application/json" """
    """-d '{{"prompt":"AI、機械学習の違いは何ですか?", "stream":"false", "max_tokens": 1024}}' -s"""
)
SHELL_EMBEDDING = (
    """curl -X POST "{url}/v1/embeddings" -H "Authorization: {key}" -H "Content-Type: application/json" """
    """-d '{{ "input": "This is a piece of text", "model": "bge-m3" }}' -s"""
)


def shell(sample: str, gateway: Gateway) -> dict:
    command = sample.format(url=gateway.path_url, key=KEY)
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=30)
    return json.loads(done.stdout)


def test_the_shell_samples_are_answered(gateway, model):
    assert shell(SHELL, gateway)["choices"][0]["text"] == "whole answer"
    assert json.loads(model.calls[-1][2])["stream"] is False
    assert shell(SHELL_EMBEDDING, gateway)["data"][0]["embedding"] == [0.25, 0.5]


def test_the_python_sample_streams(gateway, model):
    data = {"prompt": "春についての詩", "stream": True, "max_tokens": 512}
    response = requests.post(
        f"{gateway.path_url}/v1/completions", headers={**AUTH, **JSON}, json=data, stream=True
    )
    response.raise_for_status()
    lines = [line.decode()[5:].strip() for line in response.iter_lines() if line]
    texts = [json.loads(line)["choices"][0]["text"] for line in lines if line != "[DONE]"]
    assert "".join(texts) == "".join(f"part{number} " for number in range(STREAM_PARTS))
    assert lines[-1] == "[DONE]"


def test_the_python_sample_of_embeddings_is_answered(gateway):
    payload = json.dumps({"input": "Test text", "model": "bge-m3"})
    url = f"{gateway.path_url}/v1/embeddings"
    response = requests.post(url, headers={**JSON, **AUTH}, data=payload)
    assert response.json()["data"][0]["embedding"] == [0.25, 0.5]


def test_the_openai_client_works_streams_and_errors_included(gateway):
    with openai.OpenAI(base_url=f"{gateway.path_url}/v1", api_key=KEY, max_retries=0) as client:
        messages = [{"role": "user", "content": "Hello"}]
        whole = client.chat.completions.create(model="m", messages=messages)
        assert whole.choices[0].message.content == "whole answer"
        parts = list(client.chat.completions.create(model="m", messages=messages, stream=True))
        assert parts[-1].choices[0].delta.content == f"part{STREAM_PARTS - 1} "
        embedded = client.embeddings.create(model="m", input="x", encoding_format="float")
        assert embedded.data[0].embedding == [0.25, 0.5]
    with (
        openai.OpenAI(base_url=f"{gateway.path_url}/v1", api_key="no", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.models.list()
    assert refused.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ('{"stream":"true"}', '{"stream":true}'),
        ('{"a":[{"stream":"true"}],"stream" : "false" }', '{"a":[{"stream":"true"}],"stream" : false }'),
        ('{"a":"\\"stream\\":\\"true\\"","b":1}', None),
        ('{"downstream":"true"}', None),
        ('{"stream":"maybe"}', '{"stream":"maybe"}'),
        ('[{"stream":"true"}]', None),
        ('{"prompt":"{\\"stream\\":","stream":"true"}', '{"prompt":"{\\"stream\\":","stream":true}'),
        ('{"stream":"true', None),
        ('{"stream":"true","pad":"' + "x" * 200_000 + '"}', '{"stream":true,"pad":"' + "x" * 200_000 + '"}'),
    ],
)  # fmt: skip
def test_only_the_outermost_stream_becomes_a_boolean(gateway, model, sent, received):
    url = f"{gateway.path_url}/v1/raw"
    httpx.post(url, headers={**AUTH, **JSON}, content=sent)
    assert model.calls[-1][2].decode() == (received or sent)


@pytest.mark.parametrize("path", ["/predict", "/x/v1/raw", "/v1"])
def test_bodies_of_other_paths_are_left_alone(gateway, model, path):
    httpx.post(gateway.path_url + path, headers={**AUTH, **JSON}, content='{"stream":"true"}')
    assert model.calls[-1][2] == b'{"stream":"true"}'


def test_a_stream_arrives_part_by_part_and_outlasts_the_response_timeout(envoy, address, model):
    envoy.apply(service(address, timeout=1))
    model.pause = 0.4
    try:
        sent = {"stream": True}
        url = f"{envoy.path_url}/v1/completions"
        with httpx.stream("POST", url, headers=AUTH, json=sent, timeout=10) as response:
            arrivals = [time.monotonic() for line in response.iter_lines() if line]
    finally:
        model.pause = 0.02
    assert len(arrivals) == STREAM_PARTS + 1
    assert arrivals[-1] - arrivals[0] > 1.5


def test_a_websocket_is_passed_through(gateway):
    url = f"ws://127.0.0.1:{gateway.port}/{SERVICE}/words"
    with connect(url, additional_headers=AUTH) as words:
        words.send("hello")
        assert words.recv(timeout=5) == "hello"


def test_a_removed_instance_fails_no_call_and_no_stream(envoy, model):
    first, second = Served(model), Served(model)
    envoy.apply(service(first.address, second.address))
    model.pause = 0.3
    results: list[int] = []
    stop = threading.Event()
    callers = [threading.Thread(target=call, args=(envoy, results, stop)) for _ in range(2)]
    streams = [threading.Thread(target=read_stream, args=(envoy, results)) for _ in range(6)]
    try:
        for thread in callers + streams:
            thread.start()
        time.sleep(0.5)
        envoy.apply(service(second.address))
        time.sleep(0.3)
        for thread in streams:
            thread.join(20)
        first.stop()
        time.sleep(0.5)
        envoy.apply(service(second.address, Served(model).address))
        time.sleep(0.5)
    finally:
        model.pause = 0.02
        stop.set()
        for thread in callers:
            thread.join(20)
        second.stop()
    assert len(results) > 30
    assert set(results) == {200}


def call(gateway: Gateway, results: list[int], stop: threading.Event) -> None:
    with httpx.Client(headers=AUTH, timeout=20) as client:
        while not stop.is_set():
            results.append(client.get(gateway.path_url).status_code)


def read_stream(gateway: Gateway, results: list[int]) -> None:
    url = f"{gateway.path_url}/v1/completions"
    with httpx.stream("POST", url, headers=AUTH, json={"stream": True}, timeout=20) as response:
        whole = response.read().endswith(b"[DONE]\n\n")
        results.append(response.status_code if whole else 0)


def test_a_thousand_services_are_each_found_by_both_forms(envoy, address):
    names = [f"ms-{number:012d}" for number in range(1000)]
    envoy.apply(*(service(address, name=name, keys=(key(name),)) for name in names))
    for name in (names[0], names[499], names[-1]):
        auth = {"Authorization": name}
        assert httpx.get(f"{envoy.url}/{name}/a", headers=auth).status_code == 200
        host = {"Host": f"{name}.here.slipway.localhost"}
        assert httpx.get(envoy.url, headers={**auth, **host}).status_code == 200
        assert httpx.get(f"{envoy.url}/{name}", headers=AUTH).status_code == 401


def test_calls_are_logged_with_service_version_and_key_but_no_secret(gateway):
    calls = [get(gateway, "/logged"), get(gateway, "/logged", Authorization="wrong-secret")]
    log = gateway.folder / "access.log"
    ids = [response.headers["x-request-id"] for response in calls]
    until(lambda: all(i in log.read_text() for i in ids), 5, "the calls are in the log")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    accepted, refused = (next(line for line in lines if line["id"] == i) for i in ids)
    version = SERVICE.replace("ms", "mv")
    assert (accepted["service"], accepted["version"], accepted["key"]) == (SERVICE, version, "ak-1")
    assert (refused["key"], refused["refused"]) == (None, "invalid_api_key")
    assert KEY not in log.read_text()
    assert "wrong-secret" not in log.read_text()


def test_envoy_keeps_serving_without_a_control_plane_and_takes_news_from_the_next(
    tmp_path, address
):
    with running(Gateway(tmp_path)) as gateway:
        gateway.apply(service(address))
        gateway.control.stop()
        time.sleep(0.3)
        assert get(gateway).status_code == 200
        gateway.plane = gateway.plane.__class__()
        gateway.serve_control_plane()
        gateway.apply(service(address, keys=(key(enabled=False),)))
        assert refusal(get(gateway)) == (401, "disabled_api_key")
        assert "REST update" not in (tmp_path / "envoy.log").read_text()


def test_a_refused_configuration_is_logged_and_the_former_one_stays(gateway, address, caplog):
    wrong = service(address, host="two words").versions[0]
    gateway.publish(service(Address("not an address", 1)), service(address, name=OTHER))
    until(lambda: "Envoy refused the clusters" in caplog.text, 10, "the refusal is logged")
    assert wrong
    assert get(gateway).status_code == 200
