"""The verbs: what they refuse, what they leave, and that a refusal leaves nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.access import Actor
from accounts.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from accounts.models import AuditEntry, Role
from services import operations
from services.capacity import balance
from services.models import ApiKey, Limit, Service, Version
from services.operations import changed
from services.operations.deploy import FIRST_CU_LIMIT, RAISED_CU_LIMIT
from services.states import Status
from tests.factories import NOW, make_entry, make_group, make_region, plan_for
from tests.people import actor_of


def refused(stage, **fields) -> dict[str, str]:
    """Return what a deployment is refused for, by field; nothing may be left of it."""
    with pytest.raises(InvalidInput) as caught:
        stage.deploy(**fields)
    assert not Version.objects.exists()
    assert not AuditEntry.objects.exists()
    return dict(caught.value.fields)


def test_a_deployment_leaves_all_its_rows(stage):
    service = stage.deploy(instances=3)
    assert service.status == Status.PENDING
    assert service.api_keys.get().built_in
    assert len(stage.instances(service)) == 3
    assert balance(stage.place.group).used == 3
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert actions == {"service.deploy", "key.create"}


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "ä", "a\n", "../x", "a;drop", "名"])
def test_a_name_that_is_none_is_refused_at_its_field(stage, name):
    assert "name" in refused(stage, name=name)


def test_names_may_hold_letters_digits_hyphens_and_underscores(stage):
    assert stage.deploy("A-z_0" + "x" * 59).name.startswith("A-z_0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instances", 0),
        ("instances", 129),
        ("instances", True),
        ("description", "x" * 201),
        ("description", "nul \x00"),
        ("description", "half a pair \ud800"),
        ("response_timeout", 0),
        ("grace_period", 3601),
        ("health_path", "health"),
        ("environment", {"1A": "x"}),
        ("environment", {"MODEL_PATH": "/etc"}),
        ("environment", {"PORT": "1"}),
        ("environment", {"A": "x" * 4097}),
        ("environment", {"A": "\x00"}),
        ("environment", {"A": "\udfff"}),
        ("environment", {f"V{n}": "" for n in range(101)}),
    ],
)
def test_a_wrong_value_is_refused_at_its_field(stage, field, value):
    assert field in refused(stage, **{field: value})


def test_all_wrong_fields_are_told_at_once(stage):
    assert set(refused(stage, name="", instances=0, grace_period=-1)) == {
        "name",
        "instances",
        "grace_period",
    }


def test_the_longest_names_can_be_deployed_and_told(stage):
    service = stage.deploy("s" * 64, version_name="v" * 64)
    told = service.events.get(reason="Deployed").resource_name
    assert told == f"{'s' * 64}/{'v' * 63}"


def test_a_description_may_have_lines(stage):
    assert stage.deploy(description="one\r\ntwo").description == "one\r\ntwo"


def test_a_model_that_does_not_fit_is_refused_with_the_reason(stage):
    big = make_entry("big", memory_mib=10_000)
    assert refused(stage, entry=big)["specification"] == "Needs 9.8 GiB; cpu.1 has 4 GiB"


def test_a_group_that_is_not_attached_is_refused(stage):
    loose = make_group(stage.place.region, name="loose")
    assert "not attached" in refused(stage, group=loose)["group"]


def test_a_group_of_another_region_is_refused(stage):
    far = make_group(make_region("far"), stage.actor.workspace)
    assert "choose a group of here" in refused(stage, group=far)["group"]


def test_a_region_that_is_switched_off_is_refused(stage):
    stage.place.region.enabled = False
    assert "choose another region" in refused(stage)["region"]


def test_a_viewer_may_not_deploy(stage):
    viewer = Actor(stage.actor.user, stage.actor.workspace, Role.VIEWER)
    with pytest.raises(NotAllowed, match="developer"):
        operations.deploy(viewer, plan_for(stage.place), now=NOW)
    assert not Service.objects.exists()


@pytest.mark.parametrize("verb", ["start_service", "stop_service"])
def test_a_viewer_may_not_start_or_stop(stage, viewer, verb):
    service = stage.deploy()
    with pytest.raises(NotAllowed):
        getattr(operations, verb)(actor_of(viewer, stage.actor.workspace), service, now=NOW)


def test_the_sixth_service_of_a_group_is_refused_with_who_can_raise_it(stage):
    for n in range(5):
        stage.deploy(f"s-{n}")
    with pytest.raises(LimitReached, match=r"limit is 5, this would make 6.* operator can raise"):
        stage.deploy("s-6")


def test_an_operators_limit_for_one_workspace_comes_first(stage):
    code = Limit.Code.SERVICES_PER_WORKSPACE
    Limit.objects.create(code=code, value=1)
    Limit.objects.create(code=code, workspace=stage.actor.workspace, value=2)
    stage.deploy("a")
    stage.deploy("b")
    with pytest.raises(LimitReached, match="limit is 2"):
        stage.deploy("c")


def test_capacity_is_refused_with_the_shortfall(stage):
    set_limit(stage, 3)
    with pytest.raises(LimitReached, match="needs 4 CU; rg-shared has 3 of 3 CU left"):
        stage.deploy(instances=4)
    assert not Service.objects.exists()


def test_a_review_refuses_what_a_deployment_would_and_makes_nothing(stage):
    operations.check_plan(stage.actor, plan_for(stage.place))
    with pytest.raises(InvalidInput):
        operations.check_plan(stage.actor, plan_for(stage.place, name=""))
    assert not Service.objects.exists()


def test_the_first_deployment_raises_a_pay_as_you_go_group(stage):
    assert stage.place.group.cu_limit == FIRST_CU_LIMIT
    stage.deploy()
    stage.place.group.refresh_from_db()
    assert stage.place.group.cu_limit == RAISED_CU_LIMIT


def test_a_limit_that_an_operator_chose_is_not_raised(stage):
    set_limit(stage, 77)
    stage.deploy()
    stage.place.group.refresh_from_db()
    assert stage.place.group.cu_limit == 77


def test_a_stopping_service_still_holds_its_cu(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    assert balance(stage.place.group).used == 2
    stage.settle(service)
    assert balance(stage.place.group).used == 0


def test_a_start_without_room_is_refused_and_changes_nothing(stage):
    service = stage.deploy()
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    stage.settle(service)
    set_limit(stage, 0)
    with pytest.raises(LimitReached):
        operations.start_service(stage.actor, service, now=stage.now)
    assert stage.status(service) == Status.STOPPED


def test_a_second_stop_changes_nothing(stage):
    service = stage.deploy()
    for _ in range(2):
        operations.stop_service(stage.actor, service, now=NOW)
    assert AuditEntry.objects.filter(action="service.stop").count() == 1


def test_a_second_start_changes_nothing(stage):
    service = stage.deploy()
    stage.settle(service)
    operations.start_service(stage.actor, service, now=NOW)
    assert not service.events.filter(reason="Started", resource_type="Service").exists()
    assert not AuditEntry.objects.filter(action="service.start").exists()


def test_a_delete_wants_the_name(stage):
    service = stage.deploy()
    with pytest.raises(InvalidInput, match="Type demo"):
        operations.delete_service(
            stage.actor, service, confirmation="Demo", even_if_running=True, now=NOW
        )
    assert stage.status(service) == Status.PENDING


def test_a_running_service_is_not_deleted_by_accident(stage):
    service = stage.deploy()
    with pytest.raises(Conflict, match="is running"):
        operations.delete_service(
            stage.actor, service, confirmation="demo", even_if_running=False, now=NOW
        )


def test_what_is_being_deleted_takes_no_other_verb(stage):
    service = stage.deploy()
    operations.delete_service(
        stage.actor, service, confirmation="demo", even_if_running=True, now=NOW
    )
    for verb in (operations.start_service, operations.stop_service):
        with pytest.raises(Conflict, match="is being deleted"):
            verb(stage.actor, service, now=NOW)


def test_a_change_of_name_restarts_nothing(stage):
    service = stage.deploy()
    done = operations.modify_service(stage.actor, service, changed(service, name="new"), now=NOW)
    assert (done.changed, done.restarts) == (("name",), False)
    assert Service.objects.get().name == "new"
    assert Version.objects.get().revision == 1


def test_a_change_of_nothing_leaves_no_line(stage):
    service = stage.deploy()
    operations.modify_service(stage.actor, service, changed(service), now=NOW)
    assert not AuditEntry.objects.filter(action="service.modify").exists()


def test_the_name_of_another_service_cannot_be_taken(stage):
    stage.deploy("taken")
    service = stage.deploy("mine")
    with pytest.raises(InvalidInput, match="A service named taken exists"):
        operations.modify_service(stage.actor, service, changed(service, name="taken"), now=NOW)


def test_growing_beyond_the_group_is_refused_and_changes_nothing(stage):
    service = stage.deploy()
    set_limit(stage, 2)
    with pytest.raises(LimitReached, match="needs 2 CU"):
        operations.modify_service(stage.actor, service, changed(service, instances=3), now=NOW)
    assert Version.objects.get().instance_count == 1
    assert balance(stage.place.group).used == Decimal(1)


def test_a_key_name_is_unique_in_its_service(stage):
    service = stage.deploy()
    operations.create_key(stage.actor, service, name="ci", now=NOW)
    with pytest.raises(InvalidInput, match="key named ci"):
        operations.create_key(stage.actor, service, name="ci", now=NOW)


def test_a_key_cannot_have_ended_already(stage):
    service = stage.deploy()
    with pytest.raises(InvalidInput, match="future"):
        operations.create_key(
            stage.actor, service, name="ci", now=NOW, expires_at=NOW - timedelta(seconds=1)
        )


def test_only_the_digest_and_a_cipher_of_a_key_are_stored(stage):
    service = stage.deploy()
    plain = operations.reveal_key(stage.actor, service.api_keys.get())
    key = ApiKey.objects.get()
    assert plain.startswith(f"DW-{service.pk}-")
    assert plain.encode() not in bytes(key.encrypted)
    assert plain[-4:] == key.hint
    assert AuditEntry.objects.filter(action="key.reveal", object_id=key.pk).exists()


def test_a_key_whose_cipher_is_lost_says_what_to_do(stage, settings):
    key = stage.deploy().api_keys.get()
    settings.ENCRYPTION_KEYS = ["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="]
    with pytest.raises(Conflict, match="add a new one"):
        operations.reveal_key(stage.actor, key)


def test_the_built_in_key_is_disabled_but_not_deleted(stage):
    key = stage.deploy().api_keys.get()
    with pytest.raises(Conflict, match="disable it instead"):
        operations.delete_key(stage.actor, key, now=NOW)
    operations.set_key_enabled(stage.actor, key, enabled=False, now=NOW)
    assert not ApiKey.objects.get().enabled


def test_a_viewer_calls_nothing_with_a_key(stage, viewer):
    key = stage.deploy().api_keys.get()
    watching = actor_of(viewer, stage.actor.workspace)
    with pytest.raises(NotAllowed):
        operations.key_for_call(watching, key)
    assert not AuditEntry.objects.filter(action="key.use").exists()


def test_a_key_that_somebody_deleted_meanwhile_is_not_deleted_again(stage):
    key = operations.create_key(stage.actor, stage.deploy(), name="ci", now=NOW)
    same = ApiKey.objects.get(pk=key.pk)
    operations.delete_key(stage.actor, key, now=NOW)
    with pytest.raises(NotFound):
        operations.delete_key(stage.actor, same, now=NOW)
    assert AuditEntry.objects.filter(action="key.delete").count() == 1


def test_a_service_that_is_gone_gets_no_key(stage):
    service = stage.deploy()
    Service.objects.filter(pk=service.pk).delete()
    with pytest.raises(NotFound):
        operations.create_key(stage.actor, service, name="ci", now=NOW)


def test_a_viewer_sees_no_key_and_is_told_who_may(stage, viewer):
    key = stage.deploy().api_keys.get()
    who = actor_of(viewer, stage.actor.workspace)
    with pytest.raises(NotAllowed, match=r"Only a developer .* can enable an API key"):
        operations.set_key_enabled(who, key, enabled=True, now=NOW)
    with pytest.raises(NotAllowed):
        operations.reveal_key(who, key)
    assert not AuditEntry.objects.filter(action="key.reveal").exists()


def set_limit(stage, cu: int) -> None:
    group = stage.place.group
    group.cu_limit = Decimal(cu)
    group.save(update_fields=["cu_limit"])
