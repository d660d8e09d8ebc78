"""From a deployment to running instances and back, on the fake driver."""

from services import operations
from services.drivers.base import DriverError, PermanentFailure, Progress
from services.drivers.fake import Script
from services.models import ApiKey, Artifact, Event, Instance, Service, Version
from services.operations import changed
from services.operations.instances import move
from services.reconcile import prepare
from services.reconcile.execute import LONGEST_LINE
from services.reconcile.reconcile import look_once, reconcile
from services.states import InstanceState, Status


def reasons(service) -> list[str]:
    return list(service.events.order_by("first_at", "id").values_list("reason", flat=True))


def test_a_deployment_becomes_running(stage):
    service = stage.deploy(instances=2)
    assert stage.settle(service) == Status.RUNNING
    rows = stage.instances(service)
    assert [row.state for row in rows] == [InstanceState.READY] * 2
    assert all(row.address.startswith("fake-") for row in rows)
    assert stage.running() == {row.name for row in rows}
    assert {"Deployed", "Prepared", "Started", "Ready", "ServiceRunning"} <= set(reasons(service))


def test_the_same_look_twice_starts_nothing_twice(stage):
    service = stage.deploy(instances=3)
    version = service.versions.get()
    stage.settle(service)
    for _ in range(3):
        stage.look(version)
    starts = [name for verb, name in stage.driver.calls if verb == "start"]
    assert len(starts) == len(set(starts)) == 3


def test_a_look_at_what_is_gone_does_nothing(stage):
    assert look_once("mv-never-there", stage.clock).again_after is None


def test_a_slow_pull_is_shown_while_it_lasts(stage):
    service = stage.deploy()
    shown = []

    def in_between() -> None:
        stage.look(service.versions.get())
        shown.append((stage.status(service), stage.instances(service)[0].reason))

    stage.driver.pull_steps = (Progress("Pulling layers", 40, 100),)
    stage.driver.on_pull = in_between
    stage.settle(service)
    assert shown == [(Status.STARTING, "Pulling layers: 40 %")]
    assert service.events.filter(reason="Preparing", message="Pulling layers").exists()


def test_a_pull_that_fails_is_tried_again(stage):
    stage.driver.pull_failures = [DriverError("registry timed out")] * 2
    service = stage.deploy()
    assert stage.settle(service) == Status.RUNNING
    failure = service.events.get(reason="PrepareFailed")
    assert (failure.message, failure.count) == ("registry timed out", 2)


def test_a_pull_that_cannot_work_fails_the_service_with_its_reason(stage):
    stage.driver.pull_failures = [PermanentFailure("no such image: check its name")]
    service = stage.deploy()
    assert stage.settle(service) == Status.FAILED
    service.refresh_from_db()
    assert service.status_reason == "no such image: check its name"


def test_a_start_after_a_permanent_failure_tries_anew(stage):
    stage.driver.pull_failures = [PermanentFailure("no such image")]
    service = stage.deploy()
    stage.settle(service)
    operations.start_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.RUNNING


def test_a_stop_and_a_start_after_a_permanent_failure_try_anew(stage):
    stage.driver.pull_failures = [PermanentFailure("no such image")]
    service = stage.deploy()
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.STOPPED
    operations.start_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.RUNNING


def test_another_deployment_after_a_permanent_failure_tries_anew(stage):
    stage.driver.pull_failures = [PermanentFailure("no such image")]
    stage.settle(stage.deploy("first"))
    assert stage.settle(stage.deploy("second")) == Status.RUNNING


def test_an_artifact_that_fails_for_days_is_still_tried(stage):
    service = stage.deploy()
    stage.look(service.versions.get())
    Artifact.objects.filter(kind=Artifact.Kind.IMAGE).update(
        attempts=3000, state=Artifact.State.FAILED
    )
    stage.driver._images.clear()
    stage.driver.pull_failures = [DriverError("still down")]
    prepare.prepare(Artifact.objects.get(kind=Artifact.Kind.IMAGE).pk, clock=stage.clock)
    artifact = Artifact.objects.get(kind=Artifact.Kind.IMAGE)
    assert artifact.next_attempt_at == stage.now + prepare.LONGEST_WAIT


def test_a_long_attempt_that_fails_is_told_and_repeated_from_its_end(stage):
    stage.driver.on_pull = lambda: stage.later(600)
    stage.driver.pull_failures = [DriverError("connection reset")]
    service = stage.deploy()
    stage.look(service.versions.get())
    artifact = Artifact.objects.get(kind=Artifact.Kind.IMAGE)
    assert artifact.next_attempt_at == stage.now + prepare.FIRST_WAIT
    assert service.events.get(reason="PrepareFailed").last_at == stage.now


def test_a_last_log_line_with_bytes_that_no_database_holds_is_kept(stage):
    stage.driver.default = Script(ready_after=60)
    service = stage.deploy()
    stage.look(service.versions.get())
    stage.look(service.versions.get())
    (row,) = stage.instances(service)
    stage.driver.print_line(row.name, "bad\x00byte " + "x" * 5000)
    stage.driver.script(row.name, Script(exit_after=0))
    stage.look(service.versions.get())
    log = service.events.get(reason="Exited").detail["log"]
    assert log[-1].startswith("bad\ufffdbyte x")
    assert len(log[-1]) == LONGEST_LINE


def test_a_crash_loop_becomes_failed_with_the_last_log_line(stage):
    stage.driver.default = Script(ready_after=60, exit_after=1, exit_code=3)
    service = stage.deploy()
    assert stage.settle(service) == Status.FAILED
    (row,) = stage.instances(service)
    assert row.restart_count == 4
    assert row.reason.startswith("exited 5 times: exited with code 3 · last log line: ")
    failed = service.events.get(reason="Failed")
    assert failed.detail["log"] == [f"{row.name} started"]
    assert not stage.running()


def test_out_of_memory_is_said_in_words(stage):
    stage.driver.default = Script(ready_after=60, exit_after=1, oom=True)
    service = stage.deploy()
    stage.settle(service)
    service.refresh_from_db()
    assert "out of memory" in service.status_reason


def test_a_failed_service_starts_again_when_asked(stage):
    stage.driver.default = Script(ready_after=60, exit_after=1)
    service = stage.deploy()
    stage.settle(service)
    stage.driver.default = Script()
    operations.start_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.RUNNING
    assert stage.instances(service)[0].crash_count == 0


def test_one_crash_is_healed_and_forgotten_after_a_while(stage):
    service = stage.deploy()
    stage.settle(service)
    stage.driver.remove(stage.instances(service)[0].name)
    assert stage.settle(service) == Status.RUNNING
    (row,) = stage.instances(service)
    assert (row.crash_count, row.restart_count) == (1, 1)
    stage.later(121)
    stage.look(service.versions.get())
    assert stage.instances(service)[0].crash_count == 0


def test_an_instance_that_never_gets_healthy_fails_in_the_end(stage):
    stage.driver.default = Script(ready_after=float("inf"))
    service = stage.deploy()
    service.versions.update(start_timeout=60)
    assert stage.settle(service) == Status.FAILED
    assert "not healthy within 60 s" in stage.instances(service)[0].reason


def test_a_start_that_is_refused_backs_off_and_fails(stage):
    stage.driver.default = Script(start_error=DriverError("no room on the node"))
    service = stage.deploy()
    assert stage.settle(service) == Status.FAILED
    reason = stage.instances(service)[0].reason
    assert reason == "failed 5 times: could not be started: no room on the node"


def test_a_driver_that_is_down_is_waited_for(stage):
    service = stage.deploy()
    stage.driver.unavailable = "Docker does not answer"
    result = stage.look(service.versions.get())
    assert result.again_after is not None
    event = service.events.get(reason="DriverError")
    assert (event.message, event.level) == ("Docker does not answer", Event.Level.WARNING)
    stage.driver.unavailable = ""
    assert stage.settle(service) == Status.RUNNING


def test_a_driver_that_goes_down_does_not_restart_what_runs(stage):
    service = stage.deploy()
    stage.settle(service)
    stage.driver.unavailable = "Docker does not answer"
    for _ in range(20):
        stage.look(service.versions.get())
    stage.driver.unavailable = ""
    assert stage.settle(service) == Status.RUNNING
    assert stage.instances(service)[0].restart_count == 0


def test_a_running_copy_whose_address_is_dead_is_replaced(stage):
    service = stage.deploy()
    stage.settle(service)
    (row,) = stage.instances(service)
    stage.driver.script(row.name, Script(unreachable=True))
    stage.look(service.versions.get())
    assert stage.instances(service)[0].failed_probes == 1
    for _ in range(11):
        stage.later(5)
        stage.look(service.versions.get())
    assert stage.instances(service)[0].state == InstanceState.BACKING_OFF
    assert not stage.running()


def test_an_unhealthy_instance_is_told_and_leaves_the_running_status(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    row = stage.instances(service)[0]
    stage.driver.script(row.name, Script(unreachable=True))
    for _ in range(3):
        stage.look(service.versions.get())
    assert stage.status(service) == Status.DEGRADED
    assert service.events.filter(reason="Unhealthy", level=Event.Level.WARNING).exists()


def test_something_else_of_the_same_name_is_not_taken_for_ours(stage):
    service = stage.deploy()
    (row,) = stage.instances(service)
    stage.driver.scripts[row.name] = Script(labels={"of": "somebody"})
    stage.settle(service, most_seconds=1)
    stage.driver._instances[row.name].script = Script(labels={"of": "somebody"})
    Instance.objects.filter(pk=row.pk).update(state=InstanceState.PENDING)
    assert stage.settle(service) == Status.FAILED
    assert "exists already" in stage.instances(service)[0].reason
    assert row.name in stage.driver._instances


def test_a_driver_that_reports_twice_changes_nothing(stage):
    stage.driver.default = Script(duplicates=2)
    service = stage.deploy(instances=2)
    assert stage.settle(service) == Status.RUNNING
    assert len(stage.instances(service)) == 2


def test_who_read_a_row_before_it_changed_moves_nothing(stage):
    service = stage.deploy()
    (row,), (stale,) = stage.instances(service), stage.instances(service)
    assert move(row, InstanceState.PREPARING, now=stage.now)
    assert not move(stale, InstanceState.FAILED, now=stage.now)
    assert stage.instances(service)[0].state == InstanceState.PREPARING


def test_a_worker_that_died_after_a_start_is_succeeded(stage):
    service = stage.deploy()
    stage.settle(service)
    (row,) = stage.instances(service)
    move(row, InstanceState.PENDING, now=stage.now, address="", started_at=None)
    assert stage.settle(service) == Status.RUNNING
    assert [verb for verb, _ in stage.driver.calls].count("start") == 1


def test_a_stop_ends_all_instances_and_a_start_brings_them_back(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    assert stage.status(service) == Status.STOPPING
    assert stage.settle(service) == Status.STOPPED
    assert not stage.running()
    assert not stage.instances(service)
    operations.start_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.RUNNING


def test_a_start_while_it_stops_ends_running(stage):
    service = stage.deploy()
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    operations.start_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.RUNNING
    assert len(stage.instances(service)) == len(stage.running()) == 1


def test_a_stop_during_the_pull_starts_nothing(stage):
    service = stage.deploy()
    stage.look(service.versions.get())
    operations.stop_service(stage.actor, service, now=stage.now)
    assert stage.settle(service) == Status.STOPPED
    assert "start" not in [verb for verb, _ in stage.driver.calls]


def test_a_delete_removes_every_row_and_copy(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    delete(stage, service)
    stage.settle(service)
    for table in (Service, Version, Instance, ApiKey, Event):
        assert not table.objects.exists(), table
    assert not stage.driver.observe({})


def test_new_settings_reach_the_instances_one_at_a_time(stage):
    service = stage.deploy(instances=3)
    stage.settle(service)
    version = service.versions.get()
    wanted = changed(service, environment={"COLOUR": "blue"})
    operations.modify_service(stage.actor, service, wanted, now=stage.now)
    fewest = 3
    for _ in range(60):
        stage.look(version)
        stage.later(0.25)
        ready = Instance.objects.filter(state=InstanceState.READY).count()
        fewest = min(fewest, ready)
    assert fewest == 2
    specs = [i.spec.env["COLOUR"] for i in stage.driver._instances.values()]
    assert specs == ["blue"] * 3
    assert stage.status(service) == Status.RUNNING


def test_scaling_out_and_in_keeps_the_others_running(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    before = {row.pk for row in stage.instances(service)}
    for count in (4, 1):
        fresh = Service.objects.get(pk=service.pk)
        operations.modify_service(
            stage.actor, fresh, changed(fresh, instances=count), now=stage.now
        )
        assert stage.settle(service) == Status.RUNNING
        assert len(stage.running()) == len(stage.instances(service)) == count
    assert {row.pk for row in stage.instances(service)} <= before
    assert all(row.restart_count == 0 for row in stage.instances(service))


def test_while_it_scales_in_the_service_is_simply_running(stage):
    service = stage.deploy(instances=2)
    stage.settle(service)
    service = Service.objects.get(pk=service.pk)
    operations.modify_service(stage.actor, service, changed(service, instances=1), now=stage.now)
    assert stage.status(service) == Status.RUNNING


def test_a_worker_stays_with_a_version_until_it_rests(stage, monkeypatch):
    service = stage.deploy()
    stage.settle(service)
    operations.stop_service(stage.actor, service, now=stage.now)
    monkeypatch.setattr("services.reconcile.reconcile.time.sleep", stage.later)
    assert reconcile(service.versions.get().pk, clock=stage.clock).again_after is None
    assert stage.status(service) == Status.STOPPED


def delete(stage, service) -> None:
    operations.delete_service(
        stage.actor, service, confirmation=service.name, even_if_running=True, now=stage.now
    )
