"""Carrying out a plan's actions.

A verb without a driver call is a function. Any other is a generator: it changes rows, yields the
driver call it needs, gets the call's result sent back (or its error thrown in), and changes rows
again. Rows are only touched from the calling thread; the driver calls of one plan run side by side:
ten instances stop in the time of one.
"""

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.drivers.base import (
    AlreadyExists,
    Driver,
    DriverError,
    DriverUnavailable,
    InstanceSpec,
    NoSuchInstance,
    PermanentFailure,
)
from services.models import Event, Instance, Version
from services.operations.events import record_event
from services.operations.instances import move, release, renew
from services.reconcile.plan import MOST_CRASHES, Action, Sight, Verb, back_off
from services.reconcile.specs import instance_spec
from services.states import InstanceState

DriverCall = Callable[[], Any]
Work = Generator[DriverCall, Any, None]

LOG_TAIL = 20
LONGEST_LINE = 1000
MOST_AT_ONCE = 8
# Longer than the gateway takes to leave an instance that is about to stop.
DRAIN_SECONDS = 0.3
UNHEALTHY_AFTER = 3


@dataclass(frozen=True)
class Context:
    """What all actions of one pass share; `rows` is keyed by the instance's id.

    `now` is when the pass began; `clock` tells the time after a driver call that took long.
    """

    version: Version
    driver: Driver
    rows: dict[str, Instance]
    sights: dict[str, Sight]
    now: datetime
    clock: Callable[[], datetime]

    def tell(
        self,
        reason: str,
        message: str,
        instance: Instance,
        level: Event.Level = Event.Level.NORMAL,
        **detail: Any,
    ) -> None:
        """Write an event about an instance."""
        record_event(
            self.version.service,
            reason,
            message,
            now=self.now,
            level=level,
            about=instance,
            **detail,
        )


def execute(context: Context, actions: Sequence[Action]) -> None:
    """Carry out all actions; the first unexpected driver error is raised after the others ran."""
    started = _begin(context, actions)
    if not started:
        return
    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, len(started))) as pool:
        futures = [(work, pool.submit(call)) for work, call in started]
    errors = [error for work, future in futures if (error := _finish(work, future)) is not None]
    if errors:
        raise errors[0]


def _begin(context: Context, actions: Sequence[Action]) -> list[tuple[Work, DriverCall]]:
    """Run every verb up to its driver call; return those that have one."""
    started: list[tuple[Work, DriverCall]] = []
    for action in actions:
        work = VERBS[action.verb](context, action, context.rows[action.instance.id])
        if work is not None:
            started.append((work, next(work)))
    return started


def _finish(work: Work, future: Future[Any]) -> DriverError | None:
    """Run a verb to its end; return the driver error that it does not expect."""
    error = future.exception()
    try:
        if isinstance(error, DriverError):
            work.throw(error)
        else:
            work.send(future.result())
    except StopIteration:
        return None
    except DriverError as unexpected:
        return unexpected
    raise RuntimeError("A verb makes one driver call.")


def await_artifacts(context: Context, action: Action, row: Instance) -> None:
    """Say what the instance waits for."""
    if row.state != InstanceState.PREPARING or row.reason != action.reason:
        move(row, InstanceState.PREPARING, now=context.now, reason=action.reason)


def start(context: Context, _action: Action, row: Instance) -> Work:
    """Start the instance; the row says so only once the driver has done it."""
    spec = instance_spec(context.version, row)
    try:
        started = yield lambda: _start_unless_there(context, spec)
    except DriverUnavailable:
        raise
    except PermanentFailure as error:
        _fail(context, row, str(error))
        return
    except DriverError as error:
        _back_off(context, row, f"could not be started: {error}", restarted=False)
        return
    if not started:
        # A worker died right after it had started this one: the next look adopts it.
        return
    now = context.clock()
    move(row, InstanceState.STARTING, now=now, started_at=now, failed_probes=0)
    context.tell("Started", f"started with {context.version.specification.code}", row)


def adopt(context: Context, action: Action, row: Instance) -> None:
    """Take over an instance that runs though its row does not say so."""
    seen = context.sights[action.instance.name].observation
    began = min(seen.started_at or context.now, context.now)
    move(row, InstanceState.STARTING, now=context.now, at=began, started_at=began)


def mark_ready(context: Context, action: Action, row: Instance) -> None:
    """Put the instance behind the gateway."""
    seen = context.sights[action.instance.name].observation
    fresh = row.state != InstanceState.READY
    move(
        row,
        InstanceState.READY,
        now=context.now,
        address=seen.address,
        node=seen.node,
        failed_probes=0,
        ready_at=context.now if fresh else row.ready_at,
    )
    if fresh:
        took = (context.now - (row.started_at or context.now)).total_seconds()
        context.tell("Ready", "passed its health check", row, seconds=round(took, 1))


def mark_stable(_context: Context, _action: Action, row: Instance) -> None:
    """Forget former exits."""
    Instance.objects.filter(pk=row.pk, state=InstanceState.READY).update(crash_count=0)


def count_failed_probe(context: Context, action: Action, row: Instance) -> None:
    """Count a failed probe; the third in a row takes the instance out of the gateway."""
    count = row.failed_probes + 1
    unhealthy = count >= UNHEALTHY_AFTER
    reason = f"health check fails: {action.reason}" if unhealthy else row.reason
    state = InstanceState.UNHEALTHY if unhealthy else InstanceState(row.state)
    newly = unhealthy and row.state != InstanceState.UNHEALTHY
    move(row, state, now=context.now, reason=reason, failed_probes=count)
    if newly:
        context.tell("Unhealthy", reason, row, Event.Level.WARNING)


def record_exit(context: Context, action: Action, row: Instance) -> Work:
    """Write down an unexpected end, clean up, and wait before the next attempt."""
    tail = yield lambda: _bury(context.driver, row.name)
    ended = _ended_at(context, row)
    _back_off(context, row, action.reason, restarted=True, log=tail, ended=ended)


def kill(context: Context, action: Action, row: Instance) -> Work:
    """End an instance that does not get healthy, and wait before the next attempt."""
    tail = yield lambda: _bury(context.driver, row.name)
    _back_off(context, row, action.reason, restarted=True, log=tail)


def give_up(context: Context, action: Action, row: Instance) -> Work:
    """Stop trying; the reason carries the last lines of the log."""
    tail = yield lambda: _bury(context.driver, row.name)
    last = tail[-1] if tail else ""
    reason = f"{action.reason} · last log line: {last}" if last else action.reason
    _fail(context, row, reason, log=tail, ended=_ended_at(context, row))


def replace(context: Context, _action: Action, row: Instance) -> Work:
    """Stop an outdated instance so that it starts again as the version is now."""
    served = row.state == InstanceState.READY
    if _may_serve(row):
        move(row, InstanceState.STOPPING, now=context.now, reason="restarts with its new settings")
    yield lambda: _stop(context, row, drain=served)
    if renew(row, now=context.clock()):
        context.tell("Restarting", "stopped to take its new settings", row)


def retire(context: Context, _action: Action, row: Instance) -> Work:
    """Stop an instance that is not wanted any more, remove what it left, and free its CU."""
    served = row.state == InstanceState.READY
    if _may_serve(row):
        move(row, InstanceState.STOPPING, now=context.now)
    yield lambda: _stop(context, row, drain=served)
    release(row, now=context.clock())
    context.tell("Removed", "stopped and removed", row)


def clean(context: Context, _action: Action, row: Instance) -> Work:
    """Remove what an ended attempt left behind."""
    yield lambda: context.driver.remove(row.name)


VERBS: dict[Verb, Callable[[Context, Action, Instance], Work | None]] = {
    Verb.AWAIT_ARTIFACTS: await_artifacts,
    Verb.START: start,
    Verb.ADOPT: adopt,
    Verb.MARK_READY: mark_ready,
    Verb.MARK_STABLE: mark_stable,
    Verb.COUNT_FAILED_PROBE: count_failed_probe,
    Verb.RECORD_EXIT: record_exit,
    Verb.GIVE_UP: give_up,
    Verb.KILL: kill,
    Verb.REPLACE: replace,
    Verb.RETIRE: retire,
    Verb.CLEAN: clean,
}


def _may_serve(row: Instance) -> bool:
    """Say whether the instance may have something running that callers still reach."""
    return row.state in {InstanceState.STARTING, InstanceState.READY, InstanceState.UNHEALTHY}


def _start_unless_there(context: Context, spec: InstanceSpec) -> bool:
    """Start an instance, or return False when it runs already; else the name is somebody's."""
    try:
        context.driver.start(spec)
    except AlreadyExists:
        seen = context.driver.observe({"slipway.version": context.version.pk})
        if any(observation.name == spec.name for observation in seen):
            return False
        raise
    return True


def _ended_at(context: Context, row: Instance) -> datetime | None:
    """Return when the driver says that an instance ended by itself, never a time to come."""
    sight = context.sights.get(row.name)
    ended = sight.observation.finished_at if sight else None
    return min(ended, context.now) if ended else None


def _stop(context: Context, row: Instance, *, drain: bool) -> None:
    if drain:
        time.sleep(DRAIN_SECONDS)
    with suppress(NoSuchInstance):
        context.driver.stop(row.name, grace=context.version.grace_period)
    context.driver.remove(row.name)


def _bury(driver: Driver, name: str) -> list[str]:
    """Return the last log lines of a dead or doomed instance and remove it."""
    try:
        # A server may print anything; the database takes no NUL.
        texts = (line.text.replace("\x00", "\ufffd") for line in driver.logs(name, tail=LOG_TAIL))
        lines = [text[:LONGEST_LINE] for text in texts]
        driver.stop(name, grace=1)
    except NoSuchInstance:
        lines = []
    driver.remove(name)
    return lines


def _back_off(
    context: Context,
    row: Instance,
    reason: str,
    *,
    restarted: bool,
    log: Sequence[str] = (),
    ended: datetime | None = None,
) -> None:
    crashes = row.crash_count + 1
    if crashes >= MOST_CRASHES:
        _fail(context, row, f"failed {crashes} times: {reason}", log=log, ended=ended)
        return
    wait = back_off(crashes)
    level = Event.Level.WARNING
    moved = move(
        row,
        InstanceState.BACKING_OFF,
        now=context.now,
        at=ended,
        reason=reason,
        crash_count=crashes,
        restart_count=row.restart_count + (1 if restarted else 0),
        next_attempt_at=context.now + wait,
        address="",
    )
    if moved:
        seconds = int(wait.total_seconds())
        text = f"{reason}; next attempt in {seconds} s"
        context.tell("Exited" if restarted else "StartFailed", text, row, level, log=list(log))


def _fail(
    context: Context,
    row: Instance,
    reason: str,
    log: Sequence[str] = (),
    ended: datetime | None = None,
) -> None:
    failed = InstanceState.FAILED
    if move(row, failed, now=context.now, at=ended, reason=reason, address=""):
        context.tell("Failed", reason, row, Event.Level.ERROR, log=list(log))
