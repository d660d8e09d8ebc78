"""The steps of a start, from rows that need no database."""

from datetime import timedelta

from services.models import Artifact, Instance
from services.progress import StepState, steps
from services.states import InstanceState
from tests.factories import NOW


def artifact(kind: str, state: str, **fields) -> Artifact:
    return Artifact(kind=kind, key=f"a-{kind}", state=state, **fields)


def instance(state: InstanceState, **fields) -> Instance:
    return Instance(state=state, wanted=True, **fields)


def states(artifacts, instances) -> list[StepState]:
    return [step.state for step in steps(artifacts, instances, [], NOW)]


READY = [artifact("image", "ready"), artifact("model", "ready")]


def test_image_and_model_files_are_fetched_side_by_side():
    fetching = [
        artifact("image", "preparing", step="pulling", done=1, total=4),
        artifact("model", "wanted"),
    ]
    found = steps(fetching, [instance(InstanceState.PREPARING)], [], NOW)
    assert [step.state for step in found] == ["active", "active", "waiting", "waiting"]
    assert found[0].percent == 25


def test_the_health_check_waits_for_the_start():
    assert states(READY, [instance(InstanceState.PENDING)])[2:] == ["active", "waiting"]


def test_the_health_check_is_active_while_instances_start():
    starting = instance(InstanceState.STARTING, started_at=NOW)
    assert states(READY, [starting])[2:] == ["done", "active"]


def test_all_is_done_once_every_instance_answers():
    later = NOW + timedelta(seconds=3)
    ready = instance(InstanceState.READY, started_at=NOW, ready_at=later)
    found = steps(READY, [ready], [], NOW)
    assert {step.state for step in found} == {StepState.DONE}
    assert found[-1].seconds == 3


def test_a_permanent_failure_of_the_files_is_told():
    failed = [READY[0], artifact("model", "failed", error="no such file", permanent=True)]
    found = steps(failed, [instance(InstanceState.PREPARING)], [], NOW)
    assert found[1].state is StepState.FAILED
    assert found[1].detail == "no such file"


def test_a_failure_that_passes_by_itself_is_tried_again():
    failed = [READY[0], artifact("model", "failed", error="no network")]
    assert steps(failed, [], [], NOW)[1].detail == "no network; trying again"


def test_a_failed_instance_fails_the_start():
    failed = instance(InstanceState.FAILED, reason="exit 1")
    assert states(READY, [failed])[2:] == ["failed", "waiting"]
