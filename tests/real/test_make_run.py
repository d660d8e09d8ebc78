"""`make run` as a person meets it: first start, Ctrl-C, kill -9, second start, clear refusals."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.local.gateway import ORPHAN_SECONDS
from tests.real.stack import ROOT, Stack, until

pytestmark = pytest.mark.real


@pytest.fixture
def stack(tmp_path):
    """Return an installation in a folder of its own; whatever is left of it is killed."""
    # Postgres drops root's rights and has to pass pytest's folders, which are closed.
    folder = Path(f"/tmp/slipway-run-{os.getpid()}")
    folder.mkdir(mode=0o711)
    installation = Stack(folder, extra={"SLIPWAY_ADMIN_PASSWORD": ""})
    yield installation
    for line in installation.leftovers():
        os.kill(int(line.split()[0]), signal.SIGKILL)
    shutil.rmtree(folder)


def refusal(stack: Stack, **variables: str) -> str:
    """Run where it has to refuse; return its one line."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local.run"],
        cwd=ROOT,
        env=stack.environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "all stopped" not in done.stdout
    return done.stderr


def passwords(stack: Stack) -> list[str]:
    """Return the lines that show a generated password."""
    return [line for line in stack.lines if re.search(r"password: \S", line)]


def answers(url: str) -> bool:
    """Tell whether any HTTP answer comes."""
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def comes_back(stack: Stack, program: str) -> None:
    """Kill -9 a server and wait until it runs again and the console answers."""
    killed = stack.kill(program)
    until(lambda: set(stack.pids(program)) - {killed}, 20, f"{program} runs again")
    until(lambda: answers(f"{stack.url}/health"), 30, "the console answers")


def test_it_starts_stops_continues_and_restarts_what_is_killed(stack):
    stack.start()
    assert httpx.get(f"{stack.url}/health", trust_env=False).status_code == 200
    assert answers(stack.gateway)
    assert len(passwords(stack)) == 1
    assert stack.stop() < 5
    assert stack.process.returncode == 0
    assert stack.leftovers() == []

    stack.start()
    assert len(passwords(stack)) == 1
    assert "already on" in refusal(stack)
    for program in ("postgres -D", "valkey-server|redis-server", "uvicorn"):
        comes_back(stack, program)
    assert stack.stop() < 5
    assert stack.leftovers() == []


def test_a_killed_supervisor_leaves_the_gateway_for_the_next_and_no_orphan(stack):
    stack.start()
    envoy = gateway_pid(stack)
    stack.process.kill()
    stack.process.wait()
    until(lambda: len(stack.leftovers()) <= 2, 10, "all but Envoy and its keeper ended")
    assert answers(stack.gateway)

    stack.start()
    assert gateway_pid(stack) == envoy
    stack.process.kill()
    killed_at = time.monotonic()
    until(lambda: not stack.leftovers(), ORPHAN_SECONDS + 10, "nothing is left")
    assert time.monotonic() - killed_at > ORPHAN_SECONDS / 2
    assert not answers(stack.gateway)


def gateway_pid(stack: Stack) -> int | None:
    """Return the process that listens on the gateway's port."""
    for connection in psutil.net_connections("tcp"):
        local = connection.laddr
        if connection.status == psutil.CONN_LISTEN and local and local.port == stack.gateway_port:
            return connection.pid
    raise AssertionError("nothing listens on the gateway's port")


def test_a_busy_port_is_refused_in_one_line(stack):
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack.web_port))
        other.listen()
        said = refusal(stack)
    assert f"Port {stack.web_port} " in said
    assert "SLIPWAY_WEB_PORT" in said


def test_a_data_folder_that_cannot_be_written_is_refused_in_one_line(stack):
    said = refusal(stack, SLIPWAY_DATA_DIR="/proc/slipway")
    assert "/proc/slipway cannot be written" in said


def test_a_broken_database_address_is_refused_in_one_line(stack):
    said = refusal(stack, DATABASE_URL="postgresql://slipway@127.0.0.1:1/slipway")
    assert "correct DATABASE_URL" in said
