"""report.html: everything that an evaluation found, in one file that can be sent to somebody else."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import UNREADABLE, OutputError
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS
from SuperResolution3DLib.metrics.fourier_shell import THRESHOLDS
from Training.evaluation.results import (
    CORRELATION,
    FREQUENCY,
    EvaluationRecord,
    MethodResult,
    VolumeResult,
    read_evaluation,
)
from Training.evaluation.subject_statistics import summarise
from Training.reporting.checks import detail_section, help_section, is_of_boxes, picture_caption
from Training.reporting.html_page import (
    TableText,
    bullets,
    command,
    definitions,
    page,
    paragraphs,
    picture,
    preformatted,
)
from Training.reporting.plots import FEWEST_FOR_BOX, BoxPanel, Curve, box_plots, shell_plot
from Training.reporting.tables import LEGEND, Column, make_tables, quality, set_notes, volume_notes
from Training.whole_file import whole_file

REPORT = "report.html"
FIGURE = "figure2-"  # begins the name of a picture
RESIDUAL = Column("residual_percent", "data residual (%)", 2, "lower")
RESEARCH_ONLY = "For research use only, not for diagnosis. Detail above the measured resolution is always an estimate."


@dataclass(frozen=True)
class Report:
    """What a report is made of."""

    record: EvaluationRecord
    results: Sequence[VolumeResult]
    """in the order of the rows"""
    sets: Sequence[MethodResult] = ()
    figures: Sequence[Path] = ()
    """pictures to be shown, .png or .svg"""
    reference: str = ""
    """the method that the others are tested against; by default the record's last"""

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(result.method for result in self.results))

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(result.dataset for result in self.results))

    def of(self, dataset: str, method: str) -> list[VolumeResult]:
        return [result for result in self.results if (result.dataset, result.method) == (dataset, method)]


def write_report(folder: Path, reference: str | None = None, figures: Sequence[Path] = ()) -> Path:
    """Write ``report.html`` from what an evaluation left in its folder.

    Args:
        folder: of the evaluation, or of the collected folds.
        reference: the method that the others are tested against; None: the last in the record's order.
        figures: pictures that were drawn of these results; what an earlier run left in the folder is none of them.

    Returns:
        The file.

    Raises:
        InputError: a file is missing or damaged.
        OutputError: the report cannot be written.
    """
    record, results, sets = read_evaluation(folder)
    text = report_page(Report(record, results, sets, figures, reference or list(record.methods)[-1]))
    path = folder / REPORT
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8", UNREADABLE)
    return path


def report_page(report: Report) -> str:
    """Return the whole page.

    Raises:
        OutputError: a figure cannot be read.
    """
    record = report.record
    sections = [
        ("Scores", _scores(report)),
        ("Pictures", _pictures(report)),
        ("Spread over the volumes", _spread(report)),
        ("Trusted frequencies", _frequencies(report)),
        ("Data consistency", _consistency(report)),
        ("Wrong detail", detail_section(report.results, _boxes(report))),
        ("Does it help?", help_section(report.results)),
        ("Every volume", _volumes(report)),
        ("Methods and conventions", _conventions(report)),
        ("How to get this again", _origin(record)),
    ]
    head = f'<p class="subtitle">{escape(record.part)}</p>\n<p class="warning">{escape(RESEARCH_ONLY)}</p>'
    filled = [(name, content) for name, content in sections if content]
    return page(f"Super-resolution of {record.dataset}", filled, head, escape(f"Made with {_versions(record)}."))


def _scores(report: Report) -> str:
    if not report.results:
        return paragraphs("Nothing has been evaluated yet.")
    reference = report.reference or report.methods[-1]
    tables = make_tables(report.results, report.sets, reference)
    how = f"{LEGEND} Arrows say what is better; a heading sorts its table."
    return "\n".join(
        [paragraphs(how), *(TableText(t.title, [_raised(text) for text in t.headings], t.rows).html() for t in tables)]
    )


def _pictures(report: Report) -> str:
    what = "the red box of the whole views is enlarged on the right; the figures below are those of this volume."
    named = [(path, path.stem.removeprefix(FIGURE)) for path in report.figures if not is_of_boxes(path)]
    return "\n".join(
        picture(_content(path), path.suffix, f"Figure 2, {name}", f"{name}: {what}") for path, name in named
    )


def _boxes(report: Report) -> list[str]:
    return [
        picture(_content(path), path.suffix, "Boxes", picture_caption(path))
        for path in report.figures
        if is_of_boxes(path)
    ]


def _spread(report: Report) -> str:
    drawings = []
    for dataset in report.datasets:
        for protocol in PROTOCOLS:
            panels = [panel for column in quality(protocol) if (panel := _panel(report, dataset, column))]
            if panels:
                caption = f"{dataset}, protocol {protocol}. {_box_words(report, dataset)}"
                drawings.append(picture(box_plots(panels), ".svg", f"Box plots, {dataset}, {protocol}", caption))
    return "\n".join(drawings)


def _panel(report: Report, dataset: str, column: Column, *, logarithmic: bool = False) -> BoxPanel | None:
    """Return one metric of all methods; None if no volume has it."""
    values = {
        method: {r.file: r.metrics[column.metric] for r in report.of(dataset, method) if column.metric in r.metrics}
        for method in report.methods
    }
    if not any(values.values()):
        return None
    return BoxPanel(_heading(column), values, logarithmic)


def _heading(column: Column) -> str:
    return _raised(column.title)


def _raised(text: str) -> str:
    return text.replace("^3", "³")


def _box_words(report: Report, dataset: str) -> str:
    count = max(len(report.of(dataset, method)) for method in report.methods)
    kind = (
        f"Too few volumes for quartiles (fewer than {FEWEST_FOR_BOX}): the bar is the mean."
        if count < FEWEST_FOR_BOX
        else "Box: quartiles and median; whiskers: the furthest values within 1.5 interquartile ranges."
    )
    return f"{kind} Each point is a volume, thin lines connect the same volume."


def _frequencies(report: Report) -> str:
    parts = []
    for dataset in report.datasets:
        curves = {method: _curves(report.of(dataset, method)) for method in report.methods}
        if not any(curves.values()):
            continue
        caption = (
            f"{dataset}: Fourier shell correlation of SR with HR, mean over the volumes; shaded: from the least to the "
            "greatest. Dashed: the two usual thresholds."
        )
        alternative = f"Fourier shell correlation against frequency for each method, {dataset}"
        parts += [
            picture(shell_plot(curves, report.record.lr_nyquist), ".svg", alternative, caption),
            _cutoffs(report, dataset).html(),
        ]
    if not parts:
        return ""
    how = (
        "Up to which spatial frequency each method can be trusted: where the correlation of its spectrum with the HR's "
        "first falls below 0.5, or below 0.143. The smallest detail is half of that wavelength, 1 / (2 f)."
    )
    return "\n".join([paragraphs(how), *parts])


def _curves(results: Iterable[VolumeResult]) -> list[Curve]:
    return [
        (np.array(result.curves[FREQUENCY]), np.array(result.curves[CORRELATION]))
        for result in results
        if FREQUENCY in result.curves and CORRELATION in result.curves
    ]


def _cutoffs(report: Report, dataset: str) -> TableText:
    headings, cells = ["Method"], {method: [method] for method in report.methods}
    own = [result for result in report.results if result.dataset == dataset]
    for threshold in THRESHOLDS:
        headings += [f"f at {threshold:g} (cycles/mm) ↑", "smallest detail (mm) ↓"]
        found = {summary.method: summary for summary in summarise(own, f"fsc_{threshold:g}")}
        for method, row in cells.items():
            mean = found[method].mean if method in found else 0.0
            sd = found[method].sd if method in found else None
            spread = f" ± {sd:.3f}" if sd is not None else ""
            row += [f"{mean:.3f}{spread}", f"{0.5 / mean:.2f}"] if mean > 0 else ["", ""]
    note = "Mean ± standard deviation over subjects; where it never falls below, the highest frequency of the grid."
    return TableText(f"{dataset}: trusted frequencies", headings, [cells[method] for method in report.methods], note)


def _consistency(report: Report) -> str:
    drawings = []
    for dataset in report.datasets:
        panel = _panel(report, dataset, RESIDUAL, logarithmic=True)
        if panel:
            caption = (
                f"{dataset}: rms of degrade(SR) - LR in percent of the LR's range. Below a thousandth of the largest "
                "figure, points stand at the left edge."
            )
            drawings.append(picture(box_plots([panel]), ".svg", f"Data-consistency residual, {dataset}", caption))
    if not drawings:
        return ""
    how = (
        "Whether an SR, degraded again, agrees with the LR that was measured, under the ideal k-space model and below "
        "the LR's Nyquist frequency only. Detail above it is the method's estimate: a structure invented there has "
        "a residual of zero. For CT, and for voxels unlike those of the training, the figure depends on that model."
    )
    return "\n".join([paragraphs(how), *drawings])


def _volumes(report: Report) -> str:
    parts, measured = [], {name for result in report.results for name in result.metrics}
    for protocol in PROTOCOLS:
        columns = [column for column in [*quality(protocol), RESIDUAL] if column.metric in measured]
        if columns and columns != [RESIDUAL]:
            headings = ["Volume", "Method", *map(_heading, columns), "seconds"]
            rows = [
                [result.file, result.method, *(c.text(result.metrics) for c in columns), f"{result.seconds:.1f}"]
                for result in report.results
            ]
            parts.append(TableText(f"Protocol {protocol}", headings, rows).html())
    if not parts:
        return ""
    summary = f"<summary>Show the figures of each of the {len(report.results)} results</summary>"
    return "\n".join(["<details>", summary, *parts, "</details>"])


def _conventions(report: Report) -> str:
    lines = [*report.record.conventions, *set_notes(report.sets), *volume_notes(report.results)]
    return (
        f"<h3>Methods</h3>\n{definitions(list(report.record.methods.items()))}\n<h3>Conventions</h3>\n{bullets(lines)}"
    )


def _origin(record: EvaluationRecord) -> str:
    config = json.dumps(record.config, indent=2, ensure_ascii=False, default=str)
    config = re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", config)
    return (
        f"<h3>Command</h3>\n{command(record.command)}\n<h3>Configuration</h3>\n{preformatted(config)}\n"
        f"<h3>Versions</h3>\n{bullets([f'{name} {version}' for name, version in record.versions.items()])}"
    )


def _versions(record: EvaluationRecord) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.versions.items()) or "SuperResolution3D"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path} cannot be shown in the report ({error.strerror}); draw it again") from error
