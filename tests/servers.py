"""A pytest plug-in: a throw-away Postgres and Valkey, and the settings that tests run with.

It is imported before Django reads its settings. Workers of pytest-xdist inherit the environment
and therefore share the servers of the first process.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from deploy.local.servers import RunningServers, servers_to_start

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def prepare_environment() -> Path:
    """Set what the settings need, with a data folder that is gone after the run."""
    data_dir = Path(tempfile.mkdtemp(prefix="slipway-tests-"))
    # Postgres drops root's rights and has to reach its own folder in here.
    data_dir.chmod(0o711)
    # WhiteNoise warns of a folder of collected files that is not there.
    (data_dir / "static").mkdir()
    os.environ["SLIPWAY_DATA_DIR"] = str(data_dir)
    os.environ.setdefault("SLIPWAY_SECRET_KEY", "only-for-tests-" + "0" * 50)
    os.environ.setdefault("SLIPWAY_ENCRYPTION_KEYS", "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=")
    return data_dir


def start_servers(data_dir: Path) -> RunningServers:
    """Start the servers whose addresses are not given and export theirs."""
    running = RunningServers()
    for variable, server in servers_to_start(data_dir, throw_away=True).items():
        running.start(server, data_dir / "servers.log")
        os.environ[variable] = server.url
    return running


def own_redis_database(url: str, worker: str) -> str:
    """Give each parallel worker a database of its own on the shared Valkey."""
    number = int(worker.removeprefix("gw")) + 1
    return f"{url}?db={number}"


def finish(running: RunningServers, data_dir: Path) -> None:
    """Stop the servers and remove everything they wrote."""
    running.stop()
    postgres = data_dir / "postgres"
    if postgres.is_symlink():
        shutil.rmtree(postgres.resolve())
    shutil.rmtree(data_dir)


DATA_DIR = prepare_environment()
RUNNING = start_servers(DATA_DIR)
atexit.register(finish, RUNNING, DATA_DIR)
if WORKER and os.environ["REDIS_URL"].startswith("unix://"):
    os.environ["REDIS_URL"] = own_redis_database(os.environ["REDIS_URL"], WORKER)
