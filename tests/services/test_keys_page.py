"""The API Key tab."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from services.models import ApiKey, Service
from services.operations import create_key, reveal_key
from tests import factories
from tests.people import actor_of, client_of


@pytest.fixture
def service(member, workspace) -> Service:
    return factories.deploy_service(
        actor_of(member, workspace), factories.make_place(workspace), "keyed"
    )


@pytest.fixture
def browser(member):
    return client_of(member)


def page(service: Service, tail: str = "") -> str:
    return f"/services/{service.pk}/keys/{tail}"


def test_the_tab_lists_keys_masked(browser, service, member, workspace):
    key = service.api_keys.get()
    html = browser.get(page(service)).content.decode()
    assert key.masked in html
    assert "within a second" in html
    assert reveal_key(actor_of(member, workspace), key) not in html


def test_a_key_is_added_with_an_expiry(browser, service):
    later = timezone.now() + timedelta(days=30)
    typed = {"name": "batch-job", "expires_at": later.strftime("%Y-%m-%dT%H:%M")}
    assert browser.post(page(service, "add/"), typed).status_code == 302
    key = service.api_keys.get(name="batch-job")
    assert key.expires_at == later.replace(second=0, microsecond=0)


def test_a_taken_name_is_told_at_the_field(browser, service):
    answer = browser.post(page(service, "add/"), {"name": "built-in"})
    assert answer.status_code == 400
    assert "There is a key named built-in already" in answer.content.decode()
    assert service.api_keys.count() == 1


def test_an_expiry_in_the_past_is_refused(browser, service):
    typed = {"name": "late", "expires_at": datetime(2001, 1, 1, tzinfo=UTC).isoformat()[:16]}
    answer = browser.post(page(service, "add/"), typed)
    assert answer.status_code == 400
    assert "time in the future" in answer.content.decode()


def test_viewing_a_key_shows_it_once_and_leaves_an_audit_line(browser, service):
    key = service.api_keys.get()
    answer = browser.post(page(service, f"{key.pk}/reveal/"), headers={"HX-Request": "true"})
    assert f"DW-{service.pk}-" in answer.content.decode()
    assert 'data-hide-after="60"' in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert AuditEntry.objects.filter(action="key.reveal", object_id=key.pk).count() == 1


def test_a_script_gets_the_key_as_json(browser, service):
    key = service.api_keys.get()
    answer = browser.post(
        page(service, f"{key.pk}/reveal/"), headers={"Accept": "application/json"}
    )
    assert answer.json()["key"].startswith(f"DW-{service.pk}-")


def test_disabling_and_enabling_a_key(browser, service):
    key = service.api_keys.get()
    browser.post(page(service, f"{key.pk}/disable/"))
    key.refresh_from_db()
    assert key.enabled is False
    browser.post(page(service, f"{key.pk}/enable/"))
    key.refresh_from_db()
    assert key.enabled is True


def test_deleting_a_key_asks_first(browser, service, member, workspace):
    key = create_key(actor_of(member, workspace), service, name="old", now=timezone.now())
    assert (
        "refused within a second"
        in browser.get(page(service, f"{key.pk}/delete/")).content.decode()
    )
    assert browser.post(page(service, f"{key.pk}/delete/")).status_code == 302
    assert not ApiKey.objects.filter(pk=key.pk).exists()


def test_the_built_in_key_stays(browser, service):
    key = service.api_keys.get()
    answer = browser.post(page(service, f"{key.pk}/delete/"), follow=True)
    assert "disable it instead" in answer.content.decode()
    assert ApiKey.objects.filter(pk=key.pk).exists()


def test_a_key_of_another_service_is_not_found(browser, service, member, workspace):
    place = factories.Place(
        service.region,
        service.group,
        service.versions.get().entry,
        service.versions.get().specification,
    )
    other = factories.deploy_service(actor_of(member, workspace), place, "other")
    answer = browser.post(page(service, f"{other.api_keys.get().pk}/reveal/"))
    assert answer.status_code == 404


def test_a_viewer_sees_no_buttons(viewer, service):
    html = client_of(viewer).get(page(service)).content.decode()
    assert "data-copy-secret" not in html
    assert "Only a developer" in html


def add_many(browser, service: Service, count: int) -> None:
    for number in range(count):
        browser.post(page(service, "add/"), {"name": f"app-{number:02}"})


def names(answer) -> list[str]:
    return [key.name for key in answer.context["page"]]


def test_many_keys_are_shown_by_pages_with_the_newest_at_the_top(browser, service):
    add_many(browser, service, 50)
    assert names(browser.get(page(service)))[:3] == ["built-in", "app-49", "app-48"]
    assert names(browser.get(page(service, "?page=2"))) == ["app-00"]


def test_whoever_disables_a_key_stays_on_its_page(browser, service):
    add_many(browser, service, 50)
    key = service.api_keys.get(name="app-00")
    action = page(service, f"{key.pk}/disable/?page=2")
    assert action in browser.get(page(service, "?page=2")).content.decode()
    assert browser.post(action).headers["Location"] == page(service, "?page=2")
    key.refresh_from_db()
    assert not key.enabled
