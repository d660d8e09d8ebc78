"""Services that several real tests share, and a page that forgives nothing."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from tests.real.stack import Stack, until

# What a test itself provokes, such as an answer of 401, is no error of the page.
PROVOKED = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d")


def deploy(stack: Stack, model: str, name: str) -> str:
    """Deploy a model on processes and return the service's id once it runs."""
    printed = stack.manage("deploy", model, "--name", name, "--region", "local", "--wait")
    found = re.search(r"ms-[a-z0-9]{12}", printed)
    assert found, printed
    return found.group(0)


def delete(stack: Stack, service: str) -> None:
    """Delete a service with all it owns."""
    stack.manage("delete", service, "--yes", "--even-if-running")


@contextmanager
def deployed(stack: Stack, **models: str) -> Iterator[dict[str, str]]:
    """Deploy models side by side, each under its name; yield their ids, delete them at the end."""
    with ThreadPoolExecutor() as several:
        ids = several.map(lambda item: deploy(stack, item[1], item[0]), models.items())
        services = dict(zip(models, ids, strict=True))
        yield services
        list(several.map(lambda service: delete(stack, service), services.values()))


@contextmanager
def signed_in(browser: Browser, stack: Stack, **options: object) -> Iterator[Page]:
    """Open a page as the administrator; any script error or refused part fails the test."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
    tab = context.new_page()
    problems = watch(tab)
    tab.goto(f"{stack.url}/sign-in/")
    tab.fill("input[name=username]", "admin")
    tab.fill("input[name=password]", stack.password)
    tab.click("button[type=submit]")
    tab.wait_for_url(f"{stack.url}/")
    try:
        yield tab
    finally:
        context.close()
    assert problems == []


def watch(tab: Page) -> list[str]:
    """Return a list that fills with script errors, console errors and CSP violations."""
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(f"{tab.url}: {error}"))
    tab.on(
        "console",
        lambda said: (
            problems.append(f"{tab.url}: {said.text}")
            if said.type == "error" and not PROVOKED.match(said.text)
            else None
        ),
    )
    return problems


def copied(tab: Page, button: str) -> str:
    """Press a copy button and return what the clipboard holds then."""
    tab.evaluate("navigator.clipboard.writeText('')")
    tab.locator(button).click()
    text = until(lambda: tab.evaluate("navigator.clipboard.readText()"), 10, f"{button} copies")
    return str(text)
