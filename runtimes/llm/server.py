"""Serve one GGUF model with llama.cpp in OpenAI's API shapes, until SIGTERM.

Environment:
    MODEL_PATH        the .gguf file (required)
    MODEL_NAME        the name in answers and in /v1/models (default: the file's name)
    HOST, PORT        where to listen (default 127.0.0.1, 8080)
    TASK              `generate` (completions, chat) or `embed` (embeddings)
    CONTEXT_LENGTH    tokens that one request may take in all
    SLOTS             requests worked on at the same time; each has its own context
    THREADS           threads that compute
    POOLING           embed: mean, cls or last; empty: as the model's file says
    PROMPT_CACHE_MIB  memory for prompts of earlier requests beyond those in the slots
    GPUS              0: everything on the CPU
    DRAIN_SECONDS     how long requests under way may take after SIGTERM (default 25)

/health answers 503 until the model is loaded.
"""

import http.client
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import xllamacpp

ALL_LAYERS = 999
POLL_SECONDS = 0.1
# Longest text to embed, in tokens, that is still judged by its length and not refused outright.
LONGEST_TEXT = 131_072


class BadEnvironment(Exception):
    """A variable is missing or has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """The environment, read once."""

    model_path: Path
    model_name: str
    host: str
    port: int
    embed: bool
    context_length: int
    slots: int
    threads: int
    pooling: str
    prompt_cache_mib: int
    gpus: int
    drain_seconds: int


def log(level: str, message: str, **details: object) -> None:
    """Print one line of JSON."""
    line = {"time": datetime.now(UTC).isoformat(), "level": level, "message": message, **details}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def number(name: str, default: int, least: int = 0) -> int:
    """Return a whole number from the environment; raise BadEnvironment."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise BadEnvironment(f"{name} is {text!r}; give a whole number of at least {least}.")
    return int(text)


def read_settings() -> Settings:
    """Read the environment; raise BadEnvironment."""
    path = Path(os.environ.get("MODEL_PATH", ""))
    if not path.is_file():
        raise BadEnvironment(f"MODEL_PATH is {str(path)!r}; give the path of a .gguf file.")
    task = os.environ.get("TASK", "generate")
    if task not in {"generate", "embed"}:
        raise BadEnvironment(f"TASK is {task!r}; give generate or embed.")
    pooling = os.environ.get("POOLING", "")
    if pooling not in {"", "mean", "cls", "last"}:
        raise BadEnvironment(f"POOLING is {pooling!r}; give mean, cls or last, or nothing.")
    return Settings(
        model_path=path,
        model_name=os.environ.get("MODEL_NAME") or path.stem,
        host=os.environ.get("HOST") or "127.0.0.1",
        port=number("PORT", 8080, least=1),
        embed=task == "embed",
        context_length=number("CONTEXT_LENGTH", 4096, least=1),
        slots=number("SLOTS", 1, least=1),
        threads=number("THREADS", 1, least=1),
        pooling=pooling,
        prompt_cache_mib=number("PROMPT_CACHE_MIB", 0),
        gpus=number("GPUS", 0),
        drain_seconds=number("DRAIN_SECONDS", 25),
    )


def parameters(settings: Settings) -> xllamacpp.CommonParams:
    """Translate the settings into llama.cpp's parameters."""
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.model_path)
    params.model_alias = {settings.model_name}
    params.hostnames = [settings.host]
    params.port = settings.port
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_length * settings.slots
    params.n_gpu_layers = ALL_LAYERS if settings.gpus else 0
    # Without this llama.cpp shortens the context to what it believes is free on the node.
    params.fit_params = False
    # Its default lets earlier prompts take 8 GiB, whatever the instance may use.
    params.cache_ram_mib = settings.prompt_cache_mib
    for pool in (params.cpuparams, params.cpuparams_batch):
        pool.n_threads = settings.threads
        # Waiting threads sleep instead of spinning: the instance pays for the CPU they burn.
        pool.poll = 0
    params.use_jinja = True
    params.ui = False
    params.endpoint_metrics = True
    # Slots would show one caller the prompts of another.
    params.endpoint_slots = False
    if settings.embed:
        _embedding_parameters(params, settings)
    return params


def _embedding_parameters(params: xllamacpp.CommonParams, settings: Settings) -> None:
    params.embedding = True
    # An encoder sees its whole input at once. One that exceeds the batch is an error of llama.cpp's
    # own (500), one that exceeds only the context is the caller's (400): so the batch is larger.
    # It costs nothing, for memory is taken for no more tokens than the contexts of all slots hold.
    params.n_batch = params.n_ubatch = max(LONGEST_TEXT, settings.context_length)
    if settings.pooling:
        name = f"LLAMA_POOLING_TYPE_{settings.pooling.upper()}"
        params.pooling_type = getattr(xllamacpp.llama_pooling_type, name)


def requests_under_way(host: str, port: int) -> int:
    """Ask the server how many requests it works on or holds in its queue."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    counts = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    names = ("llamacpp:requests_processing", "llamacpp:requests_deferred")
    return sum(int(float(counts.get(name, 0))) for name in names)


def drain(host: str, port: int, seconds: float) -> bool:
    """Wait until no request is under way; return whether that was within the time."""
    deadline = time.monotonic() + seconds
    quiet = 0
    while time.monotonic() < deadline:
        # Twice in a row: a request is not counted while its prompt is being read, and its last
        # bytes are still on their way when it is not counted any more.
        quiet = 0 if requests_under_way(host, port) else quiet + 1
        if quiet > 1:
            return True
        time.sleep(POLL_SECONDS)
    return False


def serve(settings: Settings, stop: threading.Event) -> None:
    """Load the model, serve until told to stop, and finish what is under way."""
    started = time.monotonic()
    log("info", "loading", model=settings.model_name, path=str(settings.model_path))
    server = xllamacpp.Server(parameters(settings))
    log(
        "info",
        "ready",
        address=server.listening_address,
        seconds=round(time.monotonic() - started, 2),
    )
    stop.wait()
    log("info", "stopping")
    if not drain(settings.host, settings.port, settings.drain_seconds):
        log("warning", "requests were cut off", after_seconds=settings.drain_seconds)
    log("info", "stopped")


def main() -> int:
    """Run the server; return the process's exit code."""
    stop = threading.Event()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number_, lambda *_: stop.set())
    try:
        serve(read_settings(), stop)
    except BadEnvironment as error:
        log("error", str(error))
        return 2
    except RuntimeError as error:
        # What llama.cpp said about the file precedes this line.
        log("error", f"The model could not be loaded: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
