"""The report: one file, complete, and the same figures in it as in the tables."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from SuperResolution3DLib.errors import InputError, OutputError
from Training.evaluation.results import (
    CORRELATION,
    FREQUENCY,
    EvaluationRecord,
    MethodResult,
    VolumeResult,
    write_method_result,
    write_record,
    write_result,
)
from Training.reporting.html_page import TableText, picture
from Training.reporting.plots import BoxPanel, box_plots, shell_plot
from Training.reporting.report import write_report

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
VOID = {"meta", "img"}


class Page(HTMLParser):
    """What stands in a page; tags that are not closed in their order are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open or "style" in self.open:
            return
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def table(self, first: str, second: str) -> list[list[str]]:
        """Return the first table whose head begins with two headings."""
        return next(table for table in self.tables if table[0][:2] == [first, second])


def a_result(method: str, number: int, psnr: float, **more: float) -> VolumeResult:
    metrics = {"foreground/psnr": psnr, "foreground/ssim": psnr / 40, "residual_percent": 0.5, **more}
    frequency = np.linspace(0.05, 0.5, 10)
    correlation = np.linspace(1, 0, 10)
    curves = {FREQUENCY: frequency.tolist(), CORRELATION: correlation.tolist()}
    metrics |= {"fsc_0.5": 0.25, "fsc_0.143": 0.4}
    file = f"test/volume-{number}.nii.gz"
    return VolumeResult("brains", f"subject-{number}", file, method, metrics, curves, 12.34, (f"note of {number}",))


@pytest.fixture
def an_evaluation(tmp_path: Path) -> Path:
    """Return the folder of two methods on seven subjects."""
    for number in range(7):
        write_result(tmp_path, a_result("trilinear", number, 25 + 0.1 * number))
        write_result(tmp_path, a_result("<our> & model", number, 27 + 0.2 * number))
    write_method_result(tmp_path, MethodResult("brains", "trilinear", {"foreground/FID (64 features)": 1.25}, ("n",)))
    methods = {"trilinear": "aligned; center grid", "<our> & model": "sha256 0123"}
    config = {"scale": [4, 4, 4], "nested": {"stride": 1}}
    command = "python Training/evaluate.py --index index.json --model 'x y' --out folder"
    conventions = ("Protocol foreground: range ...", "SSIM < 1")
    record = EvaluationRecord("brains", "test, 7 volumes", conventions, methods, config, command, {"torch": "2.9.1"})
    write_record(tmp_path, record)
    (tmp_path / "figure2-brains.png").write_bytes(PICTURE)
    return tmp_path


def a_page(folder: Path, **options) -> Page:
    drawn = {"figures": [folder / "figure2-brains.png"]}
    return Page(write_report(folder, **(drawn | options)).read_text("utf-8"))


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_report_is_one_file_that_needs_no_other(an_evaluation: Path) -> None:
    page = a_page(an_evaluation)
    addresses = [value or "" for _, attributes in page.tags for name, value in attributes.items() if name in ADDRESSES]
    assert len(addresses) > 5
    assert [address for address in addresses if not address.startswith(("data:image/", "#"))] == []
    assert not {"link", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    style = re.search(r"<style>(.*?)</style>", (an_evaluation / "report.html").read_text("utf-8"), re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    assert list(an_evaluation.glob(".*")) == []


ADDRESSES = {"src", "href", "srcset", "data", "action", "poster"}


def test_links_within_the_page_lead_somewhere(an_evaluation: Path) -> None:
    page = a_page(an_evaluation)
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"}
    assert links == places and len(links) >= 7


def test_scores_are_those_of_the_tables_with_the_best_marked(an_evaluation: Path) -> None:
    page = a_page(an_evaluation)
    table = page.table("Method", "SSIM ↑")
    assert table[0] == ["Method", "SSIM ↑", "PSNR (dB) ↑", "FID (64 features) ↓"]
    assert [row[0] for row in table[1:]] == ["trilinear", "<our> & model"]  # the record's order
    # Mean of 27, 27.2 ... 28.2 and its sample standard deviation
    assert [row[2] for row in table[1:]] == ["25.30 ± 0.22", "27.60 ± 0.43"]
    assert table[1][3] == "1.250"
    text = (an_evaluation / "report.html").read_text("utf-8")
    assert '<strong class="best">27.60</strong>' in text and '<strong class="best">25.30</strong>' not in text


def test_the_tests_are_told_against_the_reference(an_evaluation: Path) -> None:
    page = a_page(an_evaluation, reference="trilinear")
    assert "difference to trilinear" in page.text
    # Seven differences of one sign: 2 / 2^7
    assert page.table("Method", "SSIM")[1][2] == "+2.30 (p = 0.016)"
    assert "difference to <our> & model" in a_page(an_evaluation).text


def test_everything_that_a_table_is_worth_nothing_without_is_there(an_evaluation: Path) -> None:
    page = a_page(an_evaluation)
    for words in (
        "test, 7 volumes",
        "SSIM < 1",
        "aligned; center grid",
        "sha256 0123",
        "python Training/evaluate.py --index index.json --model 'x y' --out folder",
        '"scale": [4, 4, 4]',
        '"stride": 1',
        "torch 2.9.1",
        "For research use only, not for diagnosis",
        "a structure invented there has a residual of zero",
        "test/volume-3.nii.gz: note of 3",
    ):
        assert words in page.text, words


def test_every_volume_is_listed(an_evaluation: Path) -> None:
    table = a_page(an_evaluation).table("Volume", "Method")
    assert table[0] == ["Volume", "Method", "SSIM ↑", "PSNR (dB) ↑", "data residual (%) ↓", "seconds"]
    assert len(table) == 1 + 14
    assert table[1] == ["test/volume-0.nii.gz", "trilinear", "0.625", "25.00", "0.50", "12.3"]


def test_trusted_frequencies_are_given_with_the_size_of_the_detail(an_evaluation: Path) -> None:
    table = a_page(an_evaluation).table("Method", "f at 0.5 (cycles/mm) ↑")
    assert table[1] == ["trilinear", "0.250 ± 0.000", "2.00", "0.400 ± 0.000", "1.25"]


def test_figure_2_and_the_diagrams_stand_in_the_page(an_evaluation: Path) -> None:
    images = [attributes for tag, attributes in a_page(an_evaluation).tags if tag == "img"]
    assert all(image["alt"] for image in images)
    contents = [base64.b64decode(str(image["src"]).partition("base64,")[2]) for image in images]
    assert contents[0] == PICTURE
    assert len(contents) == 4  # Figure 2, box plots, Fourier shells, residual
    for content in contents[1:]:
        assert ElementTree.fromstring(content).tag.endswith("svg")


def test_what_was_not_measured_has_no_section(an_evaluation: Path) -> None:
    for path in (an_evaluation / "results").glob("*/*.json"):
        path.unlink()
    write_result(an_evaluation, VolumeResult("brains", "s", "a.nii.gz", "trilinear", {"paper/psnr": 25.0}))
    page = a_page(an_evaluation, figures=[])  # that of an earlier run still lies there
    sections = [words for words in page.words if words in ("Pictures", "Trusted frequencies", "Data consistency")]
    assert sections == []
    assert "25.00" in page.text


def test_an_evaluation_that_has_not_begun_says_so(an_evaluation: Path) -> None:
    for path in (an_evaluation / "results").glob("*/*.json"):
        path.unlink()
    assert "Nothing has been evaluated yet." in a_page(an_evaluation).text


def test_an_endless_psnr_does_not_break_the_page(an_evaluation: Path) -> None:
    write_result(an_evaluation, a_result("trilinear", 0, float("inf")))
    assert "inf" in a_page(an_evaluation).text


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation\.json cannot be read"):
        write_report(tmp_path)


def test_a_report_that_cannot_be_written_is_refused(an_evaluation: Path) -> None:
    (an_evaluation / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html cannot be written"):
        write_report(an_evaluation)
    assert list(an_evaluation.glob(".*")) == []


# --- The pieces of a page --------------------------------------------------------------------------------------------


def test_columns_of_numbers_are_sorted_as_numbers() -> None:
    rows = [["a", "**9.5** ± 0.1", "text"], ["b", "+10.2 (p = 0.03)", "3 slices"], ["c", "", ""]]
    page = Page(TableText("A <table>", ["Method", "PSNR ↑", "notes"], rows).html())
    cells = [attributes for tag, attributes in page.tags if tag == "td"]
    assert [cell.get("data-value") for cell in cells] == ["9.5", None, "+10.2", None, None, None]
    assert [cell["class"] for cell in cells[:2]] == ["number", "text"]
    assert "A <table>" in page.text
    assert page.tables[0][1] == ["a", "9.5 ± 0.1", "text"]


def test_a_table_with_a_cell_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match=r"A row of 'T' has 3 cells, its head 2"):
        TableText("T", ["Method", "PSNR"], [["a", "1", "2"]])


def test_a_picture_that_pages_do_not_show_is_refused() -> None:
    with pytest.raises(ValueError, match=r"end in one of \.svg, \.png.*, got '\.nii'"):
        picture(b"", ".nii", "a volume")


# --- The diagrams ----------------------------------------------------------------------------------------------------


@pytest.fixture
def a_diagram(monkeypatch):
    """Return a function that draws and returns matplotlib's figure."""
    from matplotlib.figure import Figure

    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))[1])

    def draw(function, *arguments, **options):
        ElementTree.parse(io.BytesIO(function(*arguments, **options)))
        return drawn[-1]

    return draw


def by_volume(values) -> dict[str, float]:
    return {f"volume {number}": float(value) for number, value in enumerate(values)}


def test_boxes_stand_at_the_quartiles_and_whiskers_leave_outliers_out(a_diagram) -> None:
    values = [1, 2, 3, 4, 5, 6, 7, 8, 30]
    ax = a_diagram(box_plots, [BoxPanel("PSNR", {"A": by_volume(values)})]).axes[0]
    low, high = (
        ax.collections[0].get_paths()[0].vertices[:, 0].min(),
        ax.collections[0].get_paths()[0].vertices.max(0)[0],
    )
    assert (low, high) == (3, 7)
    ends = [tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert (1, 8) in ends  # the whiskers
    assert (5, 5) in ends  # the median
    (points,) = [line for line in ax.lines if line.get_marker() == "."]
    assert list(points.get_xdata()) == values


def test_few_volumes_are_points_and_their_mean_without_a_box(a_diagram) -> None:
    ax = a_diagram(box_plots, [BoxPanel("PSNR", {"A": by_volume([1, 2, 6]), "B": {}})]).axes[0]
    assert not ax.collections
    assert any(list(line.get_xdata()) == [3, 3] for line in ax.lines)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A", "B"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first method on top


def test_lines_connect_the_same_volume(a_diagram) -> None:
    panel = BoxPanel("PSNR", {"A": {"x": 1.0, "y": 2.0}, "B": {"y": 5.0, "x": 3.0}})
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in a_diagram(box_plots, [panel]).axes[0].lines]
    assert ([1.0, 3.0], [0, 1]) in lines and ([2.0, 5.0], [0, 1]) in lines


def test_zeros_stand_at_the_edge_of_a_logarithmic_axis(a_diagram) -> None:
    panel = BoxPanel("residual", {"A": by_volume([2.0]), "B": by_volume([0.0])}, logarithmic=True)
    ax = a_diagram(box_plots, [panel]).axes[0]
    points = [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "."]
    assert points == pytest.approx([2.0, 0.002])


def test_curves_of_volumes_with_other_frequencies_are_averaged_where_all_have_them(a_diagram) -> None:
    one = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    other = np.array([0.1, 0.2, 0.4]), np.array([0.7, 0.4, 0.2])
    ax = a_diagram(shell_plot, {"A": [one, other], "B": []}, lr_nyquist=0.125).axes[0]
    line = ax.lines[0]
    assert line.get_xdata()[-1] == pytest.approx(0.4)
    middle = np.interp([0, 0.1, 0.3, 0.4], line.get_xdata(), line.get_ydata())
    assert middle == pytest.approx([1, 0.8, (0.7 + 0.3) / 2, (0.6 + 0.2) / 2], abs=0.01)
    assert {float(line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 2} >= {0.5, 0.143}
    assert "LR Nyquist" in [text.get_text() for text in ax.texts]


def test_the_same_results_make_the_same_bytes() -> None:
    panel = BoxPanel("PSNR", {"A": by_volume(range(9))})
    assert box_plots([panel]) == box_plots([panel])


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="the same methods in every panel, got"):
        box_plots([])
    with pytest.raises(ValueError, match=r"got \[\['A'\], \['B'\]\]"):
        box_plots([BoxPanel("x", {"A": {}}), BoxPanel("y", {"B": {}})])
    with pytest.raises(ValueError, match="no Fourier shell correlation"):
        shell_plot({"A": []})
