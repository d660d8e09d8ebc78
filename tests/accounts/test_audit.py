"""The trail: it only grows, and each workspace reads its own."""

import pytest
from django.db import DatabaseError, transaction

from accounts import audit
from accounts.models import AuditEntry, Workspace
from tests.people import actor_of

PAGE = "/audit/"


@pytest.fixture
def line(owner, workspace) -> AuditEntry:
    return audit.record(actor_of(owner, workspace), "workspace.rename", workspace, before="old")


def test_a_line_says_who_did_what_to_which_from_where(line, owner, workspace):
    assert (line.actor, line.actor_name, line.workspace) == (owner, "olga", workspace)
    assert (line.object_type, line.object_id) == ("workspace", workspace.pk)
    assert (line.object_name, line.detail) == ("search-team", {"before": "old"})
    assert (line.request_id, line.address) == ("test", "127.0.0.1")


def test_a_line_cannot_be_saved_again(line):
    line.action = "nothing.at_all"
    with pytest.raises(TypeError):
        line.save()


def test_a_line_cannot_be_deleted(line):
    with pytest.raises(TypeError):
        line.delete()


def test_the_database_refuses_to_change_lines(line):
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        AuditEntry.objects.update(actor_name="somebody else")
    line.refresh_from_db()
    assert line.actor_name == "olga"


def test_the_database_refuses_to_delete_lines(line):
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        AuditEntry.objects.all()._raw_delete("default")
    assert AuditEntry.objects.count() == 1


def test_the_database_refuses_to_move_a_line_to_another_workspace(line, other_workspace):
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        AuditEntry.objects.update(workspace=other_workspace)


def test_a_line_outlives_its_person_and_its_workspace(line, owner, workspace):
    owner.delete()
    Workspace.objects.filter(pk=workspace.pk).delete()
    line.refresh_from_db()
    assert (line.actor, line.workspace) == (None, None)
    assert (line.actor_name, line.object_name) == ("olga", "search-team")


def test_members_read_the_trail_of_their_workspace(client_for, viewer, line):
    page = client_for(viewer).get(PAGE).content.decode()
    assert "workspace.rename" in page
    assert "search-team" in page


def test_a_stranger_reads_nothing_of_it(client_for, stranger, line):
    page = client_for(stranger).get(PAGE)
    assert list(page.context["page"]) == []
    assert "workspace.rename" not in page.content.decode()


def test_the_trail_is_filtered_by_text_and_action(client_for, owner, line, workspace):
    other = audit.record(actor_of(owner, workspace), "member.add", owner)
    client = client_for(owner)
    assert list(client.get(PAGE, {"action": "member.add"}).context["page"]) == [other]
    assert list(client.get(PAGE, {"q": "SEARCH"}).context["page"]) == [line]
    assert "No line matches" in client.get(PAGE, {"q": "zebra"}).content.decode()


def test_the_trail_is_read_in_pages_newest_first(client_for, owner, workspace):
    actor = actor_of(owner, workspace)
    lines = [audit.record(actor, "workspace.rename", workspace, number=n) for n in range(60)]
    client = client_for(owner)
    assert list(client.get(PAGE).context["page"]) == lines[:9:-1]
    assert list(client.get(PAGE, {"page": "2"}).context["page"]) == lines[9::-1]
    assert "page=2" in client.get(PAGE, {"q": "search"}).content.decode()


def test_an_impossible_page_shows_the_nearest(client_for, owner, line):
    assert client_for(owner).get(PAGE, {"page": "nine"}).context["page"].number == 1


def test_a_post_is_refused(client_for, owner):
    assert client_for(owner).post(PAGE).status_code == 405
