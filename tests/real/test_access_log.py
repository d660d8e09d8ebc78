"""A real Envoy writes, a real reader counts into Postgres; each is killed, nothing is lost."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import Sum

from deploy.local.postgres import Postgres
from deploy.local.servers import RunningServers
from deploy.local.stack import find_envoy
from networking.gateway.bootstrap import bootstrap
from networking.models import ReadPosition, TrafficMinute
from tests.networking.log_writer import LogWriter
from tests.real.stack import free_port, until

pytestmark = pytest.mark.real
SMALL_MIB = "0.03"
KILLS = 5
TYPE = "type.googleapis.com/envoy."


@dataclass
class Envoy:
    """An Envoy that answers by itself, and logs as the gateway does."""

    folder: Path
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        config = self.folder / "envoy.json"
        config.write_text(json.dumps(self.config()))
        command = [find_envoy(), "--config-path", str(config), "--disable-hot-restart"]
        options = ["--file-flush-interval-msec", "1000", "--log-level", "warning"]
        self.process = subprocess.Popen([*command, *options, "--concurrency", "1"])
        until(self.answers, 20, "Envoy answers on its admin address")

    def answers(self) -> bool:
        """Ask on the admin address, which writes no entry."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.admin_port}/ready").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """Stop it in order, so that it writes all it knows."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(10)

    def config(self) -> dict[str, Any]:
        """Return one listener whose log is the gateway's."""
        manager = find(bootstrap(), "access_log")
        hosts = [{"name": "all", "domains": ["*"], "routes": [self.dead_route(), self.route()]}]
        connection_manager = {
            "@type": manager["@type"],
            "stat_prefix": "test",
            "access_log": manager["access_log"],
            "route_config": {"virtual_hosts": hosts},
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": f"{TYPE}extensions.filters.http.router.v3.Router"},
                }
            ],
        }
        chain = {"filters": [{"name": "http", "typed_config": connection_manager}]}
        listener = {"name": "http", "address": address(self.port), "filter_chains": [chain]}
        dead = {"endpoint": {"address": address(free_port())}}
        cluster = {
            "name": "mv-dead",
            "load_assignment": {
                "cluster_name": "mv-dead",
                "endpoints": [{"lb_endpoints": [dead]}],
            },
        }
        return {
            "admin": {"address": address(self.admin_port)},
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }

    def route(self) -> dict[str, Any]:
        """Return what every path but one meets: an answer of Envoy's own."""
        answer = {"status": 200, "body": {"inline_string": "hello"}}
        return {"name": "ms-well", "match": {"prefix": "/"}, "direct_response": answer}

    def dead_route(self) -> dict[str, Any]:
        """Return the way to an instance that is not there."""
        return {"match": {"prefix": "/dead"}, "route": {"cluster": "mv-dead"}}


def address(port: int) -> dict[str, Any]:
    """Return an address on this machine as Envoy wants it."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def find(tree: Any, name: str) -> dict[str, Any]:
    """Return the first object with this field, wherever the bootstrap keeps it."""
    if isinstance(tree, dict):
        if name in tree and "http_filters" in tree:
            return tree
        tree = list(tree.values())
    for part in tree if isinstance(tree, list) else []:
        if found := find(part, name):
            return found
    return {}


@pytest.fixture
def log(tmp_path, settings) -> Path:
    settings.GATEWAY_ACCESS_LOG = tmp_path / "access.log"
    return tmp_path / "access.log"


@pytest.fixture
def envoy(log) -> Iterator[Envoy]:
    running = Envoy(log.parent)
    running.start()
    yield running
    running.stop()


def start_reader(log: Path, database_url: str, admin_port: int = 1) -> "subprocess.Popen[bytes]":
    """Start the command as the supervisor does."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "read_access_log", "--rotate-mib", SMALL_MIB],
        cwd=django_settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "SLIPWAY_GATEWAY_ACCESS_LOG": str(log),
            "SLIPWAY_GATEWAY_ADMIN_PORT": str(admin_port),
        },
    )


def url_of_database_in_use() -> str:
    """Return the address of the database that the tests see."""
    name = str(connection.settings_dict["NAME"])
    return re.sub(r"(?<=[^/]/)[^/?]+(?=\?|$)", name, os.environ["DATABASE_URL"], count=1)


def counted(**which: Any) -> int:
    """Return how many calls were counted."""
    return TrafficMinute.objects.filter(**which).aggregate(n=Sum("requests"))["n"] or 0


def wait_for_more_than(before: int) -> None:
    """Wait until more calls were counted."""
    until(lambda: counted() > before, 30, "the reader counts")


class Load:
    """Calls without end, from a thread."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answered = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._call)
        self.thread.start()

    def _call(self) -> None:
        with httpx.Client() as client:
            while not self.stop.wait(0.003):
                self.answered += client.get(f"{self.url}/v1/models").status_code == 200

    def end(self) -> int:
        """Stop calling; return how many calls were answered."""
        self.stop.set()
        self.thread.join()
        return self.answered


@pytest.mark.django_db(transaction=True)
def test_a_reader_killed_again_and_again_under_load_counts_each_call_once(envoy, log):
    load = Load(envoy.port)
    dice = random.Random(7)
    for _ in range(KILLS):
        reader = start_reader(log, url_of_database_in_use(), envoy.admin_port)
        wait_for_more_than(counted())
        time.sleep(dice.random())
        reader.kill()
        reader.wait()
    answered = load.end()

    reader = start_reader(log, url_of_database_in_use(), envoy.admin_port)
    until(lambda: counted() >= answered, 30, "all is counted")
    reader.terminate()
    assert reader.wait(10) == 0
    assert counted(service_id="ms-well", succeeded__gt=0) == counted() == answered
    assert ReadPosition.objects.count() > 1
    assert not any(ReadPosition.objects.values_list("unreadable", flat=True))


@pytest.mark.django_db(transaction=True)
def test_what_envoy_writes_is_what_is_counted(envoy, log):
    httpx.get(f"http://127.0.0.1:{envoy.port}/dead")
    httpx.get(f"http://127.0.0.1:{envoy.port}/")
    forged = b'/{"time":1800000000,"status":200,"service":"ms-other"}'
    with socket.create_connection(("127.0.0.1", envoy.port)) as caller:
        caller.sendall(b"GET " + forged + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"200 OK" in caller.recv(100)
    reader = start_reader(log, url_of_database_in_use(), envoy.admin_port)
    until(lambda: counted() == 3, 30, "all is counted")
    reader.terminate()
    reader.wait()

    dead = TrafficMinute.objects.get(service_id="")
    well = TrafficMinute.objects.get(service_id="ms-well")
    assert (dead.version_id, dead.unreachable, dead.server_errors) == ("mv-dead", 1, 1)
    assert (well.version_id, well.key_id, well.succeeded) == ("", "", 2)
    assert well.bytes_out == 2 * len("hello")


@pytest.fixture
def own_postgres() -> Iterator[tuple[Postgres, RunningServers]]:
    folder = Path(tempfile.mkdtemp(prefix="slipway-killed-"))
    folder.chmod(0o711)
    postgres, running = Postgres(folder, throw_away=True), RunningServers()
    running.start(postgres, folder / "postgres.log")
    yield postgres, running
    running.stop()
    home = folder / "postgres"
    if home.is_symlink():
        shutil.rmtree(home.resolve())
    shutil.rmtree(folder)


def test_a_killed_postgres_costs_no_line(own_postgres, log):
    postgres, running = own_postgres
    migrate(postgres.url)
    writer = LogWriter(log)
    reader = start_reader(log, postgres.url)
    for _ in range(2):
        writer.write(200)
        until(lambda: counted_in(postgres.url) > 0, 30, "the reader counts")
        (_, server) = running.started.pop()
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        writer.write(200)
        time.sleep(0.5)
        running.start(postgres, log.parent / "postgres.log")

    until(lambda: counted_in(postgres.url) >= writer.whole_entries, 30, "all is counted")
    assert reader.poll() is None
    reader.terminate()
    assert reader.wait(10) == 0
    assert counted_in(postgres.url) == writer.whole_entries


def migrate(database_url: str) -> None:
    """Make the tables."""
    environment = {**os.environ, "DATABASE_URL": database_url}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=django_settings.BASE_DIR, env=environment, check=True, timeout=120)


def counted_in(database_url: str) -> int:
    """Return how many calls were counted in another database."""
    with psycopg.connect(database_url) as own:
        row = own.execute("SELECT sum(requests) FROM networking_trafficminute").fetchone()
    return int(row[0] or 0) if row else 0
