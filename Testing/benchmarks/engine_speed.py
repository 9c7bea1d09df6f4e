"""Time the engine against MONAI's sliding windows: same weights, same LR volume, side by side in one run.

Prints seconds, the ratio to the engine, and the relative L2 distance to the fp32 whole-volume result.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade, zero_fill
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.volume import read_volume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="name or file; the first installed one by default")
    parser.add_argument("--hr", type=Path, help="HR volume to degrade; noise of the wanted size without it")
    parser.add_argument("--shape", default="44,64,64", help="LR shape D,H,W, cut from the centre (default 44,64,64)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=1, help="timed runs of each, of which the fastest counts")
    parser.add_argument("--without-windows", action="store_true", help="only the engine, with its peak memory")
    options = parser.parse_args()

    model = load_model(find_model(options.model))
    shape = tuple(int(size) for size in options.shape.split(","))
    lr = an_lr_volume(options.hr, shape, model.card.scale)
    print(f"{model.card.name} on {options.device}, LR {lr.shape} (D, H, W), {torch.get_num_threads()} CPU threads")

    def engine(**settings: object) -> np.ndarray:
        return Engine(model, EngineSettings(device=options.device, **settings)).run(lr)  # type: ignore[arg-type]

    if options.without_windows:
        result = timed("engine, auto precision", lambda: engine(), options.repeats)
        print(f"{result[1]:8.1f} s  engine, auto precision; peak memory of the process {peak_gib():.2f} GiB")
        return
    reference = whole_volume(model, lr, options.device)
    methods: list[tuple[str, Callable[[], np.ndarray]]] = [
        ("engine, auto precision", lambda: engine()),
        ("engine, fp32", lambda: engine(precision="fp32")),
        (
            "windows 24^3, overlap 0.25, constant, MONAI fp32",
            lambda: monai_windows(model, lr, options, 0.25, "constant"),
        ),
        (
            "windows 24^3, overlap 0.625, Gaussian, MONAI fp32",
            lambda: monai_windows(model, lr, options, 0.625, "gaussian"),
        ),
    ]
    results = [timed(name, method, options.repeats) for name, method in methods]
    print(f"{'seconds':>10} {'x engine':>9} {'rel. L2 to fp32 whole':>22}")
    for name, seconds, sr in results:
        error = np.linalg.norm(sr - reference) / np.linalg.norm(reference)
        print(f"{seconds:10.1f} {seconds / results[0][1]:9.1f} {error:22.2e}  {name}")


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


def whole_volume(model, lr: np.ndarray, device: str) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The reference: the network on the whole volume in fp32, plus its skip."""
    with torch.inference_mode():
        detail = model.network.to(device)(torch.from_numpy(lr)[None, None].to(device))[0, 0].cpu().numpy()
    model.network.cpu()
    return detail + (zero_fill(lr, model.card.scale, model.card.grid) if model.card.skip == "zero-filled" else 0)


def monai_windows(model, lr: np.ndarray, options: argparse.Namespace, overlap: float, mode: str) -> np.ndarray:  # type: ignore[no-untyped-def]
    from monai.inferers import sliding_window_inference

    with torch.inference_mode():
        detail = sliding_window_inference(
            torch.from_numpy(lr)[None, None].to(options.device),
            (24, 24, 24),
            1,
            model.network.to(options.device),
            overlap=overlap,
            mode=mode,
        )
    model.network.cpu()
    skip = zero_fill(lr, model.card.scale, model.card.grid) if model.card.skip == "zero-filled" else 0
    return detail[0, 0].cpu().numpy() + skip


def timed(name: str, method: Callable[[], np.ndarray], repeats: int) -> tuple[str, float, np.ndarray]:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = method()
        seconds.append(time.perf_counter() - started)
    return name, min(seconds), result


def peak_gib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main()
