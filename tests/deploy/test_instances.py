"""Ctrl-C reaches the models that run as processes, whatever they do with the signal."""

import subprocess
import sys
import time

import pytest

from deploy.local.instances import stop_processes
from deploy.local.lock import is_held

KEEPER = """
import fcntl, os, signal, sys, time
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
file = open(sys.argv[1] + "/keeper.pid", "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(str(os.getpid()))
file.flush()
time.sleep(60)
"""


@pytest.fixture
def keeper(tmp_path):
    """Return a function that starts a keeper for an instance of that name."""
    started = []

    def start(name: str, manners: str = "polite") -> "subprocess.Popen[bytes]":
        folder = tmp_path / name
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-S", "-c", KEEPER, str(folder), manners])
        started.append(process)
        deadline = time.monotonic() + 20
        while not is_held(folder / "keeper.pid") or not (folder / "keeper.pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_living_keepers_are_stopped_and_counted(tmp_path, keeper):
    processes = [keeper("mi-a"), keeper("mi-b")]
    assert stop_processes(tmp_path, grace=5) == 2
    assert [process.wait(1) for process in processes] == [-15, -15]
    assert float((tmp_path / "mi-a" / "grace").read_text()) < 5


def test_a_keeper_that_ignores_the_signal_is_killed(tmp_path, keeper):
    process = keeper("mi-a", "deaf")
    assert stop_processes(tmp_path, grace=0.2) == 1
    assert process.wait(1) == -9


def test_a_record_of_a_keeper_that_is_gone_signals_nobody(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (tmp_path / "mi-a").mkdir()
        (tmp_path / "mi-a" / "keeper.pid").write_text(str(innocent.pid))
        assert stop_processes(tmp_path, grace=0.2) == 0
        assert innocent.poll() is None
        innocent.kill()
