"""From a region's kind and options to its driver."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from services.drivers.base import Driver, DriverSettings, PermanentFailure

# Loaded on first use: the console and the terminal's commands need none of them, and an engine's
# client takes a good part of a second to load.
MAKERS = {
    "process": "services.drivers.process:make",
    "docker": "services.drivers.docker:make",
    "fake": "services.drivers.fake:make",
}


def make_driver(
    kind: str,
    code: str,
    options: Mapping[str, Any],
    *,
    installation: str,
    run_dir: Path,
    data_dir: Path,
    base_image: str,
) -> Driver:
    """Return the driver of region `code`, the same object for the same settings."""
    frozen = json.dumps(dict(options), sort_keys=True)
    return _make(kind, code, frozen, installation, run_dir, data_dir, base_image)


@lru_cache(maxsize=256)
def _make(
    kind: str,
    code: str,
    options: str,
    installation: str,
    run_dir: Path,
    data_dir: Path,
    base_image: str,
) -> Driver:
    if kind not in MAKERS:
        raise PermanentFailure(
            f"Region {code} names the driver {kind!r}: choose one of {', '.join(MAKERS)}."
        )
    make: Callable[[DriverSettings], Driver] = resolve_name(MAKERS[kind])
    return make(
        DriverSettings(code, json.loads(options), installation, run_dir, data_dir, base_image)
    )
