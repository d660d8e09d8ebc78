"""Parts that the real tests share: the whole product running, a browser, and what must be there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.real.stack import Stack

CHROMIUM = "/usr/bin/chromium"
IN_CI = os.environ.get("CI", "").lower() == "true"


def missing(reason: str) -> None:
    """Skip on a person's machine; in CI a missing part is a failure."""
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def docker_engine() -> docker.DockerClient:
    try:
        engine = docker.from_env()
        engine.ping()
    except docker.errors.DockerException as error:
        missing(f"no Docker engine answers: {error}")
    return engine


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole product, started once for all tests that leave it as they found it."""
    # Not pytest's own folder, which is closed to the account that Postgres runs under.
    folder = Path(tempfile.mkdtemp(prefix="slipway-stack-"))
    folder.chmod(0o711)
    running = Stack(folder)
    try:
        yield running.start()
    finally:
        running.stop()
        left = running.leftovers()
        shutil.rmtree(folder, ignore_errors=True)
        assert not left, f"still running after the stop: {left}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        missing(f"{CHROMIUM} is not installed")
    # Playwright's loop runs in this thread and makes Django refuse its synchronous database calls.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser, stack) -> Iterator[Page]:
    """A page in which the administrator is signed in; a script error fails the test."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"{stack.url}/")
    tab.fill("input[name=username]", "admin")
    tab.fill("input[name=password]", stack.password)
    tab.click("button[type=submit]")
    tab.wait_for_url(f"{stack.url}/")
    yield tab
    context.close()
    assert not errors
