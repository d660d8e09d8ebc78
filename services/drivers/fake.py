"""A driver that runs nothing, for schedulers, pages and measurements; it misbehaves on request.

Instances live in memory, shared by all drivers of a region in this process. How one behaves is
said by `Script`, set for a name or for all, or by the instance's own environment:

    FAKE_READY_AFTER   seconds until the health probe passes; `never`
    FAKE_EXIT_AFTER    seconds until it exits, with FAKE_EXIT_CODE (1) or FAKE_OOM=1
    FAKE_VANISH_AFTER  seconds until the driver knows nothing of it
    FAKE_START_ERROR   message of the error that starting it raises
    FAKE_UNREACHABLE   1: reported as running, but nothing answers at its address
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import inf

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
    ObservedState,
    ProbeResult,
    Progress,
    RuntimeImage,
    Usage,
)

DEFAULT_NODE = Node("fake-1", Decimal(9_000), 36_000_000)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Script:
    """How an instance behaves; times in seconds since its start."""

    ready_after: float = 0
    exit_after: float = inf
    exit_code: int = 1
    oom: bool = False
    vanish_after: float = inf
    start_error: DriverError | None = None
    unreachable: bool = False
    # What the driver claims instead of the truth.
    labels: Mapping[str, str] | None = None
    duplicates: int = 0

    def with_environment(self, env: Mapping[str, str]) -> "Script":
        """Return this script as an instance's environment changes it."""
        if not any(name.startswith("FAKE_") for name in env):
            return self
        ready = env.get("FAKE_READY_AFTER", str(self.ready_after))
        error = env.get("FAKE_START_ERROR")
        return replace(
            self,
            ready_after=inf if ready == "never" else float(ready),
            exit_after=float(env.get("FAKE_EXIT_AFTER", self.exit_after)),
            exit_code=int(env.get("FAKE_EXIT_CODE", self.exit_code)),
            oom=env.get("FAKE_OOM") == "1" or self.oom,
            vanish_after=float(env.get("FAKE_VANISH_AFTER", self.vanish_after)),
            start_error=DriverError(error) if error else self.start_error,
            unreachable=env.get("FAKE_UNREACHABLE") == "1" or self.unreachable,
        )


@dataclass
class _Instance:
    spec: InstanceSpec
    script: Script
    address: str
    started_at: datetime
    stopped_at: datetime | None = None
    lines: list[LogLine] = field(default_factory=list)


class FakeDriver:
    """Pretends to run instances; every method may be called from several threads."""

    kind = "fake"

    def __init__(
        self, clock: Callable[[], datetime] = _now, nodes: Sequence[Node] = (DEFAULT_NODE,)
    ) -> None:
        self.clock = clock
        self._nodes = list(nodes)
        self._lock = threading.RLock()
        self.reset()

    def capabilities(self) -> Capabilities:
        """Say that images and limits are pretended."""
        return Capabilities(images=True, limits=True)

    def check(self) -> None:
        """Raise DriverUnavailable while `unavailable` says why."""
        if self.unavailable:
            raise DriverUnavailable(self.unavailable)

    def nodes(self) -> list[Node]:
        """Return the machines it was given."""
        self.check()
        return list(self._nodes)

    def ensure_image(self, image: RuntimeImage, report: Callable[[Progress], None]) -> str:
        """Pretend to pull; raise the next of `pull_failures`, call `on_pull` meanwhile."""
        self._note("ensure_image", image.name)
        with self._lock:
            if image.name in self._images:
                return f"fake/{image.name}"
            failure = self.pull_failures.pop(0) if self.pull_failures else None
        for step in self.pull_steps:
            report(step)
        if self.on_pull:
            self.on_pull()
        if failure:
            raise failure
        with self._lock:
            self._images.add(image.name)
        return f"fake/{image.name}"

    def start(self, spec: InstanceSpec) -> None:
        """Remember an instance, or fail as its script says."""
        self._note("start", spec.name)
        script = self.scripts.get(spec.name, self.default).with_environment(spec.env)
        if script.start_error:
            raise script.start_error
        with self._lock:
            if self._find(spec.name):
                raise AlreadyExists(f"An instance {spec.name} exists already.")
            self._made += 1
            address = f"fake-{self._made}:{spec.port}"
            made = _Instance(spec, script, address, self.clock())
            made.lines.append(LogLine(made.started_at, "stdout", f"{spec.name} started"))
            self._instances[spec.name] = made
            self._by_address[address] = spec.name

    def stop(self, name: str, grace: float) -> None:
        """Let an instance exit with code 0."""
        self._note("stop", name)
        with self._lock:
            instance = self._existing(name)
            if self._ended(instance) is None:
                instance.stopped_at = self.clock()

    def remove(self, name: str) -> None:
        """Forget an instance."""
        self._note("remove", name)
        with self._lock:
            instance = self._instances.pop(name, None)
            if instance:
                del self._by_address[instance.address]

    def observe(self, labels: Mapping[str, str]) -> list[Observation]:
        """Return what carries the labels, with the lies of the scripts."""
        self.check()
        found: list[Observation] = []
        with self._lock:
            for instance in list(self._instances.values()):
                claimed = instance.script.labels or instance.spec.labels
                if labels.items() <= claimed.items() and not self._vanished(instance):
                    seen = self._observation(instance, claimed)
                    found += [seen] * (1 + instance.script.duplicates)
        return found

    def probe(self, address: str, path: str, timeout: float) -> ProbeResult:
        """Answer for the instance at this address as its script says."""
        with self._lock:
            instance = self._find(self._by_address.get(address, ""))
            if instance is None or self._ended(instance) or instance.script.unreachable:
                return ProbeResult(False, f"nothing listens at {address} yet")
            if self._age(instance) < instance.script.ready_after:
                return ProbeResult(False, f"{path} answers 503")
        return ProbeResult(True)

    def usage(self, name: str) -> Usage:
        """Return a tenth of a core's use since the start, and half of the memory."""
        with self._lock:
            instance = self._existing(name)
            return Usage(
                cpu_seconds=self._age(instance) / 10,
                memory_bytes=instance.spec.memory_mib * 1024**2 // 2,
                network_in_bytes=0,
                network_out_bytes=0,
            )

    def logs(
        self,
        name: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Yield the lines given by `print_line`, oldest first; there is nothing to wait for."""
        with self._lock:
            lines = [
                line
                for line in self._existing(name).lines
                if (since is None or line.at >= since) and (until is None or line.at <= until)
            ]
        return iter(lines if tail is None else lines[len(lines) - min(tail, len(lines)) :])

    def print_line(self, name: str, text: str, stream: str = "stdout") -> None:
        """Let an instance print a line."""
        with self._lock:
            self._existing(name).lines.append(LogLine(self.clock(), stream, text))

    def script(self, name: str, script: Script) -> None:
        """Change how an instance behaves, also one that runs."""
        with self._lock:
            self.scripts[name] = script
            if name in self._instances:
                self._instances[name].script = script

    def reset(self) -> None:
        """Forget everything, as between two tests."""
        with self._lock:
            self.default = Script()
            self.scripts: dict[str, Script] = {}
            self.unavailable = ""
            self.pull_failures: list[DriverError] = []
            self.pull_steps: Sequence[Progress] = (
                Progress("Pulling", 1, 2),
                Progress("Pulling", 2, 2),
            )
            self.on_pull: Callable[[], None] | None = None
            self.calls: list[tuple[str, str]] = []
            self._images: set[str] = set()
            self._instances: dict[str, _Instance] = {}
            self._by_address: dict[str, str] = {}
            self._made = 0

    def _note(self, verb: str, name: str) -> None:
        self.check()
        with self._lock:
            self.calls.append((verb, name))

    def _age(self, instance: _Instance) -> float:
        return (self.clock() - instance.started_at).total_seconds()

    def _vanished(self, instance: _Instance) -> bool:
        return self._age(instance) >= instance.script.vanish_after

    def _find(self, name: str) -> _Instance | None:
        instance = self._instances.get(name)
        if instance and self._vanished(instance):
            self.remove(name)
            return None
        return instance

    def _existing(self, name: str) -> _Instance:
        instance = self._find(name)
        if instance is None:
            raise NoSuchInstance(f"There is no instance {name}.")
        return instance

    def _ended(self, instance: _Instance) -> datetime | None:
        if instance.stopped_at:
            return instance.stopped_at
        if self._age(instance) < instance.script.exit_after:
            return None
        return instance.started_at + timedelta(seconds=instance.script.exit_after)

    def _observation(self, instance: _Instance, labels: Mapping[str, str]) -> Observation:
        ended = self._ended(instance)
        crashed = ended is not None and instance.stopped_at is None
        code = instance.script.exit_code if crashed else 0
        return Observation(
            name=instance.spec.name,
            labels=labels,
            state=ObservedState.EXITED if ended else ObservedState.RUNNING,
            address="" if ended else instance.address,
            node=instance.spec.node or self._nodes[0].name,
            started_at=instance.started_at,
            finished_at=ended,
            exit_code=code if ended else None,
            oom_killed=crashed and instance.script.oom,
        )


_REGIONS: dict[str, FakeDriver] = {}
_REGIONS_LOCK = threading.Lock()


def make(settings: DriverSettings) -> FakeDriver:
    """Return the fake of a region."""
    return fake_driver(settings.code)


def fake_driver(code: str) -> FakeDriver:
    """Return the fake of a region, one for this process."""
    with _REGIONS_LOCK:
        return _REGIONS.setdefault(code, FakeDriver())
