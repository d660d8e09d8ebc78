"""What a driver is: the boundary between Slipway and whatever runs an instance.

Dataclasses of our own, no Django, no database; a driver may be called from several threads.
Names are deterministic (`ms-…-mv-…-0`), so that a repeated start collides instead of duplicating.

Errors a driver raises:

    DriverError                 something failed; may pass by itself: the caller retries
    ├── DriverUnavailable       the engine does not answer
    ├── AlreadyExists           an instance of this name is there already
    ├── NoSuchInstance          no instance of this name is there
    └── PermanentFailure        trying again cannot help; the message says what can
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class DriverError(Exception):
    """A driver's operation failed; trying again may help."""


class DriverUnavailable(DriverError):
    """The engine behind the driver does not answer."""


class AlreadyExists(DriverError):
    """An instance of this name exists already."""


class NoSuchInstance(DriverError):
    """There is no instance of this name."""


class PermanentFailure(DriverError):
    """Trying again cannot help; the message says what a person can do."""


@dataclass(frozen=True)
class DriverSettings:
    """What a driver is made from: the region's code and options, and where things are."""

    code: str
    options: Mapping[str, Any]
    installation: str
    run_dir: Path
    data_dir: Path
    base_image: str


@dataclass(frozen=True)
class Capabilities:
    """What a region of this driver can do; pages and operations refuse the rest with a reason."""

    images: bool = False
    networks: bool = False
    terminal: bool = False
    # Does the driver itself hold an instance to its CPU and memory?
    limits: bool = False


@dataclass(frozen=True)
class Node:
    """One machine of a region and what it has in all; memory in MiB."""

    name: str
    vcpu: Decimal
    memory_mib: int
    gpus: int = 0
    gpu_memory_mib: int = 0
    ready: bool = True


@dataclass(frozen=True)
class Mount:
    """A folder of the node shown inside the instance."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class RuntimeImage:
    """What an instance is made from, whatever the driver makes of it.

    `context` is a folder of ours with a Dockerfile, a requirements.txt and the server: the Docker
    driver builds an image of it, the process driver a virtual environment. `reference` is an image
    to pull instead; exactly one of the two is given.
    """

    name: str
    context: Path | None = None
    reference: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How far a long step is; totals in bytes or steps, 0 when unknown."""

    step: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class InstanceSpec:
    """All that a driver needs to start one instance.

    `image` is what `ensure_image` returned. `port` is where the server listens inside; a driver
    without networks chooses a free one itself and sets HOST and PORT in the environment.
    `{PORT}`, `{HOST}` in `command` are replaced by the values in force; a mount's `target` is
    replaced by its `source` in `env` and `command` where the driver cannot mount.
    """

    name: str
    labels: Mapping[str, str]
    image: str
    command: Sequence[str]
    env: Mapping[str, str]
    port: int
    vcpu: Decimal
    memory_mib: int
    gpus: int = 0
    mounts: Sequence[Mount] = ()
    node: str = ""
    shared_memory_mib: int = 64


class ObservedState(StrEnum):
    """Whether what the driver holds is alive."""

    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True)
class Observation:
    """One instance as the driver sees it now.

    `address` is `host:port` as the gateway reaches it; empty until known. `exit_code` is negative
    for a signal on the process driver; `oom_killed` where the driver can tell.
    """

    name: str
    labels: Mapping[str, str]
    state: ObservedState
    address: str = ""
    node: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""


@dataclass(frozen=True)
class Usage:
    """A sample of what an instance takes: CPU seconds so far, bytes now, network bytes so far."""

    cpu_seconds: float
    memory_bytes: int
    network_in_bytes: int | None = None
    network_out_bytes: int | None = None


@dataclass(frozen=True)
class LogLine:
    """One line that an instance printed."""

    at: datetime
    stream: str
    text: str


@dataclass(frozen=True)
class ProbeResult:
    """What one health probe found; `detail` says why it failed."""

    ok: bool
    detail: str = ""


class Terminal(Protocol):
    """An interactive shell inside an instance."""

    def read(self, limit: int = 65536) -> bytes:
        """Return output as it comes; empty bytes at the end."""

    def write(self, data: bytes) -> None:
        """Send what the person typed."""

    def resize(self, rows: int, columns: int) -> None:
        """Tell the shell the window's size."""

    def close(self) -> None:
        """End the shell."""


class Driver(Protocol):
    """Where instances run."""

    kind: str

    def capabilities(self) -> Capabilities:
        """Say what this driver can do."""

    def check(self) -> None:
        """Raise DriverUnavailable, with what to do, unless the engine answers."""

    def nodes(self) -> list[Node]:
        """Return the machines of the region."""

    def ensure_image(self, image: RuntimeImage, report: Callable[[Progress], None]) -> str:
        """Build or pull what an instance is made from and return its name; quick when there."""

    def start(self, spec: InstanceSpec) -> None:
        """Start one instance; raise AlreadyExists when the name is taken."""

    def stop(self, name: str, grace: float) -> None:
        """Send SIGTERM, after `grace` seconds SIGKILL; return once it is dead."""

    def remove(self, name: str) -> None:
        """Forget a stopped or running instance and all that it left; a repeat is harmless."""

    def observe(self, labels: Mapping[str, str]) -> list[Observation]:
        """Return every instance, dead ones too, that carries all of these labels."""

    def probe(self, address: str, path: str, timeout: float) -> ProbeResult:
        """Ask the health path at an observed address; `timeout` in seconds, never raises for it."""

    def usage(self, name: str) -> Usage:
        """Return what one instance takes now."""

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
