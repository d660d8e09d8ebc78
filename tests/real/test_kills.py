"""Whatever is killed, the product converges, and calls go on where nothing they need died."""

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.real.stack import Stack, until

pytestmark = pytest.mark.real

HEAL_SECONDS = 30
LEDGER_AGREES = """
from billing.models import CuInterval
from services.models import Instance
from services.states import CONSUMING
taking = Instance.objects.filter(state__in=CONSUMING).values_list("pk", flat=True)
open_now = CuInterval.objects.filter(ended_at=None).values_list("instance_id", flat=True)
print(sorted(taking) == sorted(open_now))
"""


class Caller:
    """Asks a service several times a second, as its users do, and remembers what came back."""

    def __init__(self, url: str, key: str) -> None:
        self.request = urllib.request.Request(f"{url}/v1/models", headers={"Authorization": key})
        self.answers: list[int] = []
        self._stop = threading.Event()

    def ask(self) -> int:
        """Return the status of one call; 0 when nothing answered at all."""
        try:
            with urllib.request.urlopen(self.request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    @contextmanager
    def asking(self) -> Iterator[list[int]]:
        """Ask in the background."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self.answers
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.answers.append(self.ask())
            time.sleep(0.05)


def key_of(stack: Stack, name: str) -> str:
    printed = stack.manage("keys", name, "reveal", "built-in")
    return next(word for word in printed.split() if word.startswith("DW-"))


def ledger_agrees(stack: Stack) -> bool:
    """Say whether exactly the instances that the driver runs take CU in the ledger."""
    return stack.ask(LEDGER_AGREES) == "True"


@pytest.fixture(scope="module")
def caller(stack) -> Iterator[Caller]:
    """A caller of a service with two instances on processes."""
    stack.manage(
        "deploy", "smollm2-135m-instruct", "--name", "victim", "--region", "local",
        "--instances", "2", "--wait",
    )  # fmt: skip
    service = stack.services()["victim"]["id"]
    key = key_of(stack, "victim")
    made = Caller(f"{stack.gateway}/{service}", key)
    until(lambda: made.ask() == 200, 5, "the service answers")
    yield made
    stack.manage("delete", "victim", "--yes", "--even-if-running")
    until(lambda: "victim" not in stack.services(), 60, "it is deleted")


def instance_pids(stack: Stack) -> list[int]:
    """Return the model servers of this installation."""
    mark = str(stack.folder)
    return [
        p.pid
        for p in psutil.process_iter(["cmdline", "environ"])
        if "server.py" in " ".join(p.info["cmdline"] or [])
        and mark in str(p.info["environ"]) + " ".join(p.info["cmdline"] or [])
    ]


def fresh(caller: Caller) -> Caller:
    """Return a caller of the same service with nothing remembered."""
    made = Caller(caller.request.full_url.removesuffix("/v1/models"), "")
    made.request = caller.request
    return made


@pytest.mark.parametrize(
    "program", ["celery.* control", "uvicorn", "manage.py run_xds", "celery.* beat"]
)
def test_calls_go_on_while_a_killed_part_of_the_control_plane_comes_back(stack, caller, program):
    asking = fresh(caller)
    with asking.asking() as answers:
        killed = stack.kill(program)
        until(lambda: [p for p in stack.pids(program) if p != killed], HEAL_SECONDS, "it is back")
        time.sleep(1)
    assert answers
    assert set(answers) == {200}


def test_calls_go_on_while_postgres_is_killed_and_pages_come_back(stack, caller):
    asking = fresh(caller)
    with asking.asking() as answers:
        stack.kill(r"postgres(ql)?.* -D |bin/postgres")
        until(lambda: _page_status(stack) == 200, HEAL_SECONDS, "pages are back")
    assert set(answers) == {200}


def test_a_killed_gateway_answers_again_at_once(stack, caller):
    envoys = [p for p in psutil.process_iter(["cmdline"]) if _is_envoy_of(p, stack)]
    os.kill(envoys[0].pid, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: fresh(caller).ask() == 200, 10, "the gateway answers")
    assert time.monotonic() - began < 10


def test_a_killed_instance_is_replaced_and_the_other_answers_meanwhile(stack, caller):
    before = set(instance_pids(stack))
    assert len(before) == 2
    victim = next(iter(before))
    asking = fresh(caller)
    with asking.asking() as answers:
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(set(instance_pids(stack)) - before) == 1, HEAL_SECONDS, "a new one")
    assert answers.count(200) >= len(answers) - 1
    until(lambda: stack.services()["victim"]["status"] == "running", HEAL_SECONDS, "both serve")
    assert ledger_agrees(stack)


def test_a_worker_killed_in_the_middle_of_a_deployment_loses_nothing(stack, caller):
    stack.manage("deploy", "all-minilm-l6-v2", "--name", "interrupted", "--region", "local")
    stack.kill("celery.* control")
    stack.kill("celery.* prepare")
    until(
        lambda: stack.services()["interrupted"]["status"] == "running",
        90,
        "the deployment is running all the same",
    )
    assert ledger_agrees(stack)
    stack.manage("delete", "interrupted", "--yes", "--even-if-running")
    until(lambda: "interrupted" not in stack.services(), 60, "it is deleted")


def test_a_killed_supervisor_is_followed_by_the_next_run(stack, caller):
    before = set(instance_pids(stack))
    assert stack.process is not None
    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait()
    stack.start()
    until(lambda: fresh(caller).ask() == 200, HEAL_SECONDS, "the service answers")
    assert set(instance_pids(stack)) == before
    assert stack.services()["victim"]["status"] == "running"
    assert ledger_agrees(stack)


def _page_status(stack: Stack) -> int:
    try:
        with urllib.request.urlopen(f"{stack.url}/health", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _is_envoy_of(process: psutil.Process, stack: Stack) -> bool:
    words = process.info["cmdline"] or []
    return bool(words) and words[0].endswith("envoy") and str(stack.folder) in " ".join(words)
