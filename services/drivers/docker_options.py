"""From an instance's specification to what the Docker Engine is told; no input or output."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.drivers.base import InstanceSpec

INSTALLATION = "slipway.installation"
NANO = 1_000_000_000
PROCESSES = 4096
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
# Executable: GPU servers load the libraries that they compile at their start.
SCRATCH = {"/tmp": "rw,exec,nosuid,nodev,size=1g"}
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE")


@dataclass(frozen=True)
class DockerSettings:
    """How a region's engine is reached and what its instances are built from."""

    installation: str
    base_image: str
    base_url: str = ""
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    ca_bundle: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any], installation: str, base_image: str) -> "DockerSettings":
        """Read a region's options; unknown ones belong to others."""
        host_bundle = next((os.environ[v] for v in CA_VARIABLES if os.environ.get(v)), "")
        return cls(
            installation=installation,
            base_image=str(options.get("base_image", base_image)),
            base_url=str(options.get("base_url", "")),
            tls_ca=str(options.get("tls_ca", "")),
            tls_certificate=str(options.get("tls_certificate", "")),
            tls_key=str(options.get("tls_key", "")),
            ca_bundle=str(options.get("ca_bundle", host_bundle)),
        )

    @property
    def network(self) -> str:
        """Return the name of the internal network of this installation."""
        return f"slipway-{self.installation}"


def container_options(spec: InstanceSpec, settings: DockerSettings) -> dict[str, Any]:
    """Return the arguments of the SDK's `containers.create`."""
    memory = spec.memory_mib * 1024**2
    return {
        "image": spec.image,
        "name": spec.name,
        "command": [_filled(word, spec.port) for word in spec.command] or None,
        "environment": environment_of(spec),
        "labels": {**spec.labels, INSTALLATION: settings.installation},
        "detach": True,
        "network": settings.network,
        "mem_limit": memory,
        # The same as the memory: no swap on top.
        "memswap_limit": memory,
        "nano_cpus": int(spec.vcpu * NANO),
        "pids_limit": PROCESSES,
        "read_only": True,
        "tmpfs": SCRATCH,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart_policy": {"Name": "no"},
        "init": True,
        "shm_size": spec.shared_memory_mib * 1024**2,
        "log_config": {"Type": "json-file", "Config": LOG_OPTIONS},
        "volumes": volumes_of(spec),
        "device_requests": device_requests(spec.gpus),
    }


def environment_of(spec: InstanceSpec) -> dict[str, str]:
    """Return the environment; a container listens on all its addresses, which are its own."""
    given = {name: _filled(value, spec.port) for name, value in spec.env.items()}
    return {**given, "HOST": "0.0.0.0", "PORT": str(spec.port)}


def volumes_of(spec: InstanceSpec) -> dict[str, dict[str, str]]:
    """Return the folders of the node that the container sees."""
    return {
        str(mount.source): {"bind": mount.target, "mode": "ro" if mount.read_only else "rw"}
        for mount in spec.mounts
    }


def device_requests(gpus: int) -> list[dict[str, Any]]:
    """Return the request for a number of GPUs."""
    if not gpus:
        return []
    return [{"Driver": "nvidia", "Count": gpus, "Capabilities": [["gpu"]]}]


def _filled(text: str, port: int) -> str:
    return text.replace("{PORT}", str(port)).replace("{HOST}", "0.0.0.0")
