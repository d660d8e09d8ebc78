"""The status that people are told; pure."""

import pytest

from services.states import LOOKS, TROUBLE, Desired, InstanceFacts, InstanceState, Status
from services.states import version_status as status_of

S = InstanceState


def facts(*states: InstanceState, current: bool = True, reason: str = "") -> list[InstanceFacts]:
    return [InstanceFacts(state, current, reason) for state in states]


@pytest.mark.parametrize(
    ("wanted", "states", "status"),
    [
        (1, [S.PENDING], Status.PENDING),
        (2, [S.PREPARING, S.PENDING], Status.STARTING),
        (1, [S.STARTING], Status.STARTING),
        (2, [S.READY, S.STARTING], Status.STARTING),
        (2, [S.READY, S.READY], Status.RUNNING),
        (2, [S.READY, S.BACKING_OFF], Status.DEGRADED),
        (2, [S.READY, S.UNHEALTHY], Status.DEGRADED),
        (2, [S.READY, S.FAILED], Status.DEGRADED),
        (1, [S.BACKING_OFF], Status.STARTING),
        (2, [S.FAILED, S.STARTING], Status.FAILED),
        (2, [S.READY, S.STOPPING], Status.UPDATING),
    ],
)
def test_the_status_of_a_version_that_is_to_run(wanted, states, status):
    assert status_of(Desired.RUNNING, wanted, facts(*states))[0] is status


def test_outdated_instances_mean_an_update_and_how_far_it_is():
    mixed = [*facts(S.READY), *facts(S.READY, S.READY, current=False)]
    assert status_of(Desired.RUNNING, 3, mixed) == (Status.UPDATING, "1 of 3 done")


def test_a_degraded_version_says_how_many_answer_and_why_the_others_do_not():
    mixed = [*facts(S.READY), *facts(S.BACKING_OFF, reason="out of memory")]
    assert status_of(Desired.RUNNING, 2, mixed)[1] == "1 of 2 instances ready: out of memory"


def test_a_failure_is_told_with_its_reason():
    assert status_of(Desired.RUNNING, 1, facts(S.FAILED, reason="exited 5 times")) == (
        Status.FAILED,
        "exited 5 times",
    )


def test_a_stop_lasts_until_the_last_instance_is_gone():
    assert status_of(Desired.STOPPED, 1, facts(S.STOPPING)) == (Status.STOPPING, "")
    assert status_of(Desired.STOPPED, 1, []) == (Status.STOPPED, "")


def test_a_delete_is_told_whatever_runs():
    assert status_of(Desired.DELETED, 1, facts(S.READY)) == (Status.DELETING, "")


def test_every_status_has_a_look_and_a_place_in_the_order_of_trouble():
    assert set(LOOKS) == set(TROUBLE) == set(Status)
