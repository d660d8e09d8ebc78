"""The terminal commands and what an installation has on its first day."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import AuditEntry, User, Workspace
from billing.models import CuPrice
from services.drivers.base import DriverUnavailable, PermanentFailure
from services.models import CatalogEntry, Limit, Region, ResourceGroup, Service, Specification
from services.states import Desired, InstanceState, Status
from tests.factories import make_ready


def run(*arguments: str, **options) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.fixture
def no_docker(monkeypatch, db):
    def check(_self) -> None:
        raise DriverUnavailable("no engine here")

    monkeypatch.setattr("services.drivers.docker.DockerDriver.check", check)
    monkeypatch.delenv("SLIPWAY_ADMIN_PASSWORD", raising=False)


def test_the_first_day_has_all_that_a_deployment_needs(no_docker):
    said = run("load_defaults")
    region = Region.objects.get()
    group = ResourceGroup.objects.get()
    assert (region.code, region.driver, group.name) == ("local", "process", "rg-shared")
    assert group.workspaces.get() == Workspace.objects.get(name="default")
    assert {s.code for s in Specification.objects.all()} >= {"cpu.1", "cpu.8", "gpu.1"}
    assert CatalogEntry.objects.filter(slug="smollm2-135m-instruct", enabled=True).exists()
    assert region.nodes.get().memory_mib > 0
    assert Limit.objects.count() == CuPrice.objects.count() + 1 == 4
    password = said.split("password:")[1].strip()
    assert User.objects.get(username="admin").check_password(password)


def test_a_region_of_containers_comes_where_there_is_an_engine(db, monkeypatch):
    monkeypatch.setattr("services.drivers.docker.DockerDriver.check", lambda _self: None)
    monkeypatch.setattr("services.drivers.docker.DockerDriver.nodes", lambda _self: [])
    run("load_defaults")
    assert list(Region.objects.values_list("code", flat=True)) == ["local", "docker"]
    assert ResourceGroup.objects.count() == 2


def test_a_second_time_nothing_is_made_changed_or_told(no_docker):
    run("load_defaults")
    Specification.objects.filter(code="cpu.1").update(enabled=False)
    Limit.objects.filter(code="services_per_group").update(value=9)
    CuPrice.objects.update(amount=1)
    Region.objects.update(code="hall-3", enabled=False)
    assert "password" not in run("load_defaults")
    assert not Specification.objects.get(code="cpu.1").enabled
    assert Limit.objects.get(code="services_per_group").value == 9
    assert set(CuPrice.objects.values_list("amount", flat=True)) == {1}
    assert Region.objects.get().code == "hall-3"
    assert User.objects.count() == 1


def test_a_password_that_the_operator_gave_is_used_and_not_printed(no_docker, monkeypatch):
    monkeypatch.setenv("SLIPWAY_ADMIN_PASSWORD", "from-the-vault-77")
    assert "from-the-vault-77" not in run("load_defaults")
    assert User.objects.get().check_password("from-the-vault-77")


def test_deploy_makes_a_service_and_says_its_id(stage):
    said = run("deploy", "tiny-chat", "--name", "demo", "--instances", "2")
    service = Service.objects.get()
    assert said == f"{service.pk}  demo\n"
    assert service.versions.get().instance_count == 2
    assert AuditEntry.objects.filter(action="service.deploy", actor=None).exists()


def test_deploy_that_waits_ends_with_a_call_to_paste(stage, monkeypatch):
    def work(_seconds: float) -> None:
        stage.settle(Service.objects.get())

    monkeypatch.setattr("console.management.commands.deploy.time.sleep", work)
    said = run("deploy", "tiny-chat", "--name", "demo", "--wait")
    service = Service.objects.get()
    assert "ServiceRunning" in said
    assert f"address: http://127.0.0.1:8080/{service.pk}" in said
    assert f"Authorization: DW-{service.pk}-" in said


def test_deploy_that_waits_fails_with_the_services_reason(stage, monkeypatch):
    monkeypatch.setattr(
        "console.management.commands.deploy.time.sleep",
        lambda _: stage.settle(Service.objects.get()),
    )
    monkeypatch.setattr(
        "services.drivers.fake.FakeDriver.ensure_image", refuse_for_good, raising=True
    )
    with pytest.raises(CommandError, match="demo is failed: no such image"):
        run("deploy", "tiny-chat", "--name", "demo", "--wait")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("deploy", "no-such", "--name", "a"), "There is no model no-such; there are: tiny-chat"),
        (("deploy", "tiny-chat", "--name", "a b"), "letters, digits"),
        (("deploy", "tiny-chat", "--name", "a", "--specification", "x"), "no specification x"),
        (("deploy", "tiny-chat", "--name", "a", "--instances", "600"), "1 to 128"),
        (("deploy", "tiny-chat", "--name", "a", "--region", "mars"), "no region mars"),
        (("deploy", "tiny-chat", "--name", "a", "--group", "g"), "no resource group g"),
        (("stop", "nobody"), "There is no service nobody"),
        (("services", "--workspace", "nowhere"), "There is no workspace nowhere"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_there_is(stage, arguments, words):
    with pytest.raises(CommandError, match=words) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value)
    assert not Service.objects.exists()


def test_services_lists_status_and_ready_instances(stage):
    make_ready(stage.deploy(instances=2))
    (line,) = [line for line in run("services").splitlines() if "demo" in line]
    assert "running" in line
    assert "2/2" in line


def test_stop_start_and_delete_by_name(stage):
    service = stage.deploy()
    stage.settle(service)
    assert run("stop", "demo") == "demo: stopping\n"
    stage.settle(service)
    assert run("start", service.pk) == "demo: pending\n"
    with pytest.raises(CommandError, match="is running"):
        run("delete", "demo", "--yes")
    run("delete", "demo", "--yes", "--even-if-running")
    assert Service.objects.get().desired == Desired.DELETED


def test_a_key_is_added_shown_disabled_and_deleted(stage):
    stage.deploy()
    plain = run("keys", "demo", "add", "ci", "--days", "30").strip()
    assert run("keys", "demo", "reveal", "ci").strip() == plain
    run("keys", "demo", "disable", "ci")
    assert "disabled" in next(line for line in run("keys", "demo").splitlines() if "ci " in line)
    run("keys", "demo", "delete", "ci")
    with pytest.raises(CommandError, match="has no key ci; it has: built-in"):
        run("keys", "demo", "reveal", "ci")


def test_recover_tells_what_it_found_and_goes_on_without_an_engine(stage):
    service = stage.deploy()
    stage.settle(service)
    stage.driver.remove(stage.instances(service)[0].name)
    assert "here: 0 running, 1 to start again" in run("recover")
    assert stage.instances(service)[0].state == InstanceState.PENDING
    stage.driver.unavailable = "Docker does not answer"
    assert "Docker does not answer" in run("recover")
    stage.driver.unavailable = ""
    assert stage.settle(service) == Status.RUNNING


def refuse_for_good(*_arguments) -> str:
    raise PermanentFailure("no such image")
