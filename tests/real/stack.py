"""The whole product as `make run` starts it, for tests that use it as a person would."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 90
MAKE_TOKEN = """
from accounts.models import AccessToken, User
from accounts.operations import token_digest
AccessToken.objects.create(
    user=User.objects.get(username="admin"), name="t", digest=token_digest("slp_t"), hint="t"
)
print("slp_t")
"""
T = TypeVar("T")


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(check: Callable[[], T], seconds: float, what: str) -> T:
    """Return the first true result of `check`; fail the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)


@dataclass
class Stack:
    """One installation in a folder of its own, on ports of its own."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    web_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    xds_port: int = field(default_factory=free_port)
    lines: list[str] = field(default_factory=list)
    password: str = "a-password-for-tests"
    process: subprocess.Popen[str] | None = None
    token: str = ""

    @property
    def url(self) -> str:
        """Where the console is."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def gateway(self) -> str:
        """Where the gateway is."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `make run` for this installation."""
        dropped = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "SLIPWAY_SECRET_KEY"}
        kept = {k: v for k, v in os.environ.items() if k not in dropped}
        return {
            **kept,
            "SLIPWAY_DATA_DIR": str(self.folder),
            "SLIPWAY_WEB_PORT": str(self.web_port),
            "SLIPWAY_GATEWAY_PORT": str(self.gateway_port),
            "SLIPWAY_GATEWAY_ADMIN_PORT": str(self.admin_port),
            "SLIPWAY_XDS_PORT": str(self.xds_port),
            "SLIPWAY_ADMIN_PASSWORD": self.password,
            **self.extra,
        }

    def start(self) -> "Stack":
        """Start and wait until it says that it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.run"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        seen = len(self.lines)
        until(lambda: self._ready_since(seen), READY_SECONDS, "the stack is ready")
        return self

    def _ready_since(self, seen: int) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError("\n".join(["the stack ended:", *self.lines[-60:]]))
        return any(line.startswith("ready at ") for line in self.lines[seen:])

    def _read(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            self.lines.append(line.rstrip())

    def manage(self, *arguments: str, ok: bool = True, timeout: float = 120) -> str:
        """Run a management command of this installation and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local.dev", "--", "python", "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if ok and done.returncode:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def ask(self, question: str) -> str:
        """Run a line of Python in the product's own shell and return what it printed."""
        return self.manage("shell", "--verbosity", "0", "--command", question).strip()

    def api(self, path: str) -> Any:
        """Ask the REST API as the administrator."""
        if not self.token:
            self.token = self.ask(MAKE_TOKEN).splitlines()[-1]
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def services(self, region: str = "local") -> dict[str, dict[str, Any]]:
        """Return the services of a region by name."""
        rows = self.api(f"services/?region={region}&limit=100")["results"]
        return {row["name"]: row for row in rows}

    def pids(self, pattern: str) -> list[int]:
        """Return the processes below the supervisor whose command line matches."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [c.pid for c in children if re.search(pattern, _command(c))]

    def kill(self, pattern: str) -> int:
        """Kill -9 the first matching process below the supervisor and return its pid."""
        pid = self.pids(pattern)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> float:
        """Stop as Ctrl-C does; return how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        return time.monotonic() - began

    def leftovers(self) -> list[str]:
        """Return the command lines of living processes that belong to this installation."""
        mark = str(self.folder)
        return [
            f"{p.pid} {_command(p)}"
            for p in psutil.process_iter()
            if p.pid != os.getpid() and _belongs(p, mark)
        ]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _belongs(process: psutil.Process, mark: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return mark in _command(process) or process.environ().get("SLIPWAY_DATA_DIR") == mark
    except psutil.Error:
        return False


def run_shell(script: str, environment: dict[str, str] | None = None) -> Sequence[str]:
    """Run a pasted snippet in a shell and return its exit code's text, output and errors."""
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return str(done.returncode), done.stdout, done.stderr
