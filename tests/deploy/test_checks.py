"""Each thing that is known to go wrong before a start is one line that says what to do."""

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from deploy.local import checks
from deploy.local.config import read_config
from deploy.local.keys import load_or_make_keys
from deploy.local.lock import SupervisorLock, is_held
from deploy.local.problems import CannotStart

Usage = namedtuple("Usage", ["total", "used", "free"])


def config(tmp_path, **variables):
    """Return a configuration from variables alone."""
    return read_config([], {"SLIPWAY_DATA_DIR": str(tmp_path), **variables})


def test_a_busy_port_is_named_with_its_variable(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} .*SLIPWAY_WEB_PORT"):
            checks.check_ports(config(tmp_path, SLIPWAY_WEB_PORT=str(port)), gateway_runs=False)


def test_the_ports_of_a_gateway_that_still_serves_are_not_looked_at(tmp_path):
    with socket.socket() as envoy:
        envoy.bind(("127.0.0.1", 0))
        envoy.listen()
        free = {f"SLIPWAY_{name}_PORT": str(20000 + i) for i, name in enumerate(("WEB", "XDS"))}
        busy = config(tmp_path, SLIPWAY_GATEWAY_PORT=str(envoy.getsockname()[1]), **free)
        checks.check_ports(busy, gateway_runs=True)
        with pytest.raises(CannotStart, match="SLIPWAY_GATEWAY_PORT"):
            checks.check_ports(busy, gateway_runs=False)


def test_a_folder_that_cannot_be_made_is_named():
    with pytest.raises(CannotStart, match=r"^The data folder /proc/slipway cannot be written"):
        checks.prepare_data_dir(Path("/proc/slipway"))


def test_a_full_disk_is_said_with_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 20 * 2**20))
    with pytest.raises(CannotStart, match="20 MiB free and 512 are needed"):
        checks.prepare_data_dir(tmp_path)


def test_a_database_that_does_not_answer_is_said_in_one_line():
    with pytest.raises(CannotStart) as caught:
        checks.check_database_url("postgresql://slipway@127.0.0.1:1/slipway")
    assert "correct DATABASE_URL, or unset it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_redis_url_that_makes_no_sense_is_said_in_one_line():
    for url in ("redis://127.0.0.1:1/0", "not-a-url"):
        with pytest.raises(CannotStart, match="correct REDIS_URL") as caught:
            checks.check_redis_url(url)
        assert "\n" not in str(caught.value)


def test_a_port_that_is_no_number_is_refused_by_name(tmp_path):
    with pytest.raises(CannotStart, match="SLIPWAY_XDS_PORT=many is not a number"):
        config(tmp_path, SLIPWAY_XDS_PORT="many")


def test_options_win_over_variables(tmp_path):
    found = read_config(["--web-port", "9000"], {"SLIPWAY_WEB_PORT": "8001"})
    assert found.web_url == "http://127.0.0.1:9000"


def test_everything_listening_everywhere_is_reached_on_loopback(tmp_path):
    assert config(tmp_path, SLIPWAY_HOST="0.0.0.0").gateway_url == "http://127.0.0.1:8080"


def test_keys_are_made_once_and_for_us_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("SLIPWAY_SECRET_KEY")
    monkeypatch.delenv("SLIPWAY_ENCRYPTION_KEYS")
    first = load_or_make_keys(tmp_path)
    assert load_or_make_keys(tmp_path) == first
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert len(set(first.values())) == 2


def test_keys_of_the_operator_are_not_written_down(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_SECRET_KEY", "given")
    monkeypatch.setenv("SLIPWAY_ENCRYPTION_KEYS", "given too")
    assert load_or_make_keys(tmp_path)["SLIPWAY_SECRET_KEY"] == "given"
    assert list(tmp_path.iterdir()) == []


def test_a_second_supervisor_is_told_about_the_first(tmp_path):
    first = SupervisorLock(tmp_path).acquire("make run")
    with pytest.raises(CannotStart, match=r"running already on .*\(pid \d+, make run\)"):
        SupervisorLock(tmp_path).acquire("make run")
    first.release()
    assert not is_held(first.path)
    SupervisorLock(tmp_path).acquire("make run").release()
