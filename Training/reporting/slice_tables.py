"""The tables of an evaluation on thick slices, as Markdown."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from SuperResolution3DLib.metrics import scanning_rings
from Training.data.slice_patches import LARGEST_ANISOTROPY
from Training.evaluation import tissue
from Training.evaluation.orthogonal_stacks import StackPair, StackScore
from Training.evaluation.simulated_slices import SliceScore
from Training.evaluation.slice_methods import interpolation_methods
from Training.reporting.tables import counted

Score = TypeVar("Score", SliceScore, StackScore)

CUBIC, CONSISTENT = "cubic", "consistent"
BASELINES = (CUBIC, CONSISTENT)
BELOW = "(!)"  # marks a model that is below consistent interpolation
MOST_LISTED = 10
CONVENTIONS = (
    "PSNR and SSIM (3D Gaussian) of the voxels in which no slice has its centre, range and foreground as in the "
    "protocol foreground; LPIPS over the two views that show the slice axis; cutoff: cycles/mm along the slice axis up "
    "to which spectrum and HR correlate above one half; residual: % of the range by which the slices, made anew, "
    "differ from those measured; boxes: % of patches in which even what was measured has come out as something else; "
    "tissue: Dice."
)
AGREEMENT = (
    "Correlation of intensities, and of what varies within a slice spacing along the computed stack's slice axis "
    "(detail), with what the other stack measured there, after a rigid registration."
)
OF_ONE_SCAN = (
    "Parallel stacks of one scan share its frame and are compared where their headers say; PSNR over the voxels of "
    "tissue; edge: mm in which the mean of the sharpest edges across the slices, found in the thin stack, rises from "
    "10 to 90 %."
)


def simulated_tables(scores: Sequence[SliceScore], command: str) -> str:
    """Return what each method gains over the baselines, for each modality and as the mean over several of them, and one
    table for each modality, spacing and gap.
    """
    checks = f"{scanning_rings.describe()} along the slice axis. {tissue.describe()}."
    parts = ["# Simulated thick slices", f"`{command}`", CONVENTIONS, checks]
    methods = list(dict.fromkeys(score.method for score in scores))
    modalities = [(name, group) for name, group in _grouped(scores, lambda score: score.modality)]
    if len(modalities) > 1:
        parts.append(f"## Mean over {', '.join(name for name, _ in modalities)}")
        parts.append(_gains([group for _, group in modalities], methods))
        parts += _gains_by_cell([group for _, group in modalities], _models(methods))
    for modality, group in modalities:
        parts.append(f"## {modality}, {counted(len({score.file for score in group}), 'volume')}")
        parts += _long_pixels(group)
        parts.append(_gains([group], methods))
        parts += _below(group, methods)
        for (spacing, gap), cell in _grouped(group, lambda score: (score.spacing, score.gap)):
            parts.append(f"### Slices every {spacing:g} mm, gap {gap:.0%}")
            rows = [
                [
                    method,
                    _mean(cell, method, "psnr", 2),
                    _signed(float(np.mean(gains_over(cell, method, CONSISTENT))), method, methods),
                    _mean(cell, method, "ssim", 4),
                    _mean(cell, method, "lpips", 4),
                    _mean(cell, method, "cutoff", 3),
                    _mean(cell, method, "residual", 2),
                    _boxes(cell, method),
                    _mean(cell, method, "tissue_dice", 3),
                ]
                for method in methods
            ]
            head = ["method", "PSNR / dB", "over consistent / dB", "SSIM", "LPIPS", "cutoff / mm^-1", "residual / %"]
            head += ["boxes / %", "tissue"]
            parts.append(_table(head, rows))
    return "\n\n".join(parts) + "\n"


def stack_tables(pairs: Sequence[StackPair], command: str) -> str:
    """Return one table for each set of stacks, and the mean over sets."""
    parts = [
        "# Real thick slices, seen by another stack of the same patient",
        f"`{command}`",
        AGREEMENT,
    ]
    scores = [score for pair in pairs for score in pair.scores]
    methods = list(dict.fromkeys(score.method for score in scores))
    columns = ["method", "intensity", "detail", "PSNR / dB", "edge / mm"]
    if any(score.psnr is not None for score in scores):
        parts.append(OF_ONE_SCAN)
    for name, group in groupby(pairs, lambda pair: pair.set):
        parts.append(f"## {name}")
        for pair in group:
            parts.append(_pair_line(pair))
            rows = [_stack_row(score) for score in pair.scores]
            if pair.second in pair.edges:
                rows.append([pair.second, "", "", "", f"{pair.edges[pair.second].rise:.2f}"])
            shown = len(columns) if pair.scores[0].psnr is not None else 3
            parts.append(_table(columns[:shown], [row[:shown] for row in rows]))
    sets = list(dict.fromkeys(score.set for score in scores))
    means = [
        [method, *(_over_sets(scores, sets, method, name) for name in ("intensity", "detail"))] for method in methods
    ]
    parts.append(f"## Mean over {counted(len(sets), 'set')}")
    parts.append(_table(columns[:3], means))
    return "\n\n".join(parts) + "\n"


def gains_over(scores: Sequence[SliceScore], method: str, baseline: str) -> list[float]:
    """Return by how many dB a method is above another one, on each volume and scan."""
    psnr = {(score.scan, score.method): score.psnr for score in scores}
    return [psnr[scan, method] - psnr[scan, baseline] for scan in dict.fromkeys(score.scan for score in scores)]


def _gains(groups: Sequence[Sequence[SliceScore]], methods: Sequence[str]) -> str:
    """Return what each method gains over the baselines: the mean over groups of their means, and the worst of a volume
    and scan.
    """
    rows = []
    for method in methods:
        row = [method]
        for baseline in BASELINES:
            gains = [gains_over(group, method, baseline) for group in groups]
            mean, worst = float(np.mean([np.mean(each) for each in gains])), min(min(each) for each in gains)
            is_flagged = methods if baseline == CONSISTENT else ()
            row += [_signed(mean, method, is_flagged), _signed(worst, method, is_flagged)]
        ratios = [np.mean(ratio) for group in groups if (ratio := _lpips_ratios(group, method))]
        rows.append([*row, f"x{np.mean(ratios):.2f}" if ratios else ""])
    head = ["method", "over cubic / dB", "worst", "over consistent / dB", "worst", "LPIPS against cubic"]
    return _table(head, rows)


def _gains_by_cell(groups: Sequence[Sequence[SliceScore]], models: Sequence[str]) -> list[str]:
    """Return a table of what the models gain at each spacing and gap, as the mean over groups of their means."""
    if not models:
        return []
    cells = sorted({(score.spacing, score.gap) for group in groups for score in group})
    rows = []
    for cell in cells:
        row = [f"every {cell[0]:g} mm, gap {cell[1]:.0%}"]
        own = [[score for score in group if (score.spacing, score.gap) == cell] for group in groups]
        for method in models:
            over = [float(np.mean([np.mean(gains_over(g, method, each)) for g in own if g])) for each in BASELINES]
            row += [f"{over[0]:+.2f}", _signed(over[1], method, models)]
        rows.append(row)
    head = ["slices", *(f"{method} over {baseline} / dB" for method in models for baseline in BASELINES)]
    return [_table(head, rows)]


def _lpips_ratios(scores: Sequence[SliceScore], method: str) -> list[float]:
    lpips = {(score.scan, score.method): score.lpips for score in scores}
    pairs = [(lpips[scan, method], lpips[scan, CUBIC]) for scan in dict.fromkeys(score.scan for score in scores)]
    return [own / base for own, base in pairs if own is not None and base]


def _long_pixels(scores: Sequence[SliceScore]) -> list[str]:
    """Return a line on volumes whose simulated slices have pixels that no scan has."""
    found = {(s.file, s.plane): s.pixel_ratio for s in scores if s.pixel_ratio > LARGEST_ANISOTROPY}
    texts = [f"{ratio:.2g} times as long as wide in {plane} slices of {file}" for (file, plane), ratio in found.items()]
    return [f"Pixels are {'; '.join(texts)}."] if texts else []


def _signed(gain: float, method: str, methods: Sequence[str]) -> str:
    """Return a gain in dB, with a mark where a model is below consistent interpolation."""
    return f"{gain:+.2f}{f' {BELOW}' if method in _models(methods) and gain < 0 else ''}"


def _below(scores: Sequence[SliceScore], methods: Sequence[str]) -> list[str]:
    """Return a line on the volumes and scans on which a model is below consistent interpolation."""
    found = [
        (gain, f"{method} on {scan[0]}, {scan[1]} slices every {scan[2]:g} mm, gap {scan[3]:.0%}: {gain:+.2f} dB")
        for method in _models(methods)
        for scan, gain in zip(
            dict.fromkeys(score.scan for score in scores), gains_over(scores, method, CONSISTENT), strict=True
        )
        if gain < 0
    ]
    if not found:
        return ["No volume and no scan is below consistent interpolation."] if _models(methods) else []
    worst = [text for _, text in sorted(found)[:MOST_LISTED]]
    more = f"; and {len(found) - len(worst)} more" if len(found) > len(worst) else ""
    return [f"{BELOW} Below consistent interpolation: {'; '.join(worst)}{more}"]


def _models(methods: Sequence[str]) -> list[str]:
    interpolations = {method.name for method in interpolation_methods()}
    return [method for method in methods if method not in interpolations]


def _pair_line(pair: StackPair) -> str:
    seen = f"{pair.first} seen by {pair.second}"
    if pair.was_moved:
        return f"{seen}, which was moved by {pair.shift:.1f} mm"
    return f"{seen}, where the headers say; a registration would move it by {pair.shift:.2f} mm"


def _stack_row(score: StackScore) -> list[str]:
    psnr = "" if score.psnr is None else f"{score.psnr:.2f}"
    rise = "" if score.rise is None else f"{score.rise:.2f}"
    return [score.method, f"{score.intensity:.4f}", f"{score.detail:.4f}", psnr, rise]


def _over_sets(scores: Sequence[StackScore], sets: Sequence[str], method: str, name: str) -> str:
    means = [np.mean([getattr(s, name) for s in scores if s.set == each and s.method == method]) for each in sets]
    return f"{np.mean(means):.4f}"


def _mean(scores: Iterable[SliceScore], method: str, name: str, digits: int) -> str:
    values = [value for score in scores if score.method == method and (value := getattr(score, name)) is not None]
    return f"{np.mean(values):.{digits}f}" if values else ""


def _boxes(scores: Sequence[SliceScore], method: str) -> str:
    """Return the percentage of all patches of a method that are boxes; "" where nothing was scanned."""
    own = [score for score in scores if score.method == method]
    patches = sum(score.ring_patches for score in own)
    return f"{100 * sum(score.ring_boxes for score in own) / patches:.1f}" if patches else ""


def _grouped(scores: Sequence[Score], key: Callable[[Score], Any]) -> list[tuple[Any, list[Score]]]:
    return [(name, list(group)) for name, group in groupby(sorted(scores, key=key), key)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
