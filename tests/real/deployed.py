"""Services that several real tests share, and a page that forgives nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

from tests.real.stack import Stack, until

# What a test itself provokes, such as an answer of 401, is no error of the page.
PROVOKED = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d")


COMMAND = "from django.core.management import call_command as run; "


@contextmanager
def deployed(stack: Stack, **models: str) -> Iterator[dict[str, str]]:
    """Deploy models on processes, each under its name; yield their ids, delete them at the end."""
    names = [name.replace("_", "-") for name in models]
    calls = zip(models.values(), names, strict=True)
    stack.ask(
        COMMAND + "; ".join(f"run('deploy', '{m}', name='{n}', region='local')" for m, n in calls)
    )
    until(lambda: all(status_of(stack, name) == "running" for name in names), 90, f"{names} run")
    rows = stack.services()
    yield {given: rows[name]["id"] for given, name in zip(models, names, strict=True)}
    gone = (f"run('delete', '{name}', yes=True, even_if_running=True)" for name in names)
    stack.ask(COMMAND + "; ".join(gone))
    until(lambda: not set(names) & set(stack.services()), 60, f"{names} are gone")


def status_of(stack: Stack, name: str) -> str:
    """Return a service's status; fail at once when it cannot run."""
    row = stack.services()[name]
    assert row["status"] != "failed", row
    return str(row["status"])


@contextmanager
def signed_in(browser: Browser, stack: Stack) -> Iterator[Page]:
    """Open a page as the administrator; any script error or refused part fails the test."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.set_default_timeout(10_000)
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
    assert problems == [], "\n".join(problems)


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
    tab.locator(button).first.click()
    expect(tab.locator(f"{button} .sw-copied").first).to_have_text("Copied")
    return str(tab.evaluate("navigator.clipboard.readText()"))
