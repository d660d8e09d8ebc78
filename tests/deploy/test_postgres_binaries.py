"""Which Postgres is taken, and how an unprivileged account gets at it."""

import os
import pwd

import pytest

from deploy.local import postgres_binaries
from deploy.local.postgres_binaries import find_binaries
from deploy.local.problems import CannotStart
from deploy.local.programs import Account, can_reach

NOBODY = Account("nobody", *pwd.getpwnam("nobody")[2:4])


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install pretended versions 13, 15 and 9 and nothing else."""
    for version in (13, 15, 9):
        folder = tmp_path / str(version) / "bin"
        folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            program = folder / name
            program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}.2'\n")
            program.chmod(0o755)
    monkeypatch.setattr(postgres_binaries, "SYSTEM_ROOTS", (tmp_path,))
    monkeypatch.setattr(postgres_binaries, "WHEEL", "no_such_package")
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


def test_the_newest_of_the_machine_is_taken(installed):
    assert find_binaries(None, None).folder == installed / "15" / "bin"


def test_data_is_opened_by_the_version_that_wrote_it(installed):
    assert find_binaries(13, None).version == 13


def test_data_of_a_version_that_is_gone_is_said(installed):
    with pytest.raises(CannotStart, match="written by Postgres 17, which is gone"):
        find_binaries(17, None)


def test_a_machine_with_old_ones_only_is_told_what_to_install(installed, monkeypatch):
    monkeypatch.setattr(postgres_binaries, "OLDEST_VERSION", 16)
    with pytest.raises(CannotStart, match="No Postgres 16 or newer was found"):
        find_binaries(None, None)


def test_a_folder_below_a_closed_one_is_out_of_reach(tmp_path):
    tmp_path.chmod(0o700)
    inner = tmp_path / "inner"
    inner.mkdir(mode=0o755)
    assert not can_reach(NOBODY, inner)
    assert can_reach(None, inner)
    assert can_reach(Account("us", os.geteuid(), os.getegid()), inner) == can_reach(
        Account("us", os.geteuid(), os.getegid()), tmp_path
    )
