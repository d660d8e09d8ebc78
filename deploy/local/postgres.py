"""A Postgres of our own: set up once, reached by a Unix socket only."""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from deploy.local.postgres_binaries import SHARED_FOLDER, Binaries, find_binaries
from deploy.local.problems import CannotStart
from deploy.local.programs import (
    Account,
    Program,
    can_reach,
    make_private_folder,
    unprivileged_account,
)

DATABASE = ROLE = "slipway"
# A socket's path holds 107 bytes; Postgres adds "/.s.PGSQL.5432.lock" to the folder.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
FORMER_SERVER_SECONDS = 10.0


class Postgres:
    """The local Postgres of one data folder.

    With `throw_away` it trades durability for speed, which only tests want.
    """

    def __init__(self, data_dir: Path, *, throw_away: bool = False) -> None:
        self.data_dir = data_dir
        self.throw_away = throw_away

    @cached_property
    def home(self) -> Path:
        """The folder that holds the cluster and, when its path is short, the socket."""
        home = self.data_dir / "postgres"
        if home.exists():
            return home.resolve()
        if can_reach(unprivileged_account(), self.data_dir):
            home.mkdir(mode=0o711)
            return home.resolve()
        # A link, so that deleting the data folder forgets this cluster too.
        elsewhere = SHARED_FOLDER / f"postgres-{secrets.token_hex(6)}"
        elsewhere.mkdir(parents=True, mode=0o711)
        home.unlink(missing_ok=True)
        home.symlink_to(elsewhere)
        return elsewhere

    @property
    def cluster(self) -> Path:
        """The PGDATA folder."""
        return self.home / "cluster"

    @cached_property
    def account(self) -> Account | None:
        """The account the server runs as; None means our own."""
        return unprivileged_account(self.cluster)

    @cached_property
    def socket_folder(self) -> Path:
        """A folder whose path is short enough for a Unix socket."""
        near = self.home / "socket"
        if len(os.fsencode(near)) <= LONGEST_SOCKET_FOLDER:
            return near
        digest = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"slipway-{os.geteuid()}-{digest}"

    @property
    def url(self) -> str:
        """The DATABASE_URL of this server."""
        return self._url(DATABASE)

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.socket_folder), safe='/')}"

    @cached_property
    def binaries(self) -> Binaries:
        """The server programs that can read the cluster."""
        written_by = self.cluster / "PG_VERSION"
        wanted = int(written_by.read_text()) if written_by.exists() else None
        return find_binaries(wanted, self.account)

    def prepare(self) -> None:
        """Create the cluster on first use; raise CannotStart when that fails."""
        make_private_folder(self.socket_folder, self.account)
        if not (self.cluster / "PG_VERSION").exists():
            self._create_cluster()
        self._wait_for_former_server()

    def _create_cluster(self) -> None:
        half_made = self.home / "cluster.new"
        shutil.rmtree(half_made, ignore_errors=True)
        make_private_folder(half_made, self.account)
        sync = ["--no-sync"] if self.throw_away else []
        program = self._program(
            "initdb",
            *("-D", str(half_made), "-U", ROLE, "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--auth-local=peer", "--auth-host=reject", *sync),
        )
        done = subprocess.run(
            list(program.command), capture_output=True, check=False, **program.spawn_options()
        )
        if done.returncode:
            output = (done.stderr or done.stdout).decode(errors="replace")
            reason = next((line for line in output.splitlines() if "error" in line), output)
            raise CannotStart(f"Postgres could not set up {self.cluster}: {reason.strip()}")
        self._let_us_in(half_made)
        half_made.rename(self.cluster)

    def _let_us_in(self, cluster: Path) -> None:
        """Allow our own account and root, told by the kernel, to be the one role there is."""
        names = {"root", pwd.getpwuid(os.geteuid()).pw_name}
        lines = [f"slipway {name} {ROLE}\n" for name in sorted(names)]
        (cluster / "pg_ident.conf").write_text("".join(lines))
        (cluster / "pg_hba.conf").write_text(f"local all {ROLE} peer map=slipway\n")

    def _wait_for_former_server(self) -> None:
        """Let a server that is just shutting down finish; forget one that is long gone."""
        lock = self.cluster / "postmaster.pid"
        deadline = time.monotonic() + FORMER_SERVER_SECONDS
        while lock.exists():
            pid = int((lock.read_text().split() or ["0"])[0])
            if not _is_postgres(pid):
                # The number may belong to another program by now, which Postgres cannot tell.
                lock.unlink(missing_ok=True)
            elif time.monotonic() > deadline:
                raise CannotStart(f"Another Postgres (pid {pid}) uses {self.cluster}: stop it.")
            else:
                time.sleep(0.05)

    def program(self) -> Program:
        """Return the server itself, ready to be started."""
        settings = ["listen_addresses=", *(THROW_AWAY if self.throw_away else ())]
        options = [word for setting in settings for word in ("-c", setting)]
        return self._program(
            "postgres", "-D", str(self.cluster), "-k", str(self.socket_folder), *options
        )

    def _program(self, name: str, *arguments: str) -> Program:
        return Program(
            name=name,
            command=[str(self.binaries.folder / name), *arguments],
            folder=self.home,
            account=self.account,
            # Postgres's fast shutdown: sessions are ended, everything is written.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Tell whether the server answers; create our database the first time it does."""
        try:
            with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, [DATABASE]).fetchone() is None:
                    connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except psycopg.OperationalError:
            return False
        return True


def _is_postgres(pid: int) -> bool:
    try:
        return psutil.Process(pid).name() == "postgres"
    except (psutil.NoSuchProcess, ValueError):
        return False
