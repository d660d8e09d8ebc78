"""The pages of one service: header, overview, lifecycle, events."""

import pytest

from services.models import Service
from services.states import Desired
from tests import factories
from tests.people import actor_of, client_of


@pytest.fixture
def place(workspace):
    return factories.make_place(workspace)


@pytest.fixture
def service(member, workspace, place) -> Service:
    return factories.deploy_service(actor_of(member, workspace), place, "qwen3-support")


@pytest.fixture
def browser(member):
    return client_of(member)


def page(service: Service, tail: str = "") -> str:
    return f"/services/{service.pk}/{tail}"


def test_the_overview_shows_what_the_service_is_and_where_it_answers(browser, service):
    factories.make_ready(service)
    html = browser.get(page(service)).content.decode()
    assert "Running" in html
    assert service.pk in html
    assert f"http://127.0.0.1:8080/{service.pk}" in html
    assert "1 CU" in html
    assert "$0.24 / h" in html


def test_a_starting_service_shows_its_steps_and_polls(browser, service):
    html = browser.get(page(service)).content.decode()
    assert "sw-step-active" in html
    assert "Health check" in html
    assert "every 2s" in html


def test_a_running_service_shows_no_steps_and_polls_its_status_seldom(browser, service):
    factories.make_ready(service)
    html = browser.get(page(service)).content.decode()
    assert "sw-step-active" not in html
    assert "every 2s" not in html
    assert "every 8s" in html


def test_a_failed_service_shows_its_reason_and_offers_to_try_again(browser, service):
    factories.make_failed(service, "exited with code 137 (out of memory)")
    html = browser.get(page(service)).content.decode()
    assert "exited with code 137 (out of memory)" in html
    assert "Try again" in html


def test_snippets_of_a_viewer_read_the_key_from_the_environment(viewer, service):
    html = client_of(viewer).get(page(service)).content.decode()
    assert "$SLIPWAY_KEY" in html
    assert "data-copy-secret" not in html


def test_snippets_never_hold_the_key_itself(browser, service, member, workspace):
    from services.operations import reveal_key

    secret = reveal_key(actor_of(member, workspace), service.api_keys.get())
    assert secret not in browser.get(page(service)).content.decode()


def test_renaming_changes_the_name_and_restarts_nothing(browser, service):
    factories.make_ready(service)
    answer = browser.post(page(service, "rename/"), {"name": "renamed"})
    assert answer.status_code == 302
    service.refresh_from_db()
    assert service.name == "renamed"
    assert service.versions.get().revision == 1


def test_a_bad_new_name_is_told_at_the_field(browser, service):
    answer = browser.post(page(service, "rename/"), {"name": "no spaces"})
    assert answer.status_code == 400
    assert "hyphens" in answer.content.decode()


def test_stopping_asks_first_and_then_stops(browser, service):
    factories.make_ready(service)
    assert "become free" in browser.get(page(service, "stop/")).content.decode()
    browser.post(page(service, "stop/"))
    service.refresh_from_db()
    assert service.desired == Desired.STOPPED


def test_starting_a_stopped_service_wants_it_running(browser, service, member, workspace):
    factories.make_ready(service)
    factories.make_stopped(actor_of(member, workspace), service)
    browser.post(page(service, "start/"))
    service.refresh_from_db()
    assert service.desired == Desired.RUNNING


def test_starting_without_room_says_why(browser, service, member, workspace):
    factories.make_ready(service)
    factories.make_stopped(actor_of(member, workspace), service)
    service.group.cu_limit = 0
    service.group.save()
    answer = browser.post(page(service, "start/"), follow=True)
    assert "This needs 1 CU" in answer.content.decode()


def test_deleting_needs_the_name_typed(browser, service):
    answer = browser.post(page(service, "delete/"), {"confirmation": "other"})
    assert answer.status_code == 400
    assert "Type qwen3-support to confirm" in answer.content.decode()
    service.refresh_from_db()
    assert service.desired == Desired.RUNNING


def test_deleting_a_running_service_needs_a_tick(browser, service):
    answer = browser.post(page(service, "delete/"), {"confirmation": service.name})
    assert answer.status_code == 400
    assert "is running" in answer.content.decode()


def test_deleting_with_name_and_tick_deletes(browser, service):
    typed = {"confirmation": service.name, "even_if_running": "on"}
    assert browser.post(page(service, "delete/"), typed).status_code == 302
    service.refresh_from_db()
    assert service.desired == Desired.DELETED


def test_events_can_be_filtered_by_text(browser, service):
    everything = browser.get(page(service, "events/")).content.decode()
    nothing = browser.get(page(service, "events/?text=no-such-words")).content.decode()
    assert "Deployed" in everything
    assert "No event matches" in nothing


def test_events_can_be_filtered_by_level(browser, service):
    factories.make_failed(service)
    html = browser.get(page(service, "events/?level=error")).content.decode()
    assert 'title="ServiceFailed">Failed<' in html
    assert "<strong>Deployed</strong>" not in html


def test_the_status_alone_brings_the_buttons_with_it(browser, service):
    html = browser.get(page(service, "status/"), headers={"HX-Request": "true"}).content.decode()
    assert 'hx-swap-oob="true"' in html
    assert "Pending" in html


def test_a_page_hears_of_a_status_other_than_the_one_it_shows(browser, service):
    factories.make_ready(service)
    same = browser.get(page(service, "status/?shown=running"))
    other = browser.get(page(service, "status/?shown=starting"))
    assert "HX-Trigger" not in same
    assert other["HX-Trigger"] == "status-changed"


def test_events_are_found_by_the_words_that_the_page_shows(browser, service):
    html = browser.get(page(service, "events/?text=key+added")).content.decode()
    assert ">Key added<" in html


def test_the_wizard_is_under_the_model_list_in_the_left_bar(browser):
    html = browser.get("/deploy/tiny-chat/resources/").content.decode()
    assert 'href="/models/" aria-current="page"' in html
