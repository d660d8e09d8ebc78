"""Virtual environments for the process driver: one for each set of requirements."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from services.drivers.base import DriverError, PermanentFailure, Progress
from services.drivers.native_libraries import keep_library, missing_libraries

MARKER = "slipway.json"
LAST_LINES = 5


def build_environment(
    name: str, context: Path, parent: Path, report: Callable[[Progress], None]
) -> Path:
    """Return the environment for `context/requirements.txt`, made if it is not there.

    Raises PermanentFailure where the requirements are missing, DriverError where installing fails.
    """
    requirements = context / "requirements.txt"
    if not requirements.exists():
        raise PermanentFailure(f"{requirements} is missing: reinstall Slipway's runtimes folder.")
    folder = parent / f"{name}-{_digest(requirements, context)}"
    if (folder / MARKER).exists():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / MARKER).exists():
            _build(name, folder, requirements, report)
            # Written last: without it the folder is of a build that was cut off.
            (folder / MARKER).write_text(json.dumps({"context": str(context)}))
    return folder


def _digest(requirements: Path, context: Path) -> str:
    libraries = context / "libraries.txt"
    more = libraries.read_bytes() if libraries.exists() else b""
    told = requirements.read_bytes() + more + f"{sys.version}{sys.prefix}{context}".encode()
    return hashlib.sha256(told).hexdigest()[:12]


def _build(name: str, folder: Path, requirements: Path, report: Callable[[Progress], None]) -> None:
    # An environment cannot be moved, so it is built where it will stay.
    if folder.exists():
        shutil.rmtree(folder)
    make, install = _commands(folder, requirements)
    report(Progress(f"Making a virtual environment for {name}", 0, 2))
    _run(make, name)
    report(Progress(f"Installing the packages of {name}", 1, 2))
    _run(install, name)
    for library in missing_libraries(requirements.parent):
        report(Progress(f"Fetching {library.name}, which this machine lacks", 1, 2))
        keep_library(library, folder, lambda what, where: _run(_unpack(folder, what, where), name))
    report(Progress(f"The packages of {name} are installed", 2, 2))


def _commands(folder: Path, requirements: Path) -> tuple[list[str], list[str]]:
    python = str(folder / "bin" / "python")
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        return (
            [str(uv), "venv", "--no-config", "--python", sys.executable, str(folder)],
            [str(uv), "pip", "install", "--no-config", "--python", python, "-r", str(requirements)],
        )
    return (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--no-input", "-r", str(requirements)],
    )


def _unpack(folder: Path, requirement: str, target: Path) -> list[str]:
    """Return the command that puts a package alone, without its dependencies, into a folder."""
    python = str(folder / "bin" / "python")
    alone = ["--no-deps", "--only-binary", ":all:", "--target", str(target), requirement]
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        return [str(uv), "pip", "install", "--no-config", "--python", python, *alone]
    return [python, "-m", "pip", "install", "--no-input", *alone]


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, cwd="/"
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise DriverError(
            f"The packages of {name} could not be installed: "
            + " ".join(line.strip() for line in lines[-LAST_LINES:])
        )
