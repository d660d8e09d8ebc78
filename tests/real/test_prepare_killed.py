"""A worker that is killed while it gets a model ready, and the next one."""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
import psutil
import pytest
from safetensors.numpy import save

from services.catalog.bert_gguf import LAYER
from services.catalog.prepare import is_prepared, model_key, prepare_model
from services.models import CatalogEntry
from tests.hub import CONFIG, WEIGHTS, running_hub
from tests.real.stack import ROOT, until

pytestmark = pytest.mark.real

WORKER = """
import json, sys
import django
django.setup()
from services.catalog.prepare import prepare_model
from services.models import CatalogEntry
prepare_model(CatalogEntry(**json.loads(sys.argv[1])), lambda progress: None)
"""
FACTS = {"slug": "model", "source_kind": "hub", "source": "owner/model", "runtime": "llm"}
CONVERTED = {"runtime_options": {"convert": "bert-gguf", "model_file": "model.gguf"}}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"]
SIZE = 8


@pytest.fixture
def hub(settings, tmp_path):
    with running_hub() as server:
        settings.MODEL_DIR, settings.HUB_URL = tmp_path / "models", server.url
        yield server


@contextmanager
def worker(facts, hub, folder):
    """Run a process that prepares a model, and kill it as nothing can prevent."""
    told = {"SLIPWAY_MODEL_DIR": str(folder), "SLIPWAY_HUB_URL": hub.url}
    env = {**os.environ, **told, "DJANGO_SETTINGS_MODULE": "console.settings"}
    command = [sys.executable, "-c", WORKER, json.dumps(facts)]
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def quiet(progress):
    """Take no notice of progress."""


def is_dead(process):
    """Return whether a process has ended, even where nobody has collected it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def tiny_bert():
    """Return the files of a sentence encoder of one layer."""
    rows = {"word_embeddings": len(WORDS), "position_embeddings": 4, "token_type_embeddings": 2}
    weights: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}.weight": (count, SIZE) for name, count in rows.items()
    }
    for part in ["embeddings.LayerNorm", *(f"encoder.layer.0.{part}" for part in LAYER)]:
        weights[f"{part}.weight"] = (SIZE,) if "LayerNorm" in part else (SIZE, SIZE)
        weights[f"{part}.bias"] = (SIZE,)
    sizes = ("hidden_size", "intermediate_size")
    numbers = {"num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 4}
    config = {
        "model_type": "bert",
        "layer_norm_eps": 1e-12,
        **numbers,
        **dict.fromkeys(sizes, SIZE),
    }
    words = {word: number for number, word in enumerate(WORDS)}
    special = [{"id": number, "content": WORDS[number]} for number in range(5)]
    tokenizer = {"model": {"type": "WordPiece", "vocab": words}, "added_tokens": special}
    return {
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
        "model.safetensors": save({n: np.ones(s, np.float32) for n, s in weights.items()}),
    }


def test_a_download_killed_half_way_is_not_used_and_the_next_call_goes_on(hub, settings):
    entry = CatalogEntry(**FACTS)
    part = settings.MODEL_DIR / ".work" / model_key(entry) / "model.safetensors.part"
    hub.stall_after = 600_000
    with worker(FACTS, hub, settings.MODEL_DIR):
        until(lambda: part.is_file() and part.stat().st_size == 600_000, 30, "half of it is there")
    assert not is_prepared(entry)
    assert not part.with_suffix("").exists()
    hub.stall_after = 0
    folder = prepare_model(entry, quiet)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent == len(WEIGHTS) + len(CONFIG)
    assert not part.parent.exists()


def test_a_conversion_dies_with_its_worker_and_the_next_call_does_it_again(hub, settings):
    hub.files = tiny_bert()
    hub.announced = hashlib.sha256(hub.files["model.safetensors"]).hexdigest()
    facts = {**FACTS, **CONVERTED}
    entry = CatalogEntry(**facts)
    with worker(facts, hub, settings.MODEL_DIR) as process:
        (converter,) = until(process.children, 30, "the conversion has begun")
    until(lambda: is_dead(converter), 5, "the conversion is gone too")
    assert not list(settings.MODEL_DIR.rglob("model.gguf"))
    assert not is_prepared(entry)
    folder = prepare_model(entry, quiet)
    assert [path.name for path in folder.iterdir()] == ["model.gguf"]
    assert len(gguf.GGUFReader(folder / "model.gguf").tensors) == 4 + 1 + 2 * len(LAYER)
    assert not list(Path(settings.MODEL_DIR, ".work").iterdir())
