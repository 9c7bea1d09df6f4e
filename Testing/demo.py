"""Super-resolve the embedded sample and compare the result: what ``make demo`` runs.

Degrades the sample 4x through k-space, super-resolves the LR volume with a shipped model, writes LR, SR and HR as NIfTI
with a picture of all three, and prints a table. The sample's scores are a demonstration, never evidence.
"""

import argparse
import time
from pathlib import Path

from SuperResolution3DLib.cli.figure import FigureRow, comparison_figure
from SuperResolution3DLib.inference.super_resolve import degrade_volume, interpolate_volume, super_resolve
from SuperResolution3DLib.metrics.metrics import describe, score
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.geometry import Grid, Orientation
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

SAMPLE = Path(__file__).resolve().parents[1] / "Resources" / "SampleData" / "t1-brain-niimath-crop.nii.gz"
PROTOCOL = "foreground"
MARGIN = 12  # HR voxels; the crop cuts through the brain, and k-space wraps around at the cut faces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--model", default=None, help="name or file; the one of the highest rank by default")
    options = parser.parse_args()
    model = load_model(find_model(options.model))
    grid: Grid = "center" if model.card.grid == "center" else "corner"
    original = read_volume(SAMPLE)
    scale = Orientation.of(original.affine).scale_to_file(model.card.scale)
    lr, hr = degrade_volume(original, scale, grid)

    print(f"{SAMPLE.name}: HR {grid_text(hr.shape, hr.affine)}")
    print(f"LR {grid_text(lr.shape, lr.affine)}, model {model.card.name}")
    rows: list[tuple[str, Volume, float]] = []
    for label, compute in (
        ("zero-filled k-space", lambda: interpolate_volume(lr, scale, grid, "zero-fill")),
        ("cubic", lambda: interpolate_volume(lr, scale, grid, "cubic")),
        ("SR", lambda: super_resolve(lr, model).volume),
    ):
        started = time.perf_counter()
        result = compute()
        rows.append((label, result, time.perf_counter() - started))

    print(f"{'':22}{'PSNR (dB)':>10}{'SSIM':>8}{'seconds':>9}")
    captions = {}
    inside = (slice(MARGIN, -MARGIN),) * 3
    for label, result, seconds in rows:
        scores = score(result.canonical().array[inside], hr.canonical().array[inside], PROTOCOL)
        captions[label] = f"{scores.psnr:.2f} dB, SSIM {scores.ssim:.3f}"
        print(f"{label:22}{scores.psnr:10.2f}{scores.ssim:8.3f}{seconds:9.1f}")
    print(f"{describe(PROTOCOL)}; scored {MARGIN} voxels away from the crop's cut faces")
    print("A demonstration on one small volume, not evidence: see the model's card for validation figures.")

    options.output.mkdir(parents=True, exist_ok=True)
    sr = rows[-1][1]
    for name, volume in (("LR", lr), ("SR", sr), ("HR", hr)):
        write_volume(volume, options.output / f"{name}.nii.gz", overwrite=True)
    picture = options.output / "comparison.png"
    comparison_figure(
        [
            FigureRow("LR", lr.canonical().array, lr.canonical().affine),
            FigureRow("SR", sr.canonical().array, sr.canonical().affine, captions["SR"]),
            FigureRow("HR", hr.canonical().array, hr.canonical().affine),
        ],
        picture,
        title=f"{model.card.name} on the embedded sample",
    )
    print(f"Wrote LR.nii.gz, SR.nii.gz, HR.nii.gz and {picture.name} to {options.output}{'/'}")


if __name__ == "__main__":
    main()
