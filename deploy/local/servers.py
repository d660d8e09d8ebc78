"""Postgres and Valkey together: addresses that were given, or servers of our own."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from deploy.local.postgres import Postgres
from deploy.local.problems import CannotStart
from deploy.local.programs import Program
from deploy.local.valkey import Valkey

READY_SECONDS = 20.0
STOP_SECONDS = 5.0
LocalServer = Postgres | Valkey


def servers_to_start(data_dir: Path, *, throw_away: bool = False) -> dict[str, LocalServer]:
    """Return, by variable, the servers whose address the environment does not give."""
    own: dict[str, LocalServer] = {
        "DATABASE_URL": Postgres(data_dir, throw_away=throw_away),
        "REDIS_URL": Valkey(data_dir, throw_away=throw_away),
    }
    return {name: server for name, server in own.items() if not os.environ.get(name)}


@dataclass
class RunningServers:
    """Servers started from synchronous code; they die with the process that started them."""

    started: list[tuple[Program, Popen[bytes]]] = field(default_factory=list)

    def start(self, server: LocalServer, log: Path) -> None:
        """Start one and wait until it answers; raise CannotStart with its log's place."""
        server.prepare()
        program = server.program()
        with log.open("ab") as output:
            process = program.start(output)
        self.started.append((program, process))
        wait_until(server.is_ready, process, program.name, log)

    def stop(self) -> None:
        """Stop all, politely first."""
        for program, process in self.started:
            process.send_signal(program.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS
        for _, process in self.started:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            process.kill()
            process.wait()
        self.started.clear()


def wait_until(is_ready: Callable[[], bool], process: Popen[bytes], name: str, log: Path) -> None:
    """Wait for a server just started; raise CannotStart when it ends or stays silent."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CannotStart(f"{name} did not start: see {log}.")
        time.sleep(0.03)
