"""The process driver with real processes."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.drivers.base import ObservedState
from services.drivers.process import ProcessDriver
from services.drivers.process_records import MARK
from tests.services.drivers.contract import LABELS, Contract, Place, until

pytestmark = pytest.mark.real

SERVER = """
import http.server, os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("start", flush=True)
if os.environ.get("CHILD"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if os.environ.get("EAT"):
    eaten = [bytearray(b"x" * 2**20) for _ in range(int(os.environ["EAT"]))]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
address = (os.environ["HOST"], int(os.environ["PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""
SERVE = (sys.executable, "-c", SERVER)


def processes_of(directory: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(directory):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def place(tmp_path):
    def make():
        return ProcessDriver(tmp_path / "run", tmp_path / "data")

    def exit_with(code):
        return (sys.executable, "-c", f"raise SystemExit({code})"), {}

    return Place(make(), make, str(tmp_path), SERVE, exit_with)


class TestContract(Contract):
    pass


@pytest.fixture
def running(place):
    place.driver.start(place.spec("ms-1-a", env={"CHILD": "1"}))
    place.until_healthy("ms-1-a")
    yield place.driver.run_dir / "ms-1-a"
    place.clear()


def test_a_killed_keeper_takes_its_server_and_its_children_along(place, running):
    os.kill(int((running / "keeper.pid").read_text()), signal.SIGKILL)
    seen = place.until_exited("ms-1-a")
    assert "keeper was killed" in seen.error
    until(lambda: not processes_of(running))


def test_a_killed_server_is_seen_with_its_signal_and_leaves_no_child(place, running):
    server = int(running.joinpath("child.json").read_text().split('"pid": ')[1].split(",")[0])
    os.kill(server, signal.SIGKILL)
    assert place.until_exited("ms-1-a").exit_code == -signal.SIGKILL
    until(lambda: not processes_of(running))


def test_removal_ends_every_process_and_leaves_no_file(place, running):
    place.driver.remove("ms-1-a")
    assert processes_of(running) == []
    assert not running.exists()


def test_a_server_that_takes_too_much_memory_is_killed_for_it(place):
    place.driver.start(place.spec("ms-1-a", env={"EAT": "200"}, memory_mib=64))
    seen = place.until_exited("ms-1-a")
    assert seen.oom_killed
    assert "out of memory" in seen.error
    place.clear()


def test_a_command_that_is_not_there_says_so(place):
    place.driver.start(place.spec("ms-1-a", command=("/no/such/server",)))
    seen = place.until_exited("ms-1-a")
    assert seen.exit_code == 127
    assert "/no/such/server" in seen.error
    place.clear()


def test_a_server_that_ignores_sigterm_is_killed_after_its_grace(place):
    stubborn = SERVER.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    place.driver.start(place.spec("ms-1-a", command=(sys.executable, "-c", stubborn)))
    place.until_healthy("ms-1-a")
    begun = time.monotonic()
    place.driver.stop("ms-1-a", grace=1)
    assert time.monotonic() - begun < 4
    assert place.see("ms-1-a").exit_code == -signal.SIGKILL
    place.clear()


def test_an_instance_outlives_the_worker_that_started_it(place):
    spec = place.spec("ms-1-a")
    worker = os.fork()
    if not worker:
        place.driver.start(spec)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    assert place.until_healthy("ms-1-a").state is ObservedState.RUNNING
    place.clear()


def test_a_start_that_was_cut_off_is_seen_as_exited_and_can_be_removed(place):
    place.driver.start(place.spec("ms-1-a", command=("/no/such/server",)))
    place.until_exited("ms-1-a")
    for name in ("exit.json", "keeper.pid"):
        (place.driver.run_dir / "ms-1-a" / name).unlink()
    assert place.see("ms-1-a").state is ObservedState.EXITED
    place.driver.remove("ms-1-a")
    assert place.driver.observe(LABELS) == []
