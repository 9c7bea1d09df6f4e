"""Results that main memory does not hold: the same voxels, from a file without a name that the disk has room for."""

import gc
import mmap
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from models import a_through_plane_model, a_tiny_card, a_tiny_model, a_tiny_model_file

from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.cli.worker import run_job
from SuperResolution3DLib.errors import CancelledError, OutputError, ResourceError
from SuperResolution3DLib.inference import engine as engine_module
from SuperResolution3DLib.inference import result_memory
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import Run, TilePlan, plan_tiles
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.result_memory import ResultMemory
from SuperResolution3DLib.inference.settings import Result, Settings
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.volumes.box import whole
from SuperResolution3DLib.volumes.mapped_array import mapped_zeros, planes, release_pages
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

ROOT = str(Path(__file__).resolve().parents[2])
FP32 = Settings(device="cpu", precision="fp32")
REGION = (slice(2, 8), slice(0, 7), slice(1, 6))
IN_MEMORY = pytest.mark.skipif(sys.platform != "linux", reason="The system tells of files and memory on Linux alone")


class Told(Monitor):
    """Remembers what it was told; cancels at a stage."""

    def __init__(self, cancel_at: str = "") -> None:
        self.sentences: list[str] = []
        self.cancel_at = cancel_at
        self.is_there = False

    def progress(self, stage: str, done: int, total: int) -> None:
        self.is_there |= stage == self.cancel_at and done > 0

    def tell(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def is_cancelled(self) -> bool:
        return self.is_there


@pytest.fixture
def a_small_memory(monkeypatch):
    monkeypatch.setattr(result_memory, "free_memory", lambda: 1000)


@pytest.fixture
def a_scratch(tmp_path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def a_sagittal_volume(a_phantom, dtype=np.int16) -> Volume:
    return Volume(a_phantom.array[:9, :8, :7].astype(dtype), a_phantom.affine)


def a_stack(a_phantom) -> Volume:
    affine = a_phantom.affine.copy()
    affine[:3, 2] *= 4  # I, J, K: thick along K
    return Volume(a_phantom.array[:9, :8, :7].astype(np.int16), affine)


def mapping_of(array: np.ndarray) -> object:
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def files_without_a_name(folder: Path) -> list[str]:
    gc.collect()
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]


def in_memory_and_mapped(
    monkeypatch, scratch: Path, volume: Volume, model: Model, settings: Settings, **others: object
) -> tuple[Result, Result]:
    wanted = super_resolve(volume, model, settings, **others)  # type: ignore[arg-type]
    with monkeypatch.context() as patched:
        patched.setattr(result_memory, "free_memory", lambda: 1000)
        found = super_resolve(volume, model, replace(settings, scratch=scratch), **others)  # type: ignore[arg-type]
    assert isinstance(mapping_of(found.volume.array), mmap.mmap)
    assert not isinstance(mapping_of(wanted.volume.array), mmap.mmap)
    return wanted, found


# --- The same voxels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data_consistency": "project"},
        {"data_consistency": "off", "region": REGION},
        {"ensemble": True, "data_consistency": "project"},
        {"window": 5, "overlap": 0.5},
    ],
    ids=str,
)
def test_a_mapped_result_has_the_voxels_of_one_in_memory(tmp_path, a_scratch, a_phantom, monkeypatch, dtype, changes):
    monkeypatch.setattr(result_memory, "CUBE", (5, 7, 6))
    volume, model = a_sagittal_volume(a_phantom, dtype), a_tiny_model(tmp_path, (4, 4, 4))
    settings = replace(FP32, **changes)
    both = in_memory_and_mapped(monkeypatch, a_scratch, volume, model, settings, with_zero_filled=True)
    for wanted, found in zip(*[(result.volume, result.zero_filled) for result in both], strict=True):
        assert found.array.dtype == wanted.array.dtype == dtype
        np.testing.assert_array_equal(found.array, wanted.array)
        np.testing.assert_array_equal(found.affine, wanted.affine)
    first, second = (result.report.data_consistency for result in both)
    assert first == second


@pytest.mark.parametrize(
    "changes", [{}, {"data_consistency": "project"}, {"region": REGION}, {"ensemble": True}], ids=str
)
def test_between_mapped_slices_there_are_the_same_voxels(tmp_path, a_scratch, a_phantom, monkeypatch, changes):
    model, settings = a_through_plane_model(tmp_path), replace(FP32, **changes)
    both = in_memory_and_mapped(monkeypatch, a_scratch, a_stack(a_phantom), model, settings, with_zero_filled=True)
    for wanted, found in zip(*[(result.volume, result.zero_filled) for result in both], strict=True):
        np.testing.assert_array_equal(found.array, wanted.array)
    assert both[0].report.slices == both[1].report.slices


# --- When ------------------------------------------------------------------------------------------------------------


def test_a_limit_maps_what_it_does_not_hold_and_refuses_nothing(tmp_path, a_scratch, a_phantom):
    volume, model = a_sagittal_volume(a_phantom), a_tiny_model(tmp_path)
    needed = volume.array.size * 8 * 6  # bytes of the result: 4 in fp32 and 2 in the file's type
    enough = replace(FP32, scratch=a_scratch, memory_limit=10 * needed / 2**30)
    assert mapping_of(super_resolve(volume, model, enough).volume.array) is None
    monitor = Told()
    limited = replace(enough, memory_limit=0.9 * needed / 2**30)
    with pytest.raises(ResourceError, match="The run needs at least"):  # the network takes more than the result here
        super_resolve(volume, model, limited, monitor)
    assert monitor.sentences == [f"main memory is too small: the result takes up to 1 MiB in {a_scratch}"]


def test_a_result_beside_which_the_network_has_no_room_is_mapped(tmp_path, a_scratch):
    lr = np.random.default_rng(0).random((64, 32, 32), np.float32)
    engine = Engine(a_tiny_model(tmp_path, (4, 4, 4)), replace(FP32, scratch=a_scratch))
    wanted = engine.run(lr)
    assert not engine.memory.is_mapped
    limited = replace(engine.settings, memory_limit=0.9 * wanted.nbytes / 2**30)
    engine = Engine(engine.model, limited)
    found = engine.run(lr)
    assert engine.memory.is_mapped
    np.testing.assert_allclose(found, wanted, atol=1e-5)  # cut into other tiles
    with pytest.raises(ResourceError, match="The run needs at least"):
        Engine(engine.model, replace(limited, scratch=None)).run(lr)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_of_a_tiled_trunk_lie_on_the_disk_with_the_result(tmp_path, a_scratch, monkeypatch, precision):
    lr = np.random.default_rng(0).random((9, 8, 7), np.float32)
    plan = TilePlan((4, 5, 7), 3, (3, 4, 7), (2, 2, 2), 0)
    monkeypatch.setattr(engine_module, "plan_tiles", lambda *_, **__: plan)
    engine = Engine(a_tiny_model(tmp_path), EngineSettings("cpu", precision))
    wanted = engine.run(lr)
    engine.memory = ResultMemory(a_scratch, is_mapped=True)
    made = []
    empty = ResultMemory.empty
    monkeypatch.setattr(ResultMemory, "empty", lambda *given: made.append(given[1]) or empty(*given))
    found = engine.run(lr)
    np.testing.assert_array_equal(found, wanted)
    assert made == [(1, 4, 9, 8, 7, 4 if precision == "fp32" else 2), (18, 16, 14)]  # bytes of a number come last


def test_a_result_on_the_disk_leaves_more_memory_to_the_network(tmp_path):
    run = Run(a_tiny_card((4, 4, 4)), (128, 128, 128), whole((128, 128, 128)))
    on_disk, result = replace(run, on_disk=True), 4 * 512**3
    for itemsize in (2, 4):
        plan, other = (plan_tiles(item, itemsize, 10**10, on_cpu=True) for item in (run, on_disk))
        assert (plan.trunk_tile, plan.tail_tile) == (other.trunk_tile, other.tail_tile) == ((128,) * 3, (32,) * 3)
        assert plan.peak_bytes - other.peak_bytes > result / 2
        small = plan_tiles(on_disk, itemsize, itemsize * result / 64, on_cpu=True)
        assert max(small.trunk_tile) < 128
        with pytest.raises(ResourceError):
            plan_tiles(run, itemsize, result, on_cpu=True)
        assert plan_tiles(on_disk, itemsize, 10**10, on_cpu=False) == plan_tiles(run, itemsize, 10**10, on_cpu=False)


# --- On the disk -----------------------------------------------------------------------------------------------------


@IN_MEMORY
@pytest.mark.parametrize("stage", ["trunk", "tail", "consistency"])
def test_a_cancelled_run_leaves_no_file_and_no_space_taken(tmp_path, a_scratch, a_phantom, a_small_memory, stage):
    settings = replace(FP32, scratch=a_scratch, data_consistency="project")
    with pytest.raises(CancelledError):
        super_resolve(a_sagittal_volume(a_phantom), a_tiny_model(tmp_path), settings, Told(stage))
    assert list(a_scratch.iterdir()) == []
    assert files_without_a_name(a_scratch) == []


@IN_MEMORY
def test_a_file_has_no_name_and_goes_with_its_array(a_scratch):
    array = mapped_zeros((3, 50, 70), np.float32, a_scratch)
    assert list(a_scratch.iterdir()) == []
    assert len(files_without_a_name(a_scratch)) == 1
    view = array[::-1, 3:].transpose(2, 0, 1)
    del array
    assert len(files_without_a_name(a_scratch)) == 1
    assert view.sum() == 0
    del view
    assert files_without_a_name(a_scratch) == []


@IN_MEMORY
def test_pages_that_are_released_leave_the_memory_and_keep_what_was_written(a_scratch):
    def resident() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))  # KiB

    array = mapped_zeros((64, 256, 256), np.float32, a_scratch)  # 16 MiB
    array[:] = np.arange(64, dtype=np.float32)[:, None, None]
    before = resident()
    release_pages(array[::-1].T, np.zeros(3))
    assert before - resident() > 12 * 1024
    assert [plane.mean() for (plane,) in planes(array)] == list(range(64))
    assert before - resident() > 12 * 1024


def test_a_disk_with_too_little_room_is_told_before_anything_is_computed(
    tmp_path, a_scratch, a_phantom, a_small_memory, monkeypatch
):
    result, features = 504 * 64 * (4 + 2 + 2), 504 * 4 * 4  # bytes a voxel: in fp32, cast, in the file
    free = result + features - 1
    monkeypatch.setattr(result_memory.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    monitor, settings = Told("read"), replace(FP32, scratch=a_scratch)
    with pytest.raises(OutputError, match="takes up to 1 MiB on the disk, and 1 MiB are free in"):
        super_resolve(a_sagittal_volume(a_phantom), a_tiny_model(tmp_path, (4, 4, 4)), settings, monitor)
    assert monitor.sentences == []
    free += 1
    super_resolve(a_sagittal_volume(a_phantom), a_tiny_model(tmp_path, (4, 4, 4)), settings, monitor)


COMMAND = """
import resource
import sys
from pathlib import Path
import SuperResolution3DLib.inference.super_resolve  # counted as the program
from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.cli.worker import run_process
from SuperResolution3DLib.inference import memory_plan

memory_plan.LARGEST_TAIL_TILE = 8  # beside which the result is large

def kib(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

source, output, model, limit, largest = sys.argv[1:]
if int(largest):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))
before = kib("VmRSS")
job = Job(Path(source), Path(output), model, "cpu", "fp32", float(limit), overwrite=True, data_consistency="project")
code = run_process(job)
print(code, kib("VmHWM") - before)
"""


@IN_MEMORY
def test_a_mapped_result_takes_little_of_the_process_s_memory(tmp_path, a_scratch, start):
    source, model = tmp_path / "lr.nii", a_tiny_model_file(tmp_path, (4, 4, 4))
    lr = np.random.default_rng(0).integers(0, 4000, (64, 96, 96), dtype=np.int16)
    write_volume(Volume(lr, np.diag([1.0, 1.0, 1.0, 1.0])), source)
    result, peaks = 64 * lr.size, {}
    for name, limit in (("whole", 10.0), ("mapped", 5.9 * result / 2**30)):  # 6 bytes a voxel are needed in memory
        process = start(
            [sys.executable, "-c", COMMAND, source, a_scratch / f"{name}.nii", model, limit, 0], PYTHONPATH=ROOT
        )
        told = process.communicate()[0]
        code, peaks[name] = map(int, told.splitlines()[-1].split())
        assert (code, "main memory is too small" in told) == (0, name == "mapped"), told
    whole, mapped = ((a_scratch / f"{name}.nii").read_bytes() for name in peaks)
    assert whole == mapped
    assert sorted(path.name for path in a_scratch.iterdir()) == ["mapped.nii", "whole.nii"]
    assert peaks["whole"] - peaks["mapped"] > 2 * result / 1024  # KiB; what the network takes varies


@IN_MEMORY
def test_a_disk_that_refuses_the_file_is_told_in_one_sentence(tmp_path, a_scratch, a_phantom, start):
    source, model = tmp_path / "lr.nii", a_tiny_model_file(tmp_path, (4, 4, 4))
    lr = np.random.default_rng(0).integers(0, 4000, (32, 32, 32), dtype=np.int16)
    write_volume(Volume(lr, np.eye(4)), source)
    limit = 5.9 * 64 * lr.size / 2**30
    command = [sys.executable, "-c", COMMAND, source, a_scratch / "sr.nii", model, limit, 2**20]  # a file of 1 MiB
    told = start(command, PYTHONPATH=ROOT).communicate()[0]
    assert f"error: {a_scratch} cannot be written (File too large), nothing was left behind" in told
    assert told.splitlines()[-1].startswith("2 ")
    assert "Traceback" not in told
    assert list(a_scratch.iterdir()) == []


@pytest.mark.parametrize(("name", "is_mapped"), [("sr.nii.gz", True), ("sr.nrrd", False), ("sr.mgz", False)])
def test_formats_that_are_written_from_memory_are_refused_where_it_is_too_small(
    tmp_path, a_scratch, a_phantom, a_small_memory, name, is_mapped
):
    source = tmp_path / "lr.nii"
    write_volume(a_sagittal_volume(a_phantom), source)
    job = Job(source, a_scratch / name, str(a_tiny_model_file(tmp_path)), "cpu", "fp32")
    if not is_mapped:
        with pytest.raises(ResourceError, match=r"smaller region with --region, or write \.nii or \.nii\.gz without"):
            run_job(job, Monitor())
        return
    monitor = Told()
    run_job(job, monitor)
    assert "main memory is too small" in monitor.sentences[0]
    assert [path.name for path in a_scratch.iterdir()] == [name]
    assert read_volume(a_scratch / name).shape == (18, 16, 14)
