"""Stops the running models of this installation: keeper processes and Docker containers."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
from docker.models.containers import Container

from deploy.local.lock import is_held

LABEL = "slipway.installation"
DOCKER_SECONDS = 2
CONTAINER_GRACE_SECONDS = 1
SERVER_SHARE = 0.6


def stop_processes(run_dir: Path, grace: float) -> int:
    """Stop the instances whose keepers live and return how many there were."""
    locks = [lock for lock in run_dir.glob("*/keeper.pid") if is_held(lock)]
    for lock in locks:
        # What a keeper gives its server before it kills it: less than we give the keeper.
        (lock.parent / "grace").write_text(f"{grace * SERVER_SHARE}")
        _signal(lock, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(map(is_held, locks)):
        time.sleep(0.02)
    for lock in filter(is_held, locks):
        # Its server is tied to it and goes too.
        _signal(lock, signal.SIGKILL)
    return len(locks)


def _signal(lock: Path, number: signal.Signals) -> None:
    """Signal the keeper that holds the lock; one that is just being started has no pid yet."""
    try:
        os.kill(int(lock.read_text().split()[0]), number)
    except (ProcessLookupError, IndexError):
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
