"""The tables of an evaluation on thick slices, as Markdown."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from Training.evaluation.orthogonal_stacks import StackPair, StackScore
from Training.evaluation.simulated_slices import SliceScore
from Training.reporting.tables import counted

Score = TypeVar("Score", SliceScore, StackScore)

BASELINES = ("cubic", "consistent")
CONVENTIONS = (
    "PSNR of the voxels in which no slice has its centre, range and foreground as in the protocol foreground; SSIM 3D "
    "Gaussian; LPIPS over the two views that show the slice axis; cutoff: cycles/mm along the slice axis up to which "
    "spectrum and HR correlate above one half; residual: % of the range by which the slices, made anew, differ from "
    "those measured."
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
    """Return one table for each modality, spacing and gap, and what each method gains over the baselines."""
    parts = [
        "# Simulated thick slices",
        f"`{command}`",
        CONVENTIONS,
    ]
    methods = list(dict.fromkeys(score.method for score in scores))
    for modality, group in _grouped(scores, lambda score: score.modality):
        parts.append(f"## {modality}, {counted(len({score.file for score in group}), 'volume')}")
        parts.append(_gains(group, methods))
        for (spacing, gap), cell in _grouped(group, lambda score: (score.spacing, score.gap)):
            parts.append(f"### Slices every {spacing:g} mm, gap {gap:.0%}")
            rows = [
                [
                    method,
                    f"{_mean(cell, method, 'psnr'):.2f}",
                    f"{_mean(cell, method, 'ssim'):.4f}",
                    f"{_mean(cell, method, 'lpips'):.4f}",
                    f"{_mean(cell, method, 'cutoff'):.3f}",
                    f"{_mean(cell, method, 'residual'):.2f}",
                ]
                for method in methods
            ]
            parts.append(_table(["method", "PSNR / dB", "SSIM", "LPIPS", "cutoff / mm^-1", "residual / %"], rows))
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


def _gains(scores: Sequence[SliceScore], methods: Sequence[str]) -> str:
    """Return what each method gains over the baselines: the mean, and the worst volume and scan."""
    by_scan = {(s.file, s.plane, s.spacing, s.gap, s.method): s for s in scores}
    scans = list(dict.fromkeys(key[:-1] for key in by_scan))
    rows = []
    for method in methods:
        row = [method]
        for baseline in BASELINES:
            gains = [by_scan[(*scan, method)].psnr - by_scan[(*scan, baseline)].psnr for scan in scans]
            row += [f"{np.mean(gains):+.2f}", f"{min(gains):+.2f}"]
        pairs = [(by_scan[(*scan, method)].lpips, by_scan[(*scan, BASELINES[0])].lpips) for scan in scans]
        lpips = [own / base for own, base in pairs if own is not None and base]
        rows.append([*row, f"x{np.mean(lpips):.2f}" if lpips else ""])
    head = ["method", "over cubic / dB", "worst", "over consistent / dB", "worst", "LPIPS against cubic"]
    return _table(head, rows)


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


def _mean(scores: Iterable[SliceScore], method: str, name: str) -> float:
    values = [getattr(score, name) for score in scores if score.method == method]
    return float(np.mean([np.nan if value is None else value for value in values]))


def _grouped(scores: Sequence[Score], key: Callable[[Score], Any]) -> list[tuple[Any, list[Score]]]:
    return [(name, list(group)) for name, group in groupby(sorted(scores, key=key), key)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
