"""Draw the 3x3 comparison of the embedded sample without a screen, from the pixels of Slicer's own slice views.

The nine pictures come from `vtkMRMLSliceLogic`, the code that fills the application's slice views: volumes, planes,
zoom, window and labels are those of the module. The bars around them are drawn here: it is no photograph of the
application. Run from the repository's root:

    PYTHONPATH=.:SuperResolution3D python Testing/Slicer/screenshot.py --output Resources/Screenshots/2.png
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import slicer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.volumes.body_axes import spacing_text
from SuperResolution3DLib.volumes.volume import read_volume
from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume, affine_of

# isort: split
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.layout import ROWS, comparison_views
from SuperResolution3DSlicer.scene.nodes import add_result, read_result, result_name, write_node
from SuperResolution3DSlicer.scene.sample_data import SAMPLES, sample_files

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 284, 266  # pixels of a view
BAR, LEFT, BOTTOM, GAP, MARGIN = 20, 80, 26, 3, 12  # pixels
COLORS = 104
DOTS_PER_INCH = 100
CAPTION = (
    "Pixels of Slicer's slice views, drawn without a screen; no photograph of the application. {model}, CPU. "
    "Not for diagnosis."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="mr-brain-x4")
    options = parser.parse_args()
    running = core.start()
    lr, hr = (_load(running, sample.node_name, path) for sample, path in zip(SAMPLES, sample_files(), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        sr = _super_resolve(lr, options.model, Path(folder))
    draw_comparison(running, [lr, sr, hr], CAPTION.format(model=options.model), options.output)
    print(f"wrote {options.output} ({options.output.stat().st_size / 1000:.0f} kB)")


def _load(running: core.Core, name: str, path: Path) -> slicer.vtkMRMLScalarVolumeNode:
    volume = read_volume(path)
    return add_volume(running, volume.array, volume.affine, name)


def _super_resolve(lr: slicer.vtkMRMLScalarVolumeNode, model: str, folder: Path) -> slicer.vtkMRMLScalarVolumeNode:
    """Run the worker in a process of its own, as the module does."""
    job = Job(folder / "lr.nrrd", folder / "sr.nrrd", model=model, device="cpu")
    write_node(lr, job.input)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "SuperResolution3DLib", *job.to_arguments()], env=environment, check=True)
    return add_result(read_result(job.output), result_name(lr.GetName(), (4, 4, 4)), lr, {})


def draw_comparison(running: core.Core, nodes: list[slicer.vtkMRMLScalarVolumeNode], caption: str, path: Path) -> None:
    """Show LR, SR and HR in the 3x3 comparison and write its picture."""
    comparison = Comparison(running.application)
    comparison.show(*nodes)
    logics = [slice_logic(running, view.name) for view in comparison_views()]
    for logic in logics:
        logic.ResizeSliceNode(WIDTH, HEIGHT)
    comparison.fit()
    _draw(logics, nodes, caption, path)
    comparison.close()


def slice_logic(running: core.Core, name: str) -> slicer.vtkMRMLSliceLogic:
    return running.application.GetSliceLogic(running.scene.GetSingletonNode(name, "vtkMRMLSliceNode"))


def pixels_of(logic: slicer.vtkMRMLSliceLogic) -> np.ndarray:
    """Return what a view shows, (rows, columns, 3) uint8 with the top row first."""
    producer = logic.GetImageDataConnection().GetProducer()
    producer.Update()
    image = producer.GetOutputDataObject(0)
    width, height, _depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3]


def _draw(
    logics: list[slicer.vtkMRMLSliceLogic], nodes: list[slicer.vtkMRMLScalarVolumeNode], caption: str, path: Path
) -> None:
    width, height = LEFT + 3 * (WIDTH + GAP), BOTTOM + 3 * (HEIGHT + BAR + GAP)
    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH, facecolor="black")
    for number, logic in enumerate(logics):
        row, column = divmod(number, 3)
        x, y = LEFT + column * (WIDTH + GAP), BOTTOM + (2 - row) * (HEIGHT + BAR + GAP)
        view = figure.add_axes((x / width, y / height, WIDTH / width, HEIGHT / height))
        view.set_axis_off()
        view.imshow(pixels_of(logic), interpolation="nearest", aspect="auto")
        slice_node = logic.GetSliceNode()
        color = slice_node.GetLayoutColor()
        bar = figure.add_axes((x / width, (y + HEIGHT) / height, WIDTH / width, BAR / height), facecolor=color)
        bar.set(xticks=[], yticks=[])
        bar.text(0.02, 0.46, slice_node.GetLayoutLabel(), va="center", size=8.5, weight="bold")
        bar.text(0.98, 0.46, f"{slice_node.GetSliceOffset():+.1f} mm", ha="right", va="center", size=8.5)
    for row, (label, node) in enumerate(zip(ROWS, nodes, strict=True)):
        centre = (BOTTOM + (2 - row) * (HEIGHT + BAR + GAP) + HEIGHT / 2) / height
        label = "HR" if label == "Reference" else label
        figure.text(LEFT / 2 / width, centre, f"{label}\n", color="white", size=15, ha="center", va="center")
        sizes = str(spacing_text(affine_of(node))).replace(" isotropic", "")
        figure.text(LEFT / 2 / width, centre, sizes, color="0.75", size=9.5, ha="center", va="top")
    figure.text(MARGIN / width, BOTTOM / 2 / height, caption, color="0.7", size=9, va="center")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)  # grey but for three bars


if __name__ == "__main__":
    main()
