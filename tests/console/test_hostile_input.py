"""Input that no form sends: never a fault (500), and never anything half made."""

import json

import pytest
from django.test import Client

from accounts.models import AuditEntry
from services.models import ApiKey, Event, Instance, Service, Version
from tests import factories
from tests.people import actor_of, client_of

VALUES = [
    "",
    " ",
    "a" * 65,
    "a" * 100_000,
    "nul\x00byte",
    "line\nbreak",
    "\u202eright-to-left",
    "😀" * 70,
    "ＡＢＣ",
    "\ud800",
    "'; DROP TABLE services_service; --",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "%00",
    "${jndi:ldap://x}",
    0,
    -1,
    129,
    10**30,
    1.5,
    True,
    False,
    None,
    [],
    [[1]],
    {},
    {"a": {"b": 1}},
]
FIELDS = [
    "name",
    "model",
    "specification",
    "resource_group",
    "region",
    "instances",
    "description",
    "environment",
    "response_timeout",
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"7",
    b"{",
    b"{'a': 1}",
    b"\xff\xfe\x00",
    b"\xc3\x28",
    b'{"name": NaN}',
    b'{"name": Infinity}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"9" * 10_000,
    b'{"name": ' + b"9" * 10_000 + b"}",
    b'{"\\ud800": 1}',
    b'{"\\u0000": 1}',
    b'{"name": "\\u0000"}',
    b'{"name": "a", "name": "b"}',
    b" " * (1024 * 1024 + 1),
    b'{"__proto__": {}, "constructor": 1}',
]
TAILS = ("", "{id}/keys/", "{id}/stop/")
TABLES = (Service, Version, Instance, ApiKey, Event, AuditEntry)


@pytest.fixture
def service(member, workspace) -> Service:
    return factories.deploy_service(
        actor_of(member, workspace), factories.make_place(workspace), "target"
    )


@pytest.fixture
def browser(member) -> Client:
    client = client_of(member)
    client.raise_request_exception = False
    return client


def counts() -> list[int]:
    """Return the number of rows of each table that a write could touch."""
    return [table.objects.count() for table in TABLES]


def post(browser: Client, path: str, body: bytes, kind: str = "application/json"):
    return browser.generic("POST", path, body, content_type=kind)


def deployment(**changes) -> bytes:
    right = {"model": "tiny-chat", "name": "new", "specification": "cpu.1"}
    return json.dumps({**right, **changes}).encode()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:24])
def test_a_deployment_with_one_odd_value_is_whole_or_refused(browser, service, field, value):
    before = counts()
    answer = post(browser, "/api/v1/services/", deployment(**{field: value}))
    if answer.status_code == 201:
        assert Service.objects.count() == 2
        assert Version.objects.count() == 2
    else:
        assert answer.status_code in {400, 409}
        assert answer.json()["error"]["message"]
        assert counts() == before


@pytest.mark.parametrize(
    ("tail", "body"),
    # An action takes no body, so that an empty one is right there.
    [(tail, body) for tail in TAILS for body in BODIES if body or "stop" not in tail],
    ids=lambda part: repr(part)[:24],
)
def test_a_body_that_is_no_object_changes_nothing(browser, service, tail, body):
    before = counts()
    answer = post(browser, f"/api/v1/services/{tail}".replace("{id}", service.pk), body)
    assert answer.status_code == 400
    assert answer.json()["error"]["request_id"]
    assert counts() == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml"]
)
def test_another_content_type_is_refused(browser, service, kind):
    before = counts()
    answer = post(browser, "/api/v1/services/", deployment(), kind)
    assert answer.status_code in {400, 415}
    assert counts() == before


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:24])
@pytest.mark.parametrize(
    ("tail", "field"),
    [
        ("rename/", "name"),
        ("keys/add/", "name"),
        ("keys/add/", "expires_at"),
        ("delete/", "confirmation"),
        ("modify/", "instances"),
        ("modify/", "environment"),
        ("modify/preview/", "specification"),
    ],
)
def test_a_form_with_one_odd_value_is_whole_or_refused(browser, service, tail, field, value):
    before = counts()
    text = str(value).encode("utf-8", "replace").decode()
    answer = browser.post(f"/services/{service.pk}/{tail}", {"name": "fine", field: text})
    assert answer.status_code in {200, 302, 400}
    if answer.status_code != 302:
        assert counts() == before


@pytest.mark.parametrize(
    "query",
    [
        "text=%00",
        "text=%ff%fe",
        "level=%00&page=-1",
        "page=99999999999999999999999",
        "level=none-such",
        "text=" + "a" * 5000,
        "limit=-5&offset=99999999999999999999999",
        "sort=__class__",
        "status=%00&group=%00",
        "region=%00",
        "workspace=%00",
    ],
)
@pytest.mark.parametrize("path", ["/services/{id}/events/", "/api/v1/services/", "/api/v1/models/"])
def test_an_odd_query_is_answered(browser, service, path, query):
    answer = browser.get(path.replace("{id}", service.pk) + "?" + query)
    assert answer.status_code in {200, 400, 404}


@pytest.mark.parametrize(
    "path",
    [
        "/services/ms-%00aaaaaaaaaa/",
        "/services/ms-AAAAAAAAAAAA/",
        "/services/..%2f..%2fadmin/",
        "/services/ms-aaaaaaaaaaaa%0a/",
        "/api/v1/services/ms-%00aaaaaaaaaa/",
        "/api/v1/models/%00/",
    ],
)
def test_an_odd_address_leads_nowhere(browser, service, path):
    assert browser.get(path).status_code in {400, 404}


def test_another_workspaces_group_cannot_be_deployed_into(browser, service, other_workspace):
    other = factories.make_group(service.region, other_workspace, name="rg-theirs")
    before = counts()
    answer = post(browser, "/api/v1/services/", deployment(resource_group=other.pk))
    assert answer.status_code == 400
    assert "resource_group" in answer.json()["error"]["fields"]
    assert counts() == before


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body)[:24])
def test_the_debug_page_takes_only_what_it_sends(browser, service, body):
    before = counts()
    path = f"/services/{service.pk}/debug/send/"
    answer = browser.generic(
        "POST", path, body, content_type="application/json", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 400
    assert counts() == before
