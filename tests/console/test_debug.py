"""Online debugging: what is composed, relayed and drawn."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from accounts.errors import InvalidInput
from accounts.models import AuditEntry
from console.debug.call import composed
from console.debug.figures import cosine, of_answer, plane
from console.debug.relay import Outgoing, relay
from tests import factories
from tests.people import actor_of, client_of


def relayed(handler, **changes) -> list[dict]:
    """Return what the browser gets for an answer of a gateway that `handler` plays."""
    call = {"method": "POST", "url": "http://gateway/ms-a/x", "body": "{}", "timeout": 5.0}
    outgoing = Outgoing(**{**call, **changes})

    async def lines() -> list[dict]:
        transport = httpx.MockTransport(handler)
        return [json.loads(line) async for line in relay(outgoing, transport)]

    return asyncio.run(lines())


def sent(**changes) -> bytes:
    right = {"method": "POST", "path": "/v1/models", "body": "{}", "key": ""}
    return json.dumps({**right, **changes}).encode()


@pytest.mark.parametrize(
    "path",
    ["", "v1/models", "/../ms-other/v1", "/%2e%2e/x", "//evil\n", "/a b", "/x/..", "http://x/"],
)
def test_a_path_out_of_the_service_is_refused(path):
    with pytest.raises(InvalidInput) as refused:
        composed(sent(path=path))
    assert "path" in refused.value.fields


def test_a_right_call_is_read_whole():
    call = composed(sent(path="/v1/models?limit=1", method="GET", body=""))
    assert (call.method, call.path, call.body, call.key_id) == ("GET", "/v1/models?limit=1", "", "")


def test_an_answer_is_relayed_with_status_headers_and_text():
    frames = relayed(lambda _: httpx.Response(200, text="hé", headers={"X-Request-ID": "r1"}))
    assert [frame["type"] for frame in frames] == ["start", "chunk", "end"]
    assert frames[0]["status"] == 200
    assert frames[0]["request_id"] == "r1"
    assert frames[1]["text"] == "hé"
    assert frames[2]["bytes"] == 3


def test_an_error_comes_with_what_to_do():
    frames = relayed(lambda _: httpx.Response(503, json={"error": {"message": "stopped"}}))
    assert "start it" in frames[0]["advice"]


def test_the_key_goes_to_the_gateway_and_not_to_the_browser():
    seen: dict[str, str] = {}

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.update(request.headers)
        return httpx.Response(200, text="ok")

    frames = relayed(gateway, key="DW-ms-a-secret")
    assert seen["authorization"] == "DW-ms-a-secret"
    assert "DW-ms-a-secret" not in json.dumps(frames)


def test_a_gateway_that_is_away_is_said_plainly():
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    frames = relayed(away)
    assert frames[0]["type"] == "failed"
    assert "gateway at gateway does not answer" in frames[0]["message"]


def test_vectors_come_with_a_figure():
    answer = {"data": [{"embedding": [1, 0]}, {"embedding": [0, 1]}, {"embedding": [1, 1]}]}
    frames = relayed(
        lambda _: httpx.Response(200, json=answer),
        body=json.dumps({"input": ["a", "b", "c"]}),
        shows_vectors=True,
    )
    drawn = next(frame for frame in frames if frame["type"] == "vectors")
    assert drawn["similarities"][0][2] == pytest.approx(0.7071, abs=1e-3)
    assert drawn["figure"]["data"][0]["customdata"] == ["a", "b", "c"]


def test_cosine_of_equal_opposite_and_empty_vectors():
    assert cosine([1, 2], [2, 4]) == pytest.approx(1)
    assert cosine([1, 0], [-1, 0]) == pytest.approx(-1)
    assert cosine([0, 0], [1, 0]) == 0


def test_places_on_the_plane_keep_the_distances_of_flat_points():
    points = [[0.0, 0.0, 5.0], [4.0, 0.0, 5.0], [0.0, 2.0, 5.0], [4.0, 2.0, 5.0]]
    places = plane(points)
    (x0, y0), (x1, y1) = places[0], places[1]
    assert ((x0 - x1) ** 2 + (y0 - y1) ** 2) ** 0.5 == pytest.approx(4, abs=1e-6)


@pytest.mark.parametrize(
    "answer", [None, [], {"data": 1}, {"data": [{}, 1]}, {"data": [{"embedding": "b64"}] * 2}]
)
def test_an_answer_without_vectors_has_no_figure(answer):
    assert of_answer({"input": ["a", "b"]}, answer) is None


@pytest.fixture
def service(member, workspace):
    place = factories.make_place(workspace)
    return factories.deploy_service(actor_of(member, workspace), place, "debugged")


def test_the_page_offers_chat_and_every_key(member, service):
    html = client_of(member).get(f"/services/{service.pk}/debug/").content.decode()
    assert "compose-chat" in html
    assert service.api_keys.get().pk in html
    assert "<script>" not in html


def test_a_viewer_sees_why_sending_is_not_for_them(viewer, service):
    html = client_of(viewer).get(f"/services/{service.pk}/debug/").content.decode()
    assert "Only a developer can call a service from here" in html


def test_the_choice_of_services_goes_on_at_once_where_there_is_one(member, service):
    factories.make_ready(service)
    answer = client_of(member).get("/debug/")
    assert answer.headers["Location"] == f"/services/{service.pk}/debug/"


def test_sending_streams_through_the_gateway_and_is_written_down(member, service, settings):
    settings.GATEWAY_URL = "http://127.0.0.1:9"
    key = service.api_keys.get()

    async def call() -> list[dict]:
        browser = AsyncClient()
        await browser.aforce_login(member, backend="django.contrib.auth.backends.ModelBackend")
        path = f"/services/{service.pk}/debug/send/"
        answer: Any = await browser.post(path, sent(key=key.pk), content_type="application/json")
        assert answer.status_code == 200
        return [json.loads(line) async for line in answer.streaming_content]

    # Keeps the database work in this test's thread, and so in its transaction.
    frames = async_to_sync(call)()
    assert frames[0]["type"] == "failed"
    assert AuditEntry.objects.filter(action="key.use", object_id=key.pk).count() == 1
