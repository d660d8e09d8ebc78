from dataclasses import dataclass
from decimal import Decimal

from services.catalog.fit import Fit, Needs, fit
from services.drivers.base import Node


@dataclass(frozen=True)
class Size:
    code: str
    memory_mib: int
    gpus: int = 0
    gpu_memory_mib: int = 0
    vcpu: Decimal = Decimal(1)


LAPTOP = Node("laptop", Decimal(4), 15 * 1024)
GPU_NODE = Node("gpu", Decimal(16), 65536, gpus=1, gpu_memory_mib=24576)
SIZES = [Size("cpu.1", 4096), Size("cpu.2", 8192), Size("gpu.1", 16384, 1, 24576)]


def test_a_small_model_fits_with_its_least_specification():
    assert fit(Needs(6000), [LAPTOP], offered=SIZES) == Fit(True, "", "cpu.2")


def test_memory_that_no_machine_has_is_told_with_both_numbers():
    verdict = fit(Needs(18 * 1024), [LAPTOP])
    assert verdict.reason == "Needs 18 GiB; the largest machine has 15 GiB"
    assert not verdict.ok


def test_a_gpu_model_does_not_fit_a_region_without_one():
    verdict = fit(Needs(8192, 16384, needs_gpu=True), [LAPTOP], offered=SIZES)
    assert verdict == Fit(False, "Needs a GPU; this region has none", "gpu.1")


def test_gpu_memory_counts_apart():
    verdict = fit(Needs(8192, 40960), [LAPTOP, GPU_NODE])
    assert verdict.reason == "Needs 40 GiB of GPU memory; the largest machine has 24 GiB"


def test_a_source_out_of_reach_is_told_only_when_known():
    needs = Needs(512, remote=True)
    assert fit(needs, [LAPTOP], None, False).reason == "Its source cannot be reached from here"
    assert fit(needs, [LAPTOP], None, None).ok
    assert fit(Needs(512), [LAPTOP], None, False).ok


def test_an_image_does_not_run_where_there_are_none():
    assert "container image" in fit(Needs(512, needs_images=True), [LAPTOP], images=False).reason


def test_a_specification_that_is_too_small_is_refused_by_name():
    verdict = fit(Needs(6000), [LAPTOP], SIZES[0], offered=SIZES)
    assert verdict.reason == "Needs 5.9 GiB; cpu.1 has 4 GiB"


def test_a_specification_larger_than_any_machine_is_refused():
    verdict = fit(Needs(512), [LAPTOP], Size("cpu.16", 65536))
    assert not verdict.ok
    assert verdict.reason == "The largest machine has 15 GiB"


def test_a_specification_with_more_vcpu_than_any_machine_is_refused():
    verdict = fit(Needs(512), [LAPTOP], Size("cpu.8", 4096, vcpu=Decimal(8)))
    assert verdict.reason == "The largest machine has 4 vCPU"


def test_a_region_not_yet_seen_is_no_objection_and_one_that_is_down_is():
    down = Node("laptop", Decimal(4), 15360, ready=False)
    assert fit(Needs(512), []).ok
    assert not fit(Needs(512), [down]).ok
