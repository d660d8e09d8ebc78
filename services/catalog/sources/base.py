"""What a source is, and how it fails. Plain: no Django, no database.

SourceError               the files could not be had; trying again may help
├── SourceUnreachable     nobody answers, or the connection broke too often
├── ChecksumMismatch      what arrived is not what was announced; it was thrown away
├── NoRoom                the disk is too full
└── SourceRefused         trying again cannot help; the message says what can
    ├── SourceMissing     there is no such package, folder, repository, model or file
    ├── NotAllowed        outside the allowed folders, or the source wants a permission
    └── BadSource         the entry itself is written wrongly
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from services.drivers.base import Progress

CHUNK = 1024 * 1024
Report = Callable[[Progress], None]


class SourceError(Exception):
    """The files could not be had; trying again may help."""

    permanent = False


class SourceUnreachable(SourceError):
    """Nobody answers there, or the connection broke too often."""


class ChecksumMismatch(SourceError):
    """What arrived is not what was announced."""


class NoRoom(SourceError):
    """The disk has too little room."""


class SourceRefused(SourceError):
    """Trying again cannot help; the message says what can."""

    permanent = True


class SourceMissing(SourceRefused):
    """What the entry names does not exist."""


class NotAllowed(SourceRefused):
    """The administrator or the source does not allow it."""


class BadSource(SourceRefused):
    """The entry's source cannot be understood."""


@dataclass(frozen=True)
class Wanted:
    """What to fetch: `files` maps a file's name to its SHA-256 (empty: not known beforehand)."""

    location: str
    revision: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    download_bytes: int = 0


class Source(Protocol):
    """A place that models come from."""

    def fetch(self, wanted: Wanted, into: Path, report: Report) -> Path:
        """Return the folder with the files: `into`, or another that is used where it is.

        `into` exists and may hold what a broken attempt left there. Raises SourceError.
        """


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Raise ChecksumMismatch, after removing the file, unless its SHA-256 is as expected."""
    if not expected:
        return
    found = sha256_of(path)
    if found != expected:
        path.unlink()
        raise ChecksumMismatch(
            f"{path.name} has SHA-256 {found[:12]}…, but {expected[:12]}… was announced. It was "
            "thrown away; if a new attempt ends the same way, check source_files of the entry."
        )


def safe_name(name: str) -> PurePosixPath:
    """Return a relative path that stays inside its folder; raise BadSource."""
    path = PurePosixPath(name)
    if not name or "\\" in name or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise BadSource(f"{name!r} is not a file name inside the model's folder.")
    return path


def check_room(folder: Path, needed: int) -> None:
    """Raise NoRoom unless the folder's disk has that many bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"{needed / 2**30:.1f} GiB are needed in {folder}, {free / 2**30:.1f} GiB are free. "
            "Make room or set SLIPWAY_MODEL_DIR to a larger disk."
        )


def empty(folder: Path) -> None:
    """Remove what a former attempt left."""
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
