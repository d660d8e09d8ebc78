"""Rows as the gateway sees them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from networking.address import service_urls
from networking.gateway.facts import Address, GatewayService
from networking.gateway.queries import gateway_services
from services.models import ApiKey, Instance, Service, Version
from services.operations import delete_service
from tests.factories import NOW, deploy_service, make_failed, make_place, make_ready, make_stopped

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(workspace):
    return make_place(workspace)


@pytest.fixture
def ready(actor, place) -> Service:
    made = make_ready(deploy_service(actor, place))
    Instance.objects.update(address="10.0.0.7:8000")
    return made


def only() -> GatewayService:
    (found,) = gateway_services()
    return found


def reason() -> str:
    unavailable = only().unavailable
    assert unavailable is not None
    return unavailable.code


def test_a_ready_service_has_its_address_and_its_key(ready):
    key = ApiKey.objects.get()
    assert only().unavailable is None
    assert only().versions[0].addresses == (Address("10.0.0.7", 8000),)
    assert [(k.digest, k.key_id) for k in only().keys] == [(key.digest, key.pk)]
    assert only().host == f"{ready.pk}.here.slipway.localhost"


def test_a_starting_service_says_what_it_waits_for(actor, place):
    service = deploy_service(actor, place)
    Service.objects.update(status_reason="pulls layer 3 of 7")
    unavailable = only().unavailable
    assert (only().id, reason()) == (service.pk, "service_starting")
    assert unavailable is not None
    assert "pulls layer 3 of 7" in unavailable.message


def test_a_failed_service_says_why(actor, place):
    make_failed(deploy_service(actor, place), "exited 3 times")
    unavailable = only().unavailable
    assert reason() == "service_failed"
    assert unavailable is not None
    assert "exited 3 times" in unavailable.message


def test_a_stopped_service_is_told_apart_from_a_starting_one(actor, ready):
    make_stopped(actor, ready)
    assert reason() == "service_stopped"


def test_a_service_whose_versions_all_have_weight_0_says_so(ready):
    Version.objects.update(weight=0)
    assert reason() == "no_weighted_version"
    assert only().versions == ()


def test_a_deleted_service_is_unknown_at_once(actor, ready):
    delete_service(actor, ready, confirmation=ready.name, even_if_running=True, now=NOW)
    assert gateway_services() == []


def test_an_address_that_is_none_is_left_out_and_told(ready, caplog):
    Instance.objects.update(address="somewhere")
    assert reason() == "service_starting"
    assert "'somewhere'" in caplog.text


def test_regions_are_kept_apart(ready):
    assert [s.id for s in gateway_services(["here"])] == [ready.pk]
    assert gateway_services(["elsewhere"]) == []


def test_the_number_of_queries_does_not_grow_with_services(actor, place, ready):
    for number in range(3):
        make_ready(deploy_service(actor, place, f"more-{number}"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(gateway_services()) == 4
    assert len(queries) == 4


def test_both_addresses_are_given_and_snippets_use_one_that_resolves(ready):
    urls = service_urls(ready)
    assert urls.host_url == f"http://{ready.pk}.here.slipway.localhost:8080"
    assert urls.snippet_url == urls.path_url == f"http://127.0.0.1:8080/{ready.pk}"
    ready.region.domain = "models.example.org"
    assert service_urls(ready).snippet_url == service_urls(ready).host_url
