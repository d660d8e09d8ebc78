"""What is looked at before anything starts; each finding is one line that says what to do."""

import os
import shutil
import socket
from pathlib import Path

import psycopg
import redis

from deploy.local.config import Config
from deploy.local.problems import CannotStart

LEAST_FREE_MIB = 512
CONNECT_SECONDS = 5


def prepare_data_dir(data_dir: Path) -> None:
    """Create the data folder; raise CannotStart when it cannot be written or is nearly full."""
    probe = data_dir / f".write-test-{os.getpid()}"
    try:
        # Passable, so that Postgres reaches its folder when root drops to another account.
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"The data folder {data_dir} cannot be written ({error.strerror}): "
            "make room and check its owner, or set SLIPWAY_DATA_DIR to another folder."
        ) from error
    free = shutil.disk_usage(data_dir).free // 2**20
    if free < LEAST_FREE_MIB:
        raise CannotStart(
            f"The data folder {data_dir} has {free} MiB free and {LEAST_FREE_MIB} are needed: "
            "make room, or set SLIPWAY_DATA_DIR to another folder."
        )


def check_ports(config: Config, *, gateway_runs: bool) -> None:
    """Raise CannotStart for the first port that something else has taken."""
    wanted = [
        (config.host, config.web_port, "SLIPWAY_WEB_PORT"),
        ("127.0.0.1", config.xds_port, "SLIPWAY_XDS_PORT"),
    ]
    if not gateway_runs:
        wanted += [
            (config.host, config.gateway_port, "SLIPWAY_GATEWAY_PORT"),
            ("127.0.0.1", config.gateway_admin_port, "SLIPWAY_GATEWAY_ADMIN_PORT"),
        ]
    for host, port, variable in wanted:
        _check_port(host, port, variable)


def _check_port(host: str, port: int, variable: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: a connection of a former run that lingers in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} cannot be used ({error.strerror}): stop the program that "
                f"has it, or set {variable} to another port."
            ) from error


def check_database_url(url: str) -> None:
    """Raise CannotStart when the database that the operator named does not answer."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.Error as error:
        raise CannotStart(
            f"The database of DATABASE_URL does not answer ({_first_line(error)}): "
            "correct DATABASE_URL, or unset it to use a local Postgres."
        ) from error


def check_redis_url(url: str) -> None:
    """Raise CannotStart when the Redis or Valkey that the operator named does not answer."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS) as connection:
            connection.ping()
    except (redis.exceptions.RedisError, ValueError) as error:
        raise CannotStart(
            f"The server of REDIS_URL does not answer ({_first_line(error)}): "
            "correct REDIS_URL, or unset it to use a local Valkey."
        ) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
