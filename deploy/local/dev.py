"""`python -m deploy.local.dev -- COMMAND …`: a command with Postgres and Valkey at hand.

It uses the servers of a running `make run`; otherwise a small supervisor of its own starts them,
is shared by all such commands and ends a while after the last one.
"""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.checks import prepare_data_dir
from deploy.local.config import ROOT, Config, data_dir_from, read_config
from deploy.local.keys import load_or_make_keys
from deploy.local.lock import SupervisorLock, is_held
from deploy.local.output import Output
from deploy.local.problems import CannotStart
from deploy.local.servers import LocalServer, servers_to_start
from deploy.local.stack import STORING
from deploy.local.supervisor import Supervisor

IDLE_SECONDS = 60.0
READY_SECONDS = 30.0
STOP_SECONDS = 3.0
HOLD = "--hold"
PURPOSE = "development servers"
USERS_LOCK = "development.lock"


def run_with_servers(command: Sequence[str]) -> int:
    """Run a command with the servers up and the environment set; return its exit code."""
    config = read_config([], os.environ)
    prepare_data_dir(config.data_dir)
    servers = servers_to_start(config.data_dir)
    environment = {
        **os.environ,
        **config.environment(),
        **load_or_make_keys(config.data_dir),
        **{variable: server.url for variable, server in servers.items()},
    }
    with (config.data_dir / USERS_LOCK).open("wb") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        wait_for_servers(config, servers)
        return subprocess.run(command, env=environment, check=False).returncode


def wait_for_servers(config: Config, servers: Mapping[str, LocalServer]) -> None:
    """Wait until all answer, starting the holder when nobody runs them."""
    deadline = time.monotonic() + READY_SECONDS
    lock = SupervisorLock(config.data_dir)
    holder: subprocess.Popen[bytes] | None = None
    while not all(server.is_ready() for server in servers.values()):
        if not is_held(lock.path) and (holder is None or holder.poll() is not None):
            holder = start_holder(config.data_dir)
        if time.monotonic() > deadline:
            raise CannotStart(f"The local servers do not answer: see {log_path(config.data_dir)}.")
        time.sleep(0.05)


def start_holder(data_dir: Path) -> subprocess.Popen[bytes]:
    """Start the process that owns the servers and outlives this command."""
    with log_path(data_dir).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.local.dev", HOLD],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def log_path(data_dir: Path) -> Path:
    """Return where the shared servers write."""
    return data_dir / "development.log"


def hold() -> int:
    """Own the servers until nobody has used them for a while."""
    data_dir = data_dir_from(os.environ)
    lock = SupervisorLock(data_dir).acquire(PURPOSE)
    asyncio.run(keep_servers(data_dir))
    lock.release()
    return 0


async def keep_servers(data_dir: Path) -> None:
    """Run the servers; stop them on SIGTERM or when idle."""
    supervisor = Supervisor(Output())
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    for server in servers_to_start(data_dir).values():
        await asyncio.to_thread(server.prepare)
        supervisor.start(server.program())
    with (data_dir / USERS_LOCK).open("wb") as users:
        await wait_until_idle(users.fileno(), stopped)
        # The lock is kept until the servers are gone: who comes now waits and starts new ones.
        await supervisor.stop(STORING, STOP_SECONDS)


async def wait_until_idle(users: int, stopped: asyncio.Event) -> None:
    """Return, with the users' lock taken, once nobody has held it for a while, or when stopped."""
    clock = asyncio.get_running_loop().time
    used_at = clock()
    while not stopped.is_set():
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            used_at = clock()
        else:
            if clock() - used_at > IDLE_SECONDS:
                return
            fcntl.flock(users, fcntl.LOCK_UN)
        await asyncio.sleep(0.5)


def dismiss_idle_servers(data_dir: Path) -> None:
    """End shared servers that no command uses at the moment, so that `make run` can have them."""
    lock = SupervisorLock(data_dir)
    pid = lock.holder(PURPOSE)
    if pid is None or has_users(data_dir):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS * 2
    while is_held(lock.path) and time.monotonic() < deadline:
        time.sleep(0.05)


def has_users(data_dir: Path) -> bool:
    """Tell whether a command is using the shared servers."""
    with (data_dir / USERS_LOCK).open("ab") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main() -> int:
    """Run a command, or hold the servers for such commands."""
    arguments = sys.argv[1:]
    if arguments == [HOLD]:
        return hold()
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        sys.stderr.write("Usage: python -m deploy.local.dev -- COMMAND [ARGUMENT …]\n")
        return 2
    try:
        return run_with_servers(command)
    except CannotStart as problem:
        sys.stderr.write(f"slipway: {problem}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
