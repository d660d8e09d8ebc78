"""The debug page and the key page as a person uses them, against models that really answer."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.real.deployed import copied, deployed, signed_in
from tests.real.stack import Stack, until

pytestmark = pytest.mark.real

ANSWER_MS = 60_000
NUMBER = re.compile(r"\d")


@pytest.fixture(scope="module")
def services(stack) -> Iterator[dict[str, str]]:
    models = {
        "debug_chat": "smollm2-135m-instruct",
        "debug_embeddings": "all-minilm-l6-v2",
        "debug_wine": "wine-cultivar",
    }
    with deployed(stack, **models) as found:
        yield found


@pytest.fixture
def tab(browser, stack) -> Iterator[Page]:
    with signed_in(browser, stack) as page:
        yield page


def open_debug(tab: Page, stack: Stack, service: str) -> None:
    tab.goto(f"{stack.url}/services/{service}/debug/")


def send(tab: Page, status: str) -> None:
    tab.click("#debug-go")
    expect(tab.locator("#answer-status")).to_contain_text(status, timeout=ANSWER_MS)
    expect(tab.locator("#debug-abort")).to_be_hidden(timeout=ANSWER_MS)


def begin_chat(tab: Page, stack: Stack, service: str, tokens: int) -> str:
    """Ask for a long answer and return what stands there while more is still to come."""
    open_debug(tab, stack, service)
    tab.fill("#chat-input", "Tell a long story about a ship.")
    tab.fill("#option-max-tokens", str(tokens))
    tab.click("#debug-go")
    text = until(lambda: tab.inner_text("#answer-text"), 30, "the first words are there")
    expect(tab.locator("#debug-abort")).to_be_visible()
    return str(text)


def add_key(tab: Page, stack: Stack, service: str, name: str) -> None:
    tab.goto(f"{stack.url}/services/{service}/keys/")
    tab.get_by_text("Add New API Key").click()
    tab.fill("#id_name", name)
    tab.get_by_role("button", name="Add", exact=True).click()
    expect(tab.locator("tr", has_text=name)).to_be_visible()


def test_a_chat_streams_and_is_measured(tab, stack, services):
    early = begin_chat(tab, stack, services["debug_chat"], 120)
    expect(tab.locator("#debug-abort")).to_be_hidden(timeout=ANSWER_MS)
    assert len(tab.inner_text("#answer-text")) > len(early)
    expect(tab.locator("#answer-status")).to_contain_text("200")
    for number in ("first", "speed", "tokens", "total"):
        expect(tab.locator(f"[data-number={number}]")).to_contain_text(NUMBER)
    expect(tab.locator("#chat-messages li")).to_have_count(2)


def test_a_chat_can_be_aborted_and_asked_again(tab, stack, services):
    begin_chat(tab, stack, services["debug_chat"], 2000)
    tab.click("#debug-abort")
    expect(tab.locator("#answer-problem")).to_contain_text("Aborted")
    said = tab.inner_text("#answer-text")
    tab.fill("#option-max-tokens", "8")
    assert tab.inner_text("#answer-text") == said
    send(tab, "200")


def test_completions_go_on_with_a_prompt(tab, stack, services):
    open_debug(tab, stack, services["debug_chat"])
    tab.click("#mode-completions")
    tab.fill("#option-max-tokens", "16")
    send(tab, "200")
    expect(tab.locator("#answer-text")).to_contain_text(re.compile(r"\w"))
    expect(tab.locator("[data-number=tokens]")).to_contain_text("out")


def test_embeddings_are_drawn_and_compared(tab, stack, services):
    open_debug(tab, stack, services["debug_embeddings"])
    send(tab, "200")
    expect(tab.locator("#answer-plot .scatterlayer .point")).to_have_count(4)
    alike, vectors = tab.locator("#answer-table table").all()
    assert "1.00" in alike.inner_text()
    assert "384" in vectors.inner_text()


def test_a_prediction_starts_from_the_models_own_example(tab, stack, services):
    open_debug(tab, stack, services["debug_wine"])
    assert '"alcohol"' in tab.input_value("#raw-body")
    send(tab, "200")
    expect(tab.locator("#answer-table tbody tr")).to_have_count(3)


def test_a_wrong_column_is_named_in_plain_words(tab, stack, services):
    open_debug(tab, stack, services["debug_wine"])
    body = tab.input_value("#raw-body")
    tab.fill("#raw-body", body.replace('"alcohol"', '"alcohlo"'))
    send(tab, "400")
    expect(tab.locator("#answer-text")).to_contain_text("alcohol")
    expect(tab.locator("#answer-text")).not_to_contain_text("{")
    expect(tab.locator("#answer-problem")).to_contain_text("Mend it and send again")


def test_what_is_sent_can_be_copied_as_curl(tab, stack, services):
    open_debug(tab, stack, services["debug_wine"])
    tab.click("#view-curl")
    command = copied(tab, "#curl-copy")
    assert command.startswith("curl -X POST")
    assert "$SLIPWAY_KEY" in command


def test_a_disabled_key_is_refused_and_the_page_says_what_to_do(tab, stack, services):
    service = services["debug_wine"]
    add_key(tab, stack, service, "retired")
    tab.locator("tr", has_text="retired").get_by_role("button", name="Disable").click()
    tab.locator("dialog[open]").get_by_role("button", name="Disable").click()
    expect(tab.locator("tr", has_text="retired")).to_contain_text("Disabled")
    open_debug(tab, stack, service)
    chosen = tab.locator("#debug-key option", has_text="retired").get_attribute("value")
    tab.select_option("#debug-key", chosen)
    send(tab, "401")
    expect(tab.locator("#answer-problem")).to_contain_text("enable this one on the API Key tab")


def test_a_shown_key_hides_itself(tab, stack, services):
    tab.clock.install()
    tab.goto(f"{stack.url}/services/{services['debug_chat']}/keys/")
    secret = tab.locator("[data-masked] code").first
    masked = secret.inner_text()
    tab.get_by_role("button", name="View").first.click()
    expect(secret).to_have_text(re.compile(r"DW-ms-[a-z0-9]{12}-\w{20,}"))
    tab.clock.fast_forward(61_000)
    expect(secret).to_have_text(masked)


def test_a_key_is_copied_without_being_shown(tab, stack, services):
    service = services["debug_chat"]
    tab.goto(f"{stack.url}/services/{service}/keys/")
    secret = copied(tab, "button[data-copy-secret]")
    assert secret.startswith(f"DW-{service}-")
    assert secret not in tab.content()


# The last one: it leaves a service stopped.
def test_a_stopped_service_is_explained(tab, stack, services):
    service = services["debug_embeddings"]
    tab.goto(f"{stack.url}/services/{service}/stop/")
    tab.get_by_role("button", name="Stop the service").click()
    expect(tab.locator("#service-status")).to_contain_text("Stopped", timeout=ANSWER_MS)
    open_debug(tab, stack, service)
    send(tab, "503")
    expect(tab.locator("#answer-problem")).to_contain_text("start it")
