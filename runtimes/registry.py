"""What can run inside an instance, and the command line and environment each one is started with.

Our own servers (`llm/`, `mlflow/`) read their environment: HOST, PORT, MODEL_PATH, MODEL_NAME and
what their module's docstring adds. Official images are configured by arguments, which are appended
to the image's own entry point. Everything here is a pure function of plain values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

# Where the folder of a model's files is mounted. Distinctive, because a driver that cannot mount
# replaces it by the real folder wherever it occurs in the command and the environment.
MODEL_MOUNT = "/slipway/model"

DEFAULT_CONTEXT = 4096
DEFAULT_SLOTS = 2
_HERE = Path(__file__).resolve().parent


class UnknownRuntime(LookupError):
    """No runtime has this name."""


@dataclass(frozen=True)
class Launch:
    """What one instance is to serve and with how much; memory in MiB.

    `options` are a catalog entry's `runtime_options`: `model_file` (inside the model's folder),
    `context_length` (tokens a request; TEI cuts longer texts), `slots` (requests at a time),
    `pooling`, `prompt_cache_mib`, `arguments` (a list, official images only).
    """

    model_name: str
    vcpu: Decimal
    memory_mib: int
    gpus: int = 0
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def model_path(self) -> str:
        """Return the model's file or folder as the instance sees it."""
        return f"{MODEL_MOUNT}/{self.options.get('model_file', '')}".rstrip("/")

    @property
    def threads(self) -> int:
        """Return how many threads compute: one a whole vCPU, for more only wait for each other."""
        return max(1, int(self.vcpu))

    def number(self, option: str, default: int) -> int:
        """Return a whole number among the options."""
        return int(str(self.options.get(option, default)))


Arguments = Callable[[Launch], tuple[str, ...]]
Environment = Callable[[Launch], dict[str, str]]


@dataclass(frozen=True)
class Runtime:
    """A server for models: how it is obtained, started, probed and called.

    Exactly one of `context` (a folder with a Dockerfile and a requirements.txt) and `reference`
    (an image to pull) is given. Runtimes of the same `image_name` share one image.
    """

    name: str
    label: str
    tasks: frozenset[str]
    image_name: str
    port: int
    command: Arguments
    environment: Environment
    context: Path | None = None
    reference: str = ""
    health_path: str = "/health"
    needs_gpu: bool = False
    # Loading and the first compilation of a large model on a GPU take minutes.
    start_timeout: int = 600
    shared_memory_mib: int = 64

    @property
    def needs_images(self) -> bool:
        """Return whether only a driver that runs container images can start it."""
        return self.context is None


def _llm_server(_launch: Launch) -> tuple[str, ...]:
    return ("python", "server.py")


def _mlflow_server(_launch: Launch) -> tuple[str, ...]:
    return ("python", "-m", "scoring")


def _common(launch: Launch) -> dict[str, str]:
    return {
        "MODEL_PATH": launch.model_path,
        "MODEL_NAME": launch.model_name,
        "THREADS": str(launch.threads),
        # The server's folder is shared by all instances and is hashed into the image's name.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _llm(launch: Launch) -> dict[str, str]:
    return {
        **_common(launch),
        "TASK": "generate",
        "CONTEXT_LENGTH": str(launch.number("context_length", DEFAULT_CONTEXT)),
        "SLOTS": str(launch.number("slots", DEFAULT_SLOTS)),
        "PROMPT_CACHE_MIB": str(launch.number("prompt_cache_mib", 0)),
        "GPUS": str(launch.gpus),
    }


def _embedding(launch: Launch) -> dict[str, str]:
    return {
        **_llm(launch),
        "TASK": "embed",
        "CONTEXT_LENGTH": str(launch.number("context_length", 512)),
        "POOLING": str(launch.options.get("pooling", "")),
    }


def _mlflow(launch: Launch) -> dict[str, str]:
    # numpy and scikit-learn would otherwise start a thread for every core of the node.
    return {**_common(launch), "OMP_NUM_THREADS": str(launch.threads)}


def _extra(launch: Launch) -> tuple[str, ...]:
    arguments = launch.options.get("arguments", ())
    return tuple(str(a) for a in arguments) if isinstance(arguments, (list, tuple)) else ()


def _vllm_arguments(launch: Launch) -> tuple[str, ...]:
    """Return arguments for `vllm serve`, the image's entry point; the model comes first."""
    arguments = [launch.model_path, "--host", "{HOST}", "--port", "{PORT}"]
    arguments += ["--served-model-name", launch.model_name]
    if "context_length" in launch.options:
        arguments += ["--max-model-len", str(launch.number("context_length", DEFAULT_CONTEXT))]
    if launch.gpus > 1:
        arguments += ["--tensor-parallel-size", str(launch.gpus)]
    return (*arguments, *_extra(launch))


def _vllm(_launch: Launch) -> dict[str, str]:
    # The root file system is read-only and the model is local: caches go to /tmp, nobody is called.
    return {
        "HOME": "/tmp",
        # PyTorch names a cache after the user and fails for a user id that has no name.
        "USER": "vllm",
        "VLLM_CACHE_ROOT": "/tmp/vllm",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }


def _tei_arguments(launch: Launch) -> tuple[str, ...]:
    """Return arguments for `text-embeddings-router`, the image's entry point."""
    arguments = ["--model-id", launch.model_path, "--hostname", "{HOST}", "--port", "{PORT}"]
    # Workers that tokenize: by default one for every core of the node.
    arguments += ["--tokenization-workers", str(launch.threads), "--json-output"]
    if pooling := launch.options.get("pooling"):
        arguments += ["--pooling", str(pooling)]
    if "context_length" in launch.options:
        # Attention takes memory by the square of a batch's tokens. A batch that cannot hold the
        # model's longest input is only accepted together with cutting.
        limit = launch.number("context_length", DEFAULT_CONTEXT)
        arguments += ["--max-batch-tokens", str(limit), "--auto-truncate"]
    return (*arguments, *_extra(launch))


def _tei(launch: Launch) -> dict[str, str]:
    # The image itself asks for eight threads, whatever the instance may use.
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return {**dict.fromkeys(pools, str(launch.threads)), "HF_HUB_OFFLINE": "1"}


RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            name="llm",
            label="llama.cpp",
            tasks=frozenset({"chat"}),
            image_name="llm",
            context=_HERE / "llm",
            port=8080,
            command=_llm_server,
            environment=_llm,
        ),
        Runtime(
            name="embedding",
            label="llama.cpp",
            tasks=frozenset({"embeddings"}),
            image_name="llm",
            context=_HERE / "llm",
            port=8080,
            command=_llm_server,
            environment=_embedding,
        ),
        Runtime(
            name="mlflow",
            label="MLflow",
            tasks=frozenset({"predict"}),
            image_name="mlflow",
            context=_HERE / "mlflow",
            port=8080,
            command=_mlflow_server,
            environment=_mlflow,
        ),
        Runtime(
            name="vllm",
            label="vLLM",
            tasks=frozenset({"chat", "embeddings"}),
            image_name="vllm",
            reference="vllm/vllm-openai:v0.19.0",
            port=8000,
            command=_vllm_arguments,
            environment=_vllm,
            needs_gpu=True,
            start_timeout=1800,
            shared_memory_mib=2048,
        ),
        Runtime(
            name="tei",
            label="Text Embeddings Inference",
            tasks=frozenset({"embeddings", "rerank"}),
            image_name="tei",
            reference="ghcr.io/huggingface/text-embeddings-inference:cpu-1.8.3",
            port=8080,
            command=_tei_arguments,
            environment=_tei,
        ),
    )
}


def runtime(name: str) -> Runtime:
    """Return the runtime of this name; raise UnknownRuntime, naming those there are."""
    try:
        return RUNTIMES[name]
    except KeyError:
        known = ", ".join(sorted(RUNTIMES))
        raise UnknownRuntime(f"There is no runtime {name!r}; there are {known}.") from None


def command_and_environment(name: str, launch: Launch) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return what an instance of a runtime is started with.

    HOST and PORT are those of a container of its own; a driver that shares the node's network
    overrides them, and replaces `{HOST}` and `{PORT}` in the command.
    """
    chosen = runtime(name)
    address = {"HOST": "0.0.0.0", "PORT": str(chosen.port)}
    return chosen.command(launch), {**address, **chosen.environment(launch)}
