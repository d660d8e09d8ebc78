"""A gateway for tests: Envoy, a control plane in this process, and a model that only pretends."""

import asyncio
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from django.test import override_settings

from deploy.local.stack import find_envoy
from networking.gateway.bootstrap import bootstrap, envoy_command
from networking.gateway.facts import (
    Address,
    GatewayKey,
    GatewayService,
    GatewayVersion,
    Unavailable,
)
from networking.gateway.snapshot import build
from networking.gateway.xds import ControlPlane
from networking.management.commands.run_xds import Server
from tests.real.stack import free_port, until

SERVICE = "ms-aaaaaaaaaaaa"
OTHER = "ms-bbbbbbbbbbbb"
KEY = f"DW-{SERVICE}-" + "k" * 40
STREAM_PARTS = 5
AUTH = {"Authorization": KEY}
JSON = {"Content-Type": "application/json"}
HOST = {"Host": f"{SERVICE}.here.slipway.localhost"}


class Served:
    """An ASGI application on a port, in a thread with a loop of its own."""

    def __init__(self, application: Any, port: int | None = None) -> None:
        self.port = port or free_port()
        self.loop = asyncio.new_event_loop()
        config = uvicorn.Config(
            application,
            port=self.port,
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        own = Server if isinstance(application, ControlPlane) else uvicorn.Server
        self.server = own(config)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started, 10, "a server of the test has started")

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.server.serve())

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)


class PretendModel:
    """Answers as OpenAI's server does, and misbehaves where the path says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        self.pause = 0.02

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._echo_words(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["path"]
        if path != "/health":
            self.calls.append((path, headers, body))
        if path == "/silent":
            await asyncio.sleep(20)
        elif path == "/broken":
            await self._start(send, b"application/json", ((b"content-length", b"100"),))
            raise ConnectionError("on purpose")
        elif path.startswith("/v1/"):
            await self._openai(path, body, send)
        else:
            await self._json(send, 200, {"path": path, "query": scope["query_string"].decode()})

    async def _openai(self, path: str, body: bytes, send: Any) -> None:
        asked = json.loads(body)
        stream = asked.get("stream", False)
        if not isinstance(stream, bool):
            await self._json(send, 400, {"error": {"message": "stream is not a boolean"}})
        elif stream:
            await self._stream("chat" in path, send)
        elif path == "/v1/embeddings":
            item = {"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            reply = {"object": "list", "data": [item], "model": "m", "usage": usage}
            await self._json(send, 200, reply)
        else:
            await self._json(send, 200, _completion("chat" in path, "whole answer", "stop"))

    async def _stream(self, chat: bool, send: Any) -> None:
        await self._start(send, b"text/event-stream")
        for number in range(STREAM_PARTS):
            data = json.dumps(_completion(chat, f"part{number} ", None, delta=True))
            await send(_part(f"data: {data}\n\n".encode(), more=True))
            await asyncio.sleep(self.pause)
        await send(_part(b"data: [DONE]\n\n", more=False))

    async def _start(self, send: Any, kind: bytes, more: Sequence[Any] = ()) -> None:
        headers = [(b"content-type", kind), *more]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _json(self, send: Any, status: int, value: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(_part(json.dumps(value).encode(), more=False))

    async def _echo_words(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


def _part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _completion(chat: bool, text: str, reason: str | None, *, delta: bool = False) -> Any:
    said = {"delta" if delta else "message": {"role": "assistant", "content": text}}
    choice = {"index": 0, "finish_reason": reason, **(said if chat else {"text": text})}
    kind = "chat.completion.chunk" if delta else "chat.completion"
    return {
        "id": "cmpl-1",
        "object": kind if chat else "text_completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def key(text: str = KEY, **changes: Any) -> GatewayKey:
    """Return the row of a key, enabled and without end unless told otherwise."""
    facts = {"key_id": "ak-1", "enabled": True, "expires_at": None, **changes}
    return GatewayKey(digest=hashlib.sha256(text.encode()).hexdigest(), **facts)


def service(*addresses: Address, name: str = SERVICE, **changes: Any) -> GatewayService:
    """Return a service with one key and one version at these addresses."""
    version = GatewayVersion(name.replace("ms", "mv"), addresses, "/health", 100)
    facts: dict[str, Any] = {
        "host": f"{name}.here.slipway.localhost",
        "auth_enabled": True,
        "keys": (key(),),
        "versions": (version,) if addresses else (),
        "timeout": 60,
        **changes,
    }
    return GatewayService(id=name, **facts)


def unavailable(code: str = "service_starting", message: str = "It loads.") -> GatewayService:
    return service(unavailable=Unavailable(code, message, 5))


@dataclass
class Gateway:
    """Envoy with its files in a folder."""

    folder: Path
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    xds_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    plane: ControlPlane = field(default_factory=ControlPlane)
    control: Served | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def path_url(self) -> str:
        """The path form of SERVICE's address."""
        return f"{self.url}/{SERVICE}"

    def start(self) -> None:
        """Start Envoy with the bootstrap of these ports."""
        file = self.folder / "bootstrap.json"
        with override_settings(
            GATEWAY_HOST="127.0.0.1",
            GATEWAY_PORT=self.port,
            GATEWAY_ADMIN_PORT=self.admin_port,
            GATEWAY_XDS_ADDRESS=f"127.0.0.1:{self.xds_port}",
            GATEWAY_ACCESS_LOG=self.folder / "access.log",
        ):
            config = bootstrap()
        self.change_bootstrap(config)
        file.write_text(json.dumps(config))
        command = [find_envoy(), *envoy_command(file)[1:], "--concurrency", "1"]
        with (self.folder / "envoy.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def change_bootstrap(self, config: Any) -> None:
        """Let a test start Envoy with something else."""

    def serve_control_plane(self) -> None:
        self.control = Served(self.plane, self.xds_port)

    def publish(self, *services: GatewayService) -> str:
        """Make these all of the services; return the version of the routes."""
        assert self.control is not None
        snapshot = build(services)
        publishing = self.plane.publish(snapshot)
        asyncio.run_coroutine_threadsafe(publishing, self.control.loop).result(10)
        return snapshot.routes.version

    def apply(self, *services: GatewayService) -> None:
        """The same, and wait until Envoy acts on it."""
        version = self.publish(*services)
        until(lambda: version in self.applied(), 15, "Envoy has the routes")
        until(lambda: '"warming' not in self.clusters(), 15, "Envoy has the clusters")

    def applied(self) -> str:
        try:
            return self._admin("config_dump?resource=dynamic_route_configs&mask=version_info")
        except httpx.TransportError:
            return ""

    def clusters(self) -> str:
        return self._admin("config_dump?resource=dynamic_warming_clusters")

    def _admin(self, path: str) -> str:
        return httpx.get(f"http://127.0.0.1:{self.admin_port}/{path}", timeout=5).text

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        if self.control:
            self.control.stop()


@contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    """Run a gateway and its control plane."""
    gateway.serve_control_plane()
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def get(gateway: Gateway, path: str = "/", **headers: str) -> httpx.Response:
    """Call SERVICE by the path form, with its key unless other headers are given."""
    return httpx.get(gateway.path_url + path, headers=headers or AUTH, timeout=30)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal, whose shape must be OpenAI's."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    return response.status_code, error["code"]
