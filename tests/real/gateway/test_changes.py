"""Changes while calls are made: instances, keys, configuration, and absences."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from django.db import connection

from networking.gateway.facts import Address
from networking.gateway.follow import follow
from services.models import ApiKey, Instance
from services.operations.keys import reveal_key, set_key_enabled
from tests.factories import NOW, deploy_service, make_place, make_ready
from tests.people import actor_of
from tests.real.gateway.rig import (
    AUTH,
    KEY,
    OTHER,
    SERVICE,
    Gateway,
    Served,
    get,
    key,
    refusal,
    running,
    service,
)
from tests.real.stack import until

pytestmark = pytest.mark.real


def test_a_removed_instance_fails_no_call_and_no_stream(envoy, model):
    first, second = Served(model), Served(model)
    envoy.apply(service(first.address, second.address))
    model.pause = 0.3
    results: list[int] = []
    stop = threading.Event()
    callers = [threading.Thread(target=call, args=(envoy, results, stop)) for _ in range(2)]
    streams = [threading.Thread(target=read_stream, args=(envoy, results)) for _ in range(6)]
    try:
        for thread in callers + streams:
            thread.start()
        time.sleep(0.5)
        envoy.apply(service(second.address))
        time.sleep(0.3)
        for thread in streams:
            thread.join(20)
        first.stop()
        time.sleep(0.5)
        envoy.apply(service(second.address, Served(model).address))
        time.sleep(0.5)
    finally:
        model.pause = 0.02
        stop.set()
        for thread in callers:
            thread.join(20)
        second.stop()
    assert len(results) > 30
    assert set(results) == {200}


def call(gateway: Gateway, results: list[int], stop: threading.Event) -> None:
    with httpx.Client(headers=AUTH, timeout=20) as client:
        while not stop.is_set():
            results.append(client.get(gateway.path_url).status_code)


def read_stream(gateway: Gateway, results: list[int]) -> None:
    url = f"{gateway.path_url}/v1/completions"
    with httpx.stream("POST", url, headers=AUTH, json={"stream": True}, timeout=20) as response:
        whole = response.read().endswith(b"[DONE]\n\n")
        results.append(response.status_code if whole else 0)


def test_a_thousand_services_are_each_found_by_both_forms(envoy, address):
    names = [f"ms-{number:012d}" for number in range(1000)]
    envoy.apply(*(service(address, name=name, keys=(key(name),)) for name in names))
    for name in (names[0], names[499], names[-1]):
        auth = {"Authorization": name}
        assert httpx.get(f"{envoy.url}/{name}/a", headers=auth).status_code == 200
        host = {"Host": f"{name}.here.slipway.localhost"}
        assert httpx.get(envoy.url, headers={**auth, **host}).status_code == 200
        assert httpx.get(f"{envoy.url}/{name}", headers=AUTH).status_code == 401


def test_calls_are_logged_with_service_version_and_key_but_no_secret(gateway):
    calls = [get(gateway, "/logged"), get(gateway, "/logged", Authorization="wrong-secret")]
    log = gateway.folder / "access.log"
    ids = [response.headers["x-request-id"] for response in calls]
    until(lambda: all(i in log.read_text() for i in ids), 5, "the calls are in the log")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    accepted, refused = (next(line for line in lines if line["id"] == i) for i in ids)
    version = SERVICE.replace("ms", "mv")
    assert (accepted["service"], accepted["version"], accepted["key"]) == (SERVICE, version, "ak-1")
    assert (refused["key"], refused["refused"]) == (None, "invalid_api_key")
    assert KEY not in log.read_text()
    assert "wrong-secret" not in log.read_text()


def test_envoy_keeps_serving_without_a_control_plane_and_takes_news_from_the_next(
    tmp_path, address
):
    with running(Gateway(tmp_path)) as gateway:
        gateway.apply(service(address))
        assert gateway.control is not None
        gateway.control.stop()
        time.sleep(0.3)
        assert get(gateway).status_code == 200
        gateway.plane = gateway.plane.__class__()
        gateway.serve_control_plane()
        gateway.apply(service(address, keys=(key(enabled=False),)))
        assert refusal(get(gateway)) == (401, "disabled_api_key")
        assert "REST update" not in (tmp_path / "envoy.log").read_text()


def test_a_refused_configuration_is_told_and_the_former_one_stays(gateway, address, caplog):
    gateway.publish(service(Address("not an address", 1)), service(address, name=OTHER))
    until(lambda: "Envoy refused the clusters" in caplog.text, 10, "the refusal is logged")
    time.sleep(2.5)
    assert caplog.text.count("Envoy refused") < 5
    assert get(gateway).status_code == 200
    gateway.apply(service(address))
    assert get(gateway).status_code == 200


@pytest.fixture
def rows(transactional_db, gateway, address, owner, workspace) -> Iterator[ApiKey]:
    """A service in the database, which the control plane follows; returns its key."""
    actor = actor_of(owner, workspace)
    place = make_place(workspace)
    deployed = make_ready(deploy_service(actor, place))
    Instance.objects.update(address=f"127.0.0.1:{address.port}")
    following = asyncio.run_coroutine_threadsafe(
        follow([], gateway.plane.publish), gateway.control.loop
    )
    yield ApiKey.objects.get(service=deployed)
    following.cancel()


def status_of(gateway: Gateway, key: ApiKey, text: str) -> int:
    headers = {"Authorization": text}
    return httpx.get(f"{gateway.url}/{key.service_id}/", headers=headers).status_code


def test_a_disabled_key_is_refused_within_a_second_of_the_commit(gateway, rows, owner, workspace):
    actor = actor_of(owner, workspace)
    text = reveal_key(actor, rows)
    until(lambda: status_of(gateway, rows, text) == 200, 10, "the service answers")
    set_key_enabled(actor, rows, enabled=False, now=NOW)
    until(lambda: status_of(gateway, rows, text) == 401, 1, "the key is refused")


def test_the_control_plane_reconnects_when_its_database_was_gone(gateway, rows, owner, workspace):
    actor = actor_of(owner, workspace)
    text = reveal_key(actor, rows)
    until(lambda: status_of(gateway, rows, text) == 200, 10, "the service answers")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.rowcount > 0
    assert status_of(gateway, rows, text) == 200
    set_key_enabled(actor, rows, enabled=False, now=NOW)
    until(lambda: status_of(gateway, rows, text) == 401, 10, "the key is refused")
