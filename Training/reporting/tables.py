"""The tables of an evaluation as Markdown and LaTeX: mean and spread over subjects, best in bold, paired tests."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from SuperResolution3DLib.errors import UNREADABLE
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS
from Training.evaluation.results import (
    EvaluationRecord,
    MethodResult,
    VolumeResult,
    read_evaluation,
    subjects_of,
    write_csv,
)
from Training.evaluation.subject_statistics import FEWEST_SUBJECTS, compare, summarise
from Training.whole_file import whole_file

CSV, MARKDOWN, LATEX = "results.csv", "table.md", "table.tex"
FILES_NAMED = 3  # in a note; results.csv has all
SLICES = ": slices"  # ends the name of a number of slices (``PictureSets.figures``)
LEGEND = (
    "Mean ± standard deviation over subjects; best in bold. Tests: Wilcoxon's signed-rank test over the means of the "
    f"subjects, two-sided, Holm's correction over the methods; below {FEWEST_SUBJECTS} subjects differences only."
)
LATEX_TEXT = {
    **{character: f"\\{character}" for character in "_%&#${}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "\n": " ",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "7^3": "$7^3$",
}
MARKDOWN_TEXT = str.maketrans({"|": r"\|", "\n": " ", "\\": r"\\"})
LATEX_PACKAGES = r"% needs \usepackage{booktabs}"
TESTED = ("ssim", "psnr", "lpips")


@dataclass(frozen=True)
class Column:
    """One metric as it is printed."""

    metric: str
    heading: str
    decimals: int
    better: str | None = "higher"
    """higher, lower, or None: nothing is best"""

    @property
    def title(self) -> str:
        """The heading with an arrow to what is better."""
        return f"{self.heading} {({'higher': '↑', 'lower': '↓', None: ''})[self.better]}".strip()

    def text(self, metrics: Mapping[str, float]) -> str:
        """Return the figure among those of a volume or a method as it is printed; empty if it was not measured."""
        return f"{metrics[self.metric]:.{self.decimals}f}" if self.metric in metrics else ""


@dataclass(frozen=True)
class Table:
    """Text in rows and columns; ``**`` around a cell makes it bold."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        lines = [
            "| " + " | ".join(cell.translate(MARKDOWN_TEXT) for cell in cells) + " |"
            for cells in (self.headings, *self.rows)
        ]
        lines.insert(1, "| --- |" + " ---: |" * (len(self.headings) - 1))
        return "\n".join([f"### {self.title}", "", *lines])

    def latex(self) -> str:
        """Return a table of the package booktabs with its title as the caption."""
        lines = [" & ".join(map(_latex, cells)) + r" \\" for cells in (self.headings, *self.rows)]
        return "\n".join(
            [
                r"\begin{table}[htbp]",
                r"\centering",
                rf"\caption{{{_latex(self.title)}}}",
                rf"\begin{{tabular}}{{l{'r' * (len(self.headings) - 1)}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
            ]
        )


QUALITY = (
    Column("ssim", "SSIM", 3),
    Column("ssim_uniform", "SSIM 7^3", 3),
    Column("ssim_slices", "SSIM 2D", 3),
    Column("psnr", "PSNR (dB)", 2),
    Column("lpips", "LPIPS", 3, "lower"),
)
FREQUENCIES = (
    Column("fsc_0.5", "FSC 0.5 (1/mm)", 3),
    Column("fsc_0.143", "FSC 0.143 (1/mm)", 3),
    Column("residual_percent", "data residual (%)", 2, "lower"),
    Column("added_detail", "added detail", 3, None),
)


def write_tables(folder: Path, reference: str | None = None) -> list[Table]:
    """Write ``results.csv``, ``table.md`` and ``table.tex`` from what an evaluation left in its folder.

    Args:
        folder: of the evaluation, or of the collected folds.
        reference: the method that the others are tested against; None: the last in the record's order.

    Raises:
        InputError: a file is missing or damaged.
        OutputError: a table cannot be written.
    """
    record, results, sets = read_evaluation(folder)
    tables = make_tables(results, sets, reference or list(record.methods)[-1])
    write_csv(folder / CSV, results)
    notes = [*set_notes(sets), *volume_notes(results)]
    _write(folder / MARKDOWN, markdown(record, tables, notes))
    _write(folder / LATEX, latex(record, tables, notes))
    return tables


def make_tables(results: Sequence[VolumeResult], sets: Sequence[MethodResult], reference: str) -> list[Table]:
    """Return, for each data set and protocol, the table of the metrics and that of the tests, then the frequencies.

    Args:
        results: in the order of the rows.
        sets: figures of whole methods.
        reference: the method that the others are tested against.
    """
    tables = []
    for dataset in dict.fromkeys(result.dataset for result in results):
        own = [result for result in results if result.dataset == dataset]
        own_sets = [result for result in sets if result.dataset == dataset]
        volumes, subjects = {result.file for result in own}, subjects_of(own)
        size = f"{counted(len(volumes), 'volume')} of {counted(len(subjects), 'subject')}"
        for protocol in PROTOCOLS:
            columns = quality(protocol)
            names = dict.fromkeys(name for result in own_sets for name in result.metrics if not name.endswith(SLICES))
            columns += [
                Column(name, name.removeprefix(f"{protocol}/"), 3, "lower")
                for name in names
                if name.startswith(f"{protocol}/")
            ]
            tables += _table(f"{dataset}, protocol {protocol}, {size}", columns, own, own_sets)
            tested = [column for column in quality(protocol) if column.metric.partition("/")[2] in TESTED]
            tables += _tests(f"{dataset}, protocol {protocol}: difference to {reference}", tested, own, reference)
        tables += _table(f"{dataset}: frequencies and data consistency", list(FREQUENCIES), own, [])
    return tables


def set_notes(sets: Sequence[MethodResult]) -> list[str]:
    """Return from how many slices the figures of whole methods are; with the methods' names where they differ."""
    methods: dict[str, list[str]] = {}
    for result in sets:
        for note in result.notes:
            methods.setdefault(note, []).append(result.method)
    return [note if len(names) == len(sets) else f"{', '.join(names)}: {note}" for note, names in methods.items()]


def volume_notes(results: Sequence[VolumeResult]) -> list[str]:
    """Return what was noted of volumes, each sentence once; with the methods' names where not all have it."""
    found: dict[str, list[VolumeResult]] = {}
    for result in results:
        for note in result.notes:
            found.setdefault(note, []).append(result)
    methods = {result.method for result in results}
    lines = []
    for note, own in found.items():
        files, names = (list(dict.fromkeys(getattr(result, what) for result in own)) for what in ("file", "method"))
        more = f" and {counted(len(files) - FILES_NAMED, 'volume')} more" if len(files) > FILES_NAMED else ""
        who = "" if methods == set(names) else f", {', '.join(names)}"
        lines.append(f"{', '.join(files[:FILES_NAMED])}{more}{who}: {note}")
    return lines


def markdown(record: EvaluationRecord, tables: Sequence[Table], notes: Sequence[str] = ()) -> str:
    """Return the tables with everything that they are worth nothing without."""
    parts = [
        f"## {record.dataset}: {record.part}",
        *(table.markdown() for table in tables),
        LEGEND,
        "\n".join(f"- {name}: {text}" for name, text in record.methods.items()),
        "\n".join(f"- {line}" for line in (*record.conventions, *notes)),
    ]
    return "\n\n".join(parts) + "\n"


def latex(record: EvaluationRecord, tables: Sequence[Table], notes: Sequence[str] = ()) -> str:
    """Return the tables, and in small print below them what ``markdown`` says around them."""
    methods = [f"{name}: {text}" for name, text in record.methods.items()]
    lines = [f"{record.dataset}: {record.part}", LEGEND, *methods, *record.conventions, *notes]
    small_print = [r"{\footnotesize\raggedright", *(rf"{_latex(' '.join(line.split()))}\par" for line in lines), "}"]
    return "\n\n".join([LATEX_PACKAGES, *(table.latex() for table in tables), "\n".join(small_print)]) + "\n"


def _table(
    title: str, columns: Sequence[Column], results: Sequence[VolumeResult], sets: Sequence[MethodResult]
) -> list[Table]:
    """Return a table of the columns that have figures; none if there are no figures at all."""
    methods = list(dict.fromkeys(result.method for result in results))
    total = len({result.file for result in results})
    cells: dict[str, list[str]] = {method: [] for method in methods}
    headings = []
    for column in columns:
        summaries = {summary.method: summary for summary in summarise(results, column.metric)}
        means = {name: summary.mean for name, summary in summaries.items()}
        means |= {result.method: result.metrics[column.metric] for result in sets if column.metric in result.metrics}
        if not means:
            continue
        best = best_methods(column, means)
        headings.append(column.title)
        for method in methods:
            text = f"{means[method]:.{column.decimals}f}" if method in means else ""
            if text and method in best:
                text = f"**{text}**"
            summary = summaries.get(method)
            if summary is not None and summary.sd is not None:
                text += f" ± {summary.sd:.{column.decimals}f}"
            if summary is not None and summary.num_volumes < total:
                text += f" ({summary.num_volumes} of {total} volumes)"
            cells[method].append(text)
    rows = tuple((method, *cells[method]) for method in methods)
    return [Table(title, ("Method", *headings), rows)] if headings else []


def _tests(title: str, columns: Sequence[Column], results: Sequence[VolumeResult], reference: str) -> list[Table]:
    methods = [name for name in dict.fromkeys(result.method for result in results) if name != reference]
    if not methods or reference not in {result.method for result in results}:
        return []
    cells: dict[str, list[str]] = {method: [] for method in methods}
    headings = []
    for column in columns:
        comparisons = {comparison.method: comparison for comparison in compare(results, column.metric, reference)}
        if not comparisons:
            continue
        headings.append(column.heading)
        for method in methods:
            found = comparisons.get(method)
            cells[method].append(f"{found.difference:+.{column.decimals}f} ({found.verdict})" if found else "")
    return [Table(title, ("Method", *headings), tuple((m, *cells[m]) for m in methods))] if headings else []


def quality(protocol: str) -> list[Column]:
    """Return the columns of ``QUALITY`` under a protocol."""
    return [replace(column, metric=f"{protocol}/{column.metric}") for column in QUALITY]


def best_methods(column: Column, means: dict[str, float]) -> set[str]:
    """Return the methods whose figure, as it is printed, is the best; empty where there is nothing to compare."""
    printed = {name: round(mean, column.decimals) for name, mean in means.items() if not math.isnan(mean)}
    if column.better is None or len(printed) < 2:
        return set()
    choose: Callable[..., float] = max if column.better == "higher" else min
    best = choose(printed.values())
    return {name for name, mean in printed.items() if mean == best}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 volume, 2 volumes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _latex(cell: str) -> str:
    escaped = re.sub(r"7\^3|.", lambda found: LATEX_TEXT.get(found[0], found[0]), cell, flags=re.DOTALL)
    return re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", escaped)


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8", UNREADABLE)
