"""Time and memory of all metrics but Inception's on one pair of volumes, and SSIM beside scikit-image's and MONAI's.

    TORCH_HOME=WEIGHTS python Testing/benchmarks/metrics_speed.py --threads 2

The pair is made up: 256^3 voxels of smooth structure and noise. Wall clock is what a person waits for, processor
seconds hardly depend on what else runs on the machine: ratios are given of both. LPIPS is left out, and it is said,
when its weights are not at hand.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.metrics.ssim import ssim
from Training.evaluation.volume_scores import Evaluation, EvaluationConfig, Measured

SCALE = (4, 4, 4)
MOST_SECONDS, MOST_GIB, MOST_RATIO = 60, 4, 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="voxels along each axis")
    parser.add_argument("--threads", type=int, default=2, help="processors to use")
    parser.add_argument("--stride", type=int, default=1, help="of the slices that LPIPS looks at")
    parser.add_argument("--protocol", nargs="+", default=["paper", "foreground"])
    parser.add_argument("--repeats", type=int, default=3, help="of the comparison of SSIM; the fastest counts")
    parser.add_argument("--skip-peers", action="store_true", help="leave scikit-image and MONAI out")
    parser.add_argument("--json", type=Path, help="write all numbers here as well")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    torch.set_num_threads(options.threads)
    hr = a_head(options.size)
    lr = degrade(hr, SCALE)
    sr = zero_fill(lr, SCALE)
    numbers: dict[str, float] = {}

    evaluation = load(tuple(options.protocol), options.stride)
    seconds, processor, result = measure(lambda: evaluation.score(sr, hr, (1.0, 1.0, 1.0), Measured(lr, SCALE)))
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"all metrics of a {options.size}^3 pair ({', '.join(options.protocol)}): {seconds:.1f} s wall clock", end="")
    print(f" ({MOST_SECONDS} wanted), {processor:.1f} s processor; peak memory {gib:.2f} GiB ({MOST_GIB} wanted)")
    for name, value in result.figures.items():
        print(f"  {name:32}{value:12.4f}")
    numbers |= {"seconds": seconds, "processor_seconds": processor, "peak_gib": gib}
    if not options.skip_peers:
        numbers |= compare_ssim(sr, hr, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


def load(protocols: tuple, stride: int) -> Evaluation:  # type: ignore[type-arg]
    try:
        return Evaluation(EvaluationConfig(protocols, stride=stride))
    except (ImportError, SuperResolutionError) as error:
        print(f"LPIPS is left out: {error}")
        return Evaluation(EvaluationConfig(protocols, lpips=None))


def compare_ssim(sr: np.ndarray, hr: np.ndarray, repeats: int) -> dict[str, float]:
    """Print SSIM (3D Gaussian, 11 voxels, sigma 1.5) of three implementations, one after the other, several times."""
    data_range = float(hr.max() - hr.min())
    rivals: dict[str, Callable[[], float]] = {"ours": lambda: ssim(sr, hr, data_range)}
    try:
        from skimage.metrics import structural_similarity

        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        rivals["scikit-image"] = lambda: float(structural_similarity(hr, sr, data_range=data_range, **options))
    except ImportError:
        print("scikit-image is not installed")
    try:
        from monai.metrics import SSIMMetric

        metric = SSIMMetric(spatial_dims=3, data_range=data_range, win_size=11, kernel_sigma=1.5)
        tensors = [torch.from_numpy(volume)[None, None] for volume in (sr, hr)]
        rivals["MONAI"] = lambda: float(metric(*tensors))
    except ImportError:
        print("MONAI is not installed")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    values = {}
    for number in range(repeats):
        for name, rival in rivals.items():
            if name == "MONAI" and number:
                continue  # once: it takes minutes
            wall, processor, values[name] = measure(rival)
            times[name].append((wall, processor))
    best = {name: tuple(min(column) for column in zip(*pairs, strict=True)) for name, pairs in times.items()}
    print(f"\n{'SSIM':14}{'value':>11}{'wall s':>9}{'cpu s':>9}{'wall / ours':>13}{'cpu / ours':>12}")
    for name, (wall, processor) in best.items():
        ratios = f"{wall / best['ours'][0]:13.2f}{processor / best['ours'][1]:12.2f}"
        print(f"{name:14}{values[name]:11.6f}{wall:9.2f}{processor:9.2f}{ratios}", flush=True)
    if "scikit-image" in best:
        print(f"ours / scikit-image: {best['ours'][0] / best['scikit-image'][0]:.2f} ({MOST_RATIO} at most wanted)")
    return {
        f"ssim_{name}_{unit}": time
        for name, pair in best.items()
        for unit, time in zip(("wall", "cpu"), pair, strict=True)
    }


def measure(run: Callable):  # type: ignore[no-untyped-def, type-arg]
    """Return wall clock seconds, processor seconds of all threads, and the result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = run()
    return time.perf_counter() - wall, time.process_time() - processor, result


def a_head(size: int) -> np.ndarray:
    """Return a textured ball in noisy air, (size, size, size) float32."""
    random = np.random.default_rng(0)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    folds = np.sin(40 * axis)[:, None, None] * np.sin(30 * axis)[:, None] * np.sin(25 * axis)
    noise = random.standard_normal((size,) * 3, dtype=np.float32)
    return (np.where(radius < 0.85, 600 + 200 * folds, 0) + 20 * np.abs(noise)).astype(np.float32)


if __name__ == "__main__":
    main()
