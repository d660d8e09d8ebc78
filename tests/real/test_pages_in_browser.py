"""Every page in a browser, wide and narrow: nothing sticks out and nothing is unnamed."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Page

from tests.real.deployed import deployed, signed_in
from tests.real.stack import Stack

pytestmark = pytest.mark.real

WIDTHS = (1440, 390)
MOST_REQUESTS = 20
MOST_BYTES = 500_000
# Django's own pages, programs' addresses, and what is only ever a part of a page.
ELSEWHERE = ("admin:", "api:", "health")
# Without these the walk has lost its way.
KNOWN = {
    "console:home",
    "services:list",
    "services:models",
    "services:model",
    "services:overview",
    "services:keys",
    "services:events",
    "services:modify",
    "services:debug",
    "services:stop",
    "services:delete",
    "accounts:members",
    "accounts:audit",
    "accounts:profile",
}
# Controls, links and buttons that a screen reader could not name.
UNNAMED = """() => [...document.querySelectorAll(
    "input:not([type=hidden]), select, textarea, button, a[href], summary")]
  .filter((each) => each.checkVisibility() && !each.closest("[aria-hidden=true]"))
  .filter((each) => !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")
    || [...(each.labels || [])].some((label) => label.textContent.trim())
    || (!each.matches("input, select, textarea") && each.textContent.trim())
    || each.querySelector("img[alt]:not([alt=''])")))
  .map((each) => each.outerHTML.slice(0, 120))"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def named(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, list]]:
    """Yield the name and the parameters' names of every address."""
    for each in patterns:
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from named(each.url_patterns, inner)
        elif each.name:
            yield f"{space}{each.name}", list(each.pattern.converters)


@pytest.fixture(scope="module")
def service(stack) -> Iterator[str]:
    with deployed(stack, every_page="wine-cultivar") as found:
        yield found["every_page"]


@pytest.fixture(scope="module")
def tab(browser, stack) -> Iterator[Page]:
    with signed_in(browser, stack) as page:
        yield page


def addresses(service: str, key: str) -> dict[str, str]:
    """Return the address of everything that could be a page, by name."""
    values = {
        "service_id": service,
        "key_id": key,
        "slug": "wine-cultivar",
        "step": "resources",
        "action": "stop",
        "token_id": 1,
        "membership_id": 1,
    }
    found = {}
    for name, needed in named(get_resolver().url_patterns):
        if not name.startswith(ELSEWHERE) and ":api" not in name:
            found[name] = reverse(name, kwargs={each: values[each] for each in needed})
    return found


@pytest.fixture(scope="module")
def pages(tab, stack, service) -> dict[str, str]:
    """Return the addresses that answer with a whole page."""
    tab.goto(f"{stack.url}/services/{service}/keys/")
    key = tab.locator("tr[id^=key-]").first.get_attribute("id").removeprefix("key-")
    found = {}
    for name, path in addresses(service, key).items():
        answer = tab.request.get(f"{stack.url}{path}")
        assert answer.status < 500, path
        if answer.ok and "<!doctype html>" in answer.text()[:200].lower():
            found[name] = path
    return found


def look(tab: Page, stack: Stack, path: str) -> list[str]:
    """Return what is wrong with a page at both widths."""
    wrong = []
    tab.goto(f"{stack.url}{path}")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        if over := tab.evaluate(TOO_WIDE):
            wrong.append(f"{path}: {over} px too wide at {width}")
        wrong += [f"{path} at {width}: unnamed {each}" for each in tab.evaluate(UNNAMED)]
    if (titles := tab.locator("h1").count()) != 1:
        wrong.append(f"{path}: {titles} h1")
    return wrong


def test_the_walk_finds_the_pages(pages):
    assert set(pages) >= KNOWN


def test_every_page_fits_and_every_control_is_named(tab, stack, pages):
    wrong = [problem for path in pages.values() for problem in look(tab, stack, path)]
    assert wrong == []


def test_the_first_page_is_small(browser, stack, tab):
    fresh = browser.new_context(storage_state=tab.context.storage_state())
    page = fresh.new_page()
    sizes: list[float] = []
    network = fresh.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda done: sizes.append(done["encodedDataLength"]))
    network.send("Network.enable")
    page.goto(f"{stack.url}/services/", wait_until="load")
    fresh.close()
    assert 0 < len(sizes) < MOST_REQUESTS
    assert sum(sizes) < MOST_BYTES
