"""The operators' pages: what can be set, what is refused, what is only shown."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.forms.models import model_to_dict

from services.models import CatalogEntry, Limit, Region, Service, Specification

TABLES = (
    "region",
    "specification",
    "resourcegroup",
    "limit",
    "catalogentry",
    "service",
    "version",
    "instance",
    "artifact",
    "event",
)


@pytest.fixture
def browser(operator, client_for):
    return client_for(operator)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_listed_and_searched(stage, browser, table):
    stage.settle(stage.deploy())
    for query in ("", "?q=demo"):
        assert browser.get(f"/admin/services/{table}/{query}").status_code == 200


def test_a_member_does_not_get_in(stage, member, client_for):
    answer = client_for(member).get("/admin/services/limit/")
    assert answer.status_code == 302


@pytest.mark.parametrize("table", ["service", "version", "instance", "artifact", "event"])
def test_what_workers_write_cannot_be_changed_here(stage, browser, table):
    assert browser.get(f"/admin/services/{table}/add/").status_code == 403
    service = stage.deploy()
    url = f"/admin/services/service/{service.pk}/change/"
    assert browser.post(url, {"name": "other"}).status_code == 403
    assert Service.objects.get().name == "demo"


def test_a_changed_limit_leaves_its_old_and_new_value(browser):
    limit = Limit.objects.create(code=Limit.Code.SERVICES_PER_GROUP, value=5)
    url = f"/admin/services/limit/{limit.pk}/change/"
    browser.post(url, {"code": limit.code, "workspace": "", "group": "", "value": "9"})
    assert Limit.objects.get().value == 9
    assert LogEntry.objects.get().change_message == "Value changed from 5 to 9."


def test_a_limit_that_nothing_would_read_is_refused(stage, browser):
    workspace = stage.actor.workspace.pk
    data = {"code": "services_per_group", "workspace": workspace, "group": "", "value": "9"}
    answer = browser.post("/admin/services/limit/add/", data)
    assert "This limit is one of groups." in answer.content.decode()
    assert not Limit.objects.exists()


def test_saving_a_region_tests_its_connection(stage, browser):
    stage.driver.unavailable = "Docker does not answer"
    region = stage.place.region
    data = {
        **model_to_dict(region, exclude=["id", "created_at"]),
        "driver_options": "{}",
        "enabled": "on",
    }
    answer = browser.post(f"/admin/services/region/{region.pk}/change/", data, follow=True)
    assert "Docker does not answer" in answer.content.decode()
    assert Region.objects.get().problem == "Docker does not answer"


def test_a_specification_in_use_keeps_its_size(stage, browser):
    stage.deploy()
    size = stage.place.specification
    data = {"vcpu": "64", "cu": "1", "enabled": "on"}
    browser.post(f"/admin/services/specification/{size.pk}/change/", data)
    assert Specification.objects.get(pk=size.pk).vcpu == 1


def test_an_own_model_is_added(browser):
    answer = browser.post("/admin/services/catalogentry/add/", an_entry())
    assert answer.status_code == 302, answer.context["errors"]
    entry = CatalogEntry.objects.get(slug="our-model")
    assert (entry.shipped, entry.runtime_options) == (False, {"model_file": "m.gguf"})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task": "predict"}, "llm serves: chat."),
        ({"runtime": "pytorch"}, "is not one of the available choices"),
        ({"runtime_options": '{"slots": "many"}'}, "The runtime cannot read this"),
        ({"runtime_options": "[1]"}, "Enter a JSON object"),
    ],
)
def test_a_model_that_could_not_be_started_is_refused(browser, wrong, words):
    answer = browser.post("/admin/services/catalogentry/add/", {**an_entry(), **wrong})
    assert words in answer.content.decode()
    assert not CatalogEntry.objects.exists()


def an_entry() -> dict[str, str]:
    return {
        "name": "Our model",
        "slug": "our-model",
        "family": "Ours",
        "publisher": "Us",
        "task": "chat",
        "service_type": "model",
        "licence": "Proprietary",
        "source_kind": "path",
        "source": "/models/ours",
        "source_files": "{}",
        "runtime": "llm",
        "runtime_options": json.dumps({"model_file": "m.gguf"}),
        "memory_mib": "2048",
        "gpu_memory_mib": "0",
        "signature": "{}",
        "enabled": "on",
        "order": "100",
    }
