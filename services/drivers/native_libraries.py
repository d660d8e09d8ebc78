"""Shared libraries that a runtime's packages expect of the system, where the system lacks them.

A container image installs them with its package manager; a process on an ordinary user's machine
cannot. `libraries.txt` in a runtime's folder names for each library a package that carries a copy:

    libgomp.so.1  pykdtree==1.4.3

The package is fetched without what it needs itself, only its copy of the library is kept, and
servers of that environment find it in `<environment>/lib/native`.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.drivers.base import DriverError

NATIVE = Path("lib") / "native"


@dataclass(frozen=True)
class Library:
    """A library by the name that programs load, and a requirement that carries it."""

    name: str
    requirement: str

    @property
    def stem(self) -> str:
        """Return the name as a carrying package spells it: `libgomp-1a2b3c.so.1.0.0`."""
        return self.name.partition(".")[0]


def missing_libraries(context: Path) -> list[Library]:
    """Return the libraries of a runtime that this machine cannot load."""
    listed = context / "libraries.txt"
    if not listed.exists():
        return []
    lines = (line.split() for line in listed.read_text().splitlines())
    found = [Library(*words) for words in lines if words and not words[0].startswith("#")]
    return [library for library in found if not _loads(library.name)]


def keep_library(library: Library, environment: Path, install: Callable[[str, Path], None]) -> None:
    """Put a library into an environment; `install` unpacks a requirement into a folder."""
    unpacked = environment / "lib" / f"{library.stem}-package"
    install(library.requirement, unpacked)
    copies = sorted(unpacked.glob(f"*.libs/{library.stem}-*.so*"))
    if not copies:
        raise DriverError(
            f"{library.requirement} carries no {library.name}: install it with the system's "
            "package manager instead."
        )
    folder = environment / NATIVE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / library.name).symlink_to(copies[0])


def native_folder(environment: Path) -> Path | None:
    """Return the folder of an environment's own libraries, if it has any."""
    folder = environment / NATIVE
    return folder if folder.is_dir() else None


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
