"""What to run and as whom: a description of one program, and how it is tied to its parent."""

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 70
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Account:
    """An unprivileged account that servers drop to when the launcher runs as root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """One program of the stack: its command, its environment and how it likes to be stopped."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # Sent by the kernel when the supervisor itself is killed.
    death_signal: signal.Signals = signal.SIGTERM

    def spawn_options(self) -> dict[str, Any]:
        """Return the keyword arguments that start it in a session of its own, tied to us."""
        options: dict[str, Any] = {
            "cwd": self.folder,
            "env": {**os.environ, **self.environment},
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "preexec_fn": die_with_parent(self.death_signal),
        }
        if self.account:
            options |= {
                "user": self.account.uid,
                "group": self.account.gid,
                "extra_groups": [],
            }
        return options

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it with both outputs going to an open file."""
        return subprocess.Popen(
            list(self.command), stdout=output, stderr=subprocess.STDOUT, **self.spawn_options()
        )


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return a hook for the new process that ends it when its parent dies, however that dies."""
    parent = os.getpid()

    def tie() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal))
        # The parent may have died between the fork and the call above.
        if os.getppid() != parent:
            os._exit(PARENT_IS_GONE)

    return tie


def unprivileged_account(owned: Path | None = None) -> Account | None:
    """Return the account servers drop to when we are root: the owner of existing data first."""
    if os.geteuid() != 0:
        return None
    if owned and owned.exists() and owned.stat().st_uid != 0:
        return _account(pwd.getpwuid(owned.stat().st_uid))
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return _account(known.get("postgres") or known["nobody"])


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def can_reach(account: Account | None, path: Path) -> bool:
    """Tell whether the account may pass every folder down to the path and enter it."""
    if account is None:
        return True
    resolved = path.resolve()
    return all(_may_enter(account, step) for step in (resolved, *resolved.parents))


def _may_enter(account: Account, path: Path) -> bool:
    if not path.exists():
        return True
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def make_private_folder(path: Path, account: Account | None = None) -> Path:
    """Create a folder that only its account may enter, owned by that account."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        os.chown(path, account.uid, account.gid)
    return path
