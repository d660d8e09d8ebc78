"""Access tokens: a person's own, shown once, ended at once."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from accounts import operations
from accounts.access import Person
from accounts.errors import Conflict, InvalidInput, NotFound
from accounts.models import AccessToken, AuditEntry

PAGE = "/tokens/"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def person(member, workspace) -> Person:
    return Person(member, workspace)


@pytest.fixture
def token(person) -> AccessToken:
    return operations.create_token(person, name="nightly", expires_at=None, now=NOW).token


def revoke_url(token) -> str:
    return f"{PAGE}{token.pk}/revoke/"


def test_a_new_token_is_shown_once(client_for, member):
    client = client_for(member)
    assert client.post(PAGE, {"name": "nightly", "lifetime": "90"}).url == PAGE
    shown = re.search(r'<code id="secret">(slp_[^<]+)</code>', client.get(PAGE).content.decode())
    assert shown is not None
    stored = AccessToken.objects.get()
    assert stored.digest == operations.token_digest(shown[1])
    assert shown[1] not in client.get(PAGE).content.decode()


def test_a_new_token_opens_the_rest_api(client_for, client, member):
    mine = client_for(member)
    mine.post(PAGE, {"name": "nightly", "lifetime": ""})
    secret = mine.get(PAGE).context["made"]["secret"]
    answer = client.get("/api/v1/specifications/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


def test_the_lifetime_sets_the_end(client_for, member):
    client_for(member).post(PAGE, {"name": "nightly", "lifetime": "30"})
    stored = AccessToken.objects.get()
    assert stored.expires_at == stored.created_at + timedelta(days=30)


def test_a_token_without_a_name_is_refused_at_its_field(client_for, member):
    answer = client_for(member).post(PAGE, {"name": " ", "lifetime": "90"})
    assert "name" in answer.context["form"].errors
    assert not AccessToken.objects.exists()


def test_a_token_that_has_ended_already_is_refused(person):
    with pytest.raises(InvalidInput, match="future"):
        operations.create_token(person, name="nightly", expires_at=NOW, now=NOW)


def test_a_person_has_a_bounded_number_of_tokens(person):
    rows = [
        AccessToken(user=person.user, name=str(n), digest=str(n), hint="0000")
        for n in range(operations.MOST_TOKENS)
    ]
    AccessToken.objects.bulk_create(rows)
    with pytest.raises(Conflict, match="revoke one"):
        operations.create_token(person, name="one more", expires_at=None, now=NOW)


def test_making_and_revoking_leave_lines_without_the_token(client_for, member, token):
    client_for(member).post(revoke_url(token))
    lines = AuditEntry.objects.order_by("id").values_list("action", "object_name", "detail")
    assert list(lines) == [("token.create", "nightly", {}), ("token.revoke", "nightly", {})]


def test_a_revoked_token_is_gone(client_for, member, token):
    assert client_for(member).post(revoke_url(token)).url == PAGE
    assert not AccessToken.objects.exists()


def test_a_get_revokes_nothing(client_for, member, token):
    assert client_for(member).get(revoke_url(token)).status_code == 405
    assert AccessToken.objects.exists()


def test_nobody_else_finds_the_token_not_even_an_administrator(client_for, owner, token):
    assert client_for(owner).post(revoke_url(token)).status_code == 404
    assert AccessToken.objects.exists()


def test_the_operation_itself_refuses_another_persons_token(owner, workspace, token):
    with pytest.raises(NotFound):
        operations.revoke_token(Person(owner, workspace), token)


def test_the_page_lists_only_ones_own(client_for, owner, token):
    assert list(client_for(owner).get(PAGE).context["tokens"]) == []
