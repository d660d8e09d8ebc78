"""Instances as plain processes of this machine, for a laptop without a container engine.

Everything known about an instance is in its folder `<run dir>/<name>/`: spec.json and launch.json
(written before the folder appears), keeper.pid (locked while the keeper lives), child.json, log,
exit.json. A driver holds no state, so that a restarted worker goes on where the former one was.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil

from services.drivers import process_logs
from services.drivers.base import (
    AlreadyExists,
    Capabilities,
    DriverError,
    DriverSettings,
    DriverUnavailable,
    InstanceSpec,
    LogLine,
    Node,
    NoSuchInstance,
    Observation,
    PermanentFailure,
    ProbeResult,
    Progress,
    RuntimeImage,
    Usage,
)
from services.drivers.machine import this_machine
from services.drivers.ports import free_port, port_lock
from services.drivers.probe import probe_http
from services.drivers.process_records import (
    end_leftovers,
    is_locked,
    keeper_pid,
    launch_of,
    observation_of,
    read_record,
    record_of,
    send,
    write_record,
    write_text,
)
from services.drivers.virtualenvs import build_environment

HOST = "127.0.0.1"
KEEPER = Path(__file__).with_name("keeper.py")
POLL_SECONDS = 0.03
# How much longer than the grace the keeper may take before it is ended itself.
KEEPER_PATIENCE_SECONDS = 3.0
ABANDONED_SECONDS = 60.0


class ProcessDriver:
    """Runs each instance as a process with a keeper; see the module."""

    kind = "process"

    def __init__(self, run_dir: Path, data_dir: Path) -> None:
        self.run_dir = run_dir
        self.environments = data_dir / "runtimes"

    def capabilities(self) -> Capabilities:
        """Say what plain processes can do: memory is held to, CPU in whole cores."""
        return Capabilities(limits=True)

    def check(self) -> None:
        """Raise DriverUnavailable unless instances can be written down."""
        try:
            self.run_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DriverUnavailable(
                f"The run folder {self.run_dir} cannot be made ({error.strerror}): "
                "give SLIPWAY_RUN_DIR a folder that can be written."
            ) from error
        if not os.access(self.run_dir, os.W_OK):
            raise DriverUnavailable(
                f"The run folder {self.run_dir} is read-only: "
                "give SLIPWAY_RUN_DIR a folder that can be written."
            )

    def nodes(self) -> list[Node]:
        """Return this machine."""
        return [this_machine()]

    def ensure_image(self, image: RuntimeImage, report: Callable[[Progress], None]) -> str:
        """Build the virtual environment of a runtime and return the folder it is in."""
        if image.context is None:
            raise PermanentFailure(
                f"{image.name} is a container image, which this region cannot run: "
                "choose a region with Docker."
            )
        return str(build_environment(image.name, image.context, self.environments, report))

    def start(self, spec: InstanceSpec) -> None:
        """Start a keeper with the server; raise AlreadyExists when the name is taken."""
        self.check()
        final = self.run_dir / spec.name
        fresh = self.run_dir / f".new-{spec.name}-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o700)
        lock = os.open(fresh / "keeper.pid", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with port_lock(self.run_dir):
                port = free_port(HOST, self._ports())
                write_record(fresh / "launch.json", launch_of(spec, HOST, port, final))
                write_record(fresh / "spec.json", record_of(spec, HOST, port))
                self._claim(fresh, final, spec.name)
            self._spawn(final, lock)
        finally:
            os.close(lock)
            shutil.rmtree(fresh, ignore_errors=True)

    def stop(self, name: str, grace: float) -> None:
        """Send SIGTERM, after `grace` seconds SIGKILL; return once it is dead."""
        directory = self._existing(name)
        write_text(directory / "grace", str(grace))
        deadline = time.monotonic() + grace + KEEPER_PATIENCE_SECONDS
        asked = False
        while is_locked(directory / "keeper.pid"):
            pid = keeper_pid(directory)
            if pid and not asked:
                send(pid, signal.SIGTERM)
                asked = True
            if time.monotonic() > deadline and pid:
                send(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        end_leftovers(directory)

    def remove(self, name: str) -> None:
        """End an instance if need be and delete its folder; a repeat is harmless."""
        with suppress(NoSuchInstance, FileNotFoundError):
            self.stop(name, grace=0)
        gone = self.run_dir / f".gone-{name}-{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            (self.run_dir / name).rename(gone)
            shutil.rmtree(gone)

    def observe(self, labels: Mapping[str, str]) -> list[Observation]:
        """Return every instance, dead ones too, that carries all of these labels."""
        self._clean_abandoned()
        found = []
        for directory in self._directories():
            record = read_record(directory / "spec.json")
            if record is not None and labels.items() <= record["labels"].items():
                found.append(observation_of(directory, record))
        return found

    def probe(self, address: str, path: str, timeout: float) -> ProbeResult:
        """Ask the health path of an instance over HTTP."""
        return probe_http(address, path, timeout)

    def usage(self, name: str) -> Usage:
        """Return the CPU seconds and memory of the server and its descendants."""
        child = read_record(self._existing(name) / "child.json")
        if child is None:
            raise DriverError(f"{name} has not been started yet.")
        try:
            root = psutil.Process(child["pid"])
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess as error:
            raise DriverError(f"{name} does not run any more.") from error
        seconds, memory = 0.0, 0
        for process in family:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds += times.user + times.system
                memory += process.memory_info().rss
        return Usage(cpu_seconds=seconds, memory_bytes=memory)

    def logs(
        self,
        name: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Yield what an instance printed, oldest first."""
        directory = self._existing(name)
        alive = (lambda: is_locked(directory / "keeper.pid")) if follow else None
        return process_logs.read(directory, process_logs.Window(since, until, tail), alive)

    def _existing(self, name: str) -> Path:
        directory = self.run_dir / name
        if not directory.is_dir():
            raise NoSuchInstance(f"There is no instance {name}.")
        return directory

    def _directories(self) -> list[Path]:
        if not self.run_dir.is_dir():
            return []
        return sorted(
            p for p in self.run_dir.iterdir() if p.is_dir() and not p.name.startswith(".")
        )

    def _ports(self) -> set[int]:
        records = [read_record(directory / "spec.json") for directory in self._directories()]
        return {record["port"] for record in records if record is not None}

    def _claim(self, fresh: Path, final: Path, name: str) -> None:
        try:
            fresh.rename(final)
        except OSError as error:
            if final.is_dir():
                raise AlreadyExists(f"An instance {name} exists already.") from error
            raise

    def _spawn(self, directory: Path, lock: int) -> None:
        command = [sys.executable, "-I", "-S", str(KEEPER), str(directory), str(lock)]
        done = subprocess.run(
            command,
            pass_fds=[lock],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(directory, ignore_errors=True)
            raise DriverError(f"The keeper of {directory.name} could not be started.")

    def _clean_abandoned(self) -> None:
        """Delete what a start or a removal left behind when it was killed."""
        if not self.run_dir.is_dir():
            return
        for pattern in (".new-*", ".gone-*"):
            for directory in self.run_dir.glob(pattern):
                with suppress(FileNotFoundError):
                    if time.time() - directory.stat().st_mtime > ABANDONED_SECONDS:
                        shutil.rmtree(directory)


def make(settings: DriverSettings) -> ProcessDriver:
    """Return the driver of a region."""
    return ProcessDriver(settings.run_dir, settings.data_dir)
