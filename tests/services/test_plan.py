"""The plan, rule by rule; pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.drivers.base import Observation, ObservedState
from services.reconcile.plan import (
    LONGEST_BACK_OFF,
    MOST_CRASHES,
    RESTART_AFTER_PROBES,
    STABLE_AFTER,
    Action,
    ArtifactStage,
    InstanceView,
    Sight,
    Verb,
    VersionView,
    back_off,
    exit_reason,
    plan,
)
from services.states import InstanceState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNNING = VersionView(
    running=True,
    revision=1,
    start_timeout=timedelta(minutes=10),
    artifacts=ArtifactStage.READY,
)
ADDRESS = "10.0.0.5:8080"


def an_instance(state: InstanceState, number: int = 0, **fields) -> InstanceView:
    facts = {
        "id": f"mi-{number}",
        "name": f"ms-a-mv-b-{number}",
        "revision": 1,
        "wanted": True,
        "state": state,
        "started_at": NOW,
        "ready_at": NOW,
        "address": ADDRESS,
    }
    return InstanceView(**{**facts, **fields})


def seen(instance: InstanceView, *, probe: bool | None = None, **fields) -> Sight:
    facts = {
        "name": instance.name,
        "labels": {"slipway.instance": instance.id},
        "state": ObservedState.RUNNING,
        "address": ADDRESS,
    }
    return Sight(Observation(**{**facts, **fields}), probe, "connection refused")


def only_step(
    instance: InstanceView,
    sight: Sight | None = None,
    *,
    version: VersionView = RUNNING,
    now: datetime = NOW,
) -> tuple[Action | None, timedelta | None]:
    sights = {instance.name: sight} if sight else {}
    result = plan(version, [instance], sights, now)
    assert len(result.actions) <= 1
    return (result.actions[0] if result.actions else None), result.again_after


def verb_of(instance: InstanceView, sight: Sight | None = None, **more) -> Verb | None:
    action, _ = only_step(instance, sight, **more)
    return action.verb if action else None


def exited(instance: InstanceView, code: int = 1, **fields) -> Sight:
    return seen(instance, state=ObservedState.EXITED, exit_code=code, **fields)


def test_a_pending_instance_whose_artifacts_are_ready_is_started():
    assert verb_of(an_instance(InstanceState.PENDING)) is Verb.START


def test_an_instance_waits_for_its_artifacts_and_says_what_for():
    waiting = replace(RUNNING, artifacts=ArtifactStage.UNDER_WAY, artifact_reason="pulling: 40 %")
    action, again = only_step(an_instance(InstanceState.PENDING), version=waiting)
    assert action is not None
    assert (action.verb, action.reason) == (Verb.AWAIT_ARTIFACTS, "pulling: 40 %")
    assert again == timedelta(seconds=1)


def test_artifacts_that_cannot_be_had_fail_the_instance_for_good():
    failed = replace(RUNNING, artifacts=ArtifactStage.FAILED, artifact_reason="no such image")
    action, again = only_step(an_instance(InstanceState.PREPARING), version=failed)
    assert action is not None
    assert (action.verb, action.reason, again) == (Verb.GIVE_UP, "no such image", None)


def test_a_starting_instance_that_is_not_healthy_yet_is_left_alone():
    instance = an_instance(InstanceState.STARTING)
    action, again = only_step(instance, seen(instance, probe=False))
    assert action is None
    assert again == timedelta(seconds=0.25)


def test_a_healthy_instance_becomes_ready():
    instance = an_instance(InstanceState.STARTING)
    assert verb_of(instance, seen(instance, probe=True)) is Verb.MARK_READY


def test_a_ready_and_healthy_instance_needs_nothing():
    instance = an_instance(InstanceState.READY)
    assert only_step(instance, seen(instance, probe=True)) == (None, None)


def test_a_ready_instance_with_a_new_address_is_marked_again():
    instance = an_instance(InstanceState.READY, address="10.0.0.9:1")
    assert verb_of(instance, seen(instance, probe=True)) is Verb.MARK_READY


def test_an_instance_that_is_not_healthy_in_time_is_killed_with_the_reason():
    instance = an_instance(InstanceState.STARTING, started_at=NOW - timedelta(minutes=11))
    action, _ = only_step(instance, seen(instance, probe=False))
    assert action is not None
    assert action.verb is Verb.KILL
    assert action.reason == "not healthy within 600 s (connection refused)"


def test_an_instance_that_never_gets_an_address_is_killed_too():
    instance = an_instance(InstanceState.STARTING, started_at=NOW - timedelta(minutes=11))
    action, _ = only_step(instance, seen(instance, address=""))
    assert action is not None
    assert action.verb is Verb.KILL
    assert "shows no address" in action.reason


def test_a_failed_probe_of_a_ready_instance_is_counted():
    instance = an_instance(InstanceState.READY)
    action, again = only_step(instance, seen(instance, probe=False))
    assert action is not None
    assert (action.verb, action.reason) == (Verb.COUNT_FAILED_PROBE, "connection refused")
    assert again == timedelta(seconds=5)


def test_an_instance_that_stays_unhealthy_is_killed():
    instance = an_instance(InstanceState.UNHEALTHY, failed_probes=RESTART_AFTER_PROBES - 1)
    assert verb_of(instance, seen(instance, probe=False)) is Verb.KILL


def test_an_unhealthy_instance_that_answers_again_is_ready():
    instance = an_instance(InstanceState.UNHEALTHY, failed_probes=4)
    assert verb_of(instance, seen(instance, probe=True)) is Verb.MARK_READY


def test_an_exit_is_recorded_and_backs_off():
    instance = an_instance(InstanceState.READY, crash_count=1)
    action, _ = only_step(instance, exited(instance, 137))
    assert action is not None
    assert (action.verb, action.reason) == (Verb.RECORD_EXIT, "killed by signal 9")


def test_the_last_exit_in_a_row_gives_up():
    instance = an_instance(InstanceState.STARTING, crash_count=MOST_CRASHES - 1)
    action, _ = only_step(instance, exited(instance, 3))
    assert action is not None
    assert (action.verb, action.reason) == (Verb.GIVE_UP, "exited 5 times: exited with code 3")


@pytest.mark.parametrize(
    "state", [InstanceState.STARTING, InstanceState.READY, InstanceState.UNHEALTHY]
)
def test_an_instance_that_vanished_counts_as_an_exit(state):
    action, _ = only_step(an_instance(state))
    assert action is not None
    assert action.verb is Verb.RECORD_EXIT
    assert action.reason.startswith("vanished")


def test_a_backing_off_instance_waits_for_its_time():
    instance = an_instance(InstanceState.BACKING_OFF, next_attempt_at=NOW + timedelta(seconds=7))
    assert only_step(instance) == (None, timedelta(seconds=7))
    later = NOW + timedelta(seconds=7)
    assert verb_of(instance, now=later) is Verb.START


@pytest.mark.parametrize(
    "state", [InstanceState.PENDING, InstanceState.PREPARING, InstanceState.BACKING_OFF]
)
def test_what_runs_though_its_row_does_not_say_so_is_adopted(state):
    instance = an_instance(state)
    assert verb_of(instance, seen(instance)) is Verb.ADOPT


def test_the_remains_of_an_ended_attempt_are_cleaned_before_the_next():
    instance = an_instance(InstanceState.PENDING)
    assert verb_of(instance, exited(instance)) is Verb.CLEAN


def test_what_carries_another_instances_label_is_cleaned():
    instance = an_instance(InstanceState.PENDING)
    sight = seen(instance, labels={"slipway.instance": "mi-older"})
    assert verb_of(instance, sight) is Verb.CLEAN


def test_a_failed_instance_is_not_tried_again_but_cleaned():
    instance = an_instance(InstanceState.FAILED)
    assert only_step(instance) == (None, None)
    assert verb_of(instance, exited(instance)) is Verb.CLEAN


@pytest.mark.parametrize("state", list(InstanceState))
def test_an_unwanted_instance_is_retired_whatever_its_state(state):
    assert verb_of(an_instance(state, wanted=False)) is Verb.RETIRE


@pytest.mark.parametrize("state", list(InstanceState))
def test_a_version_that_is_to_stop_retires_every_instance(state):
    assert verb_of(an_instance(state), version=replace(RUNNING, running=False)) is Verb.RETIRE


def test_a_long_healthy_spell_makes_exits_history():
    instance = an_instance(InstanceState.READY, crash_count=2)
    sight = seen(instance, probe=True)
    assert verb_of(instance, sight) is None
    assert verb_of(instance, sight, now=NOW + STABLE_AFTER) is Verb.MARK_STABLE


def test_outdated_instances_are_replaced_one_at_a_time():
    new = replace(RUNNING, revision=2)
    old = [an_instance(InstanceState.READY, n) for n in range(3)]
    sights = {i.name: seen(i, probe=True) for i in old}
    result = plan(new, old, sights, NOW)
    assert [(a.verb, a.instance.id) for a in result.actions] == [(Verb.REPLACE, "mi-0")]


def test_the_next_is_not_replaced_before_the_last_is_ready():
    new = replace(RUNNING, revision=2)
    fresh = an_instance(InstanceState.STARTING, 0, revision=2)
    old = an_instance(InstanceState.READY, 1)
    sights = {i.name: seen(i, probe=False) for i in (fresh, old)}
    assert plan(new, [fresh, old], sights, NOW).actions == ()


def test_an_outdated_instance_that_serves_nobody_is_replaced_at_once():
    new = replace(RUNNING, revision=2)
    ready = an_instance(InstanceState.READY, 0)
    crashing = an_instance(InstanceState.BACKING_OFF, 1, next_attempt_at=NOW)
    result = plan(new, [ready, crashing], {ready.name: seen(ready, probe=True)}, NOW)
    assert [(a.verb, a.instance.id) for a in result.actions] == [(Verb.REPLACE, "mi-1")]


def test_the_soonest_wish_decides_when_to_look_again():
    waiting = an_instance(InstanceState.BACKING_OFF, 0, next_attempt_at=NOW + timedelta(minutes=1))
    starting = an_instance(InstanceState.STARTING, 1)
    sights = {starting.name: seen(starting, probe=False)}
    assert plan(RUNNING, [waiting, starting], sights, NOW).again_after == timedelta(seconds=0.25)


def test_the_back_off_doubles_up_to_five_minutes_however_long_it_lasts():
    assert [back_off(n).total_seconds() for n in range(6)] == [2, 2, 4, 8, 16, 32]
    assert back_off(10_000) == LONGEST_BACK_OFF == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"oom_killed": True, "exit_code": 137}, "out of memory"),
        ({"error": "exec: no such file"}, "exec: no such file"),
        ({"exit_code": None}, "ended without an exit code"),
        ({"exit_code": -15}, "killed by signal 15"),
        ({"exit_code": 128}, "exited with code 128"),
        ({"exit_code": 0}, "exited with code 0"),
    ],
)
def test_an_exit_is_said_in_words(facts, words):
    sight = Observation("n", {}, ObservedState.EXITED, **facts)
    assert exit_reason(sight).startswith(words)
