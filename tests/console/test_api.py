"""The REST API: sign-in, shapes, verbs and errors."""

import hashlib
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, AuditEntry, Membership
from services.models import Service
from services.states import Desired
from tests import factories
from tests.people import actor_of, client_of

TOKEN = "token-for-tests"


@pytest.fixture
def place(workspace):
    return factories.make_place(workspace)


@pytest.fixture
def service(member, workspace, place) -> Service:
    return factories.deploy_service(actor_of(member, workspace), place, "qwen3-support")


@pytest.fixture
def api(member) -> Client:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    AccessToken.objects.create(user=member, name="test", digest=digest, hint="ests")
    return Client(headers={"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"})


def send(api: Client, method: str, path: str, body: object = ""):
    """Send a JSON body."""
    return getattr(api, method)(f"/api/v1/{path}", body, content_type="application/json")


def test_without_a_token_the_answer_is_401_with_a_challenge(client, db):
    answer = client.get("/api/v1/services/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_an_unknown_token_is_refused(db):
    answer = Client(headers={"Authorization": "Bearer wrong"}).get("/api/v1/services/")
    assert answer.status_code == 401
    assert "not known" in answer.json()["error"]["message"]


def test_an_expired_token_is_refused(api):
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("/api/v1/services/").json()["error"]["code"] == "expired_token"


def test_a_token_remembers_when_it_was_used(api):
    api.get("/api/v1/models/")
    assert AccessToken.objects.get().last_used_at is not None


def test_models_and_specifications_are_listed(api, place):
    models = api.get("/api/v1/models/").json()
    assert [model["slug"] for model in models["results"]] == ["tiny-chat"]
    codes = [s["code"] for s in api.get("/api/v1/specifications/").json()["results"]]
    assert "cpu.1" in codes


def test_groups_say_what_is_left(api, service):
    group = api.get("/api/v1/resource-groups/").json()["results"][0]
    assert group["name"] == "rg-shared"
    assert float(group["cu_left"]) == float(group["cu_limit"]) - 1


def test_a_service_is_deployed(api, place):
    body = {"model": "tiny-chat", "name": "by-api", "specification": "cpu.1", "instances": 2}
    answer = send(api, "post", "services/", body)
    assert answer.status_code == 201
    assert answer.json()["status"] == "pending"
    assert Service.objects.get(pk=answer.json()["id"]).versions.get().instances.count() == 2


def test_an_unknown_field_is_refused_by_name(api, place):
    body = {"model": "tiny-chat", "name": "x", "specification": "cpu.1", "replicas": 2}
    answer = send(api, "post", "services/", body)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["replicas"]
    assert not Service.objects.exists()


def test_a_taken_name_is_told_at_its_field(api, service):
    body = {"model": "tiny-chat", "name": service.name, "specification": "cpu.1"}
    answer = send(api, "post", "services/", body)
    assert answer.status_code == 400
    assert "exists" in answer.json()["error"]["fields"]["name"]


def test_the_list_filters_and_pages(api, service, member, workspace, place):
    factories.deploy_service(actor_of(member, workspace), place, "second")
    assert api.get("/api/v1/services/?text=second").json()["count"] == 1
    page = api.get("/api/v1/services/?limit=1&sort=name").json()
    assert page["count"] == 2
    assert [row["name"] for row in page["results"]] == ["qwen3-support"]


def test_one_service_comes_with_addresses_and_instances(api, service):
    found = api.get(f"/api/v1/services/{service.pk}/").json()
    assert found["project_id"] == service.workspace_id
    assert found["urls"]["path"].endswith(f"/{service.pk}")
    assert [instance["state"] for instance in found["instances"]] == ["pending"]


def test_modifying_says_what_changed_and_that_nothing_restarts(api, service):
    answer = send(api, "patch", f"services/{service.pk}/", {"name": "renamed"})
    assert answer.status_code == 200
    assert answer.json()["changed"] == ["name"]
    assert answer.json()["restarts"] is False


def test_values_of_variables_are_never_shown_and_stay_when_masked(api, service):
    send(api, "patch", f"services/{service.pk}/", {"environment": {"TOKEN": "s3cret"}})
    shown = api.get(f"/api/v1/services/{service.pk}/").json()["versions"][0]["environment"]
    assert "s3cret" not in shown.values()
    send(api, "patch", f"services/{service.pk}/", {"environment": {**shown, "MORE": "1"}})
    assert service.versions.get().environment == {"TOKEN": "s3cret", "MORE": "1"}


def test_stop_and_start(api, service):
    assert send(api, "post", f"services/{service.pk}/stop/").status_code == 202
    service.refresh_from_db()
    assert service.desired == Desired.STOPPED
    assert send(api, "post", f"services/{service.pk}/start/").status_code == 202
    service.refresh_from_db()
    assert service.desired == Desired.RUNNING


def test_deleting_needs_its_name_and_a_word_when_it_runs(api, service):
    path = f"services/{service.pk}/"
    assert send(api, "delete", path).json()["error"]["fields"].keys() == {"confirmation"}
    named = {"confirmation": service.name}
    assert send(api, "delete", path, named).json()["error"]["code"] == "service_running"
    assert send(api, "delete", path, {**named, "even_if_running": True}).status_code == 202


def test_a_key_is_added_revealed_disabled_and_deleted(api, service):
    keys = f"services/{service.pk}/keys/"
    key = send(api, "post", keys, {"name": "batch"}).json()
    assert "key" not in key
    revealed = send(api, "post", f"{keys}{key['id']}/reveal/")
    assert revealed.json()["key"].startswith(f"DW-{service.pk}-")
    assert revealed.headers["Cache-Control"] == "no-store"
    assert AuditEntry.objects.filter(action="key.reveal").count() == 1
    assert send(api, "post", f"{keys}{key['id']}/disable/").json()["enabled"] is False
    assert send(api, "delete", f"{keys}{key['id']}/").status_code == 204


def test_events_are_listed_and_filtered(api, service):
    events = api.get(f"/api/v1/services/{service.pk}/events/?text=Deployed").json()
    assert [event["reason"] for event in events["results"]] == ["Deployed"]


def test_a_person_of_two_workspaces_names_one(api, service, member, other_workspace):
    Membership.objects.create(user=member, workspace=other_workspace, role="viewer")
    assert "X-Workspace" in api.get("/api/v1/services/").json()["error"]["message"]
    named = api.get("/api/v1/services/", headers={"X-Workspace": service.workspace_id})
    assert named.json()["count"] == 1
    other = api.get(f"/api/v1/services/?workspace={other_workspace.name}")
    assert other.json()["count"] == 0


def test_another_workspace_cannot_be_named(api, service, other_workspace):
    answer = api.get("/api/v1/services/", headers={"X-Workspace": other_workspace.pk})
    assert answer.status_code == 404


def test_a_session_may_call_the_api_too(member, service):
    assert client_of(member).get("/api/v1/services/").json()["count"] == 1


def test_every_error_carries_the_request_id(api, place):
    answer = api.get("/api/v1/services/ms-aaaaaaaaaaaa/")
    assert answer.status_code == 404
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-ID"]
