"""Measure the engine against the network as trained and MONAI's sliding windows: same weights, same LR volume, one run.

    python Testing/benchmarks/inference.py --threads 1 --hr VOLUME
    python Testing/benchmarks/inference.py --shapes 16,32,32:44,64,64 --methods engine-bf16,engine-fp32
    python Testing/benchmarks/inference.py --paper --shapes 24,24,32       # the published size of network
    python Testing/benchmarks/inference.py --device cuda --paper --shapes 65,78,65

Prints a Markdown table with a row for each shape and method, each measured in a process of its own.

- user, system: seconds of CPU time of all threads, which other work on the machine changes little; wall: of the clock,
  and in brackets that of the first run in the process on a GPU, which loads its kernels.
- Mvox/s: voxels of the result per second of CPU time, on a GPU of the clock; x engine: that time as a multiple of the
  fastest engine's.
- limit: the multiplications that the network needs at this shape, over those that the machine does in the same time in
  its fastest matrix product or convolution of that number format, measured in the same process.
- peak: what the run adds to the memory of the process (Linux) or of the GPU, and in brackets what the engine's plan
  says of it.
- distance: relative L2 distance to the network as trained on the whole volume in fp32; "-" without that method.

On a GPU windows run in batches, and their fp32 as PyTorch has it by default: convolutions round to 11 bits (TF32).
"""

import argparse
import json
import math
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from machine import Usage, fastest_product, machine_name, used_by
from watched_plan import WatchedPlan

from SuperResolution3DLib.errors import is_out_of_memory
from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade, zero_fill
from SuperResolution3DLib.inference.devices import DTYPES, choose_device
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import MIB
from SuperResolution3DLib.inference.rewrites import TransposedUpsampling
from SuperResolution3DLib.models.checkpoint import Model, build_network, load_model, save_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.networks.rrdb import Upsampling
from SuperResolution3DLib.networks.rrdb_config import RRDBConfig
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


@dataclass(frozen=True)
class Task:
    """One row of the table."""

    method: str
    lr_file: Path
    model: str | None
    device: torch.device
    threads: int
    batch: int


@dataclass(frozen=True)
class Measured:
    """What a row shows."""

    usage: Usage
    seconds: float
    """of CPU time, on a GPU of the clock"""
    first_wall: float | None
    """seconds of the clock that the first run on a GPU took"""
    planned_mib: float | None
    multiplications_per_second: float
    limit: float
    """multiplications per second of the fastest product"""

    @classmethod
    def of(cls, text: str) -> "Measured":
        """Read what another process measured; a class of its main module is none of this one's."""
        found = json.loads(text)
        return cls(Usage(**found.pop("usage")), **found)


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
    parser.add_argument("--batch", type=int, default=8, help="windows that a GPU is given at once")
    options = parser.parse_args()
    options.device = choose_device(options.device)
    model = load_model(find_model(options.model))
    card = replace(model.card, name="published network", config=asdict(RRDBConfig())) if options.paper else model.card
    name = machine_name(options.device)
    print(f"{card.name}, {options.device}: {name}, {options.threads} thread(s), PyTorch {torch.__version__}\n")
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
        task = Task(method, lr_file, options.model, options.device, options.threads, options.batch)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            try:
                rows[method] = Measured.of(pool.submit(measure, task).result())
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                print(f"{method} does not fit into the memory", file=sys.stderr, flush=True)
                continue
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
            f"{row.usage.user:.1f}",
            f"{row.usage.system:.2f}",
            f"{row.usage.wall:.3g}" + ("" if row.first_wall is None else f" ({row.first_wall:.3g})"),
            f"{math.prod(shape) / 1e6 / row.seconds:.2f}",
            f"{row.seconds / fastest:.1f}",
            f"{row.multiplications_per_second / row.limit:.0%}",
            "-" if row.usage.peak_mib is None else f"{row.usage.peak_mib:.0f}",
            distances[method],
        ]
        if row.planned_mib is not None:
            cells[-2] += f" ({row.planned_mib:.0f})"
        print(f"| {' | '.join(cells)} |", flush=True)


def measure(task: Task) -> str:
    """Run a method twice, the first time to prepare its kernels; the result goes beside the LR.

    On the CPU a small volume does for that; a GPU's library chooses kernels anew for each shape.
    """
    torch.set_num_threads(task.threads)
    lr, model = np.load(task.lr_file), load_model(find_model(task.model))
    on_gpu = task.device.type != "cpu"
    dtype = DTYPES[task.method.removeprefix("engine-")] if task.method.startswith("engine") else torch.float32
    limit = fastest_product(dtype, task.device, tf32=task.method.startswith("windows"))
    planned: list[int] = []

    def run(volume: np.ndarray) -> np.ndarray:
        if task.method.startswith("engine"):
            engine = WatchedPlan(model, EngineSettings(str(task.device), task.method.removeprefix("engine-")))
            sr = engine.run(volume)
            planned.extend([engine.plan.peak_bytes] if engine.plan else [])
            return sr
        if task.method == METHODS[0]:
            return whole_volume(model, volume, task.device)
        overlap = float(task.method.removeprefix("windows-"))
        mode = "gaussian" if overlap > 0.5 else "constant"
        return monai_windows(model, volume, task.device, overlap, mode, task.batch if on_gpu else 1)

    _, first = used_by(lambda: run(lr if on_gpu else lr[:8, :8, :8]), task.device)
    sr, usage = used_by(lambda: run(lr), task.device)
    np.save(task.lr_file.with_name("sr.npy"), sr)
    seconds = usage.seconds(task.device)
    measured = Measured(
        usage,
        seconds,
        first.wall if on_gpu else None,
        planned[-1] / MIB if planned else None,
        multiplications(model, lr.shape) / seconds,
        limit,
    )
    return json.dumps(asdict(measured))


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


def whole_volume(model: Model, lr: np.ndarray, device: torch.device) -> np.ndarray:
    """The reference: the network as trained on the whole volume in fp32, plus its skip."""
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        volume = torch.from_numpy(lr)[None, None].to(device)
        sr = with_skip(model, model.network.to(device)(volume), volume)
    model.network.cpu()
    return sr


def monai_windows(
    model: Model, lr: np.ndarray, device: torch.device, overlap: float, mode: str, batch: int
) -> np.ndarray:
    from monai.inferers import sliding_window_inference

    with torch.inference_mode():
        volume, network = torch.from_numpy(lr)[None, None].to(device), model.network.to(device)
        detail = sliding_window_inference(volume, (WINDOW,) * 3, batch, network, overlap=overlap, mode=mode)
        sr = with_skip(model, detail, volume)
    model.network.cpu()
    return sr


def with_skip(model: Model, detail: torch.Tensor, volume: torch.Tensor) -> np.ndarray:
    """Return (D, H, W) on the host, from (1, 1, D, H, W) of the network and the LR volume on the device."""
    if model.card.skip == "zero-filled":
        detail = detail + zero_fill(volume, model.card.scale, model.card.grid)
    return detail[0, 0].cpu().numpy()


if __name__ == "__main__":
    main()
