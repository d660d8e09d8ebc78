"""Every program of the Overview, copied with its key in a browser and run exactly as pasted."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.real.deployed import copied, deployed, signed_in
from tests.real.stack import Stack

pytestmark = pytest.mark.real

MODELS = {
    "chat": "smollm2-135m-instruct",
    "embeddings": "all-minilm-l6-v2",
    "predict": "wine-cultivar",
}
SLUGS = {
    "chat": ("curl", "python", "openai", "javascript"),
    "embeddings": ("curl", "python", "openai", "javascript"),
    "predict": ("curl", "python", "javascript"),
}
PASTED = [(task, slug) for task, slugs in SLUGS.items() for slug in slugs]
# How a person runs what they pasted: into a shell, or a file of the name that the page tells.
RUN = {
    "curl": ("call.sh", "bash"),
    "python": ("call.py", sys.executable),
    "openai": ("call.py", sys.executable),
    "javascript": ("call.mjs", "node"),
}
SAID = {
    "chat": r"['\"]?role['\"]?: ?['\"]assistant['\"]",
    "embeddings": r"['\"]?embedding['\"]?: ?\[",
    "predict": r"['\"]?predictions['\"]?: ?\[",
}
KEY = re.compile(r"DW-ms-[a-z0-9]{12}-\w{20,}")


@pytest.fixture(scope="module")
def services(stack) -> Iterator[dict[str, str]]:
    with deployed(stack, **MODELS) as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser, stack) -> Iterator[Page]:
    with signed_in(browser, stack) as page:
        yield page


def paste(tab: Page, stack: Stack, service: str, slug: str) -> str:
    tab.goto(f"{stack.url}/services/{service}/")
    tab.locator(f"#tab-{slug}").click()
    return copied(tab, f"#copy-{slug}")


def run(text: str, slug: str, folder: Path) -> str:
    file, program = RUN[slug]
    (folder / file).write_text(text)
    done = subprocess.run(
        [program, file], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("task", "slug"), PASTED)
def test_a_program_runs_as_pasted(tab, stack, services, tmp_path, task, slug):
    said = run(paste(tab, stack, services[task], slug), slug, tmp_path)
    if slug != "openai":
        assert re.search(SAID[task], said), said
    elif task == "chat":
        assert re.search(r"\w", said)
    else:
        assert len(json.loads(said)) == 8


def test_the_page_shows_no_key_and_the_copy_has_it(tab, stack, services):
    text = paste(tab, stack, services["chat"], "curl")
    assert KEY.search(text)
    assert not KEY.search(tab.content())


def test_every_task_offers_the_programs_that_can_call_it(tab, stack, services):
    for task, slugs in SLUGS.items():
        tab.goto(f"{stack.url}/services/{services[task]}/")
        tabs = tab.locator("[data-tabs=snippet] [role=tab]").all()
        assert [each.get_attribute("id") for each in tabs] == [f"tab-{slug}" for slug in slugs]
