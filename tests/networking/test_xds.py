"""The control plane's answers, asked without a server."""

import asyncio
import json
from typing import Any

import pytest

from networking.gateway import xds
from networking.gateway.snapshot import build
from networking.gateway.xds import ControlPlane
from tests.networking.test_snapshot import SERVICE


async def ask(
    plane: ControlPlane,
    body: bytes = b"{}",
    path: str = "/v3/discovery:routes",
    method: str = "POST",
) -> tuple[int, Any]:
    """Return status and JSON of one answer."""
    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "path": path, "method": method, "client": ("10.0.0.1", 5)}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await plane(scope, receive, send)
    answer = sent[1]["body"]
    return sent[0]["status"], json.loads(answer) if answer else None


async def published() -> ControlPlane:
    plane = ControlPlane()
    await plane.publish(build([SERVICE]))
    return plane


def version(number: str) -> bytes:
    return json.dumps({"version_info": number}).encode()


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_a_malformed_request_is_answered_400(body):
    async def scenario() -> tuple[int, Any]:
        return await ask(await published(), body)

    status, answer = asyncio.run(scenario())
    assert status == 400
    assert "not" in answer["error"]


def test_other_paths_methods_and_sizes_are_refused():
    async def scenario() -> list[int]:
        plane = await published()
        answers = [
            await ask(plane, path="/v3/discovery:secrets"),
            await ask(plane, method="GET"),
            await ask(plane, b" " * (xds.LARGEST_REQUEST + 1)),
        ]
        return [status for status, _ in answers]

    assert asyncio.run(scenario()) == [404, 405, 413]


def test_news_are_answered_at_once():
    async def scenario() -> tuple[int, Any]:
        return await ask(await published(), version("old"))

    status, answer = asyncio.run(scenario())
    assert status == 200
    assert answer["version_info"] == build([SERVICE]).routes.version


def test_a_poll_is_held_until_something_changes():
    async def scenario() -> tuple[bool, Any]:
        plane = await published()
        poll = asyncio.create_task(ask(plane, version(build([SERVICE]).routes.version)))
        await asyncio.sleep(0)
        await plane.publish(build([SERVICE]))
        await asyncio.sleep(0.01)
        held = not poll.done()
        await plane.publish(build([]))
        return held, await poll

    held, (status, answer) = asyncio.run(scenario())
    assert held
    assert (status, answer["version_info"]) == (200, build([]).routes.version)


def test_before_the_first_snapshot_nothing_is_told(monkeypatch):
    monkeypatch.setattr(xds, "HOLD_SECONDS", 0.01)
    assert asyncio.run(ask(ControlPlane())) == (304, None)


def test_an_ending_control_plane_lets_the_polls_go():
    async def scenario() -> tuple[int, Any]:
        plane = await published()
        poll = asyncio.create_task(ask(plane, version(build([SERVICE]).routes.version)))
        await asyncio.sleep(0)
        await plane.close()
        return await asyncio.wait_for(poll, 1)

    assert asyncio.run(scenario()) == (304, None)


def test_who_refused_a_version_is_held_back_and_it_is_told(monkeypatch, caplog):
    monkeypatch.setattr(xds, "REFUSED_SECONDS", 0.05)

    async def scenario() -> None:
        plane = await published()
        await ask(plane, version("old"))
        assert "refused" not in caplog.text
        await ask(plane, version("old"))

    asyncio.run(scenario())
    assert "Envoy refused the routes" in caplog.text
