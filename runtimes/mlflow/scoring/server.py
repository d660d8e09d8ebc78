"""The HTTP side: /predict, /invocations, /signature, /health."""

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .frames import BadShape, Column, ModelFailed, RequestProblem, Table, first_gap, table_from
from .journal import log

LARGEST_BODY = 32 * 1024 * 1024


class Predicts(Protocol):
    """What the server needs of a model."""

    columns: list[Column]
    outputs: list[object]
    example: dict[str, object]

    def predict(self, table: Table, params: dict[str, object] | None) -> object:
        """Return predictions as plain JSON values; raise ModelFailed."""


class TooLarge(RequestProblem):
    """The body is larger than is read."""

    code = "too_large"


def application(model: Predicts, name: str) -> Starlette:
    """Return the ASGI application that answers for one model."""

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def signature(_request: Request) -> Response:
        inputs = [
            {"name": column.name, "type": column.type, "required": column.required}
            for column in model.columns
        ]
        described = {"inputs": inputs, "outputs": model.outputs, "example": model.example}
        return JSONResponse({"model": name, **described})

    async def predict(request: Request) -> Response:
        return await _answered(request, lambda: _predictions(request, model))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/ping", health),
            Route("/signature", signature),
            Route("/predict", predict, methods=["POST"]),
            Route("/invocations", predict, methods=["POST"]),
        ]
    )


async def _answered(request: Request, work: Callable[[], Awaitable[object]]) -> Response:
    """Run the work, turn its problems into JSON errors and write a line about it."""
    started = time.perf_counter()
    level = "info"
    try:
        status, answer = 200, {"predictions": await work()}
    except TooLarge as problem:
        status, answer = 413, _error(problem.code, str(problem))
    except RequestProblem as problem:
        status, answer = 400, _error(problem.code, str(problem), **problem.where)
    except ModelFailed as failure:
        level = "error"
        status, answer = 500, _error("model_failed", str(failure))
    request_id = getattr(request.state, "client_request_id", "") or str(uuid.uuid4())
    seconds = round(time.perf_counter() - started, 4)
    log(level, request.url.path, status=status, seconds=seconds, client_request_id=request_id)
    return JSONResponse({"client_request_id": request_id, **answer}, status)


async def _predictions(request: Request, model: Predicts) -> object:
    body = await _read(request)
    request.state.client_request_id = _request_id(body)
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise BadShape("params must be an object.")
    table = table_from(body, model.columns)
    try:
        return await run_in_threadpool(model.predict, table, params)
    except ModelFailed as failure:
        raise first_gap(table) or failure from None


async def _read(request: Request) -> dict[str, object]:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise TooLarge(f"The body is larger than {LARGEST_BODY // 2**20} MiB: send fewer rows.")
    try:
        body = json.loads(received)
    except (ValueError, RecursionError) as error:
        raise BadShape(f"The body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadShape("The body must be a JSON object.")
    return body


def _request_id(body: dict[str, object]) -> str:
    given = body.get("client_request_id", "")
    if not isinstance(given, (str, int)) or isinstance(given, bool):
        raise BadShape("client_request_id must be a text.")
    return str(given)


def _error(code: str, message: str, **where: object) -> dict[str, object]:
    kind = "server_error" if code == "model_failed" else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "code": code, **where}}
