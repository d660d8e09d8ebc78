"""Envoy's keeper: adopted while it fits, replaced when it does not, gone when nobody needs it."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from deploy.local import gateway
from deploy.local.gateway import Gateway
from deploy.local.lock import SupervisorLock, is_held


@pytest.fixture
def made(tmp_path):
    """Return a gateway whose Envoy only sleeps; end what is left of it."""
    subject = Gateway(tmp_path, tmp_path / "supervisor.lock", ["sleep", "60"])
    yield subject
    subject.end_keeper()


def attach(subject: Gateway, stack: ExitStack) -> "subprocess.Popen[bytes]":
    """Start the attaching process of a gateway and wait until the keeper lives."""
    command = [sys.executable, "-m", "deploy.local.gateway", "attach"]
    places = ["--folder", str(subject.folder), "--liveness-lock", str(subject.liveness_lock)]
    process = subprocess.Popen([*command, *places, "--", *subject.command])
    stack.callback(process.wait)
    stack.callback(process.kill)
    deadline = time.monotonic() + 20
    while subject.fingerprint not in str(subject.keeper()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_killed_attachment_leaves_the_keeper_to_the_next(made):
    with ExitStack() as stack:
        lock = SupervisorLock(made.folder).acquire("a test")
        stack.callback(lock.release)
        first = attach(made, stack)
        keeper = made.keeper()
        first.kill()
        first.wait()
        second = attach(made, stack)
        time.sleep(0.3)
        assert made.keeper() == keeper
        second.send_signal(signal.SIGTERM)
        assert second.wait(10) == 0
        assert made.keeper() is None


def test_other_settings_replace_the_keeper(made):
    changed = Gateway(made.folder, made.liveness_lock, ["sleep", "61"])
    with ExitStack() as stack:
        lock = SupervisorLock(made.folder).acquire("a test")
        stack.callback(lock.release)
        attach(made, stack).kill()
        keeper = made.keeper()
        attach(changed, stack)
        assert changed.keeper() != keeper


def test_a_changed_bootstrap_changes_the_fingerprint(tmp_path):
    bootstrap = tmp_path / "bootstrap.json"
    bootstrap.write_text("{}")
    subject = Gateway(tmp_path, tmp_path / "lock", ["envoy", "--config-path", str(bootstrap)])
    before = subject.fingerprint
    bootstrap.write_text('{"admin": {}}')
    assert subject.fingerprint != before


def test_a_keeper_that_nobody_needs_ends(made, monkeypatch):
    monkeypatch.setattr(gateway, "ORPHAN_SECONDS", 0.3)
    assert made.keep() == -signal.SIGTERM
    assert not is_held(made.lock)


def test_the_attachment_ends_when_envoy_does(tmp_path):
    subject = Gateway(tmp_path, tmp_path / "supervisor.lock", ["false"])
    assert subject.attach() == 1
