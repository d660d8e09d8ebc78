"""The shipped data file against the rules that it states."""

import tomllib
from math import ceil

import pytest

from runtimes.registry import RUNTIMES
from services.catalog.load import ENTRIES

SHIPPED = tomllib.loads(ENTRIES.read_text())["entry"]
GIB = 1024**3
KNOWN = [entry for entry in SHIPPED if entry["source_kind"] == "hub"]


def of_runtime(name):
    return [pytest.param(e, id=e["slug"]) for e in SHIPPED if e["runtime"] == name]


def whole_gib(size):
    """Return bytes as MiB, rounded up to whole GiB."""
    return ceil(size / GIB) * 1024


@pytest.mark.parametrize("entry", of_runtime("vllm"))
def test_a_vllm_entrys_memory_follows_the_rule(entry):
    weights = 2 * entry["parameters"]
    assert entry["gpu_memory_mib"] == whole_gib(1.2 * weights + 2 * GIB)
    assert entry["memory_mib"] == whole_gib(weights / 2 + 8 * GIB)


@pytest.mark.parametrize("entry", of_runtime("tei"))
def test_a_tei_entrys_memory_follows_the_rule(entry):
    assert entry["memory_mib"] == whole_gib(1.3 * 4 * entry["parameters"] + GIB)
    # The rule holds for no more than this at a time.
    assert min(entry["context_length"], entry["runtime_options"].get("context_length", 8192)) < 2049


def test_at_least_twelve_well_known_models_are_there():
    assert len({entry["source"] for entry in KNOWN}) >= 12
    assert "BAAI/bge-m3" in {entry["source"] for entry in KNOWN}


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["slug"]) for e in KNOWN])
def test_a_known_model_is_fully_described_and_never_served_longer_than_it_can(entry):
    assert entry["licence"]
    assert entry["parameters"] > 0
    assert entry["homepage"].endswith(entry["source"])
    assert entry["runtime_options"].get("context_length", 0) <= entry["context_length"]
    assert entry["task"] in RUNTIMES[entry["runtime"]].tasks
