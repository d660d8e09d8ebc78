"""The members of a workspace: who may add, change and remove them."""

import re

import pytest
from django.test import Client

from accounts import operations
from accounts.errors import Conflict, InvalidInput, NotAllowed, NotFound
from accounts.models import AuditEntry, Membership, Role, User
from tests.people import actor_of, make_person

PAGE = "/members/"


def membership_of(user) -> Membership:
    return Membership.objects.get(user=user)


def role_url(user) -> str:
    return f"{PAGE}{membership_of(user).pk}/role/"


def remove_url(user) -> str:
    return f"{PAGE}{membership_of(user).pk}/remove/"


def new_person(**changes):
    return {"username": "nina", "role": "developer", "create": "on", **changes}


def test_every_member_sees_who_the_members_are(client_for, owner, viewer):
    page = client_for(viewer).get(PAGE).content.decode()
    assert "olga" in page
    assert "Add a member" not in page


def test_members_of_another_workspace_are_not_shown(client_for, owner, stranger):
    assert "olga" not in client_for(stranger).get(PAGE).content.decode()


def test_an_administrator_adds_somebody_who_has_an_account(client_for, owner, workspace):
    nina = make_person("nina")
    answer = client_for(owner).post(PAGE, new_person(create=""), follow=True)
    assert "nina is developer of this workspace now." in answer.content.decode()
    assert membership_of(nina).workspace == workspace


def test_somebody_without_an_account_is_refused_unless_it_is_to_be_created(client_for, owner):
    data = {"username": "nina", "role": "developer"}
    answer = client_for(owner).post(PAGE, data)
    assert "Nobody has this user name." in answer.content.decode()
    assert not User.objects.filter(username="nina").exists()


def test_the_one_time_password_of_a_created_account_signs_in(client_for, owner):
    page = client_for(owner).post(PAGE, new_person(), follow=True).content.decode()
    shown = re.search(r'<code id="secret">([^<]+)</code>', page)
    assert shown is not None
    signed_in = Client().post("/sign-in/", {"username": "nina", "password": shown[1]})
    assert signed_in.status_code == 302
    assert User.objects.get(username="nina").must_change_password


def test_a_reload_neither_adds_again_nor_shows_the_password_again(client_for, owner):
    client = client_for(owner)
    answer = client.post(PAGE, new_person())
    assert answer.url == PAGE
    assert 'id="secret"' in client.get(PAGE).content.decode()
    assert 'id="secret"' not in client.get(PAGE).content.decode()
    assert AuditEntry.objects.filter(action="member.add").count() == 1


def test_the_page_with_a_password_is_never_kept_by_the_browser(client_for, owner):
    answer = client_for(owner).post(PAGE, new_person(), follow=True)
    assert "no-store" in answer["Cache-Control"]


def test_the_password_is_not_readable_in_the_session(client_for, owner):
    client = client_for(owner)
    client.post(PAGE, new_person())
    kept = client.session["once.member"]
    shown = client.get(PAGE).context["added"]
    assert shown["password"] not in kept


def test_a_user_name_in_other_capitals_is_the_same_person(owner, workspace):
    nina = make_person("nina")
    actor = actor_of(owner, workspace)
    operations.add_member(actor, username="Nina", role=Role.VIEWER, create=True)
    assert membership_of(nina).role == Role.VIEWER


def test_a_member_is_not_added_twice(owner, viewer, workspace):
    actor = actor_of(owner, workspace)
    with pytest.raises(InvalidInput, match="vera is a member already"):
        operations.add_member(actor, username="vera", role=Role.VIEWER, create=False)


def test_a_closed_account_is_not_added(owner, workspace):
    User.objects.filter(pk=make_person("nina").pk).update(is_active=False)
    with pytest.raises(InvalidInput, match="closed"):
        operations.add_member(
            actor_of(owner, workspace), username="nina", role=Role.VIEWER, create=True
        )


def test_an_impossible_user_name_is_told_at_its_field(client_for, owner):
    answer = client_for(owner).post(PAGE, new_person(username="ni na!"))
    assert "username" in answer.context["form"].errors
    assert not User.objects.filter(username__startswith="ni").exists()


def test_a_developer_cannot_add_members(client_for, member):
    answer = client_for(member).post(PAGE, new_person())
    assert answer.status_code == 403
    assert "can add members; you are a developer" in answer.content.decode()
    assert not User.objects.filter(username="nina").exists()


def test_an_administrator_changes_a_role(client_for, owner, viewer):
    assert client_for(owner).post(role_url(viewer), {"role": "developer"}).url == PAGE
    assert membership_of(viewer).role == Role.DEVELOPER
    line = AuditEntry.objects.get(action="member.role")
    assert line.detail == {"before": "viewer", "after": "developer"}


def test_an_unknown_role_is_refused(client_for, owner, viewer):
    assert client_for(owner).post(role_url(viewer), {"role": "king"}).status_code == 400
    assert membership_of(viewer).role == Role.VIEWER


def test_an_administrator_removes_a_member(client_for, owner, viewer):
    assert client_for(owner).post(remove_url(viewer)).url == PAGE
    assert not Membership.objects.filter(user=viewer).exists()
    assert AuditEntry.objects.get(action="member.remove").object_name == "vera"


@pytest.mark.parametrize("url", [role_url, remove_url])
def test_a_get_changes_no_member(client_for, owner, viewer, url):
    assert client_for(owner).get(url(viewer)).status_code == 405


@pytest.mark.parametrize("url", [role_url, remove_url])
def test_a_developer_changes_no_member(client_for, member, viewer, url):
    assert client_for(member).post(url(viewer), {"role": "developer"}).status_code == 403
    assert membership_of(viewer).role == Role.VIEWER


@pytest.mark.parametrize("url", [role_url, remove_url])
def test_a_stranger_finds_no_member(client_for, stranger, viewer, url):
    assert client_for(stranger).post(url(viewer), {"role": "developer"}).status_code == 404
    assert membership_of(viewer).role == Role.VIEWER


def test_the_last_administrator_cannot_be_removed(client_for, owner):
    answer = client_for(owner).post(remove_url(owner))
    assert answer.status_code == 409
    assert "last administrator" in answer.content.decode()
    assert membership_of(owner).role == Role.ADMINISTRATOR


def test_the_last_administrator_keeps_the_role(client_for, owner):
    assert client_for(owner).post(role_url(owner), {"role": "viewer"}).status_code == 409
    assert membership_of(owner).role == Role.ADMINISTRATOR


def test_one_of_two_administrators_can_leave(client_for, owner, workspace):
    make_person("otto", workspace=workspace, role=Role.ADMINISTRATOR)
    assert client_for(owner).post(remove_url(owner)).url == "/profile/"
    assert not Membership.objects.filter(user=owner).exists()


def test_the_administrator_is_counted_as_they_are_now_not_as_they_were_read(owner, workspace):
    otto = make_person("otto", workspace=workspace, role=Role.VIEWER)
    stale = membership_of(otto)
    Membership.objects.filter(user=otto).update(role=Role.ADMINISTRATOR)
    Membership.objects.filter(user=owner).update(role=Role.VIEWER)
    actor = actor_of(otto, workspace)
    with pytest.raises(Conflict, match="otto is the last administrator"):
        operations.remove_member(actor, stale)


def test_a_member_who_is_gone_already_is_not_found(owner, viewer, workspace):
    gone = membership_of(viewer)
    Membership.objects.filter(user=viewer).delete()
    with pytest.raises(NotFound):
        operations.change_role(actor_of(owner, workspace), gone, Role.DEVELOPER)


def test_the_operation_itself_checks_the_role(member, viewer, workspace):
    with pytest.raises(NotAllowed):
        operations.remove_member(actor_of(member, workspace), membership_of(viewer))
