"""From a region's kind and options to its driver."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.drivers.base import Driver, PermanentFailure
from services.drivers.docker import DockerDriver
from services.drivers.docker_options import DockerSettings
from services.drivers.fake import FakeDriver, fake_driver
from services.drivers.process import ProcessDriver

__all__ = ["FakeDriver", "make_driver"]


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
    given = json.loads(options)
    if kind == "process":
        return ProcessDriver(run_dir, data_dir)
    if kind == "docker":
        return DockerDriver(DockerSettings.of(given, installation, base_image))
    if kind == "fake":
        return fake_driver(code)
    raise PermanentFailure(
        f"Region {code} names the driver {kind!r}: choose process, docker or fake."
    )
