"""Model Service: the list, its filters, its live part, and acting on several services."""

from datetime import timedelta

import pytest
from django.urls import reverse

from services.models import Service
from services.states import Status
from tests.factories import (
    NOW,
    deploy_service,
    make_entry,
    make_failed,
    make_group,
    make_place,
    make_ready,
    make_stopped,
)

pytestmark = pytest.mark.django_db
LIST = "/services/"


@pytest.fixture
def place(workspace):
    return make_place(workspace)


@pytest.fixture
def browser(client_for, member, place):
    return client_for(member)


def names(answer):
    return [row.service.name for row in answer.context["rows"]]


def test_the_list_shows_each_service_with_its_figures(browser, actor, place):
    service = make_ready(deploy_service(actor, place, "support-bot", instances=2))
    page = browser.get(LIST).content.decode()
    row = page[page.index(f'id="row-{service.pk}"') :]
    for text in ("support-bot", service.pk, "Running", "Tiny Chat", "1 / 1", "2 CU", "$0.48/h"):
        assert text in row
    assert "1 of 50 services in this region" in page
    assert "2 of 2,000 CU in use" in page


def test_a_pending_service_costs_nothing_and_a_failed_one_says_why(browser, actor, place):
    deploy_service(actor, place, "waiting")
    make_failed(deploy_service(actor, place, "broken"), "exited 3 times: out of memory")
    answer = browser.get(f"{LIST}?sort=name")
    assert [(row.service.name, row.hourly) for row in answer.context["rows"]] == [
        ("broken", None),
        ("waiting", None),
    ]
    assert "exited 3 times: out of memory" in answer.content.decode()


def test_services_of_another_workspace_or_region_are_not_listed(
    browser, client_for, stranger, actor, place
):
    deploy_service(actor, place, "mine")
    elsewhere = make_place(actor.workspace, code="elsewhere")
    deploy_service(actor, elsewhere, "far")
    assert names(browser.get(LIST)) == ["mine"]
    assert names(client_for(stranger).get(LIST)) == []


def test_filters_search_and_sorting_narrow_and_order(browser, workspace, actor, place):
    second = make_group(place.region, workspace, name="rg-second")
    vectors = make_entry("vectors", name="Vectors", service_type="machine-learning")
    make_ready(deploy_service(actor, place, "alpha", now=NOW - timedelta(hours=2)))
    deploy_service(actor, place, "beta", group=second, now=NOW - timedelta(hours=1), instances=3)
    deploy_service(actor, place, "gamma", entry=vectors)
    for query, expected in {
        "": ["gamma", "beta", "alpha"],
        "q=ALPH": ["alpha"],
        "q=vectors": ["gamma"],
        f"q={Service.objects.get(name='beta').pk}": ["beta"],
        "status=running": ["alpha"],
        "type=machine-learning": ["gamma"],
        f"group={second.pk}": ["beta"],
        "sort=name": ["alpha", "beta", "gamma"],
        "sort=-name": ["gamma", "beta", "alpha"],
        "sort=-cu&status=pending": ["beta", "gamma"],
    }.items():
        assert names(browser.get(f"{LIST}?{query}")) == expected, query


@pytest.mark.parametrize(
    "query", ["status=no-such", "sort=password", "size=7", "page=x", "page=999", "q=%20", "group='"]
)
def test_a_value_that_cannot_be_filters_nothing(browser, actor, place, query):
    deploy_service(actor, place, "only")
    answer = browser.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    assert names(answer) == ["only"]


def test_pages_hold_25_rows_unless_told_otherwise(browser, actor, place):
    first = deploy_service(actor, place, "service-00")
    copies = [_copy(first, number) for number in range(1, 30)]
    Service.objects.bulk_create(copies)
    assert len(names(browser.get(LIST))) == 25
    assert len(names(browser.get(f"{LIST}?page=2"))) == 5
    assert len(names(browser.get(f"{LIST}?size=50"))) == 30


def test_the_number_of_queries_does_not_grow_with_the_list(
    browser, actor, place, django_assert_max_num_queries
):
    for number in range(5):
        make_ready(deploy_service(actor, place, f"service-{number}"))
    with django_assert_max_num_queries(15):
        assert len(names(browser.get(LIST))) == 5


def test_the_live_part_is_only_the_list(browser, actor, place):
    deploy_service(actor, place, "alive")
    part = browser.get(f"{LIST}?q=ali", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="live"')
    assert 'hx-get="/services/?q=ali"' in part
    assert "<html" not in part


def test_an_empty_list_explains_itself_and_one_that_is_filtered_empty_says_so(
    browser, actor, place
):
    assert "No services yet" in browser.get(LIST).content.decode()
    deploy_service(actor, place)
    assert "No service matches" in browser.get(f"{LIST}?q=nothing").content.decode()


def test_a_viewer_sees_the_list_without_what_changes_it(client_for, viewer, actor, place):
    service = deploy_service(actor, place, "seen")
    page = client_for(viewer).get(LIST).content.decode()
    assert "seen" in page
    assert f"tick-{service.pk}" not in page
    assert "Only a developer can start and stop services" in page


def test_other_methods_are_refused(browser):
    assert browser.post(LIST).status_code == 405
    assert browser.delete("/services/bulk/stop/").status_code == 405


def test_bulk_stop_says_what_happens_and_then_does_it(browser, actor, place):
    running = make_ready(deploy_service(actor, place, "running", instances=2))
    stopped = make_stopped(actor, deploy_service(actor, place, "stopped"))
    ids = {"id": [running.pk, stopped.pk]}
    page = browser.get("/services/bulk/stop/", ids)
    assert [p.service.name for p in page.context["acting"]] == ["running"]
    assert [p.service.name for p in page.context["idle"]] == ["stopped"]
    assert page.context["cu"] == 2
    assert Service.objects.get(pk=running.pk).status == Status.RUNNING
    assert browser.post("/services/bulk/stop/", ids).headers["Location"] == reverse("services:list")
    assert Service.objects.get(pk=running.pk).status == Status.STOPPING


def test_bulk_start_refuses_one_that_finds_no_room_and_starts_the_others(browser, actor, place):
    small = make_stopped(actor, deploy_service(actor, place, "small"))
    large = make_stopped(actor, deploy_service(actor, place, "large", instances=5))
    place.group.cu_limit = 3
    place.group.save()
    answer = browser.post("/services/bulk/start/", {"id": [large.pk, small.pk]}, follow=True)
    assert Service.objects.get(pk=small.pk).desired == "running"
    assert Service.objects.get(pk=large.pk).desired == "stopped"
    assert "large: This needs 5 CU" in answer.content.decode()


def test_bulk_actions_are_refused_to_a_viewer_and_blind_to_strangers(
    client_for, viewer, stranger, actor, place
):
    service = make_ready(deploy_service(actor, place, "kept"))
    ids = {"id": [service.pk]}
    assert client_for(viewer).post("/services/bulk/stop/", ids).status_code == 403
    answer = client_for(stranger).post("/services/bulk/stop/", ids, follow=True)
    assert "No service was chosen" in answer.content.decode()
    assert client_for(stranger).get("/services/bulk/explode/").status_code == 404
    service.refresh_from_db()
    assert service.status == Status.RUNNING


def test_bulk_ids_that_are_none_are_passed_over(browser, place):
    for ids in ({}, {"id": ["", "x" * 5000, "ms-'--"]}):
        assert browser.get("/services/bulk/stop/", ids).status_code == 200
        assert browser.post("/services/bulk/stop/", ids).status_code == 302


def _copy(service, number):
    return Service(
        workspace=service.workspace,
        region=service.region,
        group=service.group,
        name=f"service-{number:02}",
        service_type=service.service_type,
        desired="stopped",
        status=Status.STOPPED,
        created_at=NOW - timedelta(minutes=number),
    )
