"""Instances as containers of a Docker Engine, on an internal network and with no port outside."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from itertools import islice
from math import ceil
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.tls import TLSConfig

from services.drivers import docker_images, docker_logs
from services.drivers.base import (
    Capabilities,
    DriverError,
    DriverSettings,
    InstanceSpec,
    LogLine,
    Node,
    Observation,
    ObservedState,
    ProbeResult,
    Progress,
    RuntimeImage,
    Usage,
)
from services.drivers.docker_errors import translated
from services.drivers.docker_options import INSTALLATION, NANO, DockerSettings, container_options
from services.drivers.probe import probe_http

PORT_LABEL = "slipway.port"
NO_TIME = "0001-01-01T00:00:00Z"
ANSWER_SECONDS = 30
SAMPLES_AWAITED = 4
ALIVE = frozenset({"running", "paused", "restarting"})


class DockerDriver:
    """Runs each instance as a container; holds no state but its connection."""

    kind = "docker"

    def __init__(self, settings: DockerSettings) -> None:
        self.settings = settings
        self._client: DockerClient | None = None
        self._lock = threading.Lock()
        self._node_name = ""

    def capabilities(self) -> Capabilities:
        """Say what an engine can do."""
        return Capabilities(images=True, limits=True)

    def check(self) -> None:
        """Raise DriverUnavailable, with what to do, unless the engine answers."""
        with translated("the engine"):
            self.client.ping()

    @property
    def client(self) -> DockerClient:
        """Return the connection, made at first use."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def nodes(self) -> list[Node]:
        """Return the engine's machine."""
        with translated("the engine"):
            info = self.client.info()
        memory_mib = int(info["MemTotal"]) // 1024**2
        return [Node(name=info["Name"], vcpu=Decimal(info["NCPU"]), memory_mib=memory_mib)]

    def ensure_image(self, image: RuntimeImage, report: Callable[[Progress], None]) -> str:
        """Build or pull the image and return its name; quick when it is there."""
        with translated(image.name):
            client = self.client
        return docker_images.ensure(client, image, self.settings, report)

    def start(self, spec: InstanceSpec) -> None:
        """Create and start a container; raise AlreadyExists when the name is taken."""
        options = container_options(spec, self.settings)
        options["labels"][PORT_LABEL] = str(spec.port)
        with translated(spec.name):
            self._ensure_network()
            container = self.client.containers.create(**options)
            try:
                container.start()
            except BaseException:
                # A container that never ran would hold the name.
                container.remove(force=True)
                raise

    def stop(self, name: str, grace: float) -> None:
        """Send SIGTERM, after `grace` seconds SIGKILL; return once it is dead."""
        with translated(name):
            self.client.api.stop(name, timeout=ceil(grace))

    def remove(self, name: str) -> None:
        """Remove a container, running or not; a repeat is harmless."""
        with translated(name), suppress(NotFound):
            self.client.api.remove_container(name, force=True, v=True)

    def observe(self, labels: Mapping[str, str]) -> list[Observation]:
        """Return every container of this installation that carries all of these labels."""
        wanted = {**labels, INSTALLATION: self.settings.installation}
        filters = {"label": [f"{name}={value}" for name, value in wanted.items()]}
        found = []
        with translated("the containers"):
            for summary in self.client.api.containers(all=True, filters=filters):
                with suppress(NotFound):
                    attributes = self.client.api.inspect_container(summary["Id"])
                    found.append(observation_of(attributes, self.settings.network, self._node()))
        return found

    def probe(self, address: str, path: str, timeout: float) -> ProbeResult:
        """Ask the health path of an instance over HTTP."""
        return probe_http(address, path, timeout)

    def usage(self, name: str) -> Usage:
        """Return one sample; the engine takes about a second for it."""
        with translated(name):
            if not self.client.api.inspect_container(name)["State"]["Running"]:
                raise DriverError(f"{name} does not run any more.")
            samples = self.client.api.stats(name, decode=True)
            with closing(samples):
                # Right after a start the engine may send blank ones.
                for sample in islice(samples, SAMPLES_AWAITED):
                    if sample.get("memory_stats"):
                        return usage_of(sample)
        raise DriverError(f"Docker has no sample of {name} yet.")

    def logs(
        self,
        name: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Yield what an instance printed, oldest first."""
        window: dict[str, Any] = {"tail": "all" if tail is None else tail}
        if since:
            window["since"] = f"{since.timestamp():.6f}"
        if until:
            window["until"] = f"{until.timestamp():.6f}"
        with translated(name):
            self.client.api.inspect_container(name)
            parts = docker_logs.frames(self.client, name, follow=follow, **window)
            yield from docker_logs.lines(parts)

    def _node(self) -> str:
        # The name does not change under a connection, and every look needs it.
        if not self._node_name:
            self._node_name = self.client.info()["Name"]
        return self._node_name

    def _connect(self) -> DockerClient:
        settings = self.settings
        if not settings.base_url:
            return DockerClient.from_env(timeout=ANSWER_SECONDS)
        tls: TLSConfig | bool = False
        if settings.tls_ca or settings.tls_certificate:
            pair = (settings.tls_certificate, settings.tls_key)
            tls = TLSConfig(
                ca_cert=settings.tls_ca or None,
                client_cert=pair if settings.tls_certificate else None,
                verify=True,
            )
        return DockerClient(settings.base_url, tls=tls, timeout=ANSWER_SECONDS)

    def _ensure_network(self) -> None:
        name = self.settings.network
        if any(network.name == name for network in self.client.networks.list(names=[name])):
            return
        try:
            self.client.networks.create(
                name,
                driver="bridge",
                internal=True,
                check_duplicate=True,
                labels={INSTALLATION: self.settings.installation},
            )
        except APIError as error:
            # Another starter was quicker.
            if error.status_code != HTTPStatus.CONFLICT:
                raise


def observation_of(attributes: Mapping[str, Any], network: str, node: str) -> Observation:
    """Return a container as the engine describes it."""
    state, labels = attributes["State"], attributes["Config"]["Labels"]
    alive = state["Status"] in ALIVE
    attached = attributes["NetworkSettings"]["Networks"].get(network) or {}
    ip = attached.get("IPAddress", "")
    never_ran = state["Status"] == "created"
    return Observation(
        name=attributes["Name"].removeprefix("/"),
        labels=labels,
        state=ObservedState.RUNNING if alive else ObservedState.EXITED,
        address=f"{ip}:{labels[PORT_LABEL]}" if alive and ip else "",
        node=node,
        started_at=_moment(state["StartedAt"]) or _moment(attributes["Created"]),
        finished_at=None if alive else _moment(state["FinishedAt"]),
        exit_code=None if alive or never_ran else state["ExitCode"],
        oom_killed=state["OOMKilled"],
        error=state["Error"] or ("it was created but never started" if never_ran else ""),
    )


def usage_of(sample: Mapping[str, Any]) -> Usage:
    """Return the engine's sample as ours; file cache that can be reclaimed is left out."""
    memory = sample["memory_stats"]
    details = memory.get("stats", {})
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    networks = sample.get("networks", {}).values()
    return Usage(
        cpu_seconds=sample["cpu_stats"]["cpu_usage"]["total_usage"] / NANO,
        memory_bytes=max(0, memory.get("usage", 0) - cache),
        network_in_bytes=sum(n["rx_bytes"] for n in networks),
        network_out_bytes=sum(n["tx_bytes"] for n in networks),
    )


def _moment(text: str) -> datetime | None:
    return None if text == NO_TIME else docker_logs.time_of(text)


def make(settings: DriverSettings) -> DockerDriver:
    """Return the driver of a region."""
    return DockerDriver(
        DockerSettings.of(settings.options, settings.installation, settings.base_image)
    )
