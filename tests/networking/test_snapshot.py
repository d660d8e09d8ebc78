"""From services to Envoy's configuration, without Envoy."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from networking.gateway.facts import (
    Address,
    GatewayKey,
    GatewayService,
    GatewayVersion,
    Unavailable,
)
from networking.gateway.snapshot import build

KEY = GatewayKey("ab" * 32, "ak-1", enabled=True, expires_at=None)
VERSION = GatewayVersion("mv-1", (Address("10.0.0.7", 8000),), "/health", 100)
SERVICE = GatewayService(
    id="ms-aaaaaaaaaaaa",
    host="ms-aaaaaaaaaaaa.here.slipway.localhost",
    auth_enabled=True,
    keys=(KEY,),
    versions=(VERSION,),
    timeout=30,
)
STOPPED = Unavailable("service_stopped", 'Stopped "today".', 60)


def host_of(service: GatewayService) -> dict:
    return build([service]).routes.resources[0]["virtual_hosts"][0]


def context_of(service: GatewayService) -> dict:
    return host_of(service)["typed_per_filter_config"]["envoy.filters.http.lua"]["filter_context"]


def keys_of(service: GatewayService) -> dict:
    return host_of(service)["metadata"]["filter_metadata"]["envoy.filters.http.lua"]


def routes_of(service: GatewayService) -> list[dict]:
    return [route["route"] for route in host_of(service)["routes"] if "route" in route]


def test_the_order_of_rows_changes_no_version():
    other = replace(SERVICE, id="ms-bbbbbbbbbbbb", versions=())
    assert build([SERVICE, other]) == build([other, SERVICE])


def test_a_disabled_key_changes_the_routes_and_the_tag_but_not_the_clusters():
    changed = replace(SERVICE, keys=(replace(KEY, enabled=False),))
    assert build([changed]).routes.version != build([SERVICE]).routes.version
    assert context_of(changed)["tag"] != context_of(SERVICE)["tag"]
    assert build([changed]).clusters == build([SERVICE]).clusters


def test_a_moved_instance_changes_the_clusters_but_not_the_routes():
    moved = replace(VERSION, addresses=(Address("10.0.0.8", 8000),))
    changed = build([replace(SERVICE, versions=(moved,))])
    assert changed.clusters.version != build([SERVICE]).clusters.version
    assert changed.routes == build([SERVICE]).routes


def test_a_key_is_told_by_digest_state_and_last_second():
    end = datetime(2027, 1, 1, tzinfo=UTC)
    keys = (KEY, GatewayKey("cd" * 32, "ak-2", enabled=False, expires_at=end))
    told = keys_of(replace(SERVICE, keys=keys))
    assert told == {"ab" * 32: "ak-1;1;0", "cd" * 32: f"ak-2;0;{int(end.timestamp())}"}


def test_each_key_is_sent_once_however_many_addresses_a_service_has():
    assert build([SERVICE]).routes.answer.count(KEY.digest.encode()) == 1


def test_a_service_without_a_key_check_says_so():
    assert "auth" not in context_of(replace(SERVICE, auth_enabled=False))
    assert context_of(SERVICE)["auth"] is True


def test_an_unavailable_service_has_a_reason_and_no_cluster():
    snapshot = build([replace(SERVICE, unavailable=STOPPED)])
    context = context_of(replace(SERVICE, unavailable=STOPPED))
    assert snapshot.clusters.resources == []
    assert json.loads(f"{{{context['refusal']}}}")["message"] == 'Stopped "today".'
    assert context["refusal"].endswith('"code": "service_stopped"')
    assert context["retry_after"] == "60"


def test_only_silence_ends_an_answer():
    assert {(r["timeout"], r["idle_timeout"]) for r in routes_of(SERVICE)} == {("0s", "30s")}


def test_two_versions_share_calls_by_weight():
    second = replace(VERSION, id="mv-2", weight=30)
    shares = routes_of(replace(SERVICE, versions=(VERSION, second)))[0]["weighted_clusters"]
    assert shares["clusters"] == [{"name": "mv-1", "weight": 100}, {"name": "mv-2", "weight": 30}]


def test_what_envoy_is_told_is_what_was_built():
    told = json.loads(build([SERVICE]).clusters.answer)
    assert told["resources"] == build([SERVICE]).clusters.resources
    assert told["version_info"] == build([SERVICE]).clusters.version
    assert told["type_url"] == told["resources"][0]["@type"]


def test_an_address_of_ip_version_6_is_told_whole():
    version = replace(VERSION, addresses=(Address("fd00::7", 80),))
    cluster = build([replace(SERVICE, versions=(version,))]).clusters.resources[0]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"] == {"address": "fd00::7", "port_value": 80}
