"""How long a person waits: from Deploy to the first answer, and from a key's end to the first 401.

The whole product runs as `make run` starts it, with everything prepared by a first deployment. By
hand means: the same command in the same virtual environment on the same cores, asked directly.
Both in turn, so that whatever else the machine does hits both alike. Times are in seconds.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.figures import median, percentile, table
from tests.real.stack import Stack, free_port, until

MODEL = "smollm2-135m-instruct"
ROUNDS, KEY_ROUNDS = 5, 20
PREPARE_SECONDS, START_SECONDS, GONE_SECONDS = 300, 60, 30
POLL_SECONDS = 0.01
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


@dataclass
class Waits:
    """What was measured, in seconds."""

    deploy: list[float] = field(default_factory=list)
    by_hand: list[float] = field(default_factory=list)
    after_ready: list[float] = field(default_factory=list)
    key_off: list[float] = field(default_factory=list)
    key_on: list[float] = field(default_factory=list)


class Console:
    """A signed-in program that uses the REST API."""

    def __init__(self, stack: Stack) -> None:
        self.client = httpx.Client(base_url=stack.url, timeout=30)
        self.client.get("/sign-in/").raise_for_status()
        form = {"username": "admin", "password": stack.password}
        self._sign({"csrfmiddlewaretoken": self.client.cookies["csrftoken"], **form})

    def _sign(self, form: dict[str, str]) -> None:
        answer = self.client.post("/sign-in/", data=form)
        if answer.status_code != 302:
            raise AssertionError(f"signing in answers {answer.status_code}")
        self.client.headers["X-CSRFToken"] = self.client.cookies["csrftoken"]

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Call the API; raise for a refusal."""
        answer = self.client.request(method, f"/api/v1/{path}", json=body or None)
        if answer.is_error:
            raise AssertionError(f"{path} answers {answer.status_code}: {answer.text}")
        return answer.json()

    def deploy(self) -> str:
        """Deploy the model and return the service's id."""
        name = f"bench-{secrets.token_hex(4)}"
        body = {"model": MODEL, "name": name, "specification": "cpu.1", "region": "local"}
        return str(self.call("POST", "services/", **body)["id"])

    def key(self, service: str) -> tuple[str, str]:
        """Return the address of a service's built-in key, and the key."""
        row = self.call("GET", f"services/{service}/keys/")["results"][0]
        path = f"services/{service}/keys/{row['id']}/"
        return path, str(self.call("POST", f"{path}reveal/")["key"])

    def ready_at(self, service: str) -> float:
        """Return when the first instance was ready, in seconds of the clock."""
        row = self.call("GET", f"services/{service}/")["instances"][0]
        return datetime.fromisoformat(row["ready_at"]).timestamp()

    def delete(self, service: str) -> None:
        """Delete a service and wait until nothing of it is left."""
        name = self.call("GET", f"services/{service}/")["name"]
        self.call("DELETE", f"services/{service}/", confirmation=name, even_if_running=True)
        path = f"/api/v1/services/{service}/"
        until(lambda: self.client.get(path).status_code == 404, GONE_SECONDS, "it is gone")


def first(client: httpx.Client, url: str, status: int, seconds: float) -> float:
    """Ask again and again; return the time of the first answer with this status."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            if client.post(url, json=QUESTION).status_code == status:
                return time.time()
        except httpx.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"{url} did not answer {status} within {seconds} s")


def wait_by_console(
    stack: Stack, console: Console, seconds: float, waits: Waits
) -> tuple[str, dict[str, Any]]:
    """Deploy and wait for the first answer; return the service and how its instance was started."""
    began = time.time()
    service = console.deploy()
    _, key = console.key(service)
    with httpx.Client(headers={"Authorization": key}) as caller:
        answered = first(caller, address_of(stack, service), 200, seconds)
    waits.deploy.append(answered - began)
    waits.after_ready.append(answered - console.ready_at(service))
    found = next((stack.folder / "run").glob(f"{service}-*/launch.json"))
    return service, json.loads(found.read_text())


def address_of(stack: Stack, service: str) -> str:
    """Return where a service answers on the gateway."""
    return f"{stack.gateway}/{service}/v1/chat/completions"


@contextmanager
def started_by_hand(launch: dict[str, Any], port: int, folder: Path) -> Iterator[None]:
    """Run what the driver ran, on another port."""
    former = launch["env"]["PORT"]
    command = [port_in(word, former, port) for word in launch["command"]]
    environment = {**launch["env"], "PORT": str(port), "HOME": str(folder)}
    cores = launch["cores"] or list(range(os.cpu_count() or 1))
    with subprocess.Popen(
        command,
        cwd=launch["cwd"] if Path(launch["cwd"]).exists() else folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        psutil.Process(process.pid).cpu_affinity(cores)
        try:
            yield
        finally:
            process.kill()


def port_in(word: str, former: str, port: int) -> str:
    """Return a word of a command with the port that is free now."""
    return str(port) if word == former else word.replace(f":{former}", f":{port}")


def wait_by_hand(launch: dict[str, Any], folder: Path, waits: Waits) -> None:
    """Start the same server without Slipway and wait for the first answer."""
    port = free_port()
    began = time.time()
    with started_by_hand(launch, port, folder), httpx.Client() as caller:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        waits.by_hand.append(first(caller, url, 200, START_SECONDS) - began)


def wait_for_keys(stack: Stack, console: Console, service: str, waits: Waits) -> None:
    """Disable and enable the key; each begins when the change is asked for."""
    path, key = console.key(service)
    url = address_of(stack, service)
    with httpx.Client(headers={"Authorization": key}) as caller:
        for _ in range(KEY_ROUNDS):
            for verb, status, times in (
                ("disable", 401, waits.key_off),
                ("enable", 200, waits.key_on),
            ):
                began = time.time()
                console.call("POST", f"{path}{verb}/")
                times.append(first(caller, url, status, START_SECONDS) - began)


def measure(stack: Stack, folder: Path, rounds: int) -> Waits:
    """Prepare with one deployment, then measure in turn."""
    console = Console(stack)
    service, launch = wait_by_console(stack, console, PREPARE_SECONDS, Waits())
    waits = Waits()
    wait_for_keys(stack, console, service, waits)
    console.delete(service)
    for _ in range(rounds):
        service, launch = wait_by_console(stack, console, START_SECONDS, waits)
        console.delete(service)
        wait_by_hand(launch, folder, waits)
    return waits


def report(waits: Waits) -> str:
    """Return the table; the last column is in units of the start by hand."""
    hand = median(waits.by_hand)
    named = (
        ("start by hand to first 200", waits.by_hand),
        ("click to first 200", waits.deploy),
        ("ready to first 200", waits.after_ready),
        ("key disabled to first 401", waits.key_off),
        ("key enabled to first 200", waits.key_on),
    )
    rows = [
        (
            name,
            f"{median(times):.3f}",
            f"{percentile(times, 95):.3f}",
            f"{max(times):.3f}",
            f"{median(times) / hand:.2f}",
        )
        for name, times in named
    ]
    more = median(waits.deploy) - hand
    heads = ("what", "p50 s", "p95 s", "most s", "x by hand")
    return f"{table(heads, rows)}\nclick to first answer takes {more:+.2f} s more than by hand"


def main() -> None:
    """Start the product in a folder of its own, measure, stop it, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    # Postgres drops root's rights and has to reach its own folder in here.
    folder.chmod(0o711)
    stack = Stack(folder, extra={"SLIPWAY_FIRST_REGIONS": "process"})
    try:
        stack.start()
        print(report(measure(stack, folder, rounds)))
    finally:
        if stack.process is not None:
            stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
