"""Runs Envoy so that it outlives a killed supervisor for a while and serves the next one.

Two small processes: `keep` owns Envoy and ends it once nobody has held the supervisor's lock for
a while; `attach` is the supervisor's child: it finds or starts the keeper, shows Envoy's log and,
when stopped in order, stops both.
"""

import argparse
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.local.config import ROOT
from deploy.local.lock import is_held
from deploy.local.programs import Program

ORPHAN_SECONDS = 30.0
LOOK_SECONDS = 0.1
STOP_SECONDS = 1.0
KEEPER_START_SECONDS = 10.0


class Stop(BaseException):
    """Raised by SIGTERM, so that waiting ends wherever it is."""


@dataclass(frozen=True)
class Gateway:
    """One Envoy: its command, the folder of its files and the lock of whoever needs it."""

    folder: Path
    liveness_lock: Path
    command: Sequence[str]

    @property
    def lock(self) -> Path:
        """Held by the keeper as long as it lives; says its pid and what it runs."""
        return self.folder / "keeper.lock"

    @property
    def log(self) -> Path:
        """What Envoy and its keeper write."""
        return self.folder / "envoy.log"

    @property
    def fingerprint(self) -> str:
        """Changes with the command or with a file it names, such as the bootstrap."""
        digest = hashlib.sha256("\0".join(self.command).encode())
        for word in self.command[1:]:
            if Path(word).is_file():
                digest.update(Path(word).read_bytes())
        return digest.hexdigest()[:16]

    def keeper(self) -> tuple[int, str] | None:
        """Return pid and fingerprint of the living keeper, if there is one."""
        if not is_held(self.lock):
            return None
        pid, _, fingerprint = self.lock.read_text().partition(" ")
        return (int(pid), fingerprint) if fingerprint else None

    def keep(self) -> int:
        """Run Envoy until it ends, is no longer wanted, or we are stopped; return its exit code."""
        with self.lock.open("a+b", buffering=0) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write(f"{os.getpid()} {self.fingerprint}".encode())
            program = Program("envoy", self.command, ROOT, death_signal=signal.SIGKILL)
            envoy = subprocess.Popen(self.command, **program.spawn_options())
            try:
                self._wait_while_wanted(envoy)
            except Stop:
                pass
            finally:
                end(envoy)
        return envoy.returncode

    def _wait_while_wanted(self, envoy: subprocess.Popen[bytes]) -> None:
        wanted_at = time.monotonic()
        while envoy.poll() is None and time.monotonic() - wanted_at < ORPHAN_SECONDS:
            if is_held(self.liveness_lock):
                wanted_at = time.monotonic()
            time.sleep(LOOK_SECONDS)

    def attach(self) -> int:
        """Find or start the keeper and show its log; return 0 when stopped, 1 when it is gone."""
        try:
            position = self._find_or_start_keeper()
            with self.log.open("rb") as log:
                log.seek(position)
                while is_held(self.lock):
                    show_new_lines(log.read())
                    time.sleep(LOOK_SECONDS)
                show_new_lines(log.read())
        except Stop:
            self.end_keeper()
            return 0
        return 1

    def _find_or_start_keeper(self) -> int:
        """Return where in the log the new lines begin."""
        found = self.keeper()
        if found and found[1] == self.fingerprint:
            sys.stdout.write("Envoy of the last run is still serving; taking it over\n")
            return self.log.stat().st_size
        if found:
            sys.stdout.write("Envoy of the last run has other settings; replacing it\n")
            self.end_keeper()
        self._start_keeper()
        return 0

    def _start_keeper(self) -> None:
        own = [sys.executable, "-m", "deploy.local.gateway", "keep"]
        places = ["--folder", str(self.folder), "--liveness-lock", str(self.liveness_lock)]
        with self.log.open("wb") as log:
            keeper = subprocess.Popen(
                [*own, *places, "--", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + KEEPER_START_SECONDS
        while not self.keeper() and keeper.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def end_keeper(self) -> None:
        """Stop the keeper, and with it Envoy, and wait until both are gone."""
        found = self.keeper()
        if not found:
            return
        os.kill(found[0], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS * 2
        while is_held(self.lock):
            if time.monotonic() > deadline:
                # Envoy is tied to its keeper and goes with it.
                os.kill(found[0], signal.SIGKILL)
            time.sleep(0.02)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a child, politely first."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def show_new_lines(written: bytes) -> None:
    """Pass on what was added to the log."""
    if written:
        sys.stdout.write(written.decode(errors="replace"))
        sys.stdout.flush()


def stop_on_signal(_number: int, _frame: FrameType | None) -> None:
    """Turn SIGTERM into an exception, once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stop


def main() -> int:
    """Run one of the two roles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["attach", "keep"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--liveness-lock", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop_on_signal)
    gateway = Gateway(options.folder, options.liveness_lock, options.command)
    return gateway.keep() if options.role == "keep" else gateway.attach()


if __name__ == "__main__":
    sys.exit(main())
