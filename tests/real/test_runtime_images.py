"""The runtimes' own images: built, and run with as few rights as the Docker driver gives them."""

import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import docker
import httpx
import pytest

from runtimes.registry import MODEL_MOUNT, RUNTIMES, Launch, command_and_environment
from services.catalog.load import load_entries
from services.catalog.prepare import prepare_model
from services.drivers.base import InstanceSpec, Mount, RuntimeImage
from services.drivers.docker import DockerDriver
from services.drivers.docker_options import DockerSettings
from services.models import CatalogEntry
from tests.real.stack import until

pytestmark = [pytest.mark.real, pytest.mark.django_db]

BASE = os.environ.get("SLIPWAY_RUNTIME_BASE_IMAGE", "")
LABELS = {"slipway.installation": "images"}
NOBODY = "10001"
QUESTIONS = {
    "smollm2-135m-instruct": ("/v1/completions", {"prompt": "One,", "max_tokens": 4}),
    "all-minilm-l6-v2": ("/v1/embeddings", {"input": "A cat sits outside."}),
    "wine-cultivar": ("/predict", {}),
}


def missing():
    """Say what these tests lack here; empty for nothing."""
    if not BASE:
        return "no base image: set SLIPWAY_RUNTIME_BASE_IMAGE (deploy/test/prepare.sh makes one)"
    try:
        docker.from_env().images.get(BASE)
    except docker.errors.DockerException as error:
        return f"no Docker Engine with the image {BASE}: {error}"
    return ""


def quiet(progress):
    """Take no notice of progress."""


@pytest.fixture(scope="module")
def driver():
    if reason := missing():
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    driver = DockerDriver(DockerSettings.of({}, LABELS["slipway.installation"], BASE))
    yield driver
    for network in docker.from_env().networks.list(names=[driver.settings.network]):
        network.remove()


@pytest.fixture(scope="module")
def images(driver):
    """Build both at the same time, for each waits for its downloads."""
    contexts = {r.image_name: r.context for r in RUNTIMES.values() if r.context}
    wanted = [RuntimeImage(name, context=context) for name, context in contexts.items()]
    with ThreadPoolExecutor() as pool:
        names = list(pool.map(lambda image: driver.ensure_image(image, quiet), wanted))
    return dict(zip(contexts, names, strict=True))


@pytest.fixture
def models(settings, tmp_path_factory):
    """Keep prepared models for the whole run: each is downloaded once."""
    settings.MODEL_DIR = tmp_path_factory.getbasetemp() / "models"
    load_entries()


@pytest.fixture(params=QUESTIONS)
def served(request, driver, images, models):
    """Run one catalog entry's server; give the entry, its container and its address."""
    entry = CatalogEntry.objects.get(slug=request.param)
    runtime = RUNTIMES[entry.runtime]
    launch = Launch(entry.slug, Decimal(1), 1024, options=entry.runtime_options)
    command, env = command_and_environment(entry.runtime, launch)
    spec = InstanceSpec(
        name=f"slipway-images-{entry.slug}",
        labels=LABELS,
        image=images[runtime.image_name],
        command=command,
        env=env,
        port=runtime.port,
        vcpu=Decimal(1),
        memory_mib=1024,
        mounts=[Mount(prepare_model(entry, quiet), MODEL_MOUNT)],
    )
    driver.remove(spec.name)
    driver.start(spec)
    try:
        until(lambda: healthy(driver, spec.name, runtime.health_path), 60, f"{spec.name} answers")
        yield entry, docker.from_env().containers.get(spec.name), seen(driver, spec.name).address
    finally:
        driver.remove(spec.name)


def seen(driver, name):
    """Return the driver's observation of an instance."""
    return next(o for o in driver.observe(LABELS) if o.name == name)


def healthy(driver, name, path):
    """Return whether an instance's health path answers."""
    address = seen(driver, name).address
    return bool(address) and driver.probe(address, path, 2).ok


def test_each_server_answers_without_rights_and_stops_cleanly(driver, served):
    entry, container, address = served
    path, body = QUESTIONS[entry.slug]
    answer = httpx.post(f"http://{address}{path}", json=body or entry.signature["example"])
    assert answer.status_code == 200, answer.text
    assert container.exec_run("id -u").output.decode().strip() == NOBODY
    assert b"CapEff:\t0000000000000000" in container.exec_run("cat /proc/1/status").output
    assert container.exec_run("touch /app/written").exit_code != 0
    driver.stop(container.name, grace=20)
    assert seen(driver, container.name).exit_code == 0
