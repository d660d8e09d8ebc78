"""The operators' pages for people and workspaces."""

import pytest
from django.urls import reverse

from accounts.models import AuditEntry, Membership, Role, User, Workspace
from tests.people import make_person

WORKSPACES = "admin:accounts_workspace_"


def inline(**row) -> dict[str, object]:
    prefix = "memberships-"
    management = {f"{prefix}TOTAL_FORMS": len(row and [row]), f"{prefix}INITIAL_FORMS": 0}
    return {**management, **{f"{prefix}0-{name}": value for name, value in row.items()}}


def test_it_is_named_and_leads_back_to_the_console(client_for, operator):
    page = client_for(operator).get("/admin/").content.decode()
    assert "Slipway operators" in page
    assert "Back to the console" in page


def test_who_is_not_an_operator_does_not_get_in(client_for, owner):
    assert client_for(owner).get("/admin/").status_code == 302


def test_an_operator_makes_a_workspace_with_its_first_administrator(client_for, operator):
    otto = make_person("otto")
    data = {"name": "risk-team", **inline(user=otto.pk, role="administrator")}
    answer = client_for(operator).post(reverse(f"{WORKSPACES}add"), data)
    assert answer.status_code == 302
    assert Membership.objects.get(user=otto).role == Role.ADMINISTRATOR
    line = AuditEntry.objects.get(action="workspace.add")
    assert (line.actor_name, line.object_name) == ("opal", "risk-team")
    assert line.workspace == Workspace.objects.get(name="risk-team")


def test_a_change_is_written_down_by_the_names_of_its_fields(client_for, operator, workspace):
    data = {"name": "ranking-team", **inline()}
    client_for(operator).post(reverse(f"{WORKSPACES}change", args=[workspace.pk]), data)
    line = AuditEntry.objects.get(action="workspace.change")
    assert line.detail == {"changed": ["Name"], "by": "operator"}


def test_a_deletion_is_written_down(client_for, operator, workspace):
    url = reverse(f"{WORKSPACES}delete", args=[workspace.pk])
    client_for(operator).post(url, {"post": "yes"})
    assert not Workspace.objects.exists()
    assert AuditEntry.objects.get(action="workspace.delete").object_name == "search-team"


def test_several_deleted_people_are_written_down_one_by_one(client_for, operator, viewer, member):
    data = {"action": "delete_selected", "_selected_action": [viewer.pk, member.pk], "post": "yes"}
    client_for(operator).post(reverse("admin:accounts_user_changelist"), data)
    assert not User.objects.filter(pk__in=[viewer.pk, member.pk]).exists()
    names = AuditEntry.objects.filter(action="user.delete").values_list("object_name", flat=True)
    assert set(names) == {"vera", "milan"}


@pytest.mark.parametrize("what", ["user", "workspace", "auditentry"])
def test_every_list_opens_and_searches(client_for, operator, viewer, what):
    url = reverse(f"admin:accounts_{what}_changelist")
    assert client_for(operator).get(url, {"q": "vera"}).status_code == 200


def test_nobody_edits_the_trail_here(client_for, operator, workspace):
    assert client_for(operator).get(reverse("admin:accounts_auditentry_add")).status_code == 403
