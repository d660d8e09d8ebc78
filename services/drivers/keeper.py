"""The keeper of one instance of the process driver: starts the server and outlives the worker.

Run as a script with the standard library alone: `python -I -S keeper.py DIRECTORY LOCK_FD`. The
directory holds launch.json (what to run); the descriptor holds a lock on keeper.pid, and with it
the keeper's life: as long as the lock is held, the keeper lives.

It writes child.json, log (with rotation) and, at the end, exit.json. SIGTERM stops the server; the
file `grace` says how many seconds it gets. Memory counted is what cannot be reclaimed (anonymous
and shared), for a model that is mapped from a file is the page cache's.
"""

import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

TICK_SECONDS = 0.5
DEFAULT_GRACE_SECONDS = 10.0
LIVENESS_PATIENCE_SECONDS = 30.0
LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
LINE_BYTES = 16 * 1024
OPEN_FILES = 65536
CANNOT_START = 127
PR_SET_PDEATHSIG = 1


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.rename(path)


def timestamp() -> str:
    """Return the time now in RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def held_memory(root: int) -> int:
    """Return the bytes that a process and its descendants hold and the kernel cannot take back."""
    total, waiting = 0, [root]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            for line in (folder / "status").read_text().splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1]) * 1024
            for task in (folder / "task").iterdir():
                waiting += [int(pid) for pid in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


class Log:
    """A log file of bounded size: the last `LOG_FILES` pieces of `LOG_BYTES` stay."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("ab", buffering=0)
        self.partial: dict[str, bytes] = {}

    def feed(self, stream: str, data: bytes) -> None:
        """Take output as it comes and write the lines that are complete."""
        *lines, rest = (self.partial.get(stream, b"") + data).split(b"\n")
        if len(rest) > LINE_BYTES:
            lines, rest = [*lines, rest], b""
        self.partial[stream] = rest
        for line in lines:
            self.write(stream, line)

    def write(self, stream: str, line: bytes) -> None:
        """Write one line with its time."""
        for start in range(0, max(1, len(line)), LINE_BYTES):
            piece = line[start : start + LINE_BYTES]
            self.file.write(f"{timestamp()} {stream} ".encode() + piece + b"\n")
        if self.file.tell() > LOG_BYTES:
            self.rotate()

    def rotate(self) -> None:
        """Begin a new file and let the oldest go."""
        self.file.close()
        for number in range(LOG_FILES - 1, 0, -1):
            older = self.path.with_name(f"log.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"log.{number - 1}")
            if newer.exists():
                newer.replace(older)
        self.file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        """Write what came without a last line end."""
        for stream, rest in self.partial.items():
            if rest:
                self.write(stream, rest)
        self.file.close()


class Liveness:
    """Watches the lock that the installation's supervisor holds while Slipway is to run."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.seen = time.monotonic()

    def lost(self) -> bool:
        """Say whether nobody has held the lock for a while; never so without a lock to watch."""
        if not self.path or self._held():
            self.seen = time.monotonic()
        return time.monotonic() - self.seen > LIVENESS_PATIENCE_SECONDS

    def _held(self) -> bool:
        try:
            with Path(self.path).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False


class Keeper:
    """Runs one server from its start to its end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.launch = json.loads((directory / "launch.json").read_text())
        self.log = Log(directory / "log")
        self.liveness = Liveness(self.launch["liveness_lock"])
        self.asked_to_stop = False
        self.kill_at: float | None = None
        self.oom_killed = False
        self.reason = ""

    def run(self) -> None:
        """Start the server, keep it until its end, and write down how it ended."""
        wake, alarm = os.pipe()
        os.set_blocking(alarm, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            child = self._start()
        except OSError as error:
            self._finish(CANNOT_START, f"cannot be started: {error}")
            return
        write_json(self.directory / "child.json", {"pid": child.pid, "started_at": timestamp()})
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ, "")
            selector.register(piped(child.stdout), selectors.EVENT_READ, "stdout")
            selector.register(piped(child.stderr), selectors.EVENT_READ, "stderr")
            self._watch(child, selector)
        self._finish(child.returncode, self.reason)

    def _start(self) -> "subprocess.Popen[bytes]":
        launch = self.launch
        return subprocess.Popen(
            launch["command"],
            cwd=launch["cwd"],
            env=launch["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: prepare_child(launch["cores"]),
        )

    def _watch(self, child: "subprocess.Popen[bytes]", selector: selectors.BaseSelector) -> None:
        looked = 0.0
        while child.poll() is None:
            self._read(selector, TICK_SECONDS)
            if self.asked_to_stop or self.liveness.lost():
                self._stop(child)
            if time.monotonic() - looked >= TICK_SECONDS:
                looked = time.monotonic()
                self._check_memory(child)
        signal_group(child.pid, signal.SIGKILL)
        # What the server printed last is in the pipes; a stranger that inherited them may not
        # keep the keeper.
        end = time.monotonic() + TICK_SECONDS
        while time.monotonic() < end and self._read(selector, 0):
            pass

    def _read(self, selector: selectors.BaseSelector, timeout: float) -> bool:
        """Take in what is there and say whether any of it was output."""
        output = False
        for key, _ in selector.select(timeout):
            data = os.read(key.fd, 65536)
            if key.data and data:
                self.log.feed(key.data, data)
                output = True
            elif key.data:
                selector.unregister(key.fileobj)
        return output

    def _ask_to_stop(self, *_: object) -> None:
        self.asked_to_stop = True

    def _stop(self, child: "subprocess.Popen[bytes]") -> None:
        grace = self._grace()
        moment = time.monotonic()
        if self.kill_at is None:
            signal_group(child.pid, signal.SIGTERM)
            self.kill_at = moment + grace
        self.kill_at = min(self.kill_at, moment + grace)
        if moment >= self.kill_at:
            signal_group(child.pid, signal.SIGKILL)

    def _grace(self) -> float:
        try:
            return float((self.directory / "grace").read_text())
        except FileNotFoundError:
            return DEFAULT_GRACE_SECONDS

    def _check_memory(self, child: "subprocess.Popen[bytes]") -> None:
        limit = int(self.launch["memory_bytes"])
        if held_memory(child.pid) > limit:
            self.oom_killed = True
            self.reason = f"out of memory: it took more than its {limit // 1024**2} MiB"
            signal_group(child.pid, signal.SIGKILL)

    def _finish(self, code: int, error: str) -> None:
        self.log.close()
        content = {
            "exit_code": code,
            "finished_at": timestamp(),
            "oom_killed": self.oom_killed,
            "error": error,
        }
        write_json(self.directory / "exit.json", content)


def piped(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe that must be there."""
    if stream is None:
        raise ValueError("the server was started without pipes")
    return stream


def prepare_child(cores: list[int]) -> None:
    """Bind the server's life to the keeper's and hold it to its cores and limits."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if cores:
        os.sched_setaffinity(0, cores)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def signal_group(group: int, number: int) -> None:
    """Send a signal to all processes of a group that is ours, if any is left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def main() -> None:
    """Leave the worker: an own session, and a parent that is the machine's init."""
    directory, lock = Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)
    pid = os.fork()
    if pid:
        os.pwrite(lock, str(pid).encode(), 0)
        os._exit(0)
    os.setsid()
    Keeper(directory).run()


if __name__ == "__main__":
    main()
