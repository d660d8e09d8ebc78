"""From the model list to an answer, as a person does it in a browser, on both drivers."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.real.stack import Stack, run_shell, until

pytestmark = pytest.mark.real

MODEL = "smollm2-135m-instruct"
START_MS = 120_000


def switch_region(page: Page, code: str) -> None:
    page.locator(".sw-pick", has_text="Region").locator("summary").click()
    page.locator(f"button[name=region][value={code}]").click()
    expect(page.locator(".sw-pick", has_text="Region").locator("summary")).to_contain_text(code)


def deploy(page: Page, name: str) -> str:
    """Go through the wizard and return the service's id."""
    page.get_by_role("link", name="Model List").click()
    page.get_by_role("link", name="SmolLM2-135M-Instruct", exact=True).click()
    page.get_by_role("link", name="Deploy", exact=True).first.click()
    page.fill("#id_name", name)
    page.get_by_role("button", name="Next: Review").click()
    expect(page.locator("main")).to_contain_text(name)
    page.get_by_role("button", name=re.compile("^Deploy")).click()
    page.wait_for_url(re.compile(r"/services/ms-[a-z0-9]{12}/$"))
    return page.url.rstrip("/").rpartition("/")[2]


def wait_until_running(page: Page) -> None:
    expect(page.locator("h1")).to_contain_text("Running", timeout=START_MS)


def copied_curl(page: Page) -> str:
    """Copy the curl snippet and return what the clipboard holds."""
    page.evaluate("navigator.clipboard.writeText('')")
    page.locator("#copy-curl").click()
    text = until(lambda: page.evaluate("navigator.clipboard.readText()"), 10, "curl is copied")
    return str(text)


def chat_in_debug_page(page: Page, stack: Stack, service: str) -> None:
    page.goto(f"{stack.url}/services/{service}/debug/")
    page.fill("#chat-input", "Say hello.")
    page.fill("#option-max-tokens", "24")
    page.click("#debug-go")
    expect(page.locator("#answer-status")).to_contain_text("200", timeout=60_000)
    expect(page.locator("#answer-text, #chat-messages").first).not_to_be_empty()
    expect(page.locator("[data-number=first]")).to_contain_text(re.compile(r"\d"))
    expect(page.locator("[data-number=speed]")).to_contain_text(re.compile(r"\d"))


def status_of(url: str, key: str) -> int:
    request = urllib.request.Request(f"{url}/v1/models", headers={"Authorization": key})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def key_in(curl: str) -> str:
    found = re.search(r"DW-ms-[a-z0-9]{12}-\w+", curl)
    assert found
    return found.group(0)


def disable_and_enable_key(page: Page, stack: Stack, service: str, key: str) -> None:
    url = f"{stack.gateway}/{service}"
    page.goto(f"{stack.url}/services/{service}/keys/")
    page.get_by_role("button", name="Disable").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Disable").click()
    expect(page.locator("main")).to_contain_text("Disabled")
    until(lambda: status_of(url, key) == 401, 2, "the disabled key is refused")
    page.get_by_role("button", name="Enable").click()
    until(lambda: status_of(url, key) == 200, 2, "the enabled key is accepted")


def stop_and_start(page: Page, stack: Stack, service: str, key: str) -> None:
    url = f"{stack.gateway}/{service}"
    page.goto(f"{stack.url}/services/{service}/")
    page.click("#go-stop")
    page.get_by_role("button", name="Stop the service").click()
    expect(page.locator("h1")).to_contain_text("Stopped", timeout=60_000)
    until(lambda: status_of(url, key) == 503, 3, "a stopped service answers 503")
    page.click("#do-start")
    wait_until_running(page)
    until(lambda: status_of(url, key) == 200, 3, "a started service answers")


def delete(page: Page, stack: Stack, region: str, service: str, name: str) -> None:
    page.goto(f"{stack.url}/services/{service}/delete/")
    page.fill("#id_confirmation", name)
    page.check("#id_even_if_running")
    page.get_by_role("button", name="Delete the service").click()
    until(lambda: status_of(f"{stack.gateway}/{service}", "DW-x") == 404, 30, "it is unknown")
    until(lambda: name not in stack.services(region), 60, "its rows are gone")


def journey(page: Page, stack: Stack, region: str, name: str) -> str:
    switch_region(page, region)
    service = deploy(page, name)
    wait_until_running(page)
    curl = copied_curl(page)
    code, out, err = run_shell(curl)
    assert code == "0", err
    assert json.loads(out)["choices"][0]["message"]["content"]
    chat_in_debug_page(page, stack, service)
    key = key_in(curl)
    disable_and_enable_key(page, stack, service, key)
    stop_and_start(page, stack, service, key)
    delete(page, stack, region, service, name)
    return service


def test_a_model_on_processes_from_the_list_to_an_answer_and_away(page, stack):
    service = journey(page, stack, "local", "by-process")
    assert not list((stack.folder / "run").glob(f"**/{service}*"))
    assert not [line for line in stack.leftovers() if service in line]


def test_a_model_on_docker_from_the_list_to_an_answer_and_away(page, stack, docker_engine):
    service = journey(page, stack, "docker", "by-docker")
    label = {"label": f"slipway.service={service}"}
    assert not docker_engine.containers.list(all=True, filters=label)
