"""What callers send, as the documents of model services show it, and what they get."""

import json
import subprocess
import time

import httpx
import openai
import pytest
import requests
from openai.types.chat import ChatCompletionUserMessageParam
from websockets.sync.client import connect

from tests.real.gateway.rig import (
    AUTH,
    JSON,
    KEY,
    SERVICE,
    STREAM_PARTS,
    Gateway,
    service,
)

pytestmark = pytest.mark.real


LONG = "x" * 200_000 + '"}'
# The two samples of the service's documents, but for address and key.
SHELL = (
    """curl -X POST {url}/v1/completions -H "Authorization: {key}" """
    """-H "Content-Type: application/json" """
    """-d '{{"prompt":"AI、機械学習の違いは何ですか?", "stream":"false", "max_tokens": 1024}}' -s"""
)
SHELL_EMBEDDING = (
    """curl -X POST "{url}/v1/embeddings" -H "Authorization: {key}" """
    """-H "Content-Type: application/json" -d '{{ "input": "A text", "model": "bge-m3" }}' -s"""
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
        hello: ChatCompletionUserMessageParam = {"role": "user", "content": "Hello"}
        whole = client.chat.completions.create(model="m", messages=[hello])
        assert whole.choices[0].message.content == "whole answer"
        stream = client.chat.completions.create(model="m", messages=[hello], stream=True)
        assert list(stream)[-1].choices[0].delta.content == f"part{STREAM_PARTS - 1} "
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
        ('{"a":{"stream":"true"},"stream" : "false"}', '{"a":{"stream":"true"},"stream" : false}'),
        ('{"a":"\\"stream\\":\\"true\\"","b":1}', None),
        ('{"downstream":"true"}', None),
        ('{"stream":"maybe"}', '{"stream":"maybe"}'),
        ('[{"stream":"true"}]', None),
        ('{"a":"{\\"stream\\":","stream":"true"}', '{"a":"{\\"stream\\":","stream":true}'),
        ('{"stream":"true', None),
        ('{"stream":"true","pad":"' + LONG, '{"stream":true,"pad":"' + LONG),
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
