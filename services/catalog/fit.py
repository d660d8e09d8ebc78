"""Whether a model can run in a region, and if not, why not. Pure: facts in, a verdict out."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from services.drivers.base import Node

GIB = 1024  # MiB


@dataclass(frozen=True)
class Needs:
    """What one instance of a catalog entry takes; memory in MiB.

    `remote` is true for a source that must be fetched from a hub and has not been yet;
    `needs_images` for a runtime that only exists as a container image.
    """

    memory_mib: int
    gpu_memory_mib: int = 0
    needs_gpu: bool = False
    needs_images: bool = False
    remote: bool = False


class Size(Protocol):
    """The part of a specification that matters here; memory in MiB."""

    @property
    def code(self) -> str:
        """Return the specification's name."""

    @property
    def vcpu(self) -> Decimal:
        """Return an instance's CPU."""

    @property
    def memory_mib(self) -> int:
        """Return an instance's memory."""

    @property
    def gpus(self) -> int:
        """Return how many GPUs an instance gets."""

    @property
    def gpu_memory_mib(self) -> int:
        """Return the memory of all its GPUs together."""


@dataclass(frozen=True)
class Fit:
    """The verdict; the least specification is the code of the smallest offered one that does."""

    ok: bool
    reason: str = ""
    least_specification: str = ""


def fit(
    needs: Needs,
    nodes: Sequence[Node],
    specification: Size | None = None,
    source_reachable: bool | None = None,
    *,
    offered: Sequence[Size] = (),
    images: bool = True,
) -> Fit:
    """Judge a model in a region, or one specification for it when that is given.

    `offered` are the specifications, smallest first. `images` says whether the region runs
    container images. What is not known (no nodes seen yet, reachability None) is no objection.
    """
    least = least_specification(needs, offered)
    reason = _against_region(needs, nodes, source_reachable, images=images)
    if not reason and offered and not least:
        reason = f"No specification has the {_needed(needs)} that it needs"
    if not reason and specification is not None:
        reason = _against_specification(needs, specification) or _against_nodes(
            specification, nodes
        )
    return Fit(not reason, reason, least)


def least_specification(needs: Needs, offered: Sequence[Size]) -> str:
    """Return the code of the first specification that is large enough; empty for none."""
    return next((s.code for s in offered if not _against_specification(needs, s)), "")


def _against_region(
    needs: Needs, nodes: Sequence[Node], source_reachable: bool | None, *, images: bool
) -> str:
    if needs.needs_images and not images:
        return "Runs from a container image only: choose a region with Docker"
    ready = [node for node in nodes if node.ready]
    if nodes and not ready:
        return "No machine of this region is ready"
    if reason := _too_large(needs, ready):
        return reason
    if needs.remote and source_reachable is False:
        return "Its source cannot be reached from here"
    return ""


def _too_large(needs: Needs, ready: Sequence[Node]) -> str:
    if not ready:
        return ""
    if _wants_gpu(needs):
        with_gpu = [node for node in ready if node.gpus]
        if not with_gpu:
            return "Needs a GPU; this region has none"
        largest = max(node.gpu_memory_mib for node in with_gpu)
        if largest < needs.gpu_memory_mib:
            return (
                f"Needs {_gib(needs.gpu_memory_mib)} of GPU memory; the largest machine has "
                f"{_gib(largest)}"
            )
        ready = with_gpu
    largest = max(node.memory_mib for node in ready)
    if largest < needs.memory_mib:
        return f"Needs {_gib(needs.memory_mib)}; the largest machine has {_gib(largest)}"
    return ""


def _against_specification(needs: Needs, size: Size) -> str:
    if _wants_gpu(needs) and not size.gpus:
        return f"Needs a GPU; {size.code} has none"
    if size.gpu_memory_mib < needs.gpu_memory_mib:
        return (
            f"Needs {_gib(needs.gpu_memory_mib)} of GPU memory; {size.code} has "
            f"{_gib(size.gpu_memory_mib)}"
        )
    if size.memory_mib < needs.memory_mib:
        return f"Needs {_gib(needs.memory_mib)}; {size.code} has {_gib(size.memory_mib)}"
    return ""


def _against_nodes(size: Size, nodes: Sequence[Node]) -> str:
    """Say why no single machine could ever hold an instance of this size."""
    ready = [node for node in nodes if node.ready]
    if not ready or any(_holds(node, size) for node in ready):
        return ""
    if size.gpus and not any(node.gpus for node in ready):
        return "No GPU in this region"
    most_memory = max(node.memory_mib for node in ready)
    if most_memory < size.memory_mib:
        return f"The largest machine has {_gib(most_memory)}"
    most_cpu = max(node.vcpu for node in ready)
    if most_cpu < size.vcpu:
        return f"The largest machine has {most_cpu.normalize():f} vCPU"
    return "No single machine has all that it needs"


def _holds(node: Node, size: Size) -> bool:
    return (
        node.vcpu >= size.vcpu
        and node.memory_mib >= size.memory_mib
        and node.gpus >= size.gpus
        and node.gpu_memory_mib >= size.gpu_memory_mib
    )


def _wants_gpu(needs: Needs) -> bool:
    return needs.needs_gpu or needs.gpu_memory_mib > 0


def _needed(needs: Needs) -> str:
    memory = _gib(needs.memory_mib)
    return (
        f"{memory} and {_gib(needs.gpu_memory_mib)} of GPU memory" if _wants_gpu(needs) else memory
    )


def _gib(mib: int) -> str:
    """Write a memory size as people say it: 512 MiB, 1.5 GiB, 18 GiB."""
    if mib < GIB:
        return f"{mib} MiB"
    return f"{round(mib / GIB, 1):g} GiB"
