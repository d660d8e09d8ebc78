"""Every page and every write, walked from the URL patterns: a new address is covered by itself.

A viewer is refused every write with 403, a person of another workspace gets 404 for every page of
a service, and nobody gets anywhere without signing in.
"""

import pytest
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from services.models import Service
from tests import factories
from tests.people import actor_of, client_of

# Addresses under a service that change nothing, whatever they are sent.
READ_ONLY = {"overview", "status", "keys", "events", "debug"}
# DRF answers these for an address by its methods; a POST to a read-only one is a 405.
API_METHODS = ("get", "post", "patch", "delete")


def patterns_of(resolver: URLResolver, route: str = "") -> list[tuple[str, URLPattern]]:
    """Return every pattern below a resolver with its whole route."""
    found: list[tuple[str, URLPattern]] = []
    for part in resolver.url_patterns:
        whole = route + str(part.pattern)
        if isinstance(part, URLResolver):
            found += patterns_of(part, whole)
        else:
            found.append((whole, part))
    return found


def of_services(*, api: bool) -> list[tuple[str, str]]:
    """Return name and route of every address of one service, of the pages or of the API."""
    found = patterns_of(get_resolver())
    return [
        (str(pattern.name), route)
        for route, pattern in found
        if "<service_id:service_id>" in route and route.startswith("api/") == api
    ]


PAGES = of_services(api=False)
ENDPOINTS = of_services(api=True)
WRITES = [(name, route) for name, route in PAGES if name not in READ_ONLY]


@pytest.fixture
def service(member, workspace) -> Service:
    return factories.deploy_service(
        actor_of(member, workspace), factories.make_place(workspace), "guarded"
    )


def address(route: str, service: Service) -> str:
    """Fill a route with the ids of a service and its key; fails for a part it does not know."""
    filled = "/" + route.replace("<service_id:service_id>", service.pk)
    filled = filled.replace("<key_id:key_id>", service.api_keys.get().pk)
    assert "<" not in filled, f"Teach this test how to fill {route}."
    return filled


def rows_of(service: Service) -> dict[str, object]:
    """Return what a refused write must leave as it was."""
    service.refresh_from_db()
    return {
        "desired": service.desired,
        "name": service.name,
        "keys": list(service.api_keys.values("pk", "enabled").order_by("pk")),
        "events": service.events.count(),
    }


def test_there_are_pages_and_endpoints_to_walk():
    assert len(WRITES) >= 10
    assert len(ENDPOINTS) >= 9


@pytest.mark.parametrize(("name", "route"), WRITES)
def test_every_write_is_refused_to_a_viewer(name, route, viewer, service):
    before = rows_of(service)
    answer = client_of(viewer).post(address(route, service), {"confirmation": service.name})
    assert answer.status_code == 403, name
    assert rows_of(service) == before


@pytest.mark.parametrize(("name", "route"), WRITES)
def test_every_write_is_hidden_from_a_stranger(name, route, stranger, service):
    before = rows_of(service)
    answer = client_of(stranger).post(address(route, service), {"confirmation": service.name})
    assert answer.status_code == 404, name
    assert rows_of(service) == before


@pytest.mark.parametrize(("name", "route"), PAGES)
def test_every_page_of_another_workspace_is_not_found(name, route, stranger, service):
    answer = client_of(stranger).get(address(route, service))
    # An address that only takes POST says so before it says anything about the service.
    assert answer.status_code in {404, 405}, name


@pytest.mark.parametrize(("name", "route"), PAGES)
def test_nobody_gets_in_without_signing_in(name, route, client, service):
    answer = client.post(address(route, service))
    assert answer.status_code in {302, 405}, name
    if answer.status_code == 302:
        assert answer.headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("name", sorted(READ_ONLY))
def test_a_page_that_only_shows_takes_no_post(name, member, service):
    route = dict(PAGES)[name]
    assert client_of(member).post(address(route, service)).status_code == 405


@pytest.mark.parametrize("method", API_METHODS)
@pytest.mark.parametrize(("name", "route"), ENDPOINTS)
def test_every_endpoint_is_hidden_from_a_stranger(name, route, method, stranger, service):
    before = rows_of(service)
    call = getattr(client_of(stranger), method)
    answer = call(address(route, service), content_type="application/json")
    assert answer.status_code in {404, 405}, name
    assert rows_of(service) == before


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
@pytest.mark.parametrize(("name", "route"), ENDPOINTS)
def test_every_write_to_the_api_is_refused_to_a_viewer(name, route, method, viewer, service):
    before = rows_of(service)
    body = {"name": "x"} if name == "keys" else {}
    call = getattr(client_of(viewer), method)
    answer = call(address(route, service), body, content_type="application/json")
    assert answer.status_code in {403, 405}, name
    assert rows_of(service) == before


def test_deploying_by_the_api_is_refused_to_a_viewer(viewer, service):
    body = {"model": "tiny-chat", "name": "mine", "specification": "cpu.1"}
    answer = client_of(viewer).post("/api/v1/services/", body, content_type="application/json")
    assert answer.status_code == 403
    assert Service.objects.count() == 1
