"""Stops the running models of this installation: keeper processes and Docker containers."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import psutil
from docker.models.containers import Container

LABEL = "slipway.installation"
DOCKER_SECONDS = 2
CONTAINER_GRACE_SECONDS = 1


def stop_processes(run_dir: Path, grace: float) -> int:
    """Stop the instances whose keepers are on record and return how many there were."""
    keepers = [keeper for path in run_dir.glob("*/keeper.pid") if (keeper := _keeper(path))]
    for keeper in keepers:
        _signal(keeper, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(map(_runs, keepers)):
        time.sleep(0.02)
    for keeper in filter(_runs, keepers):
        # Its server is tied to it and goes too.
        _signal(keeper, signal.SIGKILL)
    return len(keepers)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _keeper(path: Path) -> psutil.Process | None:
    """Return the process on record, unless it ended and its number went to another program."""
    try:
        process = psutil.Process(int(path.read_text().split()[0]))
        written = path.stat().st_mtime
    except (psutil.NoSuchProcess, ValueError, IndexError, FileNotFoundError):
        return None
    return process if process.create_time() <= written + 1 else None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def stop_containers(installation: str) -> list[str]:
    """Stop this installation's containers, if an engine answers; return what went wrong."""
    try:
        engine = docker.from_env(timeout=DOCKER_SECONDS)
        ours = engine.containers.list(filters={"label": f"{LABEL}={installation}"})
    except (docker.errors.DockerException, OSError):
        return []
    with ThreadPoolExecutor(max_workers=16) as pool:
        return [problem for problem in pool.map(_stop_container, ours) if problem]


def _stop_container(container: Container) -> str:
    try:
        container.stop(timeout=CONTAINER_GRACE_SECONDS)
    except docker.errors.NotFound:
        return ""
    except (docker.errors.DockerException, OSError) as error:
        return f"container {container.name} is still there ({error}): `docker rm -f` removes it"
    return ""
