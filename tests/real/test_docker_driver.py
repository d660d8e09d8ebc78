"""The Docker driver with a real engine and a tiny image."""

import os
import shutil
from decimal import Decimal
from pathlib import Path

import docker
import pytest

from services.drivers.base import (
    DriverUnavailable,
    InstanceSpec,
    PermanentFailure,
    Progress,
    RuntimeImage,
)
from services.drivers.docker import DockerDriver
from services.drivers.docker_options import DockerSettings
from tests.services.drivers.contract import LABELS, Contract, Place

pytestmark = pytest.mark.real

BUSYBOX = Path("/bin/busybox")
DOCKERFILE = """ARG BASE=scratch
FROM ${BASE}
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY www /www
COPY init /init
CMD ["/init"]
"""
INIT = """#!/bin/sh
trap 'exit 0' TERM INT
echo start
/bin/busybox httpd -f -p $PORT -h /www &
wait $!
"""
SETTINGS = DockerSettings("contract", "scratch")


def missing() -> str:
    # A dynamic program names its loader near its beginning; in an empty image it has none.
    if not BUSYBOX.exists() or b"ld-linux" in BUSYBOX.read_bytes()[:4096]:
        return "no static busybox: apt-get install busybox-static"
    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        return f"no Docker Engine: {error}"
    return ""


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    if reason := missing():
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    context = tmp_path_factory.mktemp("tiny")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "www").mkdir()
    (context / "www" / "health").write_text("ok")
    (context / "init").write_text(INIT)
    (context / "init").chmod(0o755)
    shutil.copy(BUSYBOX, context / "busybox")
    steps: list[Progress] = []
    driver = DockerDriver(SETTINGS)
    name = driver.ensure_image(RuntimeImage("tiny", context=context), steps.append)
    assert (steps[-1].done, steps[-1].total) == (7, 7)
    assert driver.ensure_image(RuntimeImage("tiny", context=context), steps.append) == name
    assert len(steps) == 7
    yield name
    client = docker.from_env()
    client.images.remove(name, force=True)
    for network in client.networks.list(names=[SETTINGS.network]):
        network.remove()


@pytest.fixture
def place(image):
    def exit_with(code):
        return ("/bin/sh", "-c", f"exit {code}"), {}

    return Place(
        DockerDriver(SETTINGS), lambda: DockerDriver(SETTINGS), image, ("/init",), exit_with
    )


class TestContract(Contract):
    pass


@pytest.fixture
def inspected(place):
    place.driver.start(place.spec("ms-1-a"))
    place.until_healthy("ms-1-a")
    yield docker.from_env().api.inspect_container("ms-1-a")
    place.clear()


def test_a_container_is_held_to_its_limits_and_has_no_port_outside(inspected):
    host = inspected["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 256 * 1024**2
    assert host["NanoCpus"] == 10**9
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert not host["PortBindings"]
    assert list(inspected["NetworkSettings"]["Networks"]) == [SETTINGS.network]


def test_a_container_that_takes_too_much_memory_is_killed_for_it(place):
    eat = ("/bin/sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done")
    place.driver.start(place.spec("ms-1-a", command=eat, memory_mib=16))
    seen = place.until_exited("ms-1-a")
    assert seen.oom_killed
    place.clear()


def test_an_image_that_is_not_there_is_refused_for_good(place):
    spec = InstanceSpec("ms-1-a", LABELS, "slipway/none:0", (), {}, 80, Decimal(1), 64)
    with pytest.raises(PermanentFailure, match="not found"):
        place.driver.start(spec)


def test_an_engine_that_is_down_says_what_to_do():
    driver = DockerDriver(DockerSettings("x", "scratch", base_url="unix:///no/such.sock"))
    with pytest.raises(DriverUnavailable, match="Is Docker running"):
        driver.check()


def test_another_installation_sees_nothing_of_it(place, inspected):
    other = DockerDriver(DockerSettings("other", "scratch"))
    assert other.observe({"slipway.service": "ms-1"}) == []
