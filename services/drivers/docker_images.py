"""Building and pulling images, with progress."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import ImageNotFound
from docker.utils import parse_repository_tag

from services.drivers.base import DriverError, PermanentFailure, Progress, RuntimeImage
from services.drivers.docker_errors import translated
from services.drivers.docker_options import DockerSettings

Report = Callable[[Progress], None]
NEVER_THERE = ("not found", "manifest unknown", "does not exist", "access denied", "denied:")


def ensure(
    client: DockerClient, image: RuntimeImage, settings: DockerSettings, report: Report
) -> str:
    """Return the name of an image that is on the engine, built or pulled if need be."""
    name = image.reference or build_tag(image, settings)
    with translated(name):
        if _is_there(client, name):
            return name
        if image.reference:
            pull(client, name, report)
        else:
            build(client, image, name, settings, report)
    return name


def build_tag(image: RuntimeImage, settings: DockerSettings) -> str:
    """Return the tag of a built image: what it is made of decides it."""
    if image.context is None:
        raise PermanentFailure(f"{image.name} names neither an image nor a folder to build.")
    told = hashlib.sha256(settings.base_image.encode())
    for name, value in sorted(image.build_args.items()):
        told.update(f"\0{name}={value}".encode())
    for path in sorted(_sources(image.context)):
        told.update(f"\0{path.relative_to(image.context)}\0".encode() + path.read_bytes())
    return f"slipway/{image.name}:{told.hexdigest()[:16]}"


def pull(client: DockerClient, reference: str, report: Report) -> None:
    """Pull an image; raise PermanentFailure when its registry does not have it."""
    repository, tag = parse_repository_tag(reference)
    # A digest is a tag for the SDK; without either it would pull every tag.
    lines = client.api.pull(repository, tag or "latest", stream=True, decode=True)
    layers: dict[str, tuple[int, int]] = {}
    for line in lines:
        _raise_failure(reference, line)
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            layers[line["id"]] = (detail["current"], detail["total"])
        elif line.get("status") == "Download complete" and line.get("id") in layers:
            total = layers[line["id"]][1]
            layers[line["id"]] = (total, total)
        done, total = (
            (sum(part) for part in zip(*layers.values(), strict=True)) if layers else (0, 0)
        )
        report(Progress(f"Pulling {reference}", done, total))


def build(
    client: DockerClient,
    image: RuntimeImage,
    tag: str,
    settings: DockerSettings,
    report: Report,
) -> None:
    """Build an image from a copy of its folder, with the authorities of this site if any."""
    if image.context is None:
        raise PermanentFailure(f"{image.name} has no folder to build.")
    with tempfile.TemporaryDirectory(prefix="slipway-build-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(image.context, context, ignore=shutil.ignore_patterns("__pycache__"))
        if settings.ca_bundle and Path(settings.ca_bundle).is_file():
            (context / "build").mkdir(exist_ok=True)
            shutil.copyfile(settings.ca_bundle, context / "build" / "ca.crt")
        lines = client.api.build(
            path=str(context),
            tag=tag,
            buildargs={"BASE": settings.base_image, **image.build_args},
            rm=True,
            forcerm=True,
            decode=True,
        )
        follow_build(image.name, lines, report)


def follow_build(name: str, lines: Iterable[Mapping[str, Any]], report: Report) -> None:
    """Report the steps of a build; raise DriverError with its last lines when it fails."""
    last: list[str] = []
    for line in lines:
        text = str(line.get("stream", "")).strip()
        if "error" in line:
            raise DriverError(f"Building {name} failed: {line['error']} · {' '.join(last[-3:])}")
        if text.startswith("Step "):
            done, total = text.split(" ")[1].split("/")
            report(Progress(f"Building {name}", int(done), int(total)))
        elif text:
            last.append(text)


def _sources(context: Path) -> Iterable[Path]:
    for path in context.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _is_there(client: DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _raise_failure(reference: str, line: Mapping[str, Any]) -> None:
    told = str(line.get("error", ""))
    if any(sign in told for sign in NEVER_THERE):
        raise PermanentFailure(
            f"{reference} cannot be pulled ({told}): check its name, or sign in to its registry."
        )
    if told:
        raise DriverError(f"{reference} cannot be pulled: {told}")
