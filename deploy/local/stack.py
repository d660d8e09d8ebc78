"""The programs that `make run` starts, and in which order they end."""

import importlib.util
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from deploy.local.assets import ASSETS, Assets
from deploy.local.config import ROOT, Config
from deploy.local.lock import FILE_NAME
from deploy.local.problems import CannotStart
from deploy.local.programs import Program

# First those that could start something new, then those that serve, then those that remember.
WORKING = ("beat", "worker", "prepare")
SERVING = ("web", "xds", "telemetry", "gateway")
STORING = ("valkey", "postgres")
CONTROL_THREADS = 8
PREPARE_THREADS = 2


@dataclass(frozen=True)
class Catalogue:
    """Builds the programs of one configuration."""

    config: Config
    environment: Mapping[str, str]

    def manage(self, name: str, *arguments: str) -> Program:
        """Return a management command."""
        assets = Assets(self.config.data_dir).environment if name == ASSETS else {}
        return self._python(name, "manage.py", *arguments, environment=assets)

    def web(self) -> Program:
        """Return the console's web server."""
        return self._python(
            "web",
            *("-m", "uvicorn", "console.asgi:application", "--no-access-log"),
            *("--host", self.config.host, "--port", str(self.config.web_port)),
            *("--workers", str(self.config.web_workers)),
            *("--timeout-graceful-shutdown", "1", "--log-level", "warning"),
            # A pool bounds the connections that asynchronous views open.
            environment={"SLIPWAY_DATABASE_POOL": "1", **Assets(self.config.data_dir).environment},
        )

    def worker(self, name: str, queue: str, threads: int) -> Program:
        """Return a Celery worker of one queue."""
        return self._celery(
            name,
            *("worker", "--queues", queue, "--hostname", f"{name}@%h", "--pool", "threads"),
            *("--concurrency", str(threads), "--without-gossip", "--without-mingle"),
            # Threads cannot be interrupted; what is cut off is delivered again.
            death_signal=signal.SIGKILL,
        )

    def beat(self) -> Program:
        """Return Celery's clock."""
        schedule = self.config.data_dir / "beat-schedule"
        return self._celery("beat", "beat", "--schedule", str(schedule))

    def gateway(self, bootstrap: Path) -> Program:
        """Return the process that attaches us to Envoy."""
        lock = self.config.data_dir / FILE_NAME
        return self._python(
            "gateway",
            *("-m", "deploy.local.gateway", "attach"),
            *("--folder", str(bootstrap.parent), "--liveness-lock", str(lock), "--"),
            *(find_envoy(), "--config-path", str(bootstrap), "--disable-hot-restart"),
            *("--file-flush-interval-msec", "1000", "--log-level", "warning"),
            # It would tell many times a second that the control plane is not there yet.
            *("--component-log-level", "config:error"),
            *("--drain-time-s", "1"),
            # Killed with us, it leaves its keeper alone, and so Envoy.
            death_signal=signal.SIGKILL,
        )

    def serving(self, bootstrap: Path) -> list[Program]:
        """Return everything that runs once the database is up to date."""
        return [
            self.web(),
            self.manage("xds", "run_xds"),
            self.gateway(bootstrap),
            self.worker("worker", "control", CONTROL_THREADS),
            self.worker("prepare", "prepare", PREPARE_THREADS),
            self.beat(),
            self.manage("telemetry", "read_access_log"),
        ]

    def _celery(
        self, name: str, *arguments: str, death_signal: signal.Signals = signal.SIGTERM
    ) -> Program:
        return self._python(
            name,
            # Its advice against root is for those who take tasks from strangers.
            *("-W", "ignore:You're running the worker with superuser privileges"),
            *("-m", "celery", "--app", "console", "--quiet", *arguments, "--loglevel", "info"),
            death_signal=death_signal,
        )

    def _python(
        self,
        name: str,
        *arguments: str,
        death_signal: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Program:
        return Program(
            name=name,
            command=[sys.executable, *arguments],
            folder=ROOT,
            environment={**self.environment, **environment},
            death_signal=death_signal,
        )


def find_envoy() -> str:
    """Return the path of Envoy: the packaged one, whose version the gateway is made for."""
    wheel = importlib.util.find_spec("envoy")
    if wheel and wheel.origin:
        packaged = Path(wheel.origin).parent / "_bin" / "envoy"
        if packaged.exists():
            return str(packaged)
    on_path = shutil.which("envoy")
    if on_path:
        return on_path
    raise CannotStart("Envoy was not found: run `uv sync --frozen`, which brings the packaged one.")
