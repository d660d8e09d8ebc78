"""What an operator may change about the local stack, and the environment its programs get."""

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.lock import FILE_NAME
from deploy.local.problems import CannotStart

ROOT = Path(__file__).resolve().parents[2]
HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Config:
    """The settings of one `make run`."""

    data_dir: Path
    host: str
    web_port: int
    web_workers: int
    gateway_port: int
    gateway_admin_port: int
    xds_port: int

    @property
    def web_url(self) -> str:
        """Where a browser on this machine finds the console."""
        return f"http://{reachable_host(self.host)}:{self.web_port}"

    @property
    def gateway_url(self) -> str:
        """Where a program on this machine finds the gateway."""
        return f"http://{reachable_host(self.host)}:{self.gateway_port}"

    @property
    def gateway_dir(self) -> Path:
        """The folder of the gateway's bootstrap, its keeper and its log."""
        return self.data_dir / "gateway"

    @property
    def run_dir(self) -> Path:
        """The folder of the instances that run as processes."""
        return Path(os.environ.get("SLIPWAY_RUN_DIR") or self.data_dir / "run").resolve()

    @property
    def installation(self) -> str:
        """The mark on everything this installation starts, as the settings compute it."""
        digest = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return os.environ.get("SLIPWAY_INSTALLATION") or digest

    def environment(self) -> dict[str, str]:
        """Return the variables for the programs; those given to us win where we only default."""
        defaults = {
            "SLIPWAY_PUBLIC_URL": self.web_url,
            "SLIPWAY_GATEWAY_URL": self.gateway_url,
            "SLIPWAY_GATEWAY_ACCESS_LOG": str(self.gateway_dir / "access.log"),
        }
        return {
            **{name: os.environ.get(name) or value for name, value in defaults.items()},
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
            "SLIPWAY_DATA_DIR": str(self.data_dir),
            "SLIPWAY_GATEWAY_HOST": self.host,
            "SLIPWAY_GATEWAY_PORT": str(self.gateway_port),
            "SLIPWAY_GATEWAY_ADMIN_PORT": str(self.gateway_admin_port),
            "SLIPWAY_INSTALLATION": self.installation,
            "SLIPWAY_LIVENESS_LOCK": str(self.data_dir / FILE_NAME),
            "SLIPWAY_RUN_DIR": str(self.run_dir),
            "SLIPWAY_XDS_ADDRESS": f"127.0.0.1:{self.xds_port}",
            "SLIPWAY_XDS_LISTEN": f"127.0.0.1:{self.xds_port}",
        }


def data_dir_from(environment: Mapping[str, str]) -> Path:
    """Return the data folder that the environment names, `.data` beside the code by default."""
    return Path(environment.get("SLIPWAY_DATA_DIR") or ROOT / ".data").expanduser().resolve()


def read_config(arguments: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Return the settings; options win over variables, variables over defaults."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.run", description="Run all of Slipway on this machine."
    )
    parser.add_argument("--data-dir", type=Path, default=data_dir_from(environment))
    parser.add_argument("--host", default=environment.get("SLIPWAY_HOST") or "127.0.0.1")
    for option, default in (
        ("web-port", 8000),
        ("web-workers", 1),
        ("gateway-port", 8080),
        ("gateway-admin-port", 9901),
        ("xds-port", 18000),
    ):
        variable = f"SLIPWAY_{option.upper().replace('-', '_')}"
        parser.add_argument(
            f"--{option}",
            type=int,
            default=_number(environment, variable, default),
            help=f"default: {variable}, or {default}",
        )
    values = vars(parser.parse_args(arguments))
    return Config(**values | {"data_dir": values["data_dir"].expanduser().resolve()})


def reachable_host(host: str) -> str:
    """Return an address that reaches a server listening on `host` from this machine."""
    return "127.0.0.1" if not host or set(host) <= set("0.:") else host


def _number(environment: Mapping[str, str], variable: str, default: int) -> int:
    raw = environment.get(variable) or str(default)
    if not raw.isdigit() or not 0 < int(raw) <= HIGHEST_PORT:
        raise CannotStart(f"{variable}={raw} is not a number from 1 to {HIGHEST_PORT}: correct it.")
    return int(raw)
