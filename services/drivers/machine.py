"""What this machine has."""

import os
import socket
from decimal import Decimal
from pathlib import Path

import psutil

from services.drivers.base import Node

LIMIT_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def this_machine() -> Node:
    """Return this machine, or what its container may use of it if that is less."""
    cores = len(os.sched_getaffinity(0))
    return Node(name=socket.gethostname(), vcpu=Decimal(cores), memory_mib=_memory() // 1024**2)


def _memory() -> int:
    texts = (path.read_text().strip() for path in LIMIT_FILES if path.exists())
    limits = (int(text) for text in texts if text.isdigit())
    return min(psutil.virtual_memory().total, *limits)
