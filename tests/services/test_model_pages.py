"""Model List and the page of one model."""

import pytest
from django.urls import reverse

from services.models import Limit, Node
from tests.factories import deploy_service, make_entry, make_place

pytestmark = pytest.mark.django_db
LIST = "/models/"


@pytest.fixture
def place(workspace):
    make_entry("large-chat", memory_mib=200_000, runtime="vllm", gpu_memory_mib=80_000)
    make_entry("vectors", task="embeddings", runtime="embedding", publisher="Vector House")
    return make_place(workspace)


@pytest.fixture
def browser(client_for, member, place):
    return client_for(member)


def slugs(answer):
    return [card.entry.slug for card in answer.context["cards"]]


def test_cards_tell_the_facts_and_those_that_fit_come_first(browser):
    answer = browser.get(LIST)
    assert slugs(answer)[-1] == "large-chat"
    page = answer.content.decode()
    for text in ("Tiny Chat", "Example", "135M", "8,192", "Apache-2.0", "cpu.1", "Fits here"):
        assert text in page
    assert "Needs a GPU; this region has none" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=vector+house", ["vectors"]),
        ("q=nothing+like+it", []),
        ("task=embeddings", ["vectors"]),
        ("runtime=vLLM", ["large-chat"]),
        ("fits=no", ["large-chat"]),
        ("sort=memory", ["tiny-chat", "vectors", "large-chat"]),
        ("task=no-such&fits=maybe", ["tiny-chat", "vectors", "large-chat"]),
    ],
)
def test_search_filters_and_sorting(browser, query, expected):
    answer = browser.get(f"{LIST}?{query}")
    assert sorted(slugs(answer)) == sorted(expected)
    assert slugs(answer)[-1:] == expected[-1:]


def test_the_live_part_is_only_the_cards(browser):
    part = browser.get(f"{LIST}?q=tiny", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="cards"')
    assert "<html" not in part


def test_the_verdict_follows_the_machines_of_the_region(browser, place):
    Node.objects.filter(region=place.region).update(memory_mib=256)
    page = browser.get("/models/tiny-chat/").content.decode()
    assert "Needs 512 MiB; the largest machine has 256 MiB" in page
    assert reverse("console:deploy_begin", args=["tiny-chat"]) not in page


def test_the_page_of_a_model_leads_to_the_wizard_and_to_its_services(browser, actor, place):
    deploy_service(actor, place, "already-there")
    page = browser.get("/models/tiny-chat/").content.decode()
    assert reverse("console:deploy_begin", args=["tiny-chat"]) in page
    assert "already-there" in page


def test_the_page_of_a_model_with_many_services_leads_to_the_list_for_the_rest(
    browser, actor, place
):
    Limit.objects.create(code=Limit.Code.SERVICES_PER_GROUP, value=50)
    for number in range(22):
        deploy_service(actor, place, f"demo-{number:02}")
    page = browser.get("/models/tiny-chat/").content.decode()
    assert "demo-19" in page
    assert "demo-20" not in page
    assert '<a href="/services/?q=Tiny+Chat">And 2 more</a>' in page


def test_services_of_another_workspace_are_not_told_on_a_models_page(
    client_for, stranger, actor, place
):
    deploy_service(actor, place, "secret-project")
    page = client_for(stranger).get("/models/tiny-chat/").content.decode()
    assert "secret-project" not in page


def test_a_viewer_sees_why_there_is_no_deploy(client_for, viewer, place):
    browser = client_for(viewer)
    assert (
        reverse("console:deploy_begin", args=["tiny-chat"])
        not in browser.get(LIST).content.decode()
    )
    assert (
        "Only a developer can deploy a model" in browser.get("/models/tiny-chat/").content.decode()
    )


def test_unknown_and_withdrawn_models_are_no_page(browser, place):
    place.entry.enabled = False
    place.entry.save()
    assert browser.get("/models/tiny-chat/").status_code == 404
    assert browser.get("/models/no-such/").status_code == 404


def test_other_methods_and_people_signed_out_are_refused(browser, client):
    assert browser.post(LIST).status_code == 405
    assert browser.post("/models/tiny-chat/").status_code == 405
    assert client.get(LIST).status_code == 302


def test_the_list_takes_few_queries(browser, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        browser.get(LIST)
