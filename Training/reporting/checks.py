"""The report's sections on wrong detail and on what a simple analysis finds."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from Training.evaluation.results import VolumeResult
from Training.reporting.html_page import TableText, paragraphs

BOXES = "boxes-"  # begins the name of a picture
DETAIL = (
    "Where the detail is not the HR's: small patches whose ring correlation falls below the threshold before the LR's "
    "Nyquist frequency is reached, so that even what was measured has come out as something else. No box is no proof: "
    "detail above that frequency may still be invented."
)
HELP = (
    "Whether a simple analysis comes to the same on an SR as on the HR: three classes of intensity, and the volume of "
    "the largest dark structure in the middle of the subject (the ventricles on a T1)."
)


def detail_section(results: Sequence[VolumeResult], pictures: Sequence[str]) -> str:
    """Return the boxes of each method, and pictures that are already HTML; "" where nothing was scanned."""
    rows = []
    for method, own in _by_method(results, "ring_patches"):
        boxes, patches = ([result.metrics[name] for result in own] for name in ("ring_boxes", "ring_patches"))
        crossing = sum(result.metrics["ring_crossing"] for result in own) / len(own)
        share = 100 * sum(boxes) / sum(patches)
        rows.append([method, f"{sum(boxes):.0f} of {sum(patches):.0f}", f"{share:.1f}", f"{crossing:.3f}"])
    if not rows:
        return ""
    headings = ["Method", "boxes", "% of the patches ↓", "median crossing ↑"]
    return "\n".join([paragraphs(DETAIL), TableText("Patches of all volumes", headings, rows).html(), *pictures])


def help_section(results: Sequence[VolumeResult]) -> str:
    """Return the agreement of classes and structure for each method; "" where nothing was measured."""
    rows = []
    for method, own in _by_method(results, "tissue_dice"):
        dice = sum(result.metrics["tissue_dice"] for result in own) / len(own)
        errors = [result.metrics[name] for result in own if (name := "core_volume_error") in result.metrics]
        rows.append([method, f"{dice:.4f}", f"{sum(errors) / len(errors):.1f}" if errors else ""])
    if not rows:
        return ""
    headings = ["Method", "Dice of the classes ↑", "volume of the dark core, % off ↓"]
    return "\n".join([paragraphs(HELP), TableText("Mean over the volumes", headings, rows).html()])


def is_of_boxes(path: Path) -> bool:
    """Tell a picture of boxes from Figure 2."""
    return path.name.startswith(BOXES)


def picture_caption(path: Path) -> str:
    """Return what stands below a picture of boxes."""
    return escape(
        f"{path.stem.removeprefix(BOXES)}: red boxes mark such patches in the slice that has the most of them."
    )


def _by_method(results: Sequence[VolumeResult], metric: str) -> list[tuple[str, list[VolumeResult]]]:
    methods = dict.fromkeys(result.method for result in results if metric in result.metrics)
    return [(name, [r for r in results if r.method == name and metric in r.metrics]) for name in methods]
