"""Services that several real tests share, and a page that forgives nothing."""

import re
from collections.abc import Iterator
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
    """Delete a service and wait until its rows are gone."""
    stack.manage("delete", service, "--yes")
    until(lambda: service not in stack.manage("services"), 60, f"{service} is gone")


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
    assert not problems


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
