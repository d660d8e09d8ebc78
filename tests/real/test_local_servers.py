"""The packaged Postgres, and a data folder that is closed to the account it runs as."""

import os
import pwd
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from deploy.local import postgres_binaries
from deploy.local.postgres import Postgres
from deploy.local.postgres_binaries import SHARED_FOLDER
from deploy.local.servers import RunningServers

pytestmark = pytest.mark.real


@pytest.fixture
def closed_folder():
    """Return a folder that only we may enter, as /root is; remove what it led to."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-closed-"))
    yield folder
    home = folder / "postgres"
    if home.is_symlink():
        shutil.rmtree(home.resolve())
    shutil.rmtree(folder)


@pytest.fixture
def packaged_only(monkeypatch):
    """Hide the Postgres of the machine."""
    monkeypatch.setattr(postgres_binaries, "SYSTEM_ROOTS", ())
    monkeypatch.setattr(shutil, "which", lambda _: None)


def test_the_packaged_postgres_serves_from_a_closed_folder(closed_folder, packaged_only):
    running = RunningServers()
    server = Postgres(closed_folder, throw_away=True)
    try:
        running.start(server, closed_folder / "log")
        with psycopg.connect(server.url) as connection:
            version = connection.info.server_version
    finally:
        running.stop()
    assert version // 10000 == 18
    assert (os.geteuid() != 0) == (server.account is None)
    if server.account:
        assert server.home.parent == SHARED_FOLDER
        assert server.cluster.stat().st_uid == pwd.getpwnam(server.account.name).pw_uid
    assert closed_folder.stat().st_mode & 0o077 == 0


def test_a_cluster_survives_its_server_being_killed(closed_folder):
    for _ in range(2):
        running = RunningServers()
        server = Postgres(closed_folder)
        running.start(server, closed_folder / "log")
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.commit()
            rows = connection.execute("SELECT count(*) FROM kept").fetchone()
        running.started[0][1].kill()
        running.stop()
    assert rows == (2,)


def test_the_packaged_postgres_runs_from_a_copy_where_its_own_place_is_closed(
    closed_folder, packaged_only, monkeypatch
):
    closed_folder.chmod(0o711)
    monkeypatch.setattr(postgres_binaries, "SHARED_FOLDER", closed_folder / "shared")
    monkeypatch.setattr(postgres_binaries, "can_reach", lambda account, path: False)
    running = RunningServers()
    server = Postgres(closed_folder, throw_away=True)
    try:
        running.start(server, closed_folder / "log")
        program = Path(f"/proc/{running.started[0][1].pid}/exe").readlink()
    finally:
        running.stop()
    assert program.is_relative_to(closed_folder / "shared")
    assert [path.name for path in (closed_folder / "shared").glob(".copying-*")] == []
