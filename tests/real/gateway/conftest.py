"""One Envoy for all tests of the gateway."""

from collections.abc import Iterator

import pytest

from networking.gateway.facts import Address
from tests.real.gateway.rig import Gateway, PretendModel, Served, running, service


@pytest.fixture(scope="package")
def model() -> PretendModel:
    return PretendModel()


@pytest.fixture(scope="package")
def address(model) -> Iterator[Address]:
    served = Served(model)
    yield served.address
    served.stop()


@pytest.fixture(scope="package")
def envoy(tmp_path_factory) -> Iterator[Gateway]:
    with running(Gateway(tmp_path_factory.mktemp("gateway"))) as gateway:
        yield gateway


@pytest.fixture
def gateway(envoy, address, model) -> Gateway:
    """The gateway with one service that answers."""
    envoy.apply(service(address))
    model.calls.clear()
    return envoy
