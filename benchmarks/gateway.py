"""What the gateway costs a call: against bare Envoy and against nginx as a proxy.

All stand before the same nginx, which answers at once, and take turns within one run. The gateway
checks a key, drops forged headers, looks into the body for "stream" and writes its log; the other
two only pass calls on. Each has one worker. Shared machines are noisy: compare the ratios of CPU
per call before those of calls per second.
"""

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import ground

# isort: split

import asyncio

import httpx
import psutil
from django.utils import timezone

from accounts.access import Actor
from accounts.models import Role
from benchmarks.figures import median, percentile, table
from benchmarks.world import World
from deploy.local.stack import find_envoy
from networking.gateway.envoy import typed
from networking.gateway.facts import Address
from networking.gateway.follow import follow
from services.models import ApiKey, Instance
from services.operations.keys import set_key_enabled
from services.states import InstanceState
from tests.real.gateway.rig import (
    AUTH,
    KEY,
    SERVICE,
    Gateway,
    PretendModel,
    Served,
    running,
    service,
)
from tests.real.stack import free_port, until

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 64
SERVICES, KEYS = 1_000, 10
PACE = 300
PACED_SECONDS = 2
STREAMS = 40
SWITCHES = 20
PATH = "/v1/completions"
BODY = json.dumps({"model": "m", "prompt": "Say something about autumn. " * 4, "max_tokens": 32})
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
ANSWER = json.dumps({"object": "text_completion", "choices": [{"index": 0, "text": "w " * 120}]})


def main() -> None:
    """Measure and print."""
    for program in ("wrk", "nginx"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not installed: this measurement needs it.")
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-gateway-"))
    try:
        with ExitStack() as stack:
            measure(folder, stack)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, stack: ExitStack) -> None:
    """Start all parts and measure one thing after the other."""
    upstream = free_port()
    stack.enter_context(nginx(folder, upstream, f"return 200 '{ANSWER}';"))
    model = PretendModel()
    streaming = Served(model)
    stack.callback(streaming.stop)
    gateway = stack.enter_context(running(Gateway(folder)))
    gateway.apply(service(Address("127.0.0.1", upstream)))
    bare, proxy = free_port(), free_port()
    stack.enter_context(bare_envoy(folder, bare, upstream))
    backend = f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 64; }}"
    passing = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://u;'
    stack.enter_context(nginx(folder, proxy, passing, backend))
    paths = {
        "bare Envoy": (bare, PATH),
        "gateway": (gateway.port, f"/{SERVICE}{PATH}"),
        "nginx as a proxy": (proxy, PATH),
    }
    throughput(folder, paths)
    added_latency({"direct": (upstream, PATH), **paths})
    gateway.apply(service(streaming.address))
    first_token(streaming.port, gateway)
    switch_of_a_key(gateway, streaming.address)


@contextmanager
def program(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(port), 10, f"{command[0]} listens")
        yield
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    """Say whether something listens."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=2)
    except httpx.TransportError:
        return False
    return True


@contextmanager
def nginx(folder: Path, port: int, location: str, backend: str = "") -> Iterator[None]:
    """Run an nginx of one process with one location."""
    config = folder / f"nginx-{port}.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/{port}.pid; error_log /dev/null;"
        "events { worker_connections 1024; } http { access_log off; "
        f"keepalive_requests 1000000000; client_body_temp_path {folder}; {backend}"
        f"server {{ listen 127.0.0.1:{port}; default_type application/json;"
        f"location / {{ {location} }} }} }}"
    )
    with program(["nginx", "-c", str(config)], port):
        yield


@contextmanager
def bare_envoy(folder: Path, port: int, upstream: int) -> Iterator[None]:
    """Run an Envoy that only passes calls on: no log, no filter but the router."""

    def address(number: int) -> dict[str, object]:
        return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": number}}}

    route = {"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}
    router = typed("extensions.filters.http.router.v3.Router")
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bare",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[{"name": "envoy.filters.http.router", "typed_config": router}],
    )
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    lone = {"lb_endpoints": [{"endpoint": address(upstream)}]}
    cluster = {"name": "up", "load_assignment": {"cluster_name": "up", "endpoints": [lone]}}
    listener = {"name": "http", **address(port), "filter_chains": [chain]}
    file = folder / "bare.json"
    file.write_text(
        json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})
    )
    envoy = [find_envoy(), "--config-path", str(file), "--disable-hot-restart"]
    with program([*envoy, "--concurrency", "1", "--log-level", "error"], port):
        yield


def throughput(folder: Path, paths: Mapping[str, tuple[int, str]]) -> None:
    """Print calls per second and CPU per call, in alternating rounds."""
    rates: dict[str, list[float]] = {name: [] for name in paths}
    costs: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(ROUNDS + 1):
        for name, (port, path) in paths.items():
            rate, cost = saturate(folder, port, path)
            if number:
                rates[name].append(rate)
                costs[name].append(cost)
    rate_of, cost_of = median(rates["bare Envoy"]), median(costs["bare Envoy"])
    rows = [
        (
            name,
            " ".join(f"{rate:,.0f}" for rate in rates[name]),
            f"{median(rates[name]) / rate_of:.2f}",
            f"{median(costs[name]) * 1e6:.0f}",
            f"{cost_of / median(costs[name]):.2f}",
        )
        for name in paths
    ]
    heads = ("saturated", "calls/s by round", "÷ bare", "CPU µs/call", "calls/CPU ÷ bare")
    print(table(heads, rows), "\n")


def saturate(folder: Path, port: int, path: str) -> tuple[float, float]:
    """Return calls per second and CPU seconds per call."""
    script = folder / "call.lua"
    lines = [f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in HEADERS.items()]
    script.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = {BODY!r}", *lines]))
    server = server_on(port)
    before = sum(server.cpu_times()[:2])
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script)]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    )
    spent = sum(server.cpu_times()[:2]) - before
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"calls failed:\n{done.stdout}")
    figures = dict(line.split(":") for line in done.stdout.splitlines() if "/sec:" in line)
    calls = int(next(line for line in done.stdout.splitlines() if "requests in" in line).split()[0])
    return float(figures["Requests/sec"]), spent / calls


def server_on(port: int) -> psutil.Process:
    """Return the process that listens on a port."""
    for process in psutil.Process(os.getpid()).children(recursive=True):
        if any(c.laddr.port == port for c in process.net_connections() if c.status == "LISTEN"):
            return process
    raise SystemExit(f"nothing listens on {port}")


def added_latency(paths: Mapping[str, tuple[int, str]]) -> None:
    """Print how long calls take at a steady pace, in alternating rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    clients = {name: http.client.HTTPConnection("127.0.0.1", p) for name, (p, _) in paths.items()}
    for _ in range(ROUNDS):
        for name, (_port, path) in paths.items():
            seconds[name] += paced(clients[name], path)
    direct = seconds["direct"]
    rows = [
        (
            name,
            f"{median(found) * 1e3:.2f}",
            f"{percentile(found, 99) * 1e3:.2f}",
            f"{(median(found) - median(direct)) * 1e3:+.2f}",
            f"{(percentile(found, 99) - percentile(direct, 99)) * 1e3:+.2f}",
        )
        for name, found in seconds.items()
    ]
    heads = (f"at {PACE} calls/s", "p50 ms", "p99 ms", "p50 added", "p99 added")
    print(table(heads, rows), "\n")


def paced(client: http.client.HTTPConnection, path: str) -> list[float]:
    """Return the seconds of each call at PACE for PACED_SECONDS."""
    found = []
    began = time.perf_counter()
    for number in range(PACE * PACED_SECONDS):
        time.sleep(max(0.0, began + number / PACE - time.perf_counter()))
        sent = time.perf_counter()
        client.request("POST", path, BODY, HEADERS)
        client.getresponse().read()
        found.append(time.perf_counter() - sent)
    return found


def first_token(direct: int, gateway: Gateway) -> None:
    """Print how much later the first part of a stream comes, in alternating calls."""
    urls = {"direct": f"http://127.0.0.1:{direct}{PATH}", "gateway": gateway.path_url + PATH}
    found: dict[str, list[float]] = {name: [] for name in urls}
    with httpx.Client(headers=AUTH) as client:
        for _ in range(STREAMS):
            for name, url in urls.items():
                began = time.perf_counter()
                with client.stream("POST", url, json={"stream": True}) as response:
                    for number, _ in enumerate(response.iter_raw()):
                        if not number:
                            found[name].append(time.perf_counter() - began)
    delay = median(found["gateway"]) - median(found["direct"])
    print(f"first token: {delay * 1e3:+.2f} ms (median of {STREAMS} each)\n")


def switch_of_a_key(gateway: Gateway, address: Address) -> None:
    """Print the time from the commit that disables a key to the first 401, and back."""
    ground.prepare()
    world = World("bench", timezone.now())
    world.fill(SERVICES, instances=1, keys=KEYS, state=InstanceState.READY)
    Instance.objects.update(address=f"{address.host}:{address.port}")
    assert gateway.control is not None
    following = asyncio.run_coroutine_threadsafe(
        follow([], gateway.plane.publish), gateway.control.loop
    )
    key = ApiKey.objects.filter(name="key-0").order_by("id")[0]
    actor = Actor(world.user, world.workspace, Role.ADMINISTRATOR)
    headers = {"Authorization": f"{key.service_id}-0"}
    found: dict[bool, list[float]] = {True: [], False: []}
    with httpx.Client(headers=headers, base_url=f"{gateway.url}/{key.service_id}") as client:
        until(lambda: client.get("/").is_success, 30, "the service answers")
        for number in range(SWITCHES * 2):
            enabled = bool(number % 2)
            set_key_enabled(actor, key, enabled=enabled, now=timezone.now())
            found[enabled].append(seconds_until(client, 200 if enabled else 401))
    following.cancel()
    rows = [
        (name, f"{median(times) * 1e3:.0f}", f"{percentile(times, 99) * 1e3:.0f}")
        for name, times in (("disabled → 401", found[False]), ("enabled → 200", found[True]))
    ]
    print(f"from the commit, with {SERVICES:,} services and {SERVICES * KEYS:,} keys")
    print(table(("a key", "p50 ms", "p99 ms"), rows))


def seconds_until(client: httpx.Client, status: int) -> float:
    """Call until this status is the answer; return how long that took."""
    began = time.perf_counter()
    while client.get("/").status_code != status:
        time.sleep(0.002)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
