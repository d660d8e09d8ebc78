"""“Before you deploy”: the figures follow what is typed."""

from decimal import Decimal

import pytest

from accounts.models import Role
from console.wizard.offer import Offer
from console.wizard.panel import Level, build_panel
from services.models import Limit
from tests.factories import NOW, deploy_service, make_actor, make_group, make_place

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(workspace):
    return make_place(workspace)


@pytest.fixture
def offer(actor, place):
    return Offer.load(actor, place.region, "tiny-chat")


def chosen(place, **answers):
    return {
        "group": place.group.pk,
        "specification": "cpu.2",
        "instances": "2",
        "auth_enabled": "on",
        **answers,
    }


def texts(panel, level):
    return [line.text for line in panel.lines if line.level is level]


def test_occupancy_rest_and_cost_follow_from_the_choice(offer, place):
    panel = build_panel(offer, chosen(place), NOW)
    assert (panel.cu, panel.left_after) == (Decimal(4), Decimal(496))
    assert panel.cost is not None
    assert str(panel.cost.hourly) == "$0.96"
    assert str(panel.cost.monthly) == "$691.20"
    assert not panel.refused
    assert "Fits: needs 0.5 GiB, has 8" in texts(panel, Level.GOOD)


def test_what_others_hold_is_not_left(actor, place):
    deploy_service(actor, place, instances=10)
    panel = build_panel(Offer.load(actor, place.region, "tiny-chat"), chosen(place), NOW)
    # The first deployment raised the group from 500 to 2,000 CU.
    assert panel.left_after == Decimal(1986)
    assert "4 of 5 services left in this group" in texts(panel, Level.GOOD)
    assert "49 of 50 services left in this workspace" in texts(panel, Level.GOOD)


@pytest.mark.parametrize(
    "number", ["", "0", "129", "two", "-1", "1.5", "²", "9" * 500, "1e3", "\0"]
)
def test_a_number_that_cannot_be_gives_no_figures(offer, place, number):
    panel = build_panel(offer, chosen(place, instances=number), NOW)
    assert panel.cu is None
    assert panel.cost is None
    assert "Number of instances: 1 to 128" in texts(panel, Level.BAD)


def test_a_shortfall_is_named(workspace, actor, place):
    small = make_group(place.region, workspace, name="rg-small", cu_limit=1)
    offer = Offer.load(actor, place.region, "tiny-chat")
    panel = build_panel(offer, chosen(place, group=small.pk), NOW)
    assert panel.left_after == Decimal(-3)
    assert "3 CU more than the group has left" in texts(panel, Level.BAD)


def test_the_last_service_of_a_group_is_a_warning_and_one_more_is_refused(actor, place):
    Limit.objects.create(code=Limit.Code.SERVICES_PER_GROUP, value=2, group=place.group)
    deploy_service(actor, place, "one")
    offer = Offer.load(actor, place.region, "tiny-chat")
    assert "1 of 2 services left in this group" in texts(
        build_panel(offer, chosen(place), NOW), Level.WARNING
    )
    deploy_service(actor, place, "two")
    full = build_panel(offer, chosen(place), NOW)
    assert "0 of 2 services left in this group" in texts(full, Level.BAD)


def test_a_specification_that_does_not_fit_says_why(offer, place):
    panel = build_panel(offer, chosen(place, specification="gpu.1"), NOW)
    assert "No GPU in this region" in texts(panel, Level.BAD)


def test_a_group_of_somebody_else_gives_nothing_away(other_workspace, place):
    outsider = make_actor(other_workspace, Role.ADMINISTRATOR, username="outsider")
    panel = build_panel(Offer.load(outsider, place.region, "tiny-chat"), chosen(place), NOW)
    assert panel.balance is None
    assert panel.cost is None
    assert any("No resource group" in text for text in texts(panel, Level.BAD))


def test_the_panel_is_the_answer_to_a_change_of_the_form(client_for, member, place):
    answer = client_for(member).post("/deploy/tiny-chat/resources/preview/", chosen(place))
    page = answer.content.decode()
    assert "4 CU" in page
    assert "496 of 500 CU" in page
    assert "$0.96 / h" in page
    assert "<html" not in page
