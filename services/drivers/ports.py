"""Ports for servers that share the machine's loopback address."""

import fcntl
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from services.drivers.base import DriverError

# Below the range from which the kernel takes ports for outgoing connections.
FIRST, LAST = 20000, 32000
ATTEMPTS = 200


@contextmanager
def port_lock(run_dir: Path) -> Iterator[None]:
    """Let one starter at a time choose a port and write it down."""
    with (run_dir / ".ports.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port(host: str, taken: set[int]) -> int:
    """Return a port that nobody listens on and no other instance has on record."""
    for _ in range(ATTEMPTS):
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if port not in taken and _can_bind(host, port):
            return port
    raise DriverError(f"No free port was found on {host} between {FIRST} and {LAST}.")


def _can_bind(host: str, port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
