"""The files of one instance of the process driver, and what they say about its processes."""

import fcntl
import json
import os
import signal
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import psutil

from services.drivers.base import InstanceSpec, Mount, Observation, ObservedState
from services.drivers.machine import this_machine
from services.drivers.native_libraries import native_folder

# Every process of an instance has its folder here, which tells it from a reused process number.
MARK = "SLIPWAY_INSTANCE_DIR"
LIVENESS_LOCK = "SLIPWAY_LIVENESS_LOCK"
# What a server may inherit from the worker; no secret of the control plane is among it.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
KILLED = "its keeper was killed, and the server with it"


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file of ours, None where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return content


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that only its owner may read: an environment may hold secrets."""
    write_text(path, json.dumps(content))


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.rename(path)


def record_of(spec: InstanceSpec, host: str, port: int) -> dict[str, Any]:
    """Return what observers read."""
    return {
        "name": spec.name,
        "labels": dict(spec.labels),
        "host": host,
        "port": port,
        "node": this_machine().name,
        "started_at": datetime.now(UTC).isoformat(),
    }


def launch_of(spec: InstanceSpec, host: str, port: int, directory: Path) -> dict[str, Any]:
    """Return what the keeper runs."""

    def fill(text: str) -> str:
        filled = text.replace("{PORT}", str(port)).replace("{HOST}", host)
        return in_place(filled, spec.mounts)

    image = Path(spec.image)
    given = {name: os.environ[name] for name in INHERITED if name in os.environ}
    given["PATH"] = f"{image / 'bin'}{os.pathsep}{given.get('PATH', os.defpath)}"
    if native := native_folder(image):
        given["LD_LIBRARY_PATH"] = str(native)
    chosen = {name: fill(value) for name, value in spec.env.items()}
    own = {"HOST": host, "PORT": str(port), MARK: str(directory)}
    command = [fill(word) for word in spec.command]
    if command[0] == "python":
        command[0] = str(image / "bin" / "python")
    return {
        "command": command,
        "cwd": context_of(image) or str(directory),
        "env": {**given, "HOME": str(directory), **chosen, **own},
        "memory_bytes": spec.memory_mib * 1024**2,
        "cores": cores_for(spec.name, float(spec.vcpu), sorted(os.sched_getaffinity(0))),
        "liveness_lock": os.environ.get(LIVENESS_LOCK, ""),
    }


def context_of(image: Path) -> str:
    """Return the folder of the server that a virtual environment was built for."""
    marker = read_record(image / "slipway.json")
    return str(marker["context"]) if marker else ""


def in_place(text: str, mounts: Sequence[Mount]) -> str:
    """Name the real folders, as nothing is mounted."""
    for mount in mounts:
        text = text.replace(mount.target, str(mount.source))
    return text


def cores_for(name: str, vcpu: float, cores: list[int]) -> list[int]:
    """Return the cores an instance is bound to, spread by its name; none where it may use all."""
    count = ceil(vcpu)
    if count >= len(cores):
        return []
    first = zlib.crc32(name.encode()) % len(cores)
    return sorted((cores + cores)[first : first + count])


def observation_of(directory: Path, record: Mapping[str, Any]) -> Observation:
    """Return an instance as its files and processes show it."""
    alive = is_locked(directory / "keeper.pid")
    end = None if alive else read_record(directory / "exit.json")
    if not alive and end is None:
        end_leftovers(directory)
    end = end or {}
    finished = end.get("finished_at")
    return Observation(
        name=record["name"],
        labels=record["labels"],
        state=ObservedState.RUNNING if alive else ObservedState.EXITED,
        address=f"{record['host']}:{record['port']}" if alive else "",
        node=record["node"],
        started_at=datetime.fromisoformat(record["started_at"]),
        finished_at=datetime.fromisoformat(finished) if finished else None,
        exit_code=end.get("exit_code"),
        oom_killed=end.get("oom_killed", False),
        error="" if alive else end.get("error", KILLED),
    )


def is_locked(path: Path) -> bool:
    """Tell whether the keeper that holds this file lives."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def keeper_pid(directory: Path) -> int | None:
    """Return the keeper's process number once it is written."""
    text = (directory / "keeper.pid").read_text()
    return int(text) if text else None


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def end_leftovers(directory: Path) -> None:
    """Kill what is left of an instance whose keeper is dead."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == str(directory):
                send(process.pid, signal.SIGKILL)
