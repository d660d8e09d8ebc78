"""The deploy wizard, page by page."""

from decimal import Decimal

import pytest
from django.urls import reverse

from services.models import Service
from tests.factories import deploy_service, make_entry, make_place

pytestmark = pytest.mark.django_db

RESOURCES = "/deploy/tiny-chat/resources/"
PREVIEW = "/deploy/tiny-chat/resources/preview/"
REVIEW = "/deploy/tiny-chat/review/"


@pytest.fixture
def place(workspace):
    return make_place(workspace)


@pytest.fixture
def browser(client_for, member, place):
    return client_for(member)


@pytest.fixture
def answers(place):
    return {
        "name": "support-bot",
        "version_name": "v1",
        "description": "Answers customers",
        "group": place.group.pk,
        "specification": "cpu.2",
        "instances": "2",
        "environment": "GREETING=hello\n\nLANG=en",
        "health_path": "/health",
        "response_timeout": "60",
        "grace_period": "20",
        "auth_enabled": "on",
    }


def test_both_steps_and_one_click_make_a_service(browser, answers):
    assert browser.get("/deploy/tiny-chat/").headers["Location"] == RESOURCES
    assert browser.post(RESOURCES, answers).headers["Location"] == REVIEW
    assert "support-bot" in browser.get(REVIEW).content.decode()
    done = browser.post(REVIEW)
    service = Service.objects.get()
    assert done.headers["Location"] == reverse("services:overview", args=[service.pk])
    version = service.versions.get()
    assert (service.name, service.response_timeout, service.auth_enabled) == (
        "support-bot",
        60,
        True,
    )
    assert (version.specification.code, version.instance_count) == ("cpu.2", 2)
    assert version.environment == {"GREETING": "hello", "LANG": "en"}


def test_a_viewer_may_not_open_or_use_the_wizard(client_for, viewer, place, answers):
    browser = client_for(viewer)
    assert browser.get(RESOURCES).status_code == 403
    assert browser.post(RESOURCES, answers).status_code == 403
    assert browser.post(PREVIEW, answers).status_code == 403
    assert browser.post(REVIEW).status_code == 403
    assert not Service.objects.exists()


def test_a_stranger_cannot_deploy_into_a_group_of_another_workspace(
    client_for, stranger, place, answers
):
    browser = client_for(stranger)
    assert browser.post(RESOURCES, answers).headers["Location"] == RESOURCES
    assert "Select a valid choice" in browser.get(RESOURCES).content.decode()
    assert browser.post(REVIEW).headers["Location"] == RESOURCES
    assert not Service.objects.exists()


def test_somebody_signed_out_is_sent_to_the_sign_in_page(client, place):
    answer = client.get(RESOURCES)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize(
    "path", ["/deploy/no-such/resources/", "/deploy/tiny-chat/nothing/", "/deploy/no-such/"]
)
def test_an_unknown_model_or_step_is_no_page(browser, path):
    assert browser.get(path).status_code == 404


def test_a_model_that_was_withdrawn_is_no_page(browser, place):
    place.entry.enabled = False
    place.entry.save()
    assert browser.get(RESOURCES).status_code == 404


def test_other_methods_are_refused(browser):
    assert browser.put(RESOURCES).status_code == 405
    assert browser.get(PREVIEW).status_code == 405
    assert browser.delete(REVIEW).status_code == 405


def test_going_back_finds_everything_as_it_was(browser, answers):
    browser.post(RESOURCES, answers)
    page = browser.get(RESOURCES)
    form = page.context["form"]
    assert {name: str(form[name].value()) for name in ("name", "instances", "environment")} == {
        "name": "support-bot",
        "instances": "2",
        "environment": answers["environment"],
    }


def test_what_was_only_typed_survives_a_reload_without_showing_errors(browser):
    browser.post(PREVIEW, {"name": "half a na", "instances": "3"})
    page = browser.get(RESOURCES)
    assert page.context["form"]["name"].value() == "half a na"
    assert page.context["form"]["auth_enabled"].value() == ""
    assert "sw-field-error" not in page.content.decode()


def test_two_models_in_two_tabs_do_not_mix(browser, answers):
    make_entry("other-chat")
    browser.post(RESOURCES, answers)
    browser.post("/deploy/other-chat/resources/", {**answers, "name": "second"})
    assert browser.get(RESOURCES).context["form"]["name"].value() == "support-bot"
    other = browser.get("/deploy/other-chat/resources/")
    assert other.context["form"]["name"].value() == "second"


def test_the_review_sends_back_whoever_has_not_filled_in_the_steps(browser):
    assert browser.get(REVIEW).headers["Location"] == RESOURCES
    assert browser.post(REVIEW).headers["Location"] == RESOURCES


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "support bot", "letters, digits"),
        ("name", "", "required"),
        ("instances", "0", "greater than or equal to 1"),
        ("instances", "129", "from 1 to 128"),
        ("instances", "two", "whole number"),
        ("specification", "", "Choose a specification"),
        ("specification", "gpu.1", "No GPU in this region"),
        ("environment", "no equals sign", "NAME=value"),
        ("environment", "PORT=1", "set by Slipway"),
        ("environment", "1A=x", "not a variable name"),
        ("health_path", "health", "starts with /"),
        ("response_timeout", "99999", "less than or equal to 3600"),
        ("grace_period", "-1", "greater than or equal to 0"),
        ("version_name", "v 1", "letters, digits"),
        ("description", "x" * 201, "at most 200"),
    ],
)
def test_an_error_stands_at_its_field_and_in_the_summary(browser, answers, field, value, message):
    browser.post(RESOURCES, {**answers, field: value})
    page = browser.get(RESOURCES)
    assert message in str(page.context["form"].errors[field])
    assert f'href="#id_{field}"' in page.content.decode()
    assert f'id="id_{field}"' in page.content.decode()


def test_several_errors_are_told_at_once(browser, answers):
    browser.post(RESOURCES, {**answers, "name": "a b", "instances": "0", "environment": "x"})
    errors = browser.get(RESOURCES).context["form"].errors
    assert set(errors) == {"name", "instances", "environment"}


def test_a_name_that_is_taken_is_said_at_the_field(browser, answers, actor, place):
    deploy_service(actor, place, "support-bot")
    browser.post(RESOURCES, answers)
    errors = browser.get(RESOURCES).context["form"].errors
    assert "exists in this workspace" in str(errors["name"])


def test_too_little_capacity_is_said_at_the_number_of_instances(browser, answers, place):
    place.group.cu_limit = Decimal(3)
    place.group.save()
    browser.post(RESOURCES, answers)
    errors = browser.get(RESOURCES).context["form"].errors
    assert "needs 4 CU" in str(errors["instances"])


def test_the_review_does_not_show_values_of_variables(browser, answers):
    browser.post(RESOURCES, {**answers, "environment": "TOKEN=very-secret"})
    page = browser.get(REVIEW).content.decode()
    assert "TOKEN" in page
    assert "very-secret" not in page


def test_a_second_click_leads_to_the_service_of_the_first(browser, answers):
    browser.post(RESOURCES, answers)
    first, second = browser.post(REVIEW), browser.post(REVIEW)
    assert Service.objects.count() == 1
    assert second.headers["Location"] == first.headers["Location"]


def test_after_a_deployment_the_wizard_begins_anew(browser, answers):
    browser.post(RESOURCES, answers)
    browser.post(REVIEW)
    assert browser.get(RESOURCES).context["form"]["name"].value() in (None, "")
    browser.post(RESOURCES, {**answers, "name": "another"})
    browser.post(REVIEW)
    assert set(Service.objects.values_list("name", flat=True)) == {"support-bot", "another"}


def test_an_authentication_switched_off_is_kept_and_warned_of(browser, answers):
    answers.pop("auth_enabled")
    panel = browser.post(PREVIEW, answers).content.decode()
    assert "anyone who reaches the address" in panel
    browser.post(RESOURCES, answers)
    browser.post(REVIEW)
    assert Service.objects.get().auth_enabled is False


def test_a_region_or_group_that_is_missing_is_explained(browser, place):
    place.group.workspaces.clear()
    assert "No resource group of this region" in browser.get(RESOURCES).content.decode()
    place.group.delete()
    place.region.nodes.all().delete()
    place.region.delete()
    answer = browser.get(RESOURCES)
    assert answer.status_code == 404
    assert "There is no region yet" in answer.content.decode()
