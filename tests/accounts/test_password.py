"""The change of one's own password, by choice and by demand."""

import pytest

from accounts.models import AuditEntry
from tests.people import PASSWORD

NEW = "a longer staple 4"
PAGE = "/password/"


def form(**changes):
    return {"current": PASSWORD, "new": NEW, "again": NEW, **changes}


@pytest.fixture
def newcomer(viewer):
    viewer.must_change_password = True
    viewer.save()
    return viewer


def test_the_rules_are_shown_before_the_first_try(client_for, viewer):
    page = client_for(viewer).get(PAGE).content.decode()
    assert "at least 10 characters" in page


def test_a_new_password_counts_and_this_browser_stays_signed_in(client_for, viewer):
    client = client_for(viewer)
    assert client.post(PAGE, form()).status_code == 302
    viewer.refresh_from_db()
    assert viewer.check_password(NEW)
    assert client.get(PAGE).status_code == 200


def test_other_browsers_are_signed_out_by_a_new_password(client_for, viewer):
    here, elsewhere = client_for(viewer), client_for(viewer)
    here.post(PAGE, form())
    assert elsewhere.get(PAGE).status_code == 302


def test_a_change_of_password_leaves_a_line_without_the_password(client_for, viewer):
    client_for(viewer).post(PAGE, form())
    line = AuditEntry.objects.get(action="password.change")
    assert (line.actor, line.object_name, line.detail) == (viewer, "vera", {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"current": "wrong"}, "This is not your present password."),
        ({"again": "another one 5"}, "This differs from the new password above."),
        ({"new": PASSWORD, "again": PASSWORD}, "Choose another password than the present one."),
        ({"new": "short", "again": "short"}, "This password is too short."),
        ({"new": "1234567890123", "again": "1234567890123"}, "entirely numeric"),
    ],
)
def test_a_bad_choice_is_told_at_its_field_and_changes_nothing(
    client_for, viewer, changes, message
):
    answer = client_for(viewer).post(PAGE, form(**changes))
    assert message in answer.content.decode()
    viewer.refresh_from_db()
    assert viewer.check_password(PASSWORD)
    assert not AuditEntry.objects.exists()


def test_a_one_time_password_leads_every_page_to_its_change(client_for, newcomer):
    client = client_for(newcomer)
    for page in ("/", "/profile/", "/tokens/", "/members/", "/admin/"):
        assert client.get(page).url == PAGE


def test_a_one_time_password_makes_htmx_leave_the_page(client_for, newcomer):
    answer = client_for(newcomer).get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, PAGE)


def test_a_one_time_password_is_told_to_programs(client_for, newcomer):
    answer = client_for(newcomer).get("/members/", headers={"Accept": "application/json"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "password_change_required"


def test_who_has_a_one_time_password_can_sign_out(client_for, newcomer):
    assert client_for(newcomer).post("/sign-out/").url == "/sign-in/"


def test_the_demand_ends_with_the_change(client_for, newcomer):
    client = client_for(newcomer)
    client.post(PAGE, form())
    newcomer.refresh_from_db()
    assert not newcomer.must_change_password
    assert client.get("/profile/").status_code == 200


def test_a_wrong_method_is_refused(client_for, viewer):
    assert client_for(viewer).delete(PAGE).status_code == 405
