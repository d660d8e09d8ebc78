"""A person's own page, and what they reach without any workspace."""

import pytest
from django.urls import reverse

from accounts.models import AuditEntry
from tests.people import make_person

PAGE = "/profile/"
FORM = {"first_name": "Vera", "last_name": "Lind", "time_zone": "Europe/Berlin"}


@pytest.fixture
def nobody(db):
    return make_person("nora")


def test_name_and_time_zone_are_saved_with_a_line(client_for, viewer, workspace):
    assert client_for(viewer).post(PAGE, FORM).url == PAGE
    viewer.refresh_from_db()
    assert (viewer.display_name, viewer.time_zone) == ("Vera Lind", "Europe/Berlin")
    assert AuditEntry.objects.get(action="profile.update").workspace == workspace


def test_an_unknown_time_zone_is_refused_at_its_field(client_for, viewer):
    answer = client_for(viewer).post(PAGE, {**FORM, "time_zone": "Mars/Olympus"})
    assert "time_zone" in answer.context["form"].errors
    viewer.refresh_from_db()
    assert viewer.time_zone == ""


def test_a_wrong_method_is_refused(client_for, viewer):
    assert client_for(viewer).put(PAGE).status_code == 405


@pytest.mark.parametrize("page", [PAGE, "/tokens/", "/password/"])
def test_without_a_workspace_the_own_pages_say_what_to_do(client_for, nobody, page):
    answer = client_for(nobody).get(page)
    assert answer.status_code == 200
    assert "You are in no workspace yet" in answer.content.decode()


@pytest.mark.parametrize("page", ["/", "/members/", "/audit/", "/services/"])
def test_without_a_workspace_every_other_page_says_what_to_do(client_for, nobody, page):
    answer = client_for(nobody).get(page)
    assert answer.status_code == 404
    assert "You are in no workspace yet" in answer.content.decode()


def test_an_operator_without_a_workspace_is_led_to_where_one_is_made(client_for, operator):
    page = client_for(operator).get(PAGE).content.decode()
    assert reverse("admin:accounts_workspace_changelist") in page


def test_without_a_workspace_lines_name_none(client_for, nobody):
    client_for(nobody).post(PAGE, FORM)
    client_for(nobody).post("/tokens/", {"name": "nightly", "lifetime": ""})
    lines = [
        (one.action, one.actor_name, one.workspace) for one in AuditEntry.objects.order_by("id")
    ]
    assert lines == [("profile.update", "nora", None), ("token.create", "nora", None)]
