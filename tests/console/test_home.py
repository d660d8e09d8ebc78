"""Home: trouble first, what is in use, what happened."""

import pytest

from tests.factories import deploy_service, make_failed, make_place, make_ready, make_stopped

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(workspace):
    return make_place(workspace)


@pytest.fixture
def browser(client_for, member, place):
    return client_for(member)


def test_whoever_comes_first_is_led_to_the_models(browser):
    page = browser.get("/").content.decode()
    assert "Deploy your first model" in page
    assert 'href="/models/"' in page


def test_a_viewer_who_comes_first_is_told_who_deploys(client_for, viewer, place):
    page = client_for(viewer).get("/").content.decode()
    assert "a developer of search-team deploys models" in page


def test_services_stand_by_trouble_and_figures_are_of_this_moment(browser, actor, place):
    make_stopped(actor, deploy_service(actor, place, "resting"))
    make_ready(deploy_service(actor, place, "fine", instances=2))
    make_failed(deploy_service(actor, place, "broken"), "out of memory")
    answer = browser.get("/")
    assert [row.service.name for row in answer.context["rows"]] == ["broken", "fine", "resting"]
    (use,) = answer.context["groups"]
    assert (use.balance.used, str(use.hourly)) == (3, "$0.48")
    assert str(answer.context["hourly"]) == "$0.48"
    assert "out of memory" in answer.content.decode()


def test_home_of_a_stranger_tells_nothing_of_this_workspace(client_for, stranger, actor, place):
    deploy_service(actor, place, "secret-project")
    page = client_for(stranger).get("/").content.decode()
    assert "secret-project" not in page
    assert "rg-shared" not in page


def test_home_takes_few_queries_and_no_writes(browser, actor, place, django_assert_max_num_queries):
    for number in range(5):
        make_ready(deploy_service(actor, place, f"service-{number}"))
    with django_assert_max_num_queries(15):
        browser.get("/")
    assert browser.post("/").status_code == 405


def test_the_live_part_is_not_a_whole_page(browser, actor, place):
    deploy_service(actor, place)
    part = browser.get("/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="live"')
    assert "<html" not in part
