"""Score a model against interpolations on real volumes: degrade, enlarge by every method, compare with the HR.

    TORCH_HOME=WEIGHTS python Testing/benchmarks/quality.py VOLUME.nii.gz ...

Prints one table a volume and their mean, with the seconds of each method. LPIPS is left out, and it is said, when its
weights are not at hand.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import degrade_volume, interpolate_volume, super_resolve
from SuperResolution3DLib.metrics.metrics import PROTOCOLS, added_detail, describe, score
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.volumes.geometry import Grid, Orientation
from SuperResolution3DLib.volumes.volume import Volume, read_volume

BASELINE = "zero-filled k-space"
VARIANTS = (("", "off", False), (", projected", "project", False), (", ensemble", "off", True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volumes", nargs="+", type=Path, help="HR volumes")
    parser.add_argument("--model", action="append", help="name or file, may be repeated; the first installed one")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="foreground")
    parser.add_argument("--ensemble", action="store_true", help="also the mean over the eight mirror images")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    options = parser.parse_args()
    missing = [str(path) for path in options.volumes if not path.exists()]
    if missing:
        parser.error(f"there is no {', '.join(missing)}")
    models = [load_model(find_model(name)) for name in options.model or [None]]
    card = models[0].card
    grid: Grid = "center" if card.grid == "center" else "corner"
    lpips = load_lpips()
    print(describe(options.protocol))
    print(lpips.describe() if lpips else "LPIPS is left out: its weights are not at hand")
    print("detail: spectral energy above the LR Nyquist, as a share of the HR's; projected: data consistency enforced")

    results: dict[str, dict[str, dict[str, float]]] = {}
    for path in options.volumes:
        original = read_volume(path)
        original = original.with_array(original.array.astype(np.float32))
        scale = Orientation.of(original.affine).scale_to_file(card.scale)
        lr, hr = degrade_volume(original, scale, grid)
        methods: dict[str, Callable[[], Volume]] = {
            "trilinear (aligned)": lambda lr=lr, scale=scale: interpolate_volume(lr, scale, grid, "trilinear"),
            "cubic": lambda lr=lr, scale=scale: interpolate_volume(lr, scale, grid, "cubic"),
            BASELINE: lambda lr=lr, scale=scale: interpolate_volume(lr, scale, grid, "zero-fill"),
        }
        for model in models:
            for suffix, choice, ensemble in VARIANTS if options.ensemble else VARIANTS[:2]:
                settings = Settings(options.device, options.precision, data_consistency=choice, ensemble=ensemble)
                methods[model.card.name + suffix] = lambda lr=lr, model=model, settings=settings: (
                    super_resolve(lr, model, settings).volume
                )
        reference = hr.canonical().array
        results[path.name] = {}
        for name, method in methods.items():
            started = time.monotonic()
            sr = method().canonical().array
            seconds = time.monotonic() - started
            scores = score(sr, reference, options.protocol)
            results[path.name][name] = {
                "psnr": scores.psnr,
                "ssim": scores.ssim,
                "detail": added_detail(sr, reference, card.scale),
                "seconds": seconds,
            }
            if lpips:
                results[path.name][name]["lpips"] = lpips.score(sr, reference).mean
        print_table(path.name, results[path.name])
    print_table(f"mean of {len(results)} volumes", mean_of(results))
    if options.json:
        options.json.write_text(
            json.dumps(
                {"protocol": options.protocol, "volumes": results, "mean": mean_of(results)}, indent=2, allow_nan=False
            )
            + "\n"
        )


def load_lpips():  # type: ignore[no-untyped-def]
    try:
        from Training.evaluation.perceptual_metrics import Lpips

        return Lpips("alex")
    except (ImportError, SuperResolutionError):
        return None


def mean_of(results: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for methods in results.values():
        for method, scores in methods.items():
            for name, value in scores.items():
                values[method][name].append(value)
    return {method: {name: float(np.mean(v)) for name, v in scores.items()} for method, scores in values.items()}


def print_table(title: str, methods: dict[str, dict[str, float]]) -> None:
    print(f"\n{title:44}{'PSNR dB':>9}{'SSIM':>8}{'detail':>8}{'LPIPS':>8}{'s':>7}  against {BASELINE}")
    base = methods[BASELINE]
    for method, scores in methods.items():
        lpips = f"{scores['lpips']:8.4f}" if "lpips" in scores else f"{'-':>8}"
        line = f"  {method:42}{scores['psnr']:9.2f}{scores['ssim']:8.4f}{scores['detail']:8.3f}{lpips}"
        line += f"{scores['seconds']:7.1f}"
        if method != BASELINE:
            line += f"  {scores['psnr'] - base['psnr']:+.2f} dB, {scores['ssim'] - base['ssim']:+.4f}"
            line += f", LPIPS x{scores['lpips'] / base['lpips']:.3f}" if "lpips" in scores else ""
        print(line, flush=True)


if __name__ == "__main__":
    main()
