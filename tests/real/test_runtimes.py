"""The servers themselves, in environments made of their own requirements."""

import json
import os
import signal
import subprocess
import threading
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import numpy as np
import pytest
from uv import find_uv_bin

from runtimes.registry import MODEL_MOUNT, RUNTIMES, Launch, command_and_environment
from services.catalog.load import load_entries
from services.catalog.prepare import prepare_model
from services.models import CatalogEntry
from tests.real.stack import free_port, until

pytestmark = [pytest.mark.real, pytest.mark.django_db]


def quiet(progress):
    """Take no notice of progress."""


@pytest.fixture(scope="session")
def pythons(tmp_path_factory):
    """Return each image's Python, in a virtual environment made of its requirements."""
    made = {}
    for runtime in RUNTIMES.values():
        if runtime.context and runtime.image_name not in made:
            folder = tmp_path_factory.mktemp(runtime.image_name) / "venv"
            python = folder / "bin" / "python"
            requirements = runtime.context / "requirements.txt"
            subprocess.run([find_uv_bin(), "venv", "-q", folder], check=True)
            install = [find_uv_bin(), "pip", "install", "-q", "-p", python, "-r", requirements]
            subprocess.run(install, check=True)
            made[runtime.image_name] = python
    return made


@pytest.fixture
def models(settings, tmp_path_factory):
    """Keep prepared models for the whole run: each is downloaded once."""
    settings.MODEL_DIR = tmp_path_factory.getbasetemp() / "models"
    load_entries()


@contextmanager
def served(slug, pythons):
    """Run one catalog entry's server and yield its process and a client."""
    entry = CatalogEntry.objects.get(slug=slug)
    runtime = RUNTIMES[entry.runtime]
    folder = prepare_model(entry, quiet)
    launch = Launch(slug, Decimal(1), 4096, options=entry.runtime_options)
    command, env = command_and_environment(entry.runtime, launch)
    port = free_port()
    env = {name: value.replace(MODEL_MOUNT, str(folder)) for name, value in env.items()}
    process = subprocess.Popen(
        [pythons[runtime.image_name], *command[1:]],
        cwd=runtime.context,
        env={**os.environ, **env, "HOST": "127.0.0.1", "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    try:
        until(lambda: healthy(client, runtime.health_path), 60, f"{slug} answers")
        yield process, client
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
        client.close()


def healthy(client, path):
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


def test_smollm2_answers_in_openai_shapes(models, pythons):
    with served("smollm2-135m-instruct", pythons) as (_, client):
        listed = client.get("/v1/models").json()
        asked = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
        chat = client.post("/v1/chat/completions", json=asked).json()
        text = client.post("/v1/completions", json={"prompt": "One,", "max_tokens": 8}).json()
    assert listed["data"][0]["id"] == "smollm2-135m-instruct"
    assert chat["object"] == "chat.completion"
    assert chat["choices"][0]["message"]["content"]
    assert text["choices"][0]["text"]
    assert 1 <= text["usage"]["completion_tokens"] <= 8


def test_a_stream_under_way_is_finished_after_sigterm(models, pythons):
    body = {"prompt": "Once", "max_tokens": 120, "ignore_eos": True, "stream": True}
    body["stream_options"] = {"include_usage": True}
    with served("smollm2-135m-instruct", pythons) as (process, client):
        with client.stream("POST", "/v1/completions", json=body) as answer:
            lines = answer.iter_lines()
            first = next(line for line in lines if line)
            process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert process.wait(20) == 0
    assert json.loads(first.removeprefix("data: "))["choices"]
    assert rest[-1] == "data: [DONE]"
    assert json.loads(rest[-2].removeprefix("data: "))["usage"]["completion_tokens"] == 120


def test_similar_sentences_have_similar_embeddings(models, pythons):
    texts = ["A cat sits outside.", "A feline is outdoors.", "Stocks fell sharply today."]
    with served("all-minilm-l6-v2", pythons) as (_, client):
        answer = client.post("/v1/embeddings", json={"input": texts, "model": "bge-m3"}).json()
    cat, feline, stocks = (np.array(item["embedding"]) for item in answer["data"])
    assert cat.shape == (384,)
    assert cat @ feline > 0.5
    assert cat @ stocks < 0.3
    assert answer["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize("text", ["word " * 511, "word " * 20_000, ["short", "word " * 800]])
def test_a_text_longer_than_the_context_is_the_callers_error(models, pythons, text):
    with served("all-minilm-l6-v2", pythons) as (_, client):
        longest = client.post("/v1/embeddings", json={"input": "word " * 510})
        refused = client.post("/v1/embeddings", json={"input": text})
        after = client.post("/v1/embeddings", json={"input": "short"})
    assert [longest.status_code, refused.status_code, after.status_code] == [200, 400, 200]
    assert longest.json()["usage"]["prompt_tokens"] == 512
    assert refused.json()["error"]["type"] == "exceed_context_size_error"
    assert "512 tokens" in refused.json()["error"]["message"]


def test_the_wine_model_predicts_and_names_what_is_wrong(models, pythons):
    example = CatalogEntry.objects.get(slug="wine-cultivar").signature["example"]
    with served("wine-cultivar", pythons) as (_, client):
        right = client.post("/predict", json=example).json()
        signature = client.get("/signature").json()
        example["dataframe_split"]["data"][1][0] = None
        gap = client.post("/predict", json=example)
        example["dataframe_split"]["data"][1].pop()
        ragged = client.post("/invocations", json=example)
    assert right == {"client_request_id": "123456", "predictions": [0, 1, 2]}
    assert signature["inputs"][0] == {"name": "alcohol", "type": "double", "required": True}
    assert (gap.status_code, gap.json()["error"]["column"]) == (400, "alcohol")
    assert (ragged.status_code, ragged.json()["error"]["row"]) == (400, 1)


def test_the_mlflow_server_stops_with_zero(models, pythons):
    with served("wine-cultivar", pythons) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert b'"stopped"' in process.stdout.read()


def test_a_model_is_fetched_once_and_a_broken_attempt_is_redone(models, settings, tmp_path):
    settings.MODEL_DIR = tmp_path
    entry = CatalogEntry.objects.get(slug="wine-cultivar")
    folders = []
    threads = [
        threading.Thread(target=lambda: folders.append(prepare_model(entry, quiet)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(folders)) == 1
    assert (Path(folders[0]) / "model.skops").is_file()
    assert not list((tmp_path / ".work").iterdir())
