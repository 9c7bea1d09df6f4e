"""Measure the engine against the network as trained and MONAI's sliding windows: same weights, same LR volume, one run.

    python Testing/benchmarks/inference.py --threads 1 --hr VOLUME
    python Testing/benchmarks/inference.py --shapes 16,32,32:44,64,64 --methods engine-bf16,engine-fp32
    python Testing/benchmarks/inference.py --paper --shapes 24,32,32       # the published size of network

Prints a Markdown table with a row for each shape and method, each measured in a process of its own.

- user, system: seconds of CPU time of all threads, which other work on the machine changes little; wall: of the clock.
- Mvox/s: voxels of the result per second of CPU time; x engine: CPU time as a multiple of the fastest engine's.
- limit: the multiplications that the network needs at this shape, over those that the machine does in the same time in
  its fastest matrix product or convolution of that number format, measured in the same process.
- peak: what the run adds to the memory of the process (Linux), and in brackets what the engine's plan says of it.
- distance: relative L2 distance to the network as trained on the whole volume in fp32; "-" without that method.
"""

import argparse
import json
import math
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade, zero_fill
from SuperResolution3DLib.inference.devices import DTYPES
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import MIB, TilePlan
from SuperResolution3DLib.inference.rewrites import TransposedUpsampling
from SuperResolution3DLib.models.checkpoint import Model, build_network, load_model, save_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.networks.rrdb import Upsampling
from SuperResolution3DLib.networks.rrdb_config import RRDBConfig
from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.volume import read_volume

WINDOW = 24  # LR voxels: the published one
METHODS = ("whole-fp32", "engine-fp32", "engine-bf16", "windows-0.25", "windows-0.625")
COLUMNS = (
    "result",
    "method",
    "user, s",
    "system, s",
    "wall, s",
    "Mvox/s",
    "x engine",
    "limit",
    "peak, MiB",
    "distance",
)
MATRIX = 2048  # edge of the matrices whose product is timed


@dataclass(frozen=True)
class Task:
    """One row of the table."""

    method: str
    lr_file: Path
    model: str | None
    device: str
    threads: int


@dataclass(frozen=True)
class Measured:
    """What a row shows."""

    user: float
    system: float
    wall: float
    peak_mib: float | None
    planned_mib: float | None
    multiplications_per_second: float
    limit: float
    """multiplications per second of the fastest product"""

    @property
    def seconds(self) -> float:
        return self.user + self.system


class WatchedEngine(Engine):
    """Remembers its last plan."""

    plan: TilePlan | None = None

    def _run_planned(self, volume: torch.Tensor, region: Box, plan: TilePlan) -> np.ndarray:
        self.plan = plan
        return super()._run_planned(volume, region, plan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=None, help="name or file; the first installed one by default")
    parser.add_argument("--paper", action="store_true", help="the published network, 64/23/32, with random weights")
    parser.add_argument("--hr", type=Path, help="HR volume to degrade; noise of the wanted size without it")
    parser.add_argument(
        "--shapes", default="44,64,64", help="LR shapes D,H,W, cut from the centre, with : between them"
    )
    parser.add_argument("--methods", default=",".join(METHODS), help=f"of {', '.join(METHODS)}")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    model = load_model(find_model(options.model))
    card = replace(model.card, name="published network", config=asdict(RRDBConfig())) if options.paper else model.card
    print(f"{card.name}, {options.device}: {processor()}, {options.threads} thread(s), PyTorch {torch.__version__}\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|")
    with tempfile.TemporaryDirectory() as folder:
        if options.paper:
            options.model = str(Path(folder) / "paper.safetensors")
            save_model(Path(options.model), build_network(card.network, card.config).state_dict(), card)
        for shape in options.shapes.split(":"):
            lr = an_lr_volume(options.hr, tuple(int(size) for size in shape.split(",")), card.scale)
            lr_file = Path(folder) / "lr.npy"
            np.save(lr_file, lr)
            print_rows(options, lr_file, [size * factor for size, factor in zip(lr.shape, card.scale, strict=True)])


def print_rows(options: argparse.Namespace, lr_file: Path, shape: list[int]) -> None:
    rows: dict[str, Measured] = {}
    distances: dict[str, str] = {}
    reference: np.ndarray | None = None
    for method in sorted(options.methods.split(","), key=METHODS.index):
        task = Task(method, lr_file, options.model, options.device, options.threads)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            rows[method] = Measured(**json.loads(pool.submit(measure, task).result()))
        sr = np.load(lr_file.with_name("sr.npy"))
        if method == METHODS[0]:
            reference = sr
        distance = None if reference is None else np.linalg.norm(sr - reference) / np.linalg.norm(reference)
        distances[method] = "-" if distance is None else f"{distance:.1e}"
        print(method, rows[method], distances[method], file=sys.stderr, flush=True)
    fastest = min((row.seconds for method, row in rows.items() if method.startswith("engine")), default=math.nan)
    for method, row in rows.items():
        cells = [
            " x ".join(map(str, shape)),
            method,
            f"{row.user:.1f}",
            f"{row.system:.2f}",
            f"{row.wall:.1f}",
            f"{math.prod(shape) / 1e6 / row.seconds:.2f}",
            f"{row.seconds / fastest:.1f}",
            f"{row.multiplications_per_second / row.limit:.0%}",
            "-" if row.peak_mib is None else f"{row.peak_mib:.0f}",
            distances[method],
        ]
        if row.planned_mib is not None:
            cells[-2] += f" ({row.planned_mib:.0f})"
        print(f"| {' | '.join(cells)} |", flush=True)


def measure(task: Task) -> str:
    """Run a method once, after a run on a small volume that prepares its kernels; the result goes beside the LR."""
    torch.set_num_threads(task.threads)
    lr, model = np.load(task.lr_file), load_model(find_model(task.model))
    dtype = DTYPES[task.method.removeprefix("engine-")] if task.method.startswith("engine") else torch.float32
    limit = fastest_product(dtype, task.device)
    engine: WatchedEngine | None = None

    def run(volume: np.ndarray) -> np.ndarray:
        nonlocal engine
        if task.method.startswith("engine"):
            precision = task.method.removeprefix("engine-")
            engine = WatchedEngine(model, EngineSettings(task.device, precision))
            return engine.run(volume)
        if task.method == METHODS[0]:
            return whole_volume(model, volume, task.device)
        overlap = float(task.method.removeprefix("windows-"))
        return monai_windows(model, volume, task.device, overlap, "gaussian" if overlap > 0.5 else "constant")

    run(lr[:8, :8, :8])
    before, started, resident = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter(), reset_peak()
    sr = run(lr)
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
    np.save(task.lr_file.with_name("sr.npy"), sr)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    seconds = user + system if task.device == "cpu" else wall
    return json.dumps(
        {
            "user": user,
            "system": system,
            "wall": wall,
            "peak_mib": None if resident is None else peak_mib("VmHWM") - resident,
            "planned_mib": engine.plan.peak_bytes / MIB if engine and engine.plan else None,
            "multiplications_per_second": multiplications(model, lr.shape) / seconds,
            "limit": limit,
        }
    )


def multiplications(model: Model, shape: tuple[int, ...]) -> float:
    """Return the multiplications of an RRDBNet on an LR volume, without those that upsampling repeats."""
    network = model.network
    total, voxels = 0, math.prod(shape)
    for convolution in network.trunk_convolutions():
        total += voxels * convolution.weight.numel()  # type: ignore[union-attr, operator]
    for part in network.upsampling:  # type: ignore[union-attr]
        if isinstance(part, Upsampling):
            total += voxels * TransposedUpsampling(part).weight.numel()
            voxels *= math.prod(part.factors)
    return total + voxels * sum(part.weight.numel() for part in (network.conv_hr, network.conv_last))  # type: ignore[union-attr]


def fastest_product(dtype: torch.dtype, device: str) -> float:
    """Return the multiplications per second of the fastest of a matrix product, a linear layer and a convolution."""
    left, right = (torch.randn(MATRIX, MATRIX, device=device).to(dtype) for _ in range(2))
    volume = torch.randn(1, 64, 32, 32, 32, device=device).to(dtype).contiguous(memory_format=torch.channels_last_3d)
    layer = nn.Conv3d(64, 64, 3, padding=1, device=device, dtype=dtype).to(memory_format=torch.channels_last_3d)
    products: list[tuple[Callable[[], object], int]] = [
        (lambda: left @ right, MATRIX**3),
        (lambda: layer(volume), 64 * 64 * 27 * 32**3),
    ]
    clock = time.process_time if device == "cpu" else time.perf_counter
    rates = []
    with torch.inference_mode():
        for product, count in products:
            for _ in range(4):
                started = clock()
                product()
                if device != "cpu":
                    torch.cuda.synchronize()
                rates.append(count / (clock() - started))
    return max(rates)


def an_lr_volume(hr_file: Path | None, shape: tuple[int, ...], scale: tuple[int, int, int]) -> np.ndarray:
    if hr_file is None:
        return np.random.default_rng(0).random(shape, np.float32)
    hr = read_volume(hr_file).canonical().array
    lr = degrade(hr[crop_to_multiple(hr.shape, scale)].astype(np.float64), scale)
    starts = [(size - wanted) // 2 for size, wanted in zip(lr.shape, shape, strict=True)]
    if min(starts) < 0:
        raise SystemExit(f"{hr_file.name} gives an LR volume of {lr.shape}, too small for {shape}")
    lr = lr[tuple(slice(start, start + wanted) for start, wanted in zip(starts, shape, strict=True))]
    return IntensityPolicy().fit(lr).to_network(lr)


def whole_volume(model: Model, lr: np.ndarray, device: str) -> np.ndarray:
    """The reference: the network as trained on the whole volume in fp32, plus its skip."""
    with torch.inference_mode():
        detail = model.network.to(device)(torch.from_numpy(lr)[None, None].to(device))[0, 0].cpu().numpy()
    model.network.cpu()
    return detail + (zero_fill(lr, model.card.scale, model.card.grid) if model.card.skip == "zero-filled" else 0)


def monai_windows(model: Model, lr: np.ndarray, device: str, overlap: float, mode: str) -> np.ndarray:
    from monai.inferers import sliding_window_inference

    with torch.inference_mode():
        volume, network = torch.from_numpy(lr)[None, None].to(device), model.network.to(device)
        detail = sliding_window_inference(volume, (WINDOW,) * 3, 1, network, overlap=overlap, mode=mode)
    model.network.cpu()
    skip = zero_fill(lr, model.card.scale, model.card.grid) if model.card.skip == "zero-filled" else 0
    return detail[0, 0].cpu().numpy() + skip  # type: ignore[index]


def reset_peak() -> float | None:
    """Let the peak memory of the process begin anew; return what it holds now (MiB), None where Linux is not asked."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return peak_mib("VmRSS")


def peak_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def processor() -> str:
    """Return the name of the processor, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
