"""Draw the panel with a stack of thick slices loaded, without a screen, for the README.

The panel is the module's own .ui file and code in the stand-in for Slicer's window; the views beside it hold the pixels
of Slicer's slice logic. What surrounds them is drawn here: it is no photograph of the application. The slices are made
of the embedded sample as `superres3d degrade --slice-spacing 5 --slice-thickness 4` makes them. Run from the root:

    PYTHONPATH=.:SuperResolution3D python Testing/Slicer/panel_picture.py --output Resources/Screenshots/5.png
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import slicer
from PIL import Image, ImageDraw, ImageFont
from PySide6 import QtCore, QtGui, QtWidgets

from SuperResolution3DLib.inference.thick_slices import degrade_slices
from SuperResolution3DLib.volumes.volume import read_volume
from Testing.Slicer import core, double
from Testing.Slicer.module import ThePanel, loaded_module
from Testing.Slicer.screenshot import pixels_of, slice_logic
from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.scene.nodes import show_in_views
from SuperResolution3DSlicer.scene.slice_header import THICKNESS_ATTRIBUTE

SAMPLE = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "t1-brain-niimath-crop.nii.gz"
SLICE_SPACING, SLICE_THICKNESS = 5.0, 4.0  # mm
NAME = "T1 brain, 5 mm slices"
SHARPNESS = 1.5  # pixels of the picture per pixel of the panel, so that it can be scaled to any page
PANEL_WIDTH, LIST_WIDTH, GAP, BAR, CAPTION_HEIGHT = 480, 440, 10, 22, 44  # pixels of the panel
FONT = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 12 * SHARPNESS)
COLORS = 96
CAPTION = (
    "The module's panel and slice views, drawn by its tests without Slicer's own window. The slices are simulated:\n"
    "the embedded sample through superres3d degrade --slice-spacing 5 --slice-thickness 4. Research use, not for"
    " diagnosis."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        loaded_module(patch, Path(folder)) as module,
    ):
        panel, node = ThePanel(module), load_slices(core.start())
        panel.choose(inputVolume=node)
        draw(panel, node, options.output)
    print(f"wrote {options.output} ({options.output.stat().st_size / 1000:.0f} kB)")


def load_slices(running: core.Core) -> slicer.vtkMRMLScalarVolumeNode:
    """Add the stack of thick slices, which says itself how thick they are."""
    stack, _cropped, _model = degrade_slices(read_volume(SAMPLE), SLICE_SPACING, SLICE_THICKNESS, "K")
    node = add_volume(running, stack.array, stack.affine, NAME)
    node.SetAttribute(THICKNESS_ATTRIBUTE, f"{SLICE_THICKNESS:g}")
    return node


def draw(panel: ThePanel, node: slicer.vtkMRMLScalarVolumeNode, path: Path) -> None:
    """Put the panel, its list of models and three views of the input side by side."""
    page = grabbed(panel.module.page, PANEL_WIDTH)
    models = the_list(panel.ui.modelSelector)
    left, width = page.width + px(GAP), max(px(LIST_WIDTH), models.width)
    picture = Image.new("RGB", (left + width + px(GAP), page.height + px(CAPTION_HEIGHT)), "white")
    picture.paste(page, (0, 0))
    pen = ImageDraw.Draw(picture)
    y = px(GAP)
    pen.text((left, y), "The list under Model, opened:", "black", FONT)
    picture.paste(models, (left, y + px(BAR)))
    y += px(BAR) + models.height + px(GAP)
    pen.text((left, y), f"The loaded scan, {node.GetName()}:", "black", FONT)
    y += px(BAR)
    half = (width - px(4)) // 2
    below = page.height - half - px(BAR)
    places = {
        "Red": (left, y, width, below - px(4) - y - px(BAR)),
        "Yellow": (left, below, half, half),
        "Green": (left + width - half, below, half, half),
    }
    for name, view in _views(node, {name: place[2:] for name, place in places.items()}).items():
        x, top, wide, _high = places[name]
        slice_node = slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode")
        color = tuple(round(255 * part) for part in slice_node.GetLayoutColor())
        pen.rectangle((x, top, x + wide - 1, top + px(BAR) - 1), color)
        pen.text((x + px(6), top + px(3)), slice_node.GetOrientation(), "black", FONT)
        picture.paste(view, (x, top + px(BAR)))
    pen.multiline_text((px(GAP), page.height + px(5)), CAPTION, "black", FONT, spacing=px(4))
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


def px(size: float) -> int:
    """Return pixels of the picture from those of the panel."""
    return round(size * SHARPNESS)


def grabbed(widget: QtWidgets.QWidget, width: int) -> Image.Image:
    """Return a widget as it would stand in the module panel, at least ``width`` pixels wide."""
    double.turn()
    layout = widget.layout()
    widget.resize(width, max(layout.totalHeightForWidth(width), widget.sizeHint().height()))
    double.turn(20)
    return _rendered(widget)


def the_list(combo: QtWidgets.QComboBox) -> Image.Image:
    """Return the opened list of a combo box."""
    combo.showPopup()
    double.turn(50)
    popup = combo.view().window()
    view = combo.view()
    popup.resize(max(LIST_WIDTH, view.sizeHintForColumn(0) + 8), popup.height)
    double.turn(20)
    image = _rendered(popup)
    combo.hidePopup()
    return image


def _rendered(widget: QtWidgets.QWidget) -> Image.Image:
    size = widget.size
    pixels = QtGui.QPixmap(px(size.width()), px(size.height()))
    pixels.setDevicePixelRatio(SHARPNESS)
    pixels.fill(QtCore.Qt.GlobalColor.white)
    widget.render(pixels)
    image = pixels.toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return Image.fromarray(rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy())


def _views(node: slicer.vtkMRMLScalarVolumeNode, sizes: dict[str, tuple[int, int]]) -> dict[str, Image.Image]:
    """Return what the standard slice views show of a volume, at the given widths and heights."""
    manager = slicer.qSlicerLayoutManager(core.start())
    slicer.app.setLayoutManager(manager)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    show_in_views(node)
    logics = {name: slice_logic(core.start(), name) for name in sizes}
    for name, logic in logics.items():
        logic.ResizeSliceNode(*sizes[name])
        logic.FitSliceToAll()
    return {name: Image.fromarray(pixels_of(logic)) for name, logic in logics.items()}


if __name__ == "__main__":
    main()
